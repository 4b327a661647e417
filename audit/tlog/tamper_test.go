package tlog_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// owner is somebody who owns the database: no trigger stops them, and they have everything but
// the key for checkpoints and what is kept elsewhere.
type owner struct {
	t    testing.TB
	h    *house
	pool *sql.DB
}

// take takes the database over: what guards against careless statements is dropped.
func take(t testing.TB, h *house) *owner {
	t.Helper()
	o := &owner{t, h, h.pool}
	list := `SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'`
	if !h.sqlite {
		list = `SELECT DISTINCT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
			WHERE NOT tgisinternal AND relname LIKE 'audit%' AND relnamespace = current_schema()::regnamespace`
	}
	for _, row := range o.rows(list) {
		drop := `DROP TRIGGER ` + row[0].(string)
		if !h.sqlite {
			drop += ` ON ` + row[1].(string)
		}
		o.run(drop)
	}
	return o
}

func (o *owner) run(statement string, args ...any) {
	o.t.Helper()
	if !o.h.sqlite {
		for i := 1; strings.Contains(statement, "?"); i++ {
			statement = strings.Replace(statement, "?", "$"+strconv.Itoa(i), 1)
		}
	}
	_, err := o.pool.ExecContext(context.Background(), statement, args...)
	require.NoError(o.t, err, statement)
}

func (o *owner) rows(query string) (all [][]any) {
	o.t.Helper()
	rows, err := o.pool.QueryContext(context.Background(), query)
	require.NoError(o.t, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(o.t, err)
	for rows.Next() {
		row, dest := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			dest[i] = &row[i]
		}
		require.NoError(o.t, rows.Scan(dest...))
		all = append(all, row)
	}
	require.NoError(o.t, rows.Err())
	return all
}

// no is the first place of a tenant.
func (o *owner) first(tenant audit.Tenant) int64 {
	o.t.Helper()
	for _, row := range o.rows(`SELECT tenant, no FROM audit_tenant`) {
		if row[0] == string(tenant) {
			return row[1].(int64) << 40
		}
	}
	o.t.Fatal("no such tenant")
	return 0
}

// borrow puts an event of another database in the place of one of this: a whole one, whose hash
// fits its bytes.
func (o *owner) borrow(from *owner, place int64) {
	o.t.Helper()
	row := from.entry(place)
	o.run(`UPDATE audit_entry SET id = ?, recorded = ?, leaf = ?, body = ? WHERE place = ?`, row[1], row[0], row[2], row[3], place)
}

func (o *owner) entry(place int64) []any {
	o.t.Helper()
	statement := `SELECT recorded, id, leaf, body FROM audit_entry WHERE place = `
	rows := o.rows(statement + strconv.FormatInt(place, 10))
	require.Len(o.t, rows, 1)
	return rows[0]
}

// replaceAll makes every row of some tables those of another database.
func (o *owner) replaceAll(from *owner, tables ...string) {
	o.t.Helper()
	for _, table := range tables {
		o.run(`DELETE FROM ` + table)
		for _, row := range from.rows(`SELECT * FROM ` + table) {
			marks := strings.TrimSuffix(strings.Repeat("?, ", len(row)), ", ")
			o.run(`INSERT INTO `+table+` VALUES (`+marks+`)`, row...)
		}
	}
}

var eventTables = []string{"audit_entry", "audit_tenant", "audit_mark", "audit_run", "audit_block"}

var treeTables = []string{"audit_root", "audit_tile", "audit_checkpoint"}

// tampering is one attack on a log of 600 events of a clinic and 40 of another tenant, which
// five checkpoints cover. What it knows beside is a whole other history of the same shape,
// signed with a key of its own.
type tampering struct {
	name   string
	do     func(o, forged *owner)
	verify error // what Verify says with the third checkpoint in hand
	alone  error // what it says without any; nil if nobody can know
	// integrate is what the next integration says on a server that has been running, and on one
	// that starts with a sink; nil where only Verify sees it.
	running, started error
	from, to         int64 // where the finding is, 0 and 0 for the log as a whole
}

