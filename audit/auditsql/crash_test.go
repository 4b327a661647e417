package auditsql_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// The child process records events from many goroutines and prints each ID once it is
// acknowledged; the parent kills it without warning and looks for every printed ID.

func TestMain(m *testing.M) {
	if path := os.Getenv("AUDITSQL_CRASH_SQLITE"); path != "" {
		crashChild("sqlite", "file:"+filepath.ToSlash(path)+
			"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", auditsql.SQLite)
	}
	if url := os.Getenv("AUDITSQL_CRASH_POSTGRES"); url != "" {
		crashChild("pgx", url, func(db *sql.DB) (*auditsql.Store, error) { return auditsql.Postgres(db, testKey()) })
	}
	os.Exit(m.Run())
}

func crashChild(driver, dsn string, open func(*sql.DB) (*auditsql.Store, error)) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	pool, err := sql.Open(driver, dsn)
	if err != nil {
		fail(err)
	}
	store, err := open(pool)
	if err != nil {
		fail(err)
	}
	log, err := audit.New(store, audit.DropOpenings{}, nil)
	if err != nil {
		fail(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				e := event("crash")
				e.ID = fmt.Sprintf("01900000-0000-7000-%04x-%012x", 0x8000+g, uint32(os.Getpid())<<16+uint32(i))
				if err := log.Record(context.Background(), e); err != nil {
					fail(err)
				}
				mu.Lock()
				fmt.Println(e.ID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestCrash(t *testing.T) {
	t.Parallel()
	kills := 3
	if testing.Short() {
		kills = 1
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "crash.db")
		e := enginetest.Engine{Name: "sqlite", Pool: enginetest.OpenSQLite(t, path), Dialect: enginetest.SQLite(t).Dialect}
		crash(t, e, kills, "AUDITSQL_CRASH_SQLITE="+path)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dialect := enginetest.Postgres(t).Dialect
		pool, url := enginetest.PostgresSchema(t)
		crash(t, enginetest.Engine{Name: "postgres", Pool: pool, Dialect: dialect}, kills, "AUDITSQL_CRASH_POSTGRES="+url)
	})
}

func crash(t *testing.T, e enginetest.Engine, kills int, env string) {
	store := over(t, e)
	log := newLog(t, store)
	var acknowledged []string
	for kill := range kills {
		acknowledged = append(acknowledged, killChild(t, env, 200+100*kill)...)
	}
	require.Greater(t, len(acknowledged), 200*kills-1)
	seen := map[string]bool{}
	q := audit.Query{Tenant: "clinic-17", Patient: "p-1", Limit: audit.MaxLimit}
	for {
		page, err := log.Query(t.Context(), q)
		require.NoError(t, err, "every event that is there is whole")
		for _, ev := range page.Events {
			require.False(t, seen[ev.ID])
			seen[ev.ID] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	for _, id := range acknowledged {
		require.True(t, seen[id], "acknowledged and lost")
	}
	require.NoError(t, log.Record(t.Context(), event("after")))
}

// killChild runs the child until it has acknowledged n events, kills it, and returns every ID
// that it printed in full.
func killChild(t *testing.T, env string, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	var ids []string
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		ids = append(ids, strings.TrimSuffix(line, "\n"))
		if len(ids) == n {
			require.NoError(t, cmd.Process.Kill()) // SIGKILL; nothing is flushed
		}
	}
	_ = cmd.Wait()
	require.GreaterOrEqual(t, len(ids), n, "the child ended by itself: %s", stderr.String())
	return ids
}
