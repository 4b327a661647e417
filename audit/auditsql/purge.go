package auditsql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

var _ audit.Purger = (*Store)(nil)

// purgedOutcome stands where an outcome was.
const purgedOutcome = -1

// Purge implements audit.Purger. Events go first, some hundred in a transaction, each with all
// that the tables say of it, and with the span that says so: so no event is ever destroyed in
// part, whoever is killed. What they were found by goes afterwards, see sweep; until then searches
// that it leads to such a place pass over it. It reads the runs from the oldest to the first that
// has later events of the tenant, also when there is nothing left to purge.
//
// The owner of the tables may purge. Another role needs, beside the rights that a server has,
// UPDATE on the columns body and outcome of audit_entry; INSERT, UPDATE and DELETE on audit_purged;
// INSERT and DELETE on audit_purging; DELETE on audit_event, audit_event_patient and
// audit_event_object. Servers need none of these.
//
// A row that is missing where an event should be is ErrDamaged; the spans before it may be gone.
func (s *Store) Purge(ctx context.Context, tenant audit.Tenant, spans []audit.Span) error {
	err := s.purge(ctx, string(tenant), spans)
	switch {
	case err == nil, err == audit.ErrNotFound:
		return err
	case errors.Is(err, audit.ErrDamaged):
		return audit.ErrDamaged
	}
	return fmt.Errorf("auditsql: purging events: %w", err)
}

func (s *Store) purge(ctx context.Context, tenant string, asked []audit.Span) error {
	if len(asked) == 0 {
		return ctx.Err()
	}
	var no, size int64
	if err := scanOne(ctx, s.db, []any{&no, &size}, selectReach, tenant); err != nil {
		return err
	}
	spans := make([]span, len(asked))
	for i, a := range asked {
		if a.From < 0 || a.From >= a.To || a.To > size {
			return audit.ErrNotFound
		}
		spans[i] = span{placeOf(no, a.From), placeOf(no, a.To)}
	}
	by := &foundBy{}
	for _, of := range spans {
		if err := s.purgeSpan(ctx, tenant, of, by); err != nil {
			return err
		}
	}
	return s.sweepRuns(ctx, spans, by)
}

