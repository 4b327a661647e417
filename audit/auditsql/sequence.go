package auditsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// anyWaiting tells whether anything waits for a place, or of release 0.1 for its import. It reads
// one entry of an index each, whose dead entries at the front are skipped quickly.
const (
	anyWaitingSQLite   = `SELECT EXISTS (SELECT 1 FROM audit_pending), EXISTS (SELECT 1 FROM audit_import)`
	anyWaitingPostgres = `SELECT COALESCE((SELECT TRUE FROM audit_pending WHERE NOT refused ORDER BY serial LIMIT 1), FALSE),
		COALESCE((SELECT TRUE FROM audit_import ORDER BY recorded LIMIT 1), FALSE)`
)

// Sequence implements audit.Sequencer.
func (s *Store) Sequence(ctx context.Context, limit int) (int, error) {
	n, err := s.sequence(ctx, limit, waitForLock)
	if err != nil {
		return n, fmt.Errorf("auditsql: giving events their places: %w", err)
	}
	return n, nil
}

func (s *Store) sequence(ctx context.Context, limit int, lock locking) (int, error) {
	query := anyWaitingSQLite
	if s.postgres() {
		query = anyWaitingPostgres
	}
	// Without a lock: what was durable before this look either waits or has its place.
	var waits, old bool
	if err := s.db.Get(ctx, []any{&waits, &old}, query); err != nil {
		return 0, err
	}
	if old && lock == waitForLock {
		if err := s.importAll(ctx, importsAtOnce); err != nil {
			return 0, fmt.Errorf("importing: %w", err)
		}
		waits = true
	}
	if !waits {
		return 0, nil
	}
	return s.sequenceWaiting(ctx, limit, lock)
}

func (s *Store) sequenceWaiting(ctx context.Context, limit int, lock locking) (n int, err error) {
	pairs := 0
	if s.postgres() {
		n, pairs, err = s.sequencePostgres(ctx, limit, lock)
	} else {
		n, pairs, err = s.sequenceSQLite(ctx, limit)
	}
	if err != nil || pairs == 0 {
		return n, err
	}
	if err := s.tidy(ctx, pairs, lock); err != nil && ctx.Err() == nil {
		return n, err
	}
	s.vacuum(ctx, n)
	return n, nil
}

// locking is what happens if somebody else has the lock.
type locking bool

const (
	waitForLock locking = true
	tryLock     locking = false // errLocked
)

var errLocked = errors.New("auditsql: somebody else has the lock")

// begin makes a transaction durable, ends it where its client does nothing for half a minute,
// for example because the network was cut, and sees to it that no temporary table stands in for
// one of the log's. All of it ends with the transaction, so it works behind a pooler of
// transactions.
const begin = `SELECT set_config('synchronous_commit', 'on', TRUE), set_config('idle_in_transaction_session_timeout', '30s', TRUE),
	set_config('search_path', current_setting('search_path') || ', pg_temp', TRUE), `

// The locks' second number is looked up after the path is set, which to_regclass waits for and
// a cast to regclass would not.
const (
	lockPending = `pg_advisory_xact_lock(7706325, to_regclass('audit_pending')::oid::integer)::text`
	tryPending  = `pg_try_advisory_xact_lock(7706325, to_regclass('audit_pending')::oid::integer)::text`
	lockImport  = `pg_advisory_xact_lock(7706325, to_regclass('audit_import')::oid::integer)::text`
)

// alone makes tx durable and the only one that sequences or tidies until it ends; on SQLite
// there is one writer anyway.
func (s *Store) alone(ctx context.Context, tx runner, lock locking) error {
	if lock == tryLock {
		return s.locked(ctx, tx, tryPending)
	}
	return s.locked(ctx, tx, lockPending)
}

// locked begins tx with a lock.
func (s *Store) locked(ctx context.Context, tx runner, lock string) error {
	if !s.postgres() {
		return durableSQLite(ctx, tx)
	}
	var ignored, got sql.NullString
	err := scanOne(ctx, tx, []any{&ignored, &ignored, &ignored, &got}, begin+lock)
	switch {
	case err != nil:
		return err
	case !got.Valid:
		return errNoTables
	case got.String == "false":
		return errLocked
	}
	return nil
}

var errNoTables = errors.New("auditsql: a table is missing, was Migrate called?")

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

// What release 0.1 recorded and is not imported yet waits as well.
const (
	importWaiting = `(SELECT COUNT(*) FROM (SELECT 1 FROM audit_import LIMIT 100000) AS i)`
	importOldest  = `(SELECT recorded FROM audit_import ORDER BY recorded LIMIT 1)`

	backlogSQLite = `SELECT COALESCE(SUM(entries), 0) + ` + importWaiting + `,
			COALESCE((SELECT oldest FROM audit_pending ORDER BY serial LIMIT 1), ` + importOldest + `, 0), 0
		FROM (SELECT entries FROM audit_pending LIMIT ?)`
	backlogPostgres = `SELECT COUNT(*) + ` + importWaiting + `,
			COALESCE((SELECT recorded FROM audit_pending WHERE NOT refused ORDER BY serial LIMIT 1), ` + importOldest + `, 0),
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
