package auditsql

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// The number of entries that are read at a time: at first what is asked for, then more and
// more, because so few of them were selected.
const maxChunk = 1024

// List implements audit.Reader. It holds no connection while the caller looks at an entry.
func (s *Store) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		err := s.walk(ctx, &f, below, limit, func(e audit.Entry) bool {
			limit--
			return yield(e, nil) && limit > 0
		})
		if err != nil {
			yield(audit.Entry{}, listError(err))
		}
	}
}

func listError(err error) error {
	if errors.Is(err, audit.ErrDamaged) {
		return audit.ErrDamaged
	}
	return fmt.Errorf("auditsql: listing events: %w", err)
}

// Count implements audit.Reader. Conditions on what is only hashed in the tables are checked
// against the events themselves, so that the number is exact.
func (s *Store) Count(ctx context.Context, f audit.Filter, limit int) (int, error) {
	n := 0
	err := s.walk(ctx, &f, audit.Newest, limit, func(audit.Entry) bool {
		n++
		return n < limit
	})
	if err != nil {
		return 0, listError(err)
	}
	return n, nil
}

// walk visits what f selects below an index, the highest first, until visit returns false.
func (s *Store) walk(ctx context.Context, f *audit.Filter, below int64, limit int, visit func(audit.Entry) bool) error {
	r, err := s.reachOf(ctx, f, below)
	if err != nil {
		return err
	}
	l := leadOf(f)
	for n := min(max(limit, 1), maxChunk); ; n = min(4*n, maxChunk) {
		places, done, err := s.candidates(ctx, l.keys, r, n)
		if err != nil {
			return err
		}
		rows, err := s.rows(ctx, places)
		if err != nil {
			return err
		}
		for i := range rows {
			e, ok, err := rows[i].selected(f, l)
			if err != nil {
				return err
			}
			if ok && !visit(e) {
				return nil
			}
		}
		if done {
			return nil
		}
		r.below = places[len(places)-1]
	}
}

// selected returns the entry if f selects it. What the columns rule out is not unpacked.
func (r *row) selected(f *audit.Filter, l *lead) (audit.Entry, bool, error) {
	at := sqlkit.Time(r.recorded)
	if !f.From.IsZero() && at.Before(f.From) || !f.To.IsZero() && !at.Before(f.To) {
		return audit.Entry{}, false, nil
	}
	e, facts, err := r.entry(f.Tenant)
	if err == nil && !l.explains(&facts, &e) {
		err = audit.ErrDamaged
	}
	if err != nil {
		return audit.Entry{}, false, err
	}
	return e, facts.match(f, &e), nil
}

// lead is the condition of a filter that is searched for; the others are asked of each entry
// that is found. Without keys every entry is.
type lead struct {
	keys []int64
	only audit.Filter // the condition alone
}

// leadOf chooses the condition that selects the fewest events in general.
func leadOf(f *audit.Filter) *lead {
	tenant := string(f.Tenant)
	l := &lead{only: audit.Filter{Tenant: f.Tenant}}
	switch {
	case f.ObjectID != "":
		l.only.ObjectType, l.only.ObjectID = f.ObjectType, f.ObjectID
		l.keys = []int64{keyOf(byObject, tenant, f.ObjectType, f.ObjectID)}
	case f.Patient != "":
		l.only.Patient = f.Patient
		l.keys = []int64{keyOf(byPatient, tenant, string(f.Patient))}
	case len(f.Actors) > 0:
		l.only.Actors = f.Actors
		l.keys = keysOfValues(byActor, tenant, f.Actors)
	case f.ObjectType != "":
		l.only.ObjectType = f.ObjectType
		l.keys = []int64{keyOf(byType, tenant, f.ObjectType)}
	case len(f.Actions) > 0:
		l.only.Actions = f.Actions
		l.keys = keysOfValues(byAction, tenant, f.Actions)
	}
	return l
}

func keysOfValues[T ~string](d dimension, tenant string, values []T) []int64 {
	keys := make([]int64, len(values))
	for i, v := range values {
		keys[i] = keyOf(d, tenant, string(v))
	}
	return each(keys)
}

// explains reports whether the search could lead to the event: it has one of the values or,
// which hardly ever happens, another value with the same key. If not, somebody changed the
// tables.
func (l *lead) explains(f *facts, e *audit.Entry) bool {
	if len(l.keys) == 0 || f.match(&l.only, e) {
		return true
	}
	found := f.entry(e.Tenant)
	return slices.ContainsFunc(keysOf(&found), func(k int64) bool { return slices.Contains(l.keys, k) })
}

// rows reads the entries at all of these descending places. One that is missing was removed
// by somebody.
func (s *Store) rows(ctx context.Context, places []int64) ([]row, error) {
	if len(places) == 0 {
		return nil, nil
	}
	out := make([]row, 0, len(places))
	query, args := s.rowsQuery(places)
	err := scanAll(ctx, s.db, func(rows *sqlkit.Rows) error {
		var r row
		err := rows.Scan(r.dest()...)
		out = append(out, r)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b row) int { return int(min(max(b.place-a.place, -1), 1)) })
	for i := range places {
		if i >= len(out) || out[i].place != places[i] {
			return nil, audit.ErrDamaged
		}
	}
	return out, nil
}

func (s *Store) rowsQuery(places []int64) (string, []any) {
	const from = `SELECT ` + rowColumns + ` FROM audit_entry e WHERE e.place `
	n := len(places)
	if places[0]-places[n-1] == int64(n-1) {
		return from + `BETWEEN ? AND ?`, []any{places[n-1], places[0]}
	}
	if s.postgres() {
		var list numbers
		for _, p := range places {
			list.add(p)
		}
		return from + `= ANY (?::bigint[])`, []any{list.done()}
	}
	// A few sizes of statement; the last place fills up.
	size := 8
	for size < n {
		size *= 4
	}
	args := make([]any, size)
	for i := range args {
		args[i] = places[min(i, n-1)]
	}
	return from + `IN (?` + strings.Repeat(", ?", size-1) + `)`, args
}
