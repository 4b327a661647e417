package auditsql_test

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestPurgeAgainstModel compares random lists with a plain search through what is left, with runs
// so small that there are many of them on several levels, always in the middle of a merge.
func TestPurgeAgainstModel(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		for _, shape := range [][3]int{{64, 2, 1}, {100, 3, 4}, {3800, 8, 6}} {
			s := over(t, open(t))
			s.Shape(shape[0], shape[1], shape[2])
			r := rand.New(rand.NewPCG(uint64(shape[0]), 2))
			m, all, n := model{}, model{}, 0
			for range less(25) {
				batch := make([]audit.Entry, 1+r.IntN(60))
				for i := range batch {
					batch[i] = random(t, r, n)
					n++
					m[batch[i].Tenant] = append(m[batch[i].Tenant], batch[i])
					all[batch[i].Tenant] = append(all[batch[i].Tenant], batch[i])
				}
				require.NoError(t, s.Append(t.Context(), batch))
				drain(t, s)
				for range r.IntN(3) {
					_, err := s.Tidy(t.Context())
					require.NoError(t, err)
				}
				tenant := batch[0].Tenant
				spans := someSpans(r, len(m[tenant]))
				require.NoError(t, s.Purge(t.Context(), tenant, spans))
				for _, p := range spans {
					for i := p.From; i < p.To; i++ {
						m[tenant][i] = audit.Entry{}
					}
				}
				noTraces(t, s, all, m)
				for range 6 {
					m.compare(t, s, r)
				}
			}
			for tenant, list := range m {
				for i, e := range list {
					got, err := s.Get(t.Context(), tenant, all[tenant][i].ID)
					if e.ID == "" {
						require.ErrorIs(t, err, audit.ErrPurged)
						require.NoError(t, s.Append(t.Context(), all[tenant][i:i+1]), "the same event again")
						continue
					}
					require.NoError(t, err)
					require.Equal(t, e.Body, got.Body)
				}
				leaves, err := s.Leaves(t.Context(), tenant, 0, int64(len(list)))
				require.NoError(t, err)
				for i := range leaves {
					require.Equal(t, all[tenant][i].Leaf, leaves[i])
				}
			}
		}
	})
}

// someSpans are a few of the places of an order.
func someSpans(r *rand.Rand, n int) (spans []audit.Span) {
	for at := int64(r.IntN(5)); len(spans) < 3; {
		p := audit.Span{From: at, To: at + 1 + int64(r.IntN(max(1, n/4)))}
		if p.To > int64(n) {
			break
		}
		spans, at = append(spans, p), p.To+1+int64(r.IntN(9))
	}
	return spans
}

