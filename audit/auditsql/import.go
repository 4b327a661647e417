package auditsql

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// importChunk is how many events of release 0.1 one transaction moves.
const importChunk = 512

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
func (s *Store) importAll(ctx context.Context) error {
	after := item{recorded: -1 << 63, id: []byte{}}
	for {
		n := 0
		err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
			next, count, err := s.importSome(ctx, tx, after)
			if err == nil {
				after, n = next, count
			}
			return err
		})
		if errors.Is(err, errExists) {
			continue // recorded meanwhile; the next look sees it
		}
		if err != nil || n == 0 {
			return err
		}
	}
}

// lockImport lets one process at a time import on PostgreSQL; SQLite has one writer anyway.
const lockImport = `SELECT pg_advisory_xact_lock(7706325, 'audit_import'::regclass::oid::integer)`

const selectImport = `SELECT q.recorded, q.id, q.tenant, e.actor, e.action, e.outcome, e.leaf, e.body
	FROM audit_import q JOIN audit_event e ON e.tenant = q.tenant AND e.id = q.id
	WHERE (q.recorded, q.id, q.tenant) > (?, ?, ?) ORDER BY q.recorded, q.id, q.tenant LIMIT ?`

// importSome moves the next events after one, and returns the last of them and their number.
func (s *Store) importSome(ctx context.Context, tx *sqlkit.Tx, after item) (last item, n int, err error) {
	if s.postgres() {
		if _, err := tx.Exec(ctx, lockImport); err != nil {
			return after, 0, err
		}
	}
	var list []legacy
	err = scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
		var l legacy
		err := rows.Scan(&l.recorded, &l.id, &l.tenant, &l.actor, &l.action, &l.outcome, &l.leaf, &l.plain)
		list = append(list, l)
		return err
	}, selectImport, after.recorded, after.id, after.tenant, importChunk)
	if err != nil || len(list) == 0 {
		return after, 0, err
	}
	var good []item
	for i := range list {
		l := &list[i]
		if len(l.id) != 16 || len(l.leaf) != 32 {
			continue // nothing that release 0.1 wrote; it stays in the queue
		}
		l.complete()
		good = append(good, l.item)
	}
	if err := s.importItems(ctx, tx, good); err != nil {
		return after, 0, err
	}
	return list[len(list)-1].item, len(list), nil
}

// complete packs the event and finds out what it is found by. One whose bytes cannot be read
// is damaged, and is shown as that where it is listed.
func (l *legacy) complete() {
	f, _ := factsOf(l.plain)
	e := f.entry(audit.Tenant(l.tenant))
	e.Actor, e.Action = audit.ActorID(l.actor), audit.Action(l.action)
	l.keys, l.body = keysOf(&e), pack(l.plain, packContext{l.tenant, l.id, l.recorded})
}

// importItems appends the events that are not there yet and takes all of them off the queue.
// One that is there with another body was recorded again, by the newer release: that one
// stays, and the old one remains in its table.
func (s *Store) importItems(ctx context.Context, tx *sqlkit.Tx, list []item) error {
	var fresh []item
	for i := range list {
		left, err := s.missing(ctx, tx, list[i:i+1])
		if err != nil && !errors.Is(err, audit.ErrConflict) {
			return err
		}
		fresh = append(fresh, left...)
	}
	if len(fresh) > 0 {
		if err := s.land(ctx, tx, fresh, false); err != nil {
			return err
		}
	}
	for i := range list {
		const done = `DELETE FROM audit_import WHERE recorded = ? AND id = ? AND tenant = ?`
		if _, err := tx.Exec(ctx, done, list[i].recorded, list[i].id, list[i].tenant); err != nil {
			return err
		}
	}
	return nil
}