func tamperings() []tampering {
	return []tampering{
		{"control: nothing", func(_, _ *owner) {}, nil, nil, nil, nil, 0, 0},
		{
			"one byte of an event", func(o, _ *owner) {
				place := o.first(clinic) + 123
				body := slices.Clone(o.entry(place)[3].([]byte))
				body[len(body)-2] ^= 1
				o.run(`UPDATE audit_entry SET body = ? WHERE place = ?`, body, place)
			}, tlog.ErrAltered, tlog.ErrAltered, nil, nil, 123, 124,
		},
		{
			"an event with a hash that fits", func(o, forged *owner) { o.borrow(forged, o.first(clinic)+300) },
			tlog.ErrAltered, tlog.ErrAltered, nil, nil, 200, 400,
		},
		{
			"one of the last events, with its hash", func(o, forged *owner) { o.borrow(forged, o.first(clinic)+599) },
			tlog.ErrAltered, tlog.ErrAltered, tlog.ErrAltered, nil, 500, 600,
		},
		{
			"an event is deleted", func(o, _ *owner) {
				o.run(`DELETE FROM audit_entry WHERE place = ?`, o.first(clinic)+77)
			}, tlog.ErrMissing, tlog.ErrMissing, nil, nil, 77, 78,
		},
		{
			"the last events are cut off", func(o, _ *owner) {
				o.run(`DELETE FROM audit_entry WHERE place >= ? AND place < ?`, o.first(clinic)+590, o.first(clinic)+600)
				o.run(`UPDATE audit_tenant SET size = 590, given = 590 WHERE tenant = 'clinic'`)
			}, tlog.ErrMissing, tlog.ErrMissing, tlog.ErrMissing, tlog.ErrMissing, 590, 600,
		},
		{
			"two events change places", func(o, _ *owner) {
				a, b := o.first(clinic)+10, o.first(clinic)+20
				o.run(`UPDATE audit_entry SET place = 1 WHERE place = ?`, a)
				o.run(`UPDATE audit_entry SET place = ? WHERE place = ?`, a, b)
				o.run(`UPDATE audit_entry SET place = ? WHERE place = 1`, b)
			}, tlog.ErrAltered, tlog.ErrAltered, nil, nil, 0, 100,
		},
		{
			"an event is put in between", func(o, forged *owner) {
				first, extra := o.first(clinic), forged.entry(forged.first(clinic)+50)
				for place := first + 599; place >= first+50; place-- {
					o.run(`UPDATE audit_entry SET place = ? WHERE place = ?`, place+1, place)
				}
				o.run(`UPDATE audit_tenant SET size = 601, given = 601 WHERE tenant = 'clinic'`)
				o.run(`INSERT INTO audit_entry (place, recorded, outcome, id, leaf, body) VALUES (?, ?, 0, ?, ?, ?)`, first+50, extra[0], extra[1], extra[2], extra[3])
			}, tlog.ErrAltered, tlog.ErrAltered, tlog.ErrAltered, tlog.ErrAltered, 0, 100,
		},
		{
			"a whole tenant is gone", func(o, _ *owner) {
				first := o.first(other)
				o.run(`DELETE FROM audit_entry WHERE place >= ? AND place < ?`, first, first+40)
				o.run(`DELETE FROM audit_tenant WHERE tenant = 'other'`)
			}, tlog.ErrMissing, tlog.ErrMissing, tlog.ErrMissing, tlog.ErrMissing, 0, 40,
		},
		{
			"a whole tenant, and what the root log says of it", func(o, _ *owner) {
				first := o.first(other)
				o.run(`DELETE FROM audit_entry WHERE place >= ? AND place < ?`, first, first+40)
				o.run(`DELETE FROM audit_tenant WHERE tenant = 'other'`)
				o.run(`DELETE FROM audit_root WHERE tenant = 'other'`)
			}, tlog.ErrRewritten, tlog.ErrRewritten, tlog.ErrMissing, tlog.ErrRewritten, 0, 0,
		},
		{
			"a head in the root log", func(o, _ *owner) { o.run(`UPDATE audit_root SET size = size - 1 WHERE n = 3`) },
			tlog.ErrRewritten, tlog.ErrRewritten, nil, tlog.ErrRewritten, 0, 0,
		},
		{
			"put back to a backup", func(o, _ *owner) { o.backup() },
			tlog.ErrRolledBack, nil, tlog.ErrRolledBack, tlog.ErrRolledBack, 0, 0,
		},
		{
			"no trees at all", func(o, _ *owner) {
				for _, table := range treeTables {
					o.run(`DELETE FROM ` + table)
				}
			}, tlog.ErrRolledBack, nil, tlog.ErrRolledBack, tlog.ErrRolledBack, 0, 0,
		},
		{
			"everything written anew, with all hashes", func(o, forged *owner) {
				o.replaceAll(forged, append(treeTables, eventTables...)...)
			}, tlog.ErrRewritten, tlog.ErrRewritten, tlog.ErrRewritten, tlog.ErrRewritten, 0, 0,
		},
		{
			"everything written anew, with the real key", func(o, forged *owner) {
				forged.h = build(o.t, forged.h, "key", nil)
				for _, table := range treeTables {
					forged.run(`DELETE FROM ` + table)
				}
				forged.h.cover(o.t)
				for range 4 {
					forged.h.add(o.t, clinic, 1, "more")
					forged.h.cover(o.t)
				}
				o.replaceAll(forged, append(treeTables, eventTables...)...)
			}, tlog.ErrRewritten, nil, tlog.ErrRewritten, tlog.ErrRewritten, 0, 0,
		},
	}
}

