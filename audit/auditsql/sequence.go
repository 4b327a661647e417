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
		return 0, fmt.Errorf("auditsql: giving events their places: %w", err)
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
	return one(ctx, limit)
}

// settle makes entries findable that have their places; they are in the order of each tenant.
func settle(ctx context.Context, tx runner, hs heads, list []placed) error {
	byNo := map[int64]*head{}
	for _, h := range hs {
		byNo[h.no] = h
	}
	var marks, pairs []any
	for _, p := range list {
		h := byNo[p.place>>indexBits]
		if h == nil || indexOf(p.place) != h.size || h.size >= h.given {
			return audit.ErrDamaged
		}
		if m, full := h.found(p.recorded); full {
			marks = append(marks, m.place, m.latest, m.low, m.high)
		}
		for _, k := range p.keys {
			pairs = append(pairs, k, p.place)
		}
	}
	_, err := insertRows(ctx, tx, `INSERT INTO audit_mark (place, latest, low, high) VALUES `, marks, 4, "")
	if err == nil {
		_, err = insertRows(ctx, tx, `INSERT INTO audit_find (key, place) VALUES `, pairs, 2, "")
	}
	if err != nil {
		return err
	}
	return hs.save(ctx, tx)
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
