package auditsql_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestPlans looks at how the engines run the statements behind pages, look-ups and
// sequencing, before and after they know how large the tables are: by searching indexes, in
// their order. A scan or a sort would read the whole log for one page.
func TestPlans(t *testing.T) {
	inTurn(t)
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := over(t, e)
		s.Shape(300, 3, 2)
		at := time.Unix(1_800_000_000, 0).UTC()
		for range 8 {
			batch := make([]audit.Entry, 400)
			for i := range batch {
				ev := event("note.read")
				ev.ID, ev.Recorded = audit.NewID(at), at
				ev.Objects[0].ID = fmt.Sprint("n-", i)
				batch[i] = entryOf(t, ev)
			}
			require.NoError(t, s.Append(t.Context(), batch))
			drain(t, s)
		}
		check := func(when string) {
			for _, p := range s.Planned() {
				plan := explain(t, e, p)
				require.NotRegexp(t, regexp.MustCompile(`(?i)(seq scan on|SCAN) (audit_)?(entry|block|mark|pending|tenant|e|b|m|t)\b`), plan, "%s, %s:\n%s", p.Name, when, plan)
				if !strings.Contains(p.Name, "key") { // runs are few, and are sorted
					require.NotRegexp(t, regexp.MustCompile(`Sort|TEMP B-TREE`), plan, "%s, %s:\n%s", p.Name, when, plan)
				}
			}
		}
		check("unknown sizes")
		for _, table := range []string{"audit_entry", "audit_block", "audit_mark", "audit_run"} {
			_, err := e.Pool.ExecContext(t.Context(), "ANALYZE "+table)
			require.NoError(t, err)
		}
		check("known sizes")
	})
}

func explain(t *testing.T, e enginetest.Engine, p auditsql.Planned) string {
	t.Helper()
	how := "EXPLAIN QUERY PLAN "
	if e.Dialect == sqlkit.Postgres {
		how = "EXPLAIN "
	}
	conn, err := e.Pool.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	if e.Dialect == sqlkit.Postgres {
		// A small table is scanned and sorted; what is asked is whether a large one would be.
		_, err = conn.ExecContext(t.Context(), "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
		require.NoError(t, err)
	}
	rows, err := conn.QueryContext(t.Context(), how+p.Text, p.Args...)
	require.NoError(t, err, p.Name)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var plan []string
	for rows.Next() {
		var detail string
		dest := make([]any, len(columns))
		for i := range dest {
			dest[i] = new(any)
		}
		dest[len(dest)-1] = &detail
		require.NoError(t, rows.Scan(dest...))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}
