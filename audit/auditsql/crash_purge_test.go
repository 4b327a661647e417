package auditsql_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// purgedAtOnce is how many places one call of the child purges: several transactions, in which it
// may be killed.
const purgedAtOnce = 40

// purgingChild purges from the end of what is purged on, and records and orders meanwhile, until it
// is killed.
func purgingChild(engine, address string) error {
	ctx := context.Background()
	store, _, err := childStore(engine, address)
	if err != nil {
		return err
	}
	store.Shape(300, 3, 8)
	log, err := audit.New(store, audit.DropOpenings{}, nil)
	if err != nil {
		return err
	}
	go func() {
		for {
			e := event("beside")
			e.ID, e.Tenant, e.Actor.Tenant = audit.NewID(time.Now()), "clinic-9", "clinic-9"
			_ = log.Record(ctx, e)
			_, _ = store.Sequence(ctx, 20)
		}
	}()
	for {
		gone, err := store.Purged(ctx, "clinic-1", 0, 1<<40)
		if err != nil {
			return err
		}
		from := int64(0)
		if len(gone) > 0 {
			from = gone[len(gone)-1].To + 1
		}
		err = store.Purge(ctx, "clinic-1", []audit.Span{{From: from, To: from + purgedAtOnce/2}, {From: from + purgedAtOnce/2 + 1, To: from + purgedAtOnce}})
		if err != nil && !sqlkit.IsBusy(err) {
			return err
		}
		if err == nil {
			fmt.Println(from)
		}
	}
}

// TestPurgeKilled kills a process in the middle of purges, at moments of chance, and looks after each
// kill: nothing that was reported is there, nothing is there in part, and who purges again ends what
// was begun.
func TestPurgeKilled(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, _ := db.process(t)
		store.Shape(300, 3, 8)
		r := rand.New(rand.NewPCG(5, 5))
		all := model{}
		halves := 0
		for kill := range kills(t) {
			fill(t, store, all, r, 3, 300)
			froms := killPurging(t, db, 1+kill%3, time.Duration(r.IntN(30_000))*time.Microsecond)
			if db.dialect == sqlkit.Postgres { // a server may still finish what the client had sent
				_, err := db.pool.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock(7706325, to_regclass('audit_purged')::oid::integer)`)
				require.NoError(t, err)
			}
			m := whole(t, store, all, r)
			for _, from := range froms {
				for i := from; i < from+purgedAtOnce; i++ {
					if i != from+purgedAtOnce/2 {
						require.Empty(t, m["clinic-1"][i].ID, "reported, and still there")
					}
				}
			}
			traces := store.Traces(t)
			if len(traces) > 0 {
				halves++
			}
			until(t, "nothing is left of what is purged", func() bool {
				gone, err := store.Purged(t.Context(), "clinic-1", 0, 1<<40)
				require.NoError(t, err)
				require.NoError(t, store.Purge(t.Context(), "clinic-1", gone))
				return len(store.Traces(t)) == 0
			})
			whole(t, store, all, r)
		}
		t.Logf("%d kills, %d of them between the events and what they were found by", kills(t), halves)
	})
}

// killPurging runs a child until it has reported some purges and a moment longer, and returns where
// these began.
func killPurging(t *testing.T, db *shared, n int, longer time.Duration) (froms []int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEngine+"="+db.dialect.String(), childAddress+"="+db.address, childPurges+"=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var from int64
		_, err := fmt.Sscan(lines.Text(), &from)
		require.NoError(t, err)
		if froms = append(froms, from); len(froms) == n {
			time.AfterFunc(longer, func() { _ = cmd.Process.Kill() }) // SIGKILL; nothing is flushed
		}
	}
	_ = cmd.Wait()
	require.GreaterOrEqual(t, len(froms), n, "the child ended by itself: %s", stderr.String())
	return froms
}
