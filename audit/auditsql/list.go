package auditsql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// The number of entries that are read at a time: at first what is asked for, then more and
// more, if so few of them were selected.
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
	w := newWanted(f, limit)
	n := w.start(limit)
	r, places, done, err := s.begin(ctx, w, below, n)
	for ; ; places, done, err = s.next(ctx, w, r, n) {
		if err != nil {
			return err
		}
		if !done {
			r.below = places[len(places)-1]
		}
		if places, err = s.narrow(ctx, w, places); err != nil {
			return err
		}
		more, err := s.visit(ctx, w, places, visit)
		if err != nil || !more || done {
			return err
		}
		n = w.step(n)
	}
}

// begin returns where to search, and the first candidates as next does.
func (s *Store) begin(ctx context.Context, w *wanted, below int64, n int) (r reach, places []int64, done bool, err error) {
	f := w.filter
	if keys := w.lead().keys; s.postgres() && len(keys) == 1 && below == audit.Newest && f.To.IsZero() {
		r, places, done, known, err := s.firstPage(ctx, f, keys[0], n)
		if err != nil || known {
			return r, places, done, err
		}
		places, done, err = s.next(ctx, w, r, n)
		return r, places, done, err
	}
	if r, err = s.reachOf(ctx, f, below); err == nil {
		places, done, err = s.next(ctx, w, r, n)
	}
	return r, places, done, err
}

// next returns the next candidates of a search, as candidates does. Where everything is wanted
// these are all places but those that are known to be purged.
func (s *Store) next(ctx context.Context, w *wanted, r reach, n int) (places []int64, done bool, err error) {
	if keys := w.lead().keys; len(keys) > 0 {
		return s.candidates(ctx, keys, r, n)
	}
	for p := w.alive(r.below - 1); p >= r.from && len(places) < n; p = w.alive(p - 1) {
		places = append(places, p)
	}
	return places, len(places) < n, nil
}

// visit reads entries, first as many as are asked for and then more and more, and visits those
// that are wanted.
func (s *Store) visit(ctx context.Context, w *wanted, places []int64, visit func(audit.Entry) bool) (more bool, err error) {
	for places = w.drop(places); len(places) > 0; {
		n := min(w.piece, len(places))
		entries, err := s.entries(ctx, w, places[:n])
		if err == nil && len(w.bodiless) > 0 {
			err = s.passOver(ctx, w)
		}
		if err != nil {
			return false, err
		}
		w.read += n
		for i := range entries {
			if entries[i].Body == nil {
				continue
			}
			if w.kept++; !visit(entries[i]) {
				return false, nil
			}
		}
		places, w.piece = w.drop(places[n:]), min(4*w.piece, maxChunk)
	}
	return true, nil
}

// passOver makes sure that events without a body were purged, ErrDamaged if they were not, and
// finds out what else was below them, so that a search does not read its way through it.
func (s *Store) passOver(ctx context.Context, w *wanted) error {
	const ahead = `SELECT place, until FROM audit_purged WHERE place <= ? AND place >= ? ORDER BY place DESC LIMIT 256`
	slices.SortFunc(w.bodiless, func(a, b int64) int { return cmp.Compare(b, a) })
	err := s.inSpans(ctx, s.db, w.bodiless)
	if err == nil {
		highest := w.bodiless[0]
		w.gone, err = scanSpans(ctx, s.db, ahead, highest, highest-indexOf(highest))
	}
	w.bodiless = w.bodiless[:0]
	return err
}

// selected returns the entry if it is wanted. What the columns rule out is not unpacked.
func (r *row) selected(w *wanted, room *room) (audit.Entry, error) {
	f := w.filter
	at := sqlkit.Time(r.recorded)
	if !f.From.IsZero() && at.Before(f.From) || !f.To.IsZero() && !at.Before(f.To) {
		return audit.Entry{}, nil
	}
	e, err := r.entry(f.Tenant, room)
	if err == nil && !w.lead().explains(&room.facts, &e) {
		err = audit.ErrDamaged
	}
	if err != nil || !room.facts.match(f, &e) {
		return audit.Entry{}, err
	}
	return e, nil
}

// entries reads those at all of these descending places; one that is not wanted is left
// empty, and one without a body is noted. One that is missing was removed by somebody.
func (s *Store) entries(ctx context.Context, w *wanted, places []int64) ([]audit.Entry, error) {
	out := make([]audit.Entry, len(places))
	var (
		r              row
		room           room
		id, leaf, body sql.RawBytes // valid until the next row
		found          int
	)
	dest := []any{&r.place, &r.recorded, &r.outcome, &id, &leaf, &body}
	query, args := s.rowsQuery(places)
	err := scanAll(ctx, s.db, func(rows *sqlkit.Rows) error {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		r.id, r.leaf, r.body = id, leaf, body
		at, ok := placeAmong(places, r.place)
		if !ok {
			return audit.ErrDamaged
		}
		found++
		if len(body) == 0 {
			w.bodiless = append(w.bodiless, r.place)
			return nil
		}
		var err error
		out[at], err = r.selected(w, &room)
		return err
	}, query, args...)
	if err == nil && found != len(places) {
		err = audit.ErrDamaged
	}
	return out, err
}

// placeAmong searches descending places.
func placeAmong(places []int64, place int64) (int, bool) {
	return slices.BinarySearchFunc(places, place, func(a, b int64) int { return cmp.Compare(b, a) })
}

func (s *Store) rowsQuery(places []int64) (string, []any) {
	where, args := s.rowsWhere(places)
	return `SELECT ` + rowColumns + ` FROM audit_entry e WHERE e.place ` + where, args
}

// rowsWhere is a condition that selects descending places.
func (s *Store) rowsWhere(places []int64) (string, []any) {
	n := len(places)
	if places[0]-places[n-1] == int64(n-1) {
		return `BETWEEN ? AND ?`, []any{places[n-1], places[0]}
	}
	if s.postgres() {
		var list numbers
		for _, p := range places {
			list.add(p)
		}
		return `= ANY (?::bigint[])`, []any{list.done()}
	}
	// A few sizes of statement; the last place fills up.
	size := 8
	for size < n {
		size *= 2
	}
	args := make([]any, size)
	for i := range args {
		args[i] = places[min(i, n-1)]
	}
	return `IN (?` + strings.Repeat(", ?", size-1) + `)`, args
}