// noTraces looks into the tables: what the model lost has no body and no pair any more, and the
// spans are what Purged says.
func noTraces(t *testing.T, s interface {
	audit.Purger
	Traces(testing.TB) (places []int64)
}, all, left model,
) {
	t.Helper()
	for tenant, list := range left {
		var want []audit.Span
		for i, e := range list {
			switch k := len(want) - 1; {
			case e.ID != "":
			case k >= 0 && want[k].To == int64(i):
				want[k].To++
			default:
				want = append(want, audit.Span{From: int64(i), To: int64(i + 1)})
			}
		}
		got, err := s.Purged(t.Context(), tenant, 0, int64(len(list)))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Empty(t, s.Traces(t))
}

// many appends n plain entries of clinic-17 and places them.
func many(t testing.TB, s *auditsql.Store, n int, change func(i int, e *audit.Event)) []audit.Entry {
	t.Helper()
	list := make([]audit.Entry, n)
	for i := range list {
		e := event("note.read")
		e.ID, e.Recorded = fresh(), time.Unix(1_800_000_000+int64(i), 0).UTC()
		if change != nil {
			change(i, &e)
		}
		list[i] = entryOf(t, e)
	}
	for start := 0; start < n; start += 500 {
		require.NoError(t, s.Append(t.Context(), list[start:min(start+500, n)]))
	}
	drain(t, s)
	return list
}

// TestPurgeLetsNothingElsePass: the triggers refuse careless statements before and after a purge.
func TestPurgeLetsNothingElsePass(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		kit := before(t, e)
		old := oldEntries(t, 8)
		oldRecord(t, kit, old...)
		s := over(t, e)
		drain(t, s)
		statements := []string{
			`UPDATE audit_entry SET body = '', outcome = -1`, `UPDATE audit_entry SET outcome = -1`, `UPDATE audit_entry SET leaf = id`,
			`DELETE FROM audit_entry`, `DELETE FROM audit_block`, `DELETE FROM audit_run`, `DELETE FROM audit_event`,
			`DELETE FROM audit_event_patient`, `DELETE FROM audit_event_object`, `UPDATE audit_event SET actor = ''`,
			`INSERT INTO audit_purged (place, until) VALUES (1099511627776, 1099511627777)`,
		}
		if e.Dialect == sqlkit.SQLite {
			statements[0] = `UPDATE audit_entry SET body = x'', outcome = -1`
		}
		refused := func(more ...string) {
			for _, statement := range append(more, statements...) {
				_, err := kit.Exec(t.Context(), statement)
				require.ErrorContains(t, trigger(e, statement), "audit ", statement)
				require.Error(t, err, statement)
			}
		}
		refused()
		require.NoError(t, s.Purge(t.Context(), "clinic-17", []audit.Span{{From: 1, To: 3}}))
		more := []string{
			`DELETE FROM audit_purged`, `UPDATE audit_purged SET until = until + 1`, `UPDATE audit_purged SET place = place - 1`,
			`UPDATE audit_entry SET recorded = 1 WHERE outcome = -1`, `UPDATE audit_entry SET body = leaf WHERE outcome = -1`,
			`UPDATE audit_entry SET outcome = 0 WHERE outcome = -1`, `UPDATE audit_entry SET sealed = leaf WHERE outcome = -1`,
		}
		if e.Dialect == sqlkit.Postgres {
			more = append(more, `TRUNCATE audit_purged`, `TRUNCATE audit_event`, `TRUNCATE audit_event_patient`, `TRUNCATE audit_event_object`)
		}
		refused(more...)
		n, err := s.Count(t.Context(), audit.Filter{Tenant: "clinic-17"}, 100)
		require.NoError(t, err)
		require.Equal(t, 2, n)
	})
}

// trigger runs a statement and returns what the engine said, which the store does not print.
func trigger(e enginetest.Engine, statement string) error {
	_, err := e.Pool.Exec(statement)
	return err
}

// TestBodyRemovedBySomebody: an event whose body is gone without a purge is damaged, not purged.
func TestBodyRemovedBySomebody(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := over(t, e)
		list := many(t, s, 9, nil)
		require.NoError(t, s.Purge(t.Context(), "clinic-17", []audit.Span{{From: 2, To: 4}}))
		without(t, e, `UPDATE audit_entry SET body = id, outcome = -1 WHERE place = 1099511627776 + 6`,
			`UPDATE audit_entry SET body = substr(body, 1, 0) WHERE place = 1099511627776 + 6`)
		for name, err := range map[string]error{
			"get":    get(t, s, list[6]),
			"list":   listed(t, s, audit.Filter{Tenant: "clinic-17"}),
			"find":   listed(t, s, audit.Filter{Tenant: "clinic-17", Patient: "p-1"}),
			"append": s.Append(t.Context(), list[6:7]),
		} {
			require.ErrorIs(t, err, audit.ErrDamaged, name)
			require.NotErrorIs(t, err, audit.ErrNotFound, name)
		}
		require.ErrorIs(t, get(t, s, list[2]), audit.ErrPurged)
		// A row that is missing altogether is no place that can be purged.
		without(t, e, `DELETE FROM audit_entry WHERE place = 1099511627776 + 7`)
		require.ErrorIs(t, s.Purge(t.Context(), "clinic-17", []audit.Span{{From: 5, To: 9}}), audit.ErrDamaged)
		require.NoError(t, get(t, s, list[5]))
	})
}

