package auditsql

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// anyWaiting is empty if nothing waits. It reads one entry of an index, whose dead entries at
// the front are skipped quickly.
const (
	anyWaitingSQLite   = `SELECT serial FROM audit_pending ORDER BY serial LIMIT 1`
	anyWaitingPostgres = `SELECT serial FROM audit_pending WHERE NOT refused ORDER BY serial LIMIT 1`
)

// Sequence implements audit.Sequencer.
func (s *Store) Sequence(ctx context.Context, limit int) (int, error) {
	n, err := s.sequence(ctx, limit)
	if err != nil {
		return n, fmt.Errorf("auditsql: giving events their places: %w", err)
	}
	return n, nil
}

func (s *Store) sequence(ctx context.Context, limit int) (n int, err error) {
	query, one := anyWaitingSQLite, s.sequenceSQLite
	if s.postgres() {
		query, one = anyWaitingPostgres, s.sequencePostgres
	}
	// Without a lock: what was durable before this look either waits or has its place.
	serial := int64(-1)
	if err := scanOne(ctx, s.db, []any{&serial}, query); err != nil || serial == -1 {
		return 0, err
	}
	n, pairs, err := one(ctx, limit)
	if err != nil || pairs == 0 {
		return n, err
	}
	if err := s.tidy(ctx, pairs); err != nil && ctx.Err() == nil {
		return n, err
	}
	s.vacuum(ctx, n)
	return n, nil
}

// alone makes tx durable and the only one that sequences or tidies until it ends. On
// PostgreSQL it holds nothing of the session, so that it works behind a pooler of
// transactions; on SQLite there is one writer anyway.
func (s *Store) alone(ctx context.Context, tx runner) error {
	err := s.durable(ctx, tx)
	if err == nil && s.postgres() {
		_, err = tx.Exec(ctx, `SELECT pg_advisory_xact_lock(7706325, 'audit_pending'::regclass::oid::integer)`)
	}
	return err
}

// settle makes entries findable that have their places, in the order of each tenant, and returns
// how many pairs of key and place that took.
func (s *Store) settle(ctx context.Context, tx runner, hs heads, list []placed) (int, error) {
	byNo := map[int64]*head{}
	for _, h := range hs {
		byNo[h.no] = h
	}
	var marks []any
	var pairs []pair
	for _, p := range list {
		h := byNo[p.place>>indexBits]
		if h == nil || indexOf(p.place) != h.size || h.size >= h.given {
			return 0, audit.ErrDamaged
		}
		if m, full := h.found(p.recorded); full {
			marks = append(marks, m.place, m.latest, m.low, m.high)
		}
		for _, k := range p.keys {
			pairs = append(pairs, pair{k, p.place})
		}
	}
	_, err := s.insertRows(ctx, tx, `INSERT INTO audit_mark (place, latest, low, high) VALUES `, marks, 4, "")
	if err == nil {
		err = s.writeRun(ctx, tx, pairs)
	}
	if err != nil {
		return 0, err
	}
	return len(pairs), s.saveHeads(ctx, tx, hs)
}

// maxWaiting is how many waiting entries Backlog counts.
const maxWaiting = 100_000

const (
	backlogSQLite = `SELECT COALESCE(SUM(entries), 0), COALESCE((SELECT oldest FROM audit_pending ORDER BY serial LIMIT 1), 0), 0
		FROM (SELECT entries FROM audit_pending LIMIT ?)`
	backlogPostgres = `SELECT COUNT(*), COALESCE((SELECT recorded FROM audit_pending WHERE NOT refused ORDER BY serial LIMIT 1), 0),
			(SELECT COUNT(*) FROM (SELECT 1 FROM audit_pending WHERE refused LIMIT 100000) AS r)
		FROM (SELECT 1 FROM audit_pending WHERE NOT refused ORDER BY serial LIMIT ?) AS w`
)

// Backlog implements audit.Sequencer.
func (s *Store) Backlog(ctx context.Context) (audit.Backlog, error) {
	query := backlogSQLite
	if s.postgres() {
		query = backlogPostgres
	}
	var waiting, oldest, refused int64
	if err := s.db.Get(ctx, []any{&waiting, &oldest, &refused}, query, maxWaiting); err != nil {
		return audit.Backlog{}, fmt.Errorf("auditsql: reading the backlog: %w", err)
	}
	return audit.Backlog{
		Waiting: int(min(waiting, maxWaiting)), Oldest: sqlkit.Time(oldest), Refused: int(refused),
	}, nil
}
