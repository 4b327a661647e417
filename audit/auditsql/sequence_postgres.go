package auditsql

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// take removes the oldest waiting rows and returns them, each with the number of those that it
// meant to remove. What is placed is what was returned and checked here; nobody can exchange a
// row in between.
//
// Rows are named by where they are, since nothing vouches for serials and who joins by ID
// depends on how large the planner takes the table for.
const take = `WITH w AS MATERIALIZED (SELECT array_agg(o.ctid) AS list FROM
		(SELECT ctid FROM audit_pending WHERE NOT refused ORDER BY serial LIMIT ?) AS o)
	DELETE FROM audit_pending WHERE ctid = ANY ((SELECT list FROM w)::tid[]) AND NOT refused
	RETURNING ` + waitingColumns + `, (SELECT cardinality(list) FROM w)`

var (
	// errForeign: among the oldest rows is one that cannot be placed; nothing was done.
	errForeign = errors.New("auditsql: an entry waits that this log did not write")
	// errMoved: one of the oldest rows changed just now; nothing was done.
	errMoved = errors.New("auditsql: an entry that waits was changed")
)

// sequencePostgres gives up to limit entries their places, in one transaction.
//
// The order of serials is the order that the contract asks for. Whoever appends after another
// append was durable draws his serial later, so it is higher; and a snapshot that sees the
// second sees the first. So no row is taken before one that it must follow. Rows of
// transactions that are still open are not seen, wait for nobody and hold nobody up.
//
// A row that cannot be placed undoes the transaction, and another one sorts out all such rows
// among the oldest. That one is committed, so however many there are, each attempt gets
// further. A unique violation means that an entry has its place already: somebody put an old
// row back, or a host's transaction with an old snapshot recorded it again.
func (s *Store) sequencePostgres(ctx context.Context, limit int, lock locking) (n, pairs int, err error) {
	for try := 0; try < tries; try++ {
		n, pairs, err = s.takeAndPlace(ctx, limit, lock)
		switch {
		case errors.Is(err, errMoved):
			continue
		case !errors.Is(err, errForeign) && !sqlkit.IsUnique(err):
			return n, pairs, err
		}
		sorted, failed := s.sortOut(ctx, max(limit, sortedOut), lock)
		if failed != nil {
			return 0, 0, failed
		}
		if sorted > 0 {
			try = 0
		}
	}
	return 0, 0, err
}

func (s *Store) takeAndPlace(ctx context.Context, limit int, lock locking) (n, pairs int, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, pairs = 0, 0
		if err := s.alone(ctx, tx, lock); err != nil {
			return err
		}
		list, err := s.takeRows(ctx, tx, limit)
		if err != nil {
			return err
		}
		n = len(list)
		pairs, err = s.place(ctx, tx, list)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return n, pairs, nil
}

// takeRows takes the oldest rows, all of which this log must have written.
func (s *Store) takeRows(ctx context.Context, tx *sqlkit.Tx, limit int) ([]item, error) {
	var rows []*waitingRow
	meant := 0
	err := scanAll(ctx, tx, func(from *sqlkit.Rows) error {
		w, err := s.scanWaiting(from, &meant)
		rows = append(rows, w)
		return err
	}, take, limit)
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 && len(rows) != meant {
		return nil, errMoved // private values were erased meanwhile; others must not pass this row
	}
	slices.SortFunc(rows, func(a, b *waitingRow) int { return cmp.Compare(a.serial, b.serial) })
	list := make([]item, len(rows))
	for i, w := range rows {
		if !w.good {
			return nil, errForeign
		}
		list[i] = w.item
	}
	return list, nil
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
