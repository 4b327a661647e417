package purgesql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const (
	planColumns = `tenant, id, version, state, spans, events, oldest, newest, months, export, proposed, proposed_by, expires, event,
		approved, approved_by, ended, ended_by, kept FROM purge_plan`
	selectPlan  = `SELECT ` + planColumns + ` WHERE tenant = ? AND id = ?`
	selectPlans = `SELECT ` + planColumns + ` WHERE tenant = ? ORDER BY proposed DESC, id DESC`
	selectOpen  = `SELECT ` + planColumns + ` WHERE is_open = 1`

	insertPlan = `INSERT INTO purge_plan (version, state, is_open, spans, events, oldest, newest, months, export, proposed, proposed_by,
		expires, event, approved, approved_by, ended, ended_by, kept, tenant, id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	updatePlan = `UPDATE purge_plan SET version = ?, state = ?, is_open = ?, spans = ?, events = ?, oldest = ?, newest = ?, months = ?,
		export = ?, proposed = ?, proposed_by = ?, expires = ?, event = ?, approved = ?, approved_by = ?, ended = ?, ended_by = ?, kept = ?
		WHERE tenant = ? AND id = ? AND version = ?`
	otherOpen = `SELECT COUNT(*) FROM purge_plan WHERE tenant = ? AND id <> ? AND is_open = 1`
)

// Plan implements purge.Plans.
func (s *Store) Plan(ctx context.Context, t audit.Tenant, id string) (purge.Plan, error) {
	var r planRow
	err := s.db.Get(ctx, r.dest(), selectPlan, string(t), id)
	if errors.Is(err, sql.ErrNoRows) {
		return purge.Plan{}, purge.ErrNotFound
	}
	if err == nil {
		err = r.complete()
	}
	if err != nil {
		return purge.Plan{}, fmt.Errorf("purgesql: reading a plan: %w", err)
	}
	return r.p, nil
}

// Plans implements purge.Plans. It holds no connection while it yields.
func (s *Store) Plans(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Plan, error] {
	return s.some(ctx, selectPlans, string(t))
}

// Open implements purge.Plans.
func (s *Store) Open(ctx context.Context) iter.Seq2[purge.Plan, error] {
	return s.some(ctx, selectOpen)
}

func (s *Store) some(ctx context.Context, query string, args ...any) iter.Seq2[purge.Plan, error] {
	return func(yield func(purge.Plan, error) bool) {
		all, err := s.plans(ctx, query, args...)
		if err != nil {
			yield(purge.Plan{}, fmt.Errorf("purgesql: reading plans: %w", err))
			return
		}
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s *Store) plans(ctx context.Context, query string, args ...any) ([]purge.Plan, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []purge.Plan
	for rows.Next() {
		var r planRow
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		if err := r.complete(); err != nil {
			return nil, err
		}
		out = append(out, r.p)
	}
	return out, rows.Err()
}

// PutPlan implements purge.Plans. An index keeps a second open plan out; which of the two reasons
// made nothing change is asked afterwards.
func (s *Store) PutPlan(ctx context.Context, p purge.Plan) error {
	spans, err := json.Marshal(pairs(p.Spans))
	if err != nil {
		return fmt.Errorf("purgesql: keeping a plan: %w", err)
	}
	values := []any{
		p.Version + 1, string(p.State), flag(p.Open()), string(spans), p.Count, sqlkit.Micros(p.Oldest), sqlkit.Micros(p.Newest),
		p.Months, p.Export[:], sqlkit.Micros(p.Proposed), string(p.ProposedBy), sqlkit.Micros(p.Expires), p.Event,
		sqlkit.Micros(p.Approved), string(p.ApprovedBy), sqlkit.Micros(p.Ended), string(p.EndedBy), p.Kept, string(p.Tenant), p.ID,
	}
	err = s.put(ctx, "keeping a plan", insertPlan, updatePlan, p.Version, values)
	if err == nil || !p.Open() || !errors.Is(err, purge.ErrConflict) && !sqlkit.IsUnique(err) {
		return err
	}
	var others int64
	if asked := s.db.Get(ctx, []any{&others}, otherOpen, string(p.Tenant), p.ID); asked != nil {
		return fmt.Errorf("purgesql: keeping a plan: %w", asked)
	}
	have, asked := s.Plan(ctx, p.Tenant, p.ID)
	switch {
	case asked != nil && !errors.Is(asked, purge.ErrNotFound):
		return asked
	case others > 0 && have.Version == p.Version:
		return purge.ErrOpen
	}
	return purge.ErrConflict
}

// pairs is how spans are stored.
func pairs(spans []audit.Span) [][2]int64 {
	out := make([][2]int64, len(spans))
	for i, s := range spans {
		out[i] = [2]int64{s.From, s.To}
	}
	return out
}

// planRow receives what planColumns names.
type planRow struct {
	p                                                  purge.Plan
	spans                                              string
	export                                             []byte
	oldest, newest, proposed, expires, approved, ended int64
}

func (r *planRow) dest() []any {
	return []any{
		&r.p.Tenant, &r.p.ID, &r.p.Version, &r.p.State, &r.spans, &r.p.Count, &r.oldest, &r.newest, &r.p.Months, &r.export,
		&r.proposed, &r.p.ProposedBy, &r.expires, &r.p.Event, &r.approved, &r.p.ApprovedBy, &r.ended, &r.p.EndedBy, &r.p.Kept,
	}
}

// complete converts what has another form in the row.
func (r *planRow) complete() error {
	var list [][2]int64
	if err := json.Unmarshal([]byte(r.spans), &list); err != nil || len(r.export) != len(r.p.Export) {
		return errors.New("a stored plan is damaged")
	}
	for _, s := range list {
		r.p.Spans = append(r.p.Spans, audit.Span{From: s[0], To: s[1]})
	}
	copy(r.p.Export[:], r.export)
	r.p.Oldest, r.p.Newest = sqlkit.Time(r.oldest), sqlkit.Time(r.newest)
	r.p.Proposed, r.p.Expires = sqlkit.Time(r.proposed), sqlkit.Time(r.expires)
	r.p.Approved, r.p.Ended = sqlkit.Time(r.approved), sqlkit.Time(r.ended)
	return nil
}
