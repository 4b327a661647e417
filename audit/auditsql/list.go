package auditsql

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// List implements audit.Store. It reads the whole page before it yields, so that no
// connection is held while the caller looks at it.
func (s *Store) List(ctx context.Context, f audit.Filter, after audit.Position, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		page, err := s.page(ctx, &f, after, limit)
		if err != nil {
			yield(audit.Entry{}, fmt.Errorf("auditsql: listing events: %w", err))
			return
		}
		for _, e := range page {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (s *Store) page(ctx context.Context, f *audit.Filter, after audit.Position, limit int) ([]audit.Entry, error) {
	q := listing(s.db.Dialect(), f, after, limit)
	rows, err := s.db.Query(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []audit.Entry
	for rows.Next() {
		var r row
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		e, err := r.entry(f.Tenant)
		if err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	return page, rows.Err()
}

// query is a statement under construction; text holds constants only, every value is an
// argument.
type query struct {
	text strings.Builder
	args []any
}

func (q *query) add(text string, args ...any) {
	q.text.WriteString(text)
	q.args = append(q.args, args...)
}

// branch is one index to read in order.
type branch struct {
	from  string // and the conditions on the index's first columns
	alias string // whose recorded and id follow in the index
	args  []any
}

const (
	fromTime    = `audit_event e INDEXED BY audit_event_time WHERE e.tenant = ?`
	fromActor   = `audit_event e INDEXED BY audit_event_actor WHERE e.tenant = ? AND e.actor = ?`
	fromAction  = `audit_event e INDEXED BY audit_event_action WHERE e.tenant = ? AND e.action = ?`
	fromPatient = `audit_event_patient i CROSS JOIN audit_event e
		WHERE e.tenant = i.tenant AND e.id = i.id AND i.tenant = ? AND i.patient = ?`
	fromObject = `audit_event_object i CROSS JOIN audit_event e
		WHERE e.tenant = i.tenant AND e.id = i.id AND i.tenant = ? AND i.type = ? AND i.object = ?`
)

// leads chooses which condition of the filter leads: in general the one that selects the
// fewest events. A list of alternatives needs a branch for each, because an index is in
// order for one value only. rest is what remains to be asked of each event.
func leads(f audit.Filter) (branches []branch, rest audit.Filter) {
	tenant := string(f.Tenant)
	rest = f
	switch {
	case f.ObjectID != "":
		rest.ObjectType, rest.ObjectID = "", ""
		return []branch{{fromObject, "i", []any{tenant, f.ObjectType, f.ObjectID}}}, rest
	case f.Patient != "":
		rest.Patient = ""
		return []branch{{fromPatient, "i", []any{tenant, string(f.Patient)}}}, rest
	case len(f.Actors) > 0:
		rest.Actors = nil
		for _, a := range distinctValues(f.Actors) {
			branches = append(branches, branch{fromActor, "e", []any{tenant, string(a)}})
		}
		return branches, rest
	case f.ObjectType != "":
		rest.ObjectType = ""
		return []branch{{fromObject, "i", []any{tenant, f.ObjectType, ""}}}, rest
	case len(f.Actions) > 0:
		rest.Actions = nil
		for _, a := range distinctValues(f.Actions) {
			branches = append(branches, branch{fromAction, "e", []any{tenant, string(a)}})
		}
		return branches, rest
	}
	return []branch{{fromTime, "e", []any{tenant}}}, rest
}

// indexedBy is SQLite's way of saying which index to read, whatever its statistics say; a
// wrong guess of its planner would sort the whole log for one page. PostgreSQL has no such
// words and decides well.
func indexedBy(from string, d sqlkit.Dialect) string {
	table, rest, found := strings.Cut(from, " INDEXED BY ")
	if !found || d == sqlkit.SQLite {
		return from
	}
	_, where, _ := strings.Cut(rest, " ")
	return table + " " + where
}

// listing merges the branches, each cut to the limit.
func listing(d sqlkit.Dialect, f *audit.Filter, after audit.Position, limit int) *query {
	q := &query{}
	branches, rest := leads(*f)
	for i, b := range branches {
		if i > 0 {
			q.add(` UNION ALL `)
		}
		if len(branches) > 1 {
			q.add(`SELECT * FROM (`)
		}
		q.add(`SELECT e.id, e.recorded, e.actor, e.action, e.outcome, e.leaf, e.body FROM `)
		q.add(indexedBy(b.from, d), b.args...)
		q.bounds(b.alias, f, after)
		q.conditions(&rest)
		q.add(` ORDER BY `+b.alias+`.recorded DESC, `+b.alias+`.id DESC LIMIT ?`, limit)
		if len(branches) > 1 {
			q.add(`) AS branch`)
		}
	}
	if len(branches) > 1 {
		q.add(` ORDER BY recorded DESC, id DESC LIMIT ?`, limit)
	}
	return q
}

// bounds limits the period and starts behind a position.
func (q *query) bounds(alias string, f *audit.Filter, after audit.Position) {
	if !f.From.IsZero() {
		q.add(` AND `+alias+`.recorded >= ?`, sqlkit.Micros(f.From))
	}
	if !f.To.IsZero() {
		q.add(` AND `+alias+`.recorded < ?`, sqlkit.Micros(f.To))
	}
	if !after.IsZero() {
		key, _ := idBytes(after.ID) // an empty one is before all others of its time
		q.add(` AND (`+alias+`.recorded, `+alias+`.id) < (?, ?)`, sqlkit.Micros(after.Recorded), key)
	}
}

// conditions adds what no index leads with.
func (q *query) conditions(f *audit.Filter) {
	in(q, `e.actor`, f.Actors, func(a audit.ActorID) any { return string(a) })
	in(q, `e.action`, f.Actions, func(a audit.Action) any { return string(a) })
	in(q, `e.outcome`, f.Outcomes, func(o audit.Outcome) any { return int64(o) })
	tenant := string(f.Tenant)
	if f.Patient != "" {
		q.add(` AND EXISTS (SELECT 1 FROM audit_event_patient p WHERE p.tenant = ? AND p.patient = ?
			AND p.recorded = e.recorded AND p.id = e.id)`, tenant, string(f.Patient))
	}
	if f.ObjectType != "" {
		q.add(` AND EXISTS (SELECT 1 FROM audit_event_object o WHERE o.tenant = ? AND o.type = ? AND o.object = ?
			AND o.recorded = e.recorded AND o.id = e.id)`, tenant, f.ObjectType, f.ObjectID)
	}
}

func in[T cmp.Ordered](q *query, column string, values []T, arg func(T) any) {
	values = distinctValues(values)
	if len(values) == 0 {
		return
	}
	q.add(` AND ` + column + ` IN ` + sqlkit.List(len(values)))
	for _, v := range values {
		q.args = append(q.args, arg(v))
	}
}

func distinctValues[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// row is what Get and List read of an event.
type row struct {
	id, leaf, body []byte
	recorded       int64
	actor, action  string
	outcome        int64
}

func (r *row) dest() []any {
	return []any{&r.id, &r.recorded, &r.actor, &r.action, &r.outcome, &r.leaf, &r.body}
}

func (r *row) entry(tenant audit.Tenant) (audit.Entry, error) {
	if len(r.id) != 16 || len(r.leaf) != 32 || r.outcome < 0 || r.outcome > 255 {
		return audit.Entry{}, audit.ErrDamaged
	}
	return audit.Entry{
		Tenant: tenant, ID: idText(r.id), Recorded: sqlkit.Time(r.recorded),
		Actor: audit.ActorID(r.actor), Action: audit.Action(r.action), Outcome: audit.Outcome(r.outcome),
		Body: r.body, Leaf: [32]byte(r.leaf),
	}, nil
}

// idBytes returns the 16 bytes of a UUID; it reports false for anything else.
func idBytes(id string) ([]byte, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return nil, false
	}
	digits := id[0:8] + id[9:13] + id[14:18] + id[19:23] + id[24:36]
	key, err := hex.DecodeString(digits)
	return key, err == nil && strings.ToLower(digits) == digits
}

// idText is the inverse of idBytes.
func idText(key []byte) string {
	h := hex.EncodeToString(key)
	return h[0:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}
