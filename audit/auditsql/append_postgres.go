package auditsql

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Many rows go in with one statement of constant text: numbers as arrays in text form, and all
// bytes of all rows in one parameter, from which the database cuts the columns. That needs no
// types of a driver's own and is as fast as they are. The function also makes sure that the
// commit waits for the disk, whatever the session's setting is. It returns a row if all went
// well; the last parameter turns a known ID into an error.
const landRows = `SELECT 1 WHERE audit_land($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// landOne is the same for a single event.
const landOne = `SELECT 1 WHERE audit_land_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// landFresh is the same for a single event whose ID was never used, in a host's transaction: the call
// of the function costs more than the insert. The function knows its schema, this does not. So where
// the session has temporary tables, one of which might stand in for audit_pending, it writes nothing. A
// commit that would not wait for the disk makes recorded NULL, which the table refuses.
const landFresh = `INSERT INTO audit_pending (serial, tenant, id, recorded, outcome, leaf, body, keys, mac, sealed)
	SELECT pg_catalog.nextval('audit_serial'), $1, $2,
		CASE WHEN pg_catalog.set_config('synchronous_commit', 'on', TRUE) = 'on' THEN $3::BIGINT END, $4, $5, $6, $7, $8, $9
	WHERE pg_catalog.pg_my_temp_schema() = 0 ON CONFLICT (id, tenant) DO NOTHING`

const landFreshArgs = 9 // the first ones of landOne

// stateExists is the SQLSTATE of that error.
const stateExists = "WA001"

// Statement is one step of recording in a PostgreSQL transaction. Package auditpgx runs them
// where the transaction is not database/sql's; hosts have no use for them.
type Statement struct {
	Text string
	Args []any // bytes, strings, integers and booleans
	Rows int64 // how many rows it must report; another number means that an ID is there already
}

// landing returns the statement that writes entries without a place. It takes no lock but on
// their own rows. fresh says that no ID was ever used, which only one can tell who chose them.
// strict makes a known ID an error, for a statement that is a transaction of its own.
func (s *Store) landing(list []item, fresh, strict bool) Statement {
	if len(list) == 1 {
		it := &list[0]
		return Statement{landOne, []any{
			it.tenant, it.id, it.recorded, it.outcome, it.leaf, it.body, keyBytes(it.keys), s.macs.make(it), orNull(it.sealed), fresh, strict,
		}, 1}
	}
	c := s.carve(list)
	return Statement{landRows, []any{
		c.data, c.n.done(), c.recorded.done(), c.outcome.done(),
		c.at.done(), c.t.done(), c.b.done(), c.k.done(), c.s.done(), fresh, strict,
	}, 1}
}

// landPostgres writes entries in a transaction, or outside one if strict, in its own.
func (s *Store) landPostgres(ctx context.Context, tx runner, list []item, fresh, strict bool) error {
	step := s.landing(list, fresh, strict)
	if fresh && !strict && len(list) == 1 {
		if n, err := tx.Exec(ctx, landFresh, step.Args[:landFreshArgs]...); n == 1 || err != nil {
			return err
		}
		step = s.landing(list, false, false)
	}
	n, err := tx.Exec(ctx, step.Text, step.Args...)
	var state interface{ SQLState() string }
	switch {
	case errors.As(err, &state) && state.SQLState() == stateExists:
		return errExists
	case err != nil:
		return err
	case n != step.Rows:
		return errExists
	}
	return nil
}

// carving holds the parameters of a statement that writes many rows.
type carving struct {
	data                                 []byte
	n, recorded, outcome, at, t, b, k, s numbers // at counts from 1, as SQL does
}

// add begins a row.
func (c *carving) add(n int64, it *item) {
	c.n.add(n)
	c.recorded.add(it.recorded)
	c.outcome.add(it.outcome)
	c.at.add(int64(len(c.data) + 1))
	c.b.add(int64(len(it.body)))
	c.s.add(int64(len(it.sealed)))
}

func (c *carving) bytes(parts ...[]byte) {
	for _, part := range parts {
		c.data = append(c.data, part...)
	}
}

// carve lays out the rows one after the other. They are sorted by ID, so that two calls lock
// rows in the same order; n keeps the order of the call.
func (s *Store) carve(list []item) *carving {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareItems(&list[a], &list[b]) })
	c := &carving{}
	for _, i := range order {
		it := &list[i]
		keys := keyBytes(it.keys)
		c.add(int64(i), it)
		c.t.add(int64(len(it.tenant)))
		c.k.add(int64(len(keys)))
		c.data = append(c.data, it.tenant...)
		c.bytes(it.id, it.leaf, it.body, keys, s.macs.make(it), it.sealed)
	}
	return c
}

// numbers is an array in PostgreSQL's text form.
type numbers []byte

func (n *numbers) add(v int64) {
	if len(*n) == 0 {
		*n = append(*n, '{')
	} else {
		*n = append(*n, ',')
	}
	*n = strconv.AppendInt(*n, v, 10)
}

func (n numbers) done() string {
	if len(n) == 0 {
		return "{}"
	}
	return string(n) + "}"
}

// waitingColumns are those of audit_pending that make an item and its MAC.
const waitingColumns = `serial, tenant, id, recorded, outcome, leaf, body, keys, mac, sealed`

// selectWaiting reads rows with their private values, which an imported one has elsewhere.
const selectWaiting = `SELECT serial, tenant, id, recorded, outcome, leaf, body, keys, mac,
		COALESCE(sealed, (SELECT o.sealed FROM audit_opening o WHERE o.tenant = p.tenant AND o.id = p.id))
	FROM audit_pending p WHERE tenant = ? AND id IN `

// waitingRow is a row of audit_pending on PostgreSQL.
type waitingRow struct {
	item
	serial int64
	packed []byte // keys
	mac    []byte
	good   bool // its MAC and its form
}

// scanWaiting scans waitingColumns, and what comes after them into more.
func (s *Store) scanWaiting(rows *sqlkit.Rows, more ...any) (*waitingRow, error) {
	w := &waitingRow{}
	err := rows.Scan(append([]any{
		&w.serial, &w.tenant, &w.id, &w.recorded, &w.outcome, &w.leaf, &w.body, &w.packed, &w.mac, &w.sealed,
	}, more...)...)
	if err != nil {
		return nil, err
	}
	w.keys, w.good = parseKeys(w.packed)
	w.good = w.good && len(w.id) == 16 && len(w.leaf) == 32 && s.macs.check(&w.item, w.mac)
	return w, nil
}

// waiting reads entries by tenant and IDs where they wait. One that this log did not write is
// marked foreign.
func (s *Store) waiting(ctx context.Context, from runner, out map[string]*row, args []any) error {
	return scanAll(ctx, from, func(rows *sqlkit.Rows) error {
		w, err := s.scanWaiting(rows)
		if err == nil {
			out[string(w.id)] = &row{-1, w.recorded, w.outcome, w.id, w.leaf, w.body, w.sealed, !w.good, false}
		}
		return err
	}, selectWaiting+sqlkit.List(len(args)-1), args...)
}