// without runs statements without the triggers of audit_entry.
func without(t testing.TB, e enginetest.Engine, statements ...string) {
	t.Helper()
	off := []string{`DROP TRIGGER IF EXISTS audit_entry_no_update`, `DROP TRIGGER IF EXISTS audit_entry_no_delete`}
	if e.Dialect == sqlkit.Postgres {
		off = []string{`ALTER TABLE audit_entry DISABLE TRIGGER USER`}
	}
	for _, s := range append(off, statements...) {
		_, err := e.Pool.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

func get(t testing.TB, s *auditsql.Store, e audit.Entry) error {
	_, err := s.Get(t.Context(), e.Tenant, e.ID)
	return err
}

func listed(t testing.TB, s *auditsql.Store, f audit.Filter) error {
	for _, err := range s.List(t.Context(), f, audit.Newest, 100) {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestPageSkipsWhatWasPurged: a page reads some rows of a purged span and not its inside. There the
// rows are removed, which is damage to whoever reads them.
func TestPageSkipsWhatWasPurged(t *testing.T) {
	inTurn(t)
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := over(t, e)
		list := many(t, s, 6000, nil)
		// One large span, and many small ones with an event between each two.
		spans := []audit.Span{{From: 10, To: 2500}}
		for at := int64(2501); at < 5900; at += 20 {
			spans = append(spans, audit.Span{From: at, To: at + 19})
		}
		require.NoError(t, s.Purge(t.Context(), "clinic-17", spans))
		require.Empty(t, s.Traces(t))
		without(t, e, `DELETE FROM audit_entry WHERE place > 1099511627776 + 10 AND place < 1099511627776 + 1400`,
			`DELETE FROM audit_entry WHERE outcome = -1 AND place > 1099511627776 + 2520 AND place < 1099511627776 + 4800`)
		got := 0
		for _, f := range []audit.Filter{{Tenant: "clinic-17"}, {Tenant: "clinic-17", Patient: "p-1"}, {Tenant: "clinic-17", From: list[0].Recorded}} {
			got = 0
			for e, err := range s.List(t.Context(), f, audit.Newest, 5000) {
				require.NoError(t, err)
				require.Equal(t, list[e.Index].ID, e.ID)
				got++
			}
		}
		want := len(list)
		for _, p := range spans {
			want -= int(p.To - p.From)
		}
		require.Equal(t, want, got)
		gone, err := s.Purged(t.Context(), "clinic-17", 0, 6000)
		require.NoError(t, err)
		require.Equal(t, spans, gone)
	})
}

// TestNothingIsLeftInTheFiles: after a purge and the engine's own cleaning, nothing in the database
// tells who did what to whom, in the tables of release 0.1 neither.
func TestNothingIsLeftInTheFiles(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		e := enginetest.SQLite(t)
		path := filepath.Join(t.TempDir(), "old.db")
		if e.Pool = enginetest.OpenSQLite(t, path); db.dialect == sqlkit.Postgres {
			e = enginetest.Postgres(t)
		}
		kit := before(t, e)
		old := oldEntries(t, 40)
		hide := func(i int, e *audit.Event) {
			if i%10 == 3 {
				e.Actor.ID, e.Action = "who-was-it", "what.was.done"
				e.Patients, e.Objects = []audit.Patient{"whose-record"}, []audit.Object{{Type: "which-type", ID: "which-object"}}
				e.Outcome, e.Code = audit.Failure, "why-denied"
			}
		}
		for i := range old {
			ev := event("note.read")
			ev.ID, ev.Recorded = old[i].ID, old[i].Recorded
			hide(i, &ev)
			old[i] = entryOf(t, ev)
			old[i].Openings = []byte("sealed")
			if i%10 == 3 {
				old[i].Openings = []byte("sealed-address")
			}
		}
		oldRecord(t, kit, old...)
		s := over(t, e)
		s.Shape(200, 3, 2)
		drain(t, s)
		for range 3 {
			many(t, s, 40, hide)
		}
		words := []string{"who-was-it", "what.was.done", "whose-record", "which-object", "which-type", "why-denied", "sealed-address"}
		keys := make([]byte, 16)
		binary.BigEndian.PutUint64(keys, uint64(auditsql.KeyOfPatient("clinic-17", "whose-record")))
		binary.BigEndian.PutUint64(keys[8:], uint64(auditsql.KeyOfType("clinic-17", "which-type")))
		words = append(words, string(keys[:8]), string(keys[8:]))
		text := everything(t, e, path)
		for _, w := range words {
			require.Contains(t, text, inBytes(e, w), "%q is not where it is looked for", w)
		}
		var spans []audit.Span
		for at := int64(3); at < 160; at += 10 {
			spans = append(spans, audit.Span{From: at, To: at + 1})
		}
		require.NoError(t, s.Purge(t.Context(), "clinic-17", spans))
		text = everything(t, e, path)
		for _, w := range words {
			require.NotContains(t, text, inBytes(e, w), "%q", w)
			require.NotContains(t, text, w)
		}
		require.Contains(t, text, inBytes(e, "p-1"), "the others are there")
	})
}

