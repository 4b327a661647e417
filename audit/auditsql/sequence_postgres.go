package auditsql

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// take removes the oldest waiting rows and returns them. What is placed is what was returned
// and checked here; nobody can exchange a row in between.
const take = `DELETE FROM audit_pending WHERE serial = ANY (ARRAY(
		SELECT serial FROM audit_pending WHERE NOT refused ORDER BY serial LIMIT ?)) AND NOT refused
	RETURNING ` + waitingColumns

// sequencePostgres gives up to limit entries their places, in one transaction.
//
// The order of serials is the order that the contract asks for. Whoever appends after another
// append was durable draws his serial later, so it is higher; and a snapshot that sees the
// second sees the first. So no row is taken before one that it must follow. Rows of
// transactions that are still open are not seen, wait for nobody and hold nobody up.
//
// A unique violation means that an entry is there already: somebody put an old row back, or a
// host's transaction with an old snapshot recorded it again. The next try looks for these.
func (s *Store) sequencePostgres(ctx context.Context, limit int) (n, pairs int, err error) {
	for _, careful := range []bool{false, true} {
		err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
			n, pairs = 0, 0
			if err := s.alone(ctx, tx); err != nil {
				return err
			}
			for {
				r, err := s.sequenceSome(ctx, tx, limit-n, careful)
				n, pairs = n+r.placed, pairs+r.pairs
				if err != nil || r.taken == r.placed || n == limit {
					return err
				}
			}
		})
		if !sqlkit.IsUnique(err) {
			break
		}
	}
	return n, pairs, err
}

// round is what one round of sequencing did: rows taken, entries placed, pairs written.
type round struct{ taken, placed, pairs int }

// sequenceSome takes some rows and places those that this log wrote.
func (s *Store) sequenceSome(ctx context.Context, tx *sqlkit.Tx, limit int, careful bool) (r round, err error) {
	var rows []*waitingRow
	err = scanAll(ctx, tx, func(from *sqlkit.Rows) error {
		w, err := s.scanWaiting(from)
		rows = append(rows, w)
		return err
	}, take, limit)
	if err != nil || len(rows) == 0 {
		return r, err
	}
	slices.SortFunc(rows, func(a, b *waitingRow) int { return cmp.Compare(a.serial, b.serial) })
	r.taken = len(rows)
	if careful {
		if rows, err = s.withoutKnown(ctx, tx, rows); err != nil {
			return r, err
		}
	}
	good := make([]item, 0, len(rows))
	for _, w := range rows {
		if !w.good {
			if err := refuse(ctx, tx, w); err != nil {
				return r, err
			}
			continue
		}
		good = append(good, w.item)
	}
	r.placed = len(good)
	r.pairs, err = s.place(ctx, tx, good)
	return r, err
}

// placeRows is for audit_entry what audit_land is for audit_pending.
const placeRows = `INSERT INTO audit_entry (place, recorded, outcome, id, leaf, body, sealed)
	SELECT u.place, u.recorded, u.outcome, substring($1::bytea, u.at, 16), substring($1::bytea, u.at + 16, 32),
		substring($1::bytea, u.at + 48, u.b), NULLIF(substring($1::bytea, u.at + 48 + u.b, u.s), ''::bytea)
	FROM unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::integer[], $6::integer[], $7::integer[]) AS u (place, recorded, outcome, at, b, s)`

// place writes entries at the next places of their tenants, and returns the number of pairs.
func (s *Store) place(ctx context.Context, tx *sqlkit.Tx, list []item) (int, error) {
	if len(list) == 0 {
		return 0, nil
	}
	hs, err := headsOf(ctx, tx, tenantsOf(list))
	if err != nil {
		return 0, err
	}
	c := &carving{}
	done := make([]placed, len(list))
	for i := range list {
		it := &list[i]
		h := hs[it.tenant]
		done[i] = placed{placeOf(h.no, h.given), it.recorded, it.keys}
		h.given++
		c.add(done[i].place, it)
		c.bytes(it.id, it.leaf, it.body, it.sealed)
	}
	if _, err := tx.Exec(ctx, placeRows, c.data, c.n.done(), c.recorded.done(), c.outcome.done(), c.at.done(), c.b.done(), c.s.done()); err != nil {
		return 0, err
	}
	return s.settle(ctx, tx, hs, done)
}

// refuse puts a row back that this log did not write, for people to look at.
func refuse(ctx context.Context, tx *sqlkit.Tx, w *waitingRow) error {
	const query = `INSERT INTO audit_pending (` + waitingColumns + `, refused) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, TRUE)`
	_, err := tx.Exec(ctx, query, w.serial, w.tenant, w.id, w.recorded, w.outcome, w.leaf, w.body, w.packed, w.mac, w.sealed)
	return err
}

// withoutKnown drops rows whose entry has its place already, and refuses those that
// contradict it.
func (s *Store) withoutKnown(ctx context.Context, tx *sqlkit.Tx, rows []*waitingRow) ([]*waitingRow, error) {
	var out []*waitingRow
	const query = `SELECT e.leaf FROM audit_tenant t JOIN audit_entry e ON (e.place >> 40)::INTEGER = t.no WHERE t.tenant = ? AND e.id = ?`
	for _, w := range rows {
		var leaf []byte
		if err := scanOne(ctx, tx, []any{&leaf}, query, w.tenant, w.id); err != nil {
			return nil, err
		}
		if leaf != nil && bytes.Equal(leaf, w.leaf) && w.good {
			continue
		}
		w.good = w.good && leaf == nil
		out = append(out, w)
	}
	return out, nil
}