// purgeSpan purges what is left of a span.
func (s *Store) purgeSpan(ctx context.Context, tenant string, of span, by *foundBy) error {
	gone, err := s.spansIn(ctx, of)
	if err != nil {
		return err
	}
	by.unknown = by.unknown || len(gone) > 0
	for from := of.from; from < of.until; {
		to := min(from+s.shape.chunk, of.until)
		if len(gone) > 0 {
			if from >= gone[0].from {
				from, gone = gone[0].until, gone[1:]
				continue
			}
			to = min(to, gone[0].from)
		}
		var some foundBy
		err := s.db.Write(ctx, func(tx *sqlkit.Tx) (err error) {
			some, err = s.purgeSome(ctx, tx, tenant, span{from, to})
			return err
		})
		if err != nil {
			return err
		}
		by.add(some)
		if err := s.letOthers(ctx); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// letOthers leaves a moment to writers of other processes, which SQLite lets poll.
func (s *Store) letOthers(ctx context.Context) error {
	if s.postgres() {
		return ctx.Err()
	}
	select {
	case <-time.After(time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	lockPurged  = `pg_advisory_xact_lock(7706325, to_regclass('audit_purged')::oid::integer)::text`
	beginPurge  = `INSERT INTO audit_purging (run) VALUES (?) ON CONFLICT DO NOTHING`
	endPurge    = `DELETE FROM audit_purging WHERE run = ?`
	purgeBodies = `UPDATE audit_entry SET body = ?, outcome = ?, sealed = NULL WHERE place >= ? AND place < ?`

	// An imported event has its private values in a table of their own. What waits under the ID
	// of an event that has its place says the same, and would never be placed.
	purgeOpenings = `DELETE FROM audit_opening WHERE tenant = ? AND id IN (SELECT id FROM audit_entry WHERE place >= ? AND place < ?)`
	purgeWaiting  = `DELETE FROM audit_pending WHERE tenant = ? AND id IN (SELECT id FROM audit_entry WHERE place >= ? AND place < ?)`
)

// purgeSome purges the events of a short span, and returns what they were found by.
func (s *Store) purgeSome(ctx context.Context, tx *sqlkit.Tx, tenant string, of span) (by foundBy, err error) {
	if err := s.locked(ctx, tx, lockPurged); err != nil {
		return by, err
	}
	if by, err = readFoundBy(ctx, tx, tenant, of); err != nil {
		return by, err
	}
	if _, err := tx.Exec(ctx, beginPurge, 0); err != nil {
		return by, err
	}
	if err := widen(ctx, tx, of); err != nil {
		return by, err
	}
	n, err := tx.Exec(ctx, purgeBodies, []byte{}, purgedOutcome, of.from, of.until)
	if err == nil && n != of.until-of.from {
		err = audit.ErrDamaged
	}
	if err != nil {
		return by, err
	}
	old, err := s.purgeOld(ctx, tx, tenant, of)
	if err != nil {
		return by, err
	}
	by.unknown = by.unknown || old > 0
	statements := []string{purgeOpenings}
	if s.postgres() {
		statements = append(statements, purgeWaiting)
	}
	for _, query := range statements {
		if _, err := tx.Exec(ctx, query, tenant, of.from, of.until); err != nil {
			return by, err
		}
	}
	_, err = tx.Exec(ctx, endPurge, 0)
	return by, err
}

// widen adds a span to those that were purged. Those that it meets become one with it.
func widen(ctx context.Context, tx *sqlkit.Tx, of span) error {
	const touching = `SELECT place, until FROM audit_purged
		WHERE place >= COALESCE((SELECT MAX(place) FROM audit_purged WHERE place <= ?), 0) AND place <= ? AND until >= ? ORDER BY place`
	old, err := scanSpans(ctx, tx, touching, of.from, of.until, of.from)
	if err != nil {
		return err
	}
	for _, o := range old {
		of = span{min(of.from, o.from), max(of.until, o.until)}
	}
	query, args := `INSERT INTO audit_purged (until, place) VALUES (?, ?)`, []any{of.until, of.from}
	if len(old) > 0 && old[0].from == of.from {
		query, old = `UPDATE audit_purged SET until = ? WHERE place = ?`, old[1:]
	}
	if _, err := tx.Exec(ctx, query, args...); err != nil {
		return err
	}
	for _, o := range old {
		if _, err := tx.Exec(ctx, `DELETE FROM audit_purged WHERE place = ?`, o.from); err != nil {
			return err
		}
	}
	return nil
}

// Purged implements audit.Purger.
func (s *Store) Purged(ctx context.Context, tenant audit.Tenant, from, to int64) ([]audit.Span, error) {
	from, to = max(from, 0), min(to, maxIndex)
	if from >= to {
		return nil, ctx.Err()
	}
	var no, size int64
	err := scanOne(ctx, s.db, []any{&no, &size}, selectReach, string(tenant))
	if err != nil || no == 0 {
		return nil, purgedError(err)
	}
	spans, err := s.spansIn(ctx, span{placeOf(no, from), placeOf(no, to)})
	var out []audit.Span
	for _, p := range spans {
		out = append(out, audit.Span{From: max(indexOf(p.from), from), To: min(p.until-placeOf(no, 0), to)})
	}
	return out, purgedError(err)
}

func purgedError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("auditsql: reading what was purged: %w", err)
}

// span is the places from one to before another, of one tenant.
type span struct{ from, until int64 }

func (p span) has(place int64) bool { return p.from <= place && place < p.until }

// scanSpans reads rows of audit_purged.
func scanSpans(ctx context.Context, from runner, query string, args ...any) (out []span, err error) {
	err = scanAll(ctx, from, func(rows *sqlkit.Rows) error {
		var p span
		err := rows.Scan(&p.from, &p.until)
		out = append(out, p)
		return err
	}, query, args...)
	return out, err
}

// spansIn are the purged spans that have places in another, ascending.
func (s *Store) spansIn(ctx context.Context, of span) ([]span, error) {
	const some = `SELECT place, until FROM audit_purged
		WHERE place >= COALESCE((SELECT MAX(place) FROM audit_purged WHERE place <= ?), 0) AND place < ? AND until > ? ORDER BY place`
	return scanSpans(ctx, s.db, some, of.from, of.until, of.from)
}

// inSpans returns ErrDamaged unless all these descending places, whose events have no body, are in
// purged spans: somebody else removed it.
func (s *Store) inSpans(ctx context.Context, from runner, places []int64) error {
	where, args := s.rowsWhere(places)
	var n int
	err := scanOne(ctx, from, []any{&n}, `SELECT COUNT(*) FROM audit_entry e
		WHERE (SELECT p.until FROM audit_purged p WHERE p.place <= e.place ORDER BY p.place DESC LIMIT 1) > e.place
			AND length(e.body) = 0 AND e.place `+where, args...)
	if err == nil && n < len(places) {
		err = audit.ErrDamaged
	}
	return err
}

// markPurged marks rows without a body, by place; ErrDamaged if somebody else removed one.
func (s *Store) markPurged(ctx context.Context, from runner, rows map[int64]*row) error {
	places := slices.Sorted(maps.Keys(rows))
	slices.Reverse(places)
	err := s.inSpans(ctx, from, places)
	for _, r := range rows {
		r.purged = err == nil
	}
	return err
}