// everything is the whole database, after its cleaning: SQLite's file, or what all tables of
// PostgreSQL hold, bytes in hexadecimal.
func everything(t testing.TB, e enginetest.Engine, path string) string {
	t.Helper()
	if e.Dialect == sqlkit.SQLite {
		for _, s := range []string{`VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`} {
			_, err := e.Pool.ExecContext(t.Context(), s)
			require.NoError(t, err)
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data)
	}
	var tables, all []string
	rows, err := e.Pool.QueryContext(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`)
	require.NoError(t, err)
	tables = column(t, rows)
	require.Contains(t, tables, "audit_event_patient")
	for _, table := range tables {
		rows, err := e.Pool.QueryContext(t.Context(), fmt.Sprintf(`SELECT replace(x::text, '\x', '') FROM %s x`, table))
		require.NoError(t, err)
		all = append(all, column(t, rows)...)
	}
	return strings.Join(all, "\n")
}

func column(t testing.TB, rows *sql.Rows) (out []string) {
	t.Helper()
	defer rows.Close()
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(t, rows.Err())
	return out
}

// inBytes is a word as everything has it where a column is of bytes.
func inBytes(e enginetest.Engine, word string) string {
	if e.Dialect == sqlkit.Postgres {
		return hex.EncodeToString([]byte(word))
	}
	return word
}

// TestPurgeInTheMiddleOfAMerge purges when one piece after the other of a merge is done: while pairs
// are in the old runs and in the new one, and while merged runs are being deleted.
func TestPurgeInTheMiddleOfAMerge(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := over(t, e)
		r := rand.New(rand.NewPCG(4, 4))
		all := model{}
		states := map[string]bool{}
		for pieces := 1; pieces < 24; pieces += 2 {
			s.Shape(300, 1000, 1) // nothing is merged
			fill(t, s, all, r, 3, 40)
			s.Shape(300, 3, 1)
			for range pieces {
				_, err := s.Tidy(t.Context())
				require.NoError(t, err)
			}
			for _, state := range column(t, rowsOf(t, e, `SELECT DISTINCT 'state ' || r.state FROM audit_run r JOIN audit_block b ON b.run = r.no`)) {
				states[state] = true
			}
			size := int64(len(all["clinic-0"]))
			require.NoError(t, s.Purge(t.Context(), "clinic-0", []audit.Span{{From: size - 30, To: size - 20}, {From: size - 19, To: size - 18}}))
			require.Empty(t, s.Traces(t))
			whole(t, s, all, r)
		}
		require.Len(t, states, 3, "runs that are being built, live ones and merged ones")
	})
}

func rowsOf(t testing.TB, e enginetest.Engine, query string) *sql.Rows {
	t.Helper()
	rows, err := e.Pool.QueryContext(t.Context(), query)
	require.NoError(t, err)
	return rows
}