// backup puts the database back to what it was at the second checkpoint.
func (o *owner) backup() {
	o.run(`DELETE FROM audit_entry WHERE place >= ? AND place < ?`, o.first(clinic)+200, o.first(clinic)+600)
	o.run(`UPDATE audit_tenant SET size = 200, given = 200 WHERE tenant = 'clinic'`)
	o.run(`DELETE FROM audit_root WHERE n >= 3`)
	o.run(`DELETE FROM audit_checkpoint WHERE size > 3`)
}

// history fills a house with five checkpoints: of 2, 3, 4, 5 and 6 entries of the root log.
func history(t testing.TB, h *house, word string) (third []byte) {
	t.Helper()
	h.add(t, other, 40, word)
	for i, n := range []int{100, 100, 200, 100, 100} {
		h.add(t, clinic, n, word)
		h.cover(t)
		if i == 2 {
			third = h.log.Checkpoint()
		}
	}
	return third
}

// TestTampering: what somebody who owns the database does to it is found by somebody who holds
// one old checkpoint; most of it by anybody.
func TestTampering(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		for _, a := range tamperings() {
			t.Run(a.name, func(t *testing.T) {
				t.Parallel()
				a.carryOut(t, open)
			})
		}
	})
}

func (a tampering) carryOut(t *testing.T, open func(testing.TB) enginetest.Engine) {
	sink := tlog.NewFileSink(filepath.Join(t.TempDir(), "checkpoints"))
	h := build(t, over(t, open(t)), "key", &tlog.Options{Sinks: []tlog.Sink{sink}})
	third := history(t, h, "true")
	forged := build(t, over(t, open(t)), "another", nil)
	history(t, forged, "false")
	a.do(take(t, h), take(t, forged))

	report, err := h.verify(third)
	same(t, a.verify, err, "with a checkpoint")
	if a.to > 0 {
		require.Equal(t, a.from, report.Findings[0].From)
		require.Equal(t, a.to, report.Findings[0].To)
	}
	_, err = h.verify(nil)
	same(t, a.alone, err, "with none")

	started := h.again(t, &tlog.Options{Sinks: []tlog.Sink{sink}})
	_, err = started.log.Integrate(t.Context())
	same(t, a.started, err, "a server that starts")
	h.add(t, clinic, 1, "more") // so that there is something to sign
	_, err = h.log.Integrate(t.Context())
	same(t, a.running, err, "a server that runs")
	if a.running != nil {
		require.ErrorIs(t, h.log.Health(t.Context()), tlog.ErrTampered)
	}
}

func same(t testing.TB, want, got error, who string) {
	t.Helper()
	if want == nil {
		require.NoError(t, got, who)
		return
	}
	require.ErrorIs(t, got, want, who)
	require.ErrorIs(t, got, tlog.ErrTampered, who)
}
