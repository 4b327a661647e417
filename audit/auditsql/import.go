package auditsql

import (
	"context"
	"errors"
	"math"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// importChunk is how many events of release 0.1 one transaction moves.
const importChunk = 512

// importsAtOnce is how many of these transactions one call of Sequence makes; Migrate makes as
// many as there are.
const importsAtOnce = 8

// legacy is an event in the tables of release 0.1.
type legacy struct {
	item
	actor, action string
}

// importAll appends what release 0.1 recorded, in the order of its times. The queue
// audit_import names it: everything at first, and then what servers of that release go on to
// record. An event leaves the queue in the transaction that appends it, so a process that was
// killed goes on where it was. The old tables stay as they are, their private values too,
// which both releases look for there.
//
// Nobody vouches for these rows: release 0.1 had no key, so what somebody with the right to
// INSERT into audit_event puts there is imported like what that release recorded.
func (s *Store) importAll(ctx context.Context, chunks int) error {
	after := firstQueued()
	for try := 0; chunks > 0; {
		n := 0
		err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
			next, count, err := s.importSome(ctx, tx, after)
			if err == nil {
				after, n = next, count
			}
			return err
		})
		if errors.Is(err, errExists) && try < tries {
			try++ // recorded meanwhile; the next look sees it
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		try, chunks = 0, chunks-1
	}
	return nil
}

// queued is a row of audit_import.
type queued struct {
	at     int64
	id     []byte
	tenant string
}

// firstQueued is before all of them.
func firstQueued() queued { return queued{at: math.MinInt64} }

const selectImport = `SELECT q.recorded, q.id, q.tenant, COALESCE(e.recorded, 0), COALESCE(e.actor, ''), COALESCE(e.action, ''),
		COALESCE(e.outcome, 0), e.leaf, e.body
	FROM audit_import q LEFT JOIN audit_event e ON e.tenant = q.tenant AND e.id = q.id
	WHERE (q.recorded, q.id, q.tenant) > (?, ?, ?) ORDER BY q.recorded, q.id, q.tenant LIMIT ?`

// importSome moves the next events after one, and returns the last of them and their number.
// What is no event of release 0.1 leaves the queue and remains in the old table.
func (s *Store) importSome(ctx context.Context, tx *sqlkit.Tx, after queued) (last queued, n int, err error) {
	if err := s.locked(ctx, tx, lockImport); err != nil {
		return after, 0, err
	}
	var rows []queued
	var list []item
	seen := map[string]bool{}
	err = scanAll(ctx, tx, func(from *sqlkit.Rows) error {
		var q queued
		var l legacy
		err := from.Scan(&q.at, &q.id, &q.tenant, &l.recorded, &l.actor, &l.action, &l.outcome, &l.leaf, &l.plain)
		rows = append(rows, q)
		if name := string(q.id) + q.tenant; err == nil && len(q.id) == 16 && len(l.leaf) == 32 && !seen[name] {
			seen[name] = true
			l.id, l.tenant = q.id, q.tenant
			l.complete()
			list = append(list, l.item)
		}
		return err
	}, selectImport, after.at, orEmpty(after.id), after.tenant, importChunk)
	if err != nil || len(rows) == 0 {
		return after, 0, err
	}
	if err := s.importItems(ctx, tx, list, rows); err != nil {
		return after, 0, err
	}
	return rows[len(rows)-1], len(rows), nil
}

// complete packs the event and finds out what it is found by. One whose bytes cannot be read
// is damaged, and is shown as that where it is listed.
func (l *legacy) complete() {
	var f facts
	_ = f.read(l.plain)
	e := f.entry(audit.Tenant(l.tenant))
	e.Actor, e.Action = audit.ActorID(l.actor), audit.Action(l.action)
	l.keys, l.body = keysOf(&e), pack(l.plain, packContext{l.tenant, l.id, l.recorded})
}

// importItems appends the events that are not there yet and takes their rows off the queue. One
// that is there with another body was recorded again, by the newer release: that one stays,
// and the old one remains in its table. One under whose ID somebody put a row of his own stays
// in the queue until that is gone.
func (s *Store) importItems(ctx context.Context, tx *sqlkit.Tx, list []item, rows []queued) error {
	var fresh []item
	blocked := map[string]bool{}
	for i := range list {
		left, err := s.missing(ctx, tx, list[i:i+1])
		switch {
		case errors.Is(err, audit.ErrDamaged):
			blocked[string(list[i].id)+list[i].tenant] = true
		case err != nil && !errors.Is(err, audit.ErrConflict):
			return err
		}
		fresh = append(fresh, left...)
	}
	if len(fresh) > 0 {
		if err := s.land(ctx, tx, fresh, false); err != nil {
			return err
		}
	}
	for _, q := range rows {
		const done = `DELETE FROM audit_import WHERE recorded = ? AND id = ? AND tenant = ?`
		if blocked[string(q.id)+q.tenant] {
			continue
		}
		if _, err := tx.Exec(ctx, done, q.at, orEmpty(q.id), q.tenant); err != nil {
			return err
		}
	}
	return nil
}

// orEmpty is b, never NULL.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
