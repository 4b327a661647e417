package auditsql

import (
	"context"
	"encoding/binary"
)

const (
	insertEntry   = `INSERT INTO audit_entry (place, recorded, outcome, id, leaf, body, sealed) VALUES `
	insertPending = `INSERT INTO audit_pending (entries, oldest, data) VALUES (?, ?, ?)`
	reserveOne    = `UPDATE audit_tenant SET given = given + ? WHERE tenant = ? AND given + ? <= ?
		RETURNING no, given - ?, (SELECT synchronous FROM pragma_synchronous())`
	entryWidth  = 7
	ignoreKnown = ` ON CONFLICT DO NOTHING`
)

// landSQLite writes entries at their places: SQLite has one writer at a time, so the order of
// commits is known while they happen. What they are found by is left for Sequence, which
// writes it for many at once.
//
// It takes microseconds and whoever commits looks at ctx, so that its statements do not: for each
// of them the driver would have a goroutine wait for the end of ctx, which costs as much as a statement.
func (s *Store) landSQLite(ctx context.Context, tx runner, list []item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	hs, saved, err := s.reserve(ctx, tx, list)
	if err != nil {
		return err
	}
	values := make([]any, 0, entryWidth*len(list))
	waiting := make([]placed, len(list))
	for i := range list {
		it := &list[i]
		h := hs[it.tenant]
		place := placeOf(h.no, h.given)
		h.given++
		values = append(values, place, it.recorded, it.outcome, it.id, it.leaf, it.body, orNull(it.sealed))
		waiting[i] = placed{place, it.recorded, it.keys}
	}
	n, err := s.insertRows(ctx, tx, insertEntry, values, entryWidth, ignoreKnown)
	if err != nil {
		return err
	}
	if n < int64(len(list)) {
		return errExists
	}
	if _, err := tx.Exec(ctx, insertPending, len(waiting), waiting[0].recorded, waitingBytes(waiting)); err != nil {
		return err
	}
	if saved {
		return nil
	}
	return s.saveHeads(ctx, tx, hs)
}

// reserve returns the heads of the tenants, from which places are given out, on a connection whose
// commit will be on disk. For a single tenant that is known, which a lone caller's entries are of, one
// statement looks at the connection, reads the head and already saves what it will be.
func (s *Store) reserve(ctx context.Context, tx runner, list []item) (hs heads, saved bool, err error) {
	tenants := tenantsOf(list)
	if len(tenants) == 1 {
		h, n, level := &head{tenant: tenants[0], given: -1}, len(list), 0
		if err := scanOne(ctx, tx, []any{&h.no, &h.given, &level}, reserveOne, n, h.tenant, n, maxIndex, n); err != nil {
			return nil, false, err
		}
		if h.given >= 0 {
			return heads{h.tenant: h}, true, flushes(level)
		}
	}
	if err := s.durable(ctx, tx); err != nil {
		return nil, false, err
	}
	hs, err = headsOf(ctx, tx, tenants)
	return hs, false, err
}

// orNull is NULL for no bytes.
func orNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// placed is an entry that has its place.
type placed struct {
	place, recorded int64
	keys            []int64
}

// waitingBytes is what a row of audit_pending holds on SQLite: for each entry place,
// recorded, the number of keys and the keys.
func waitingBytes(list []placed) []byte {
	b := make([]byte, 0, 64*len(list))
	for _, p := range list {
		b = binary.BigEndian.AppendUint64(b, uint64(p.place))
		b = binary.BigEndian.AppendUint64(b, uint64(p.recorded))
		b = binary.BigEndian.AppendUint16(b, uint16(len(p.keys)))
		b = append(b, keyBytes(p.keys)...)
	}
	return b
}

// parseWaiting is the inverse of waitingBytes.
func parseWaiting(b []byte) ([]placed, bool) {
	var list []placed
	for len(b) > 0 {
		if len(b) < 18 {
			return nil, false
		}
		p := placed{place: int64(binary.BigEndian.Uint64(b)), recorded: int64(binary.BigEndian.Uint64(b[8:]))}
		end := 18 + 8*int(binary.BigEndian.Uint16(b[16:]))
		if len(b) < end {
			return nil, false
		}
		p.keys, _ = parseKeys(b[18:end])
		list, b = append(list, p), b[end:]
	}
	return list, true
}
