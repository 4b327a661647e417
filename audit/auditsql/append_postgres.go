package auditsql

import (
	"context"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Many rows go in with one statement of constant text: numbers as arrays in text form, and all
// bytes of all rows in one parameter, from which the statement cuts the columns. That needs
// no types of a driver's own and is as fast as they are.
//
// The same statement makes sure that the commit waits for the disk, whatever the session's
// setting is; that saves a round trip.
const landRows = `WITH s AS MATERIALIZED (SELECT nextval('audit_serial') AS base, set_config('synchronous_commit', 'on', TRUE) AS durable)
	INSERT INTO audit_pending (serial, tenant, id, recorded, outcome, leaf, body, keys, mac, sealed)
	SELECT s.base + u.n, convert_from(substring($1::bytea, u.at, u.t), 'UTF8'), substring($1::bytea, u.at + u.t, 16), u.recorded, u.outcome,
		substring($1::bytea, u.at + u.t + 16, 32), substring($1::bytea, u.at + u.t + 48, u.b), substring($1::bytea, u.at + u.t + 48 + u.b, u.k),
		substring($1::bytea, u.at + u.t + 48 + u.b + u.k, 32), NULLIF(substring($1::bytea, u.at + u.t + 80 + u.b + u.k, u.s), ''::bytea)
	FROM s, unnest($2::integer[], $3::bigint[], $4::smallint[], $5::integer[], $6::integer[], $7::integer[], $8::integer[], $9::integer[])
		AS u (n, recorded, outcome, at, t, b, k, s)
	WHERE s.durable = 'on'
	ON CONFLICT (id, tenant) DO NOTHING`

// alreadyPlaced asks for the same IDs among the entries that have left audit_pending. The
// inner query cannot become a join, so that its plan is a look into the index, however large
// the table was when it was planned.
const alreadyPlaced = `SELECT there FROM (SELECT (SELECT 1 FROM audit_entry e
		WHERE e.id = substring($1::bytea, u.at + u.t, 16) AND (e.place >> 40)::INTEGER =
			(SELECT t.no FROM audit_tenant t WHERE t.tenant = convert_from(substring($1::bytea, u.at, u.t), 'UTF8'))) AS there
	FROM unnest($2::integer[], $3::integer[]) AS u (at, t)) AS found WHERE there IS NOT NULL`

// Statement is one step of recording in a PostgreSQL transaction. Package auditpgx runs them
// where the transaction is not database/sql's; hosts have no use for them.
type Statement struct {
	Text string
	Args []any // strings and bytes
	Rows int64 // how many rows it must report; another number means that an ID is there already
}

// landing returns the statements that write entries without a place. They take no lock but on
// their own rows. fresh says that no ID was ever used, which only one can tell who chose them.
//
// That an ID is nowhere else takes two looks, and their order matters. The unique index of
// audit_pending is the first: while somebody else's row of the same ID is being added or taken
// away there, the insert waits for that transaction.
//   - It is there: the insert leaves it out, and the count is short.
//   - The sequencer took it away before the insert, or while the insert waited: then it had
//     put it into audit_entry in the same transaction, which the second statement, with a
//     snapshot of its own, sees.
//   - The sequencer's transaction failed: the row is still there, and the count is short.
//
// Once the insert is through, nobody else can have a row of this ID in audit_pending until
// this transaction ends, and only from there do entries reach audit_entry. So what the second
// statement did not find does not appear later.
func (s *Store) landing(list []item, fresh bool) []Statement {
	c := s.carve(list)
	insert := Statement{landRows, []any{
		c.data, c.n.done(), c.recorded.done(), c.outcome.done(),
		c.at.done(), c.t.done(), c.b.done(), c.k.done(), c.s.done(),
	}, int64(len(list))}
	if fresh {
		return []Statement{insert}
	}
	return []Statement{insert, {alreadyPlaced, []any{c.data, c.at.done(), c.t.done()}, 0}}
}

func (s *Store) landPostgres(ctx context.Context, tx runner, list []item, fresh bool) error {
	for _, step := range s.landing(list, fresh) {
		n, err := tx.Exec(ctx, step.Text, step.Args...)
		if err != nil {
			return err
		}
		if n != step.Rows {
			return errExists
		}
	}
	return nil
}

// carving holds the parameters of landRows.
type carving struct {
	data                              []byte
	n, recorded, outcome, at, t, b, k numbers
	s                                 numbers
}

// carve lays out the rows one after the other: tenant, ID, leaf, body, keys, MAC, sealed. They
// are sorted by ID, so that two calls lock rows in the same order; n keeps the order of the
// call.
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
		c.n.add(int64(i))
		c.recorded.add(it.recorded)
		c.outcome.add(it.outcome)
		c.at.add(int64(len(c.data) + 1)) // SQL counts from 1
		c.t.add(int64(len(it.tenant)))
		c.b.add(int64(len(it.body)))
		c.k.add(int64(len(keys)))
		c.s.add(int64(len(it.sealed)))
		c.data = append(c.data, it.tenant...)
		for _, part := range [][]byte{it.id, it.leaf, it.body, keys, s.macs.make(it), it.sealed} {
			c.data = append(c.data, part...)
		}
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

func (s *Store) scanWaiting(rows *sqlkit.Rows) (*waitingRow, error) {
	w := &waitingRow{}
	err := rows.Scan(&w.serial, &w.tenant, &w.id, &w.recorded, &w.outcome, &w.leaf, &w.body, &w.packed, &w.mac, &w.sealed)
	if err != nil {
		return nil, err
	}
	w.keys, w.good = parseKeys(w.packed)
	w.good = w.good && len(w.id) == 16 && len(w.leaf) == 32 && s.macs.check(&w.item, w.mac)
	return w, nil
}

// waiting reads entries by tenant and IDs where they wait. One that this log did not write is
// ErrDamaged.
func (s *Store) waiting(ctx context.Context, from runner, out map[string]*row, args []any) error {
	return scanAll(ctx, from, func(rows *sqlkit.Rows) error {
		w, err := s.scanWaiting(rows)
		switch {
		case err != nil:
			return err
		case !w.good:
			return audit.ErrDamaged
		}
		out[string(w.id)] = &row{-1, w.recorded, w.outcome, w.id, w.leaf, w.body, w.sealed}
		return nil
	}, selectWaiting+sqlkit.List(len(args)-1), args...)
}
