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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Child processes record events from many goroutines, with Record and in transactions of their
// own, sequence them, and print each one that is acknowledged; the parent kills them without
// warning and looks for every line.

// The environment of a child process.
const (
	childEngine  = "AUDITSQL_CHILD_ENGINE"
	childAddress = "AUDITSQL_CHILD_ADDRESS"
	childPurges  = "AUDITSQL_CHILD_PURGES"
)

func TestMain(m *testing.M) {
	if engine := os.Getenv(childEngine); engine != "" && os.Getenv(childPurges) != "" {
		fmt.Fprintln(os.Stderr, purgingChild(engine, os.Getenv(childAddress)))
		os.Exit(2)
	} else if engine != "" {
		fmt.Fprintln(os.Stderr, child(engine, os.Getenv(childAddress)))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// child records until it is killed or fails.
func child(engine, address string) error {
	store, pool, err := childStore(engine, address)
	if err != nil {
		return err
	}
	log, err := audit.New(store, audit.DropOpenings{}, nil)
	if err != nil {
		return err
	}
	go log.Run(context.Background(), "platform")
	failed := make(chan error)
	for i := range 36 {
		record := func(e audit.Event) error { return log.Record(context.Background(), e) }
		if i%9 == 0 {
			record = func(e audit.Event) error { return childTx(pool, store, log, e) }
		}
		tenant := audit.Tenant(fmt.Sprint("clinic-", i%3))
		go func() {
			for {
				e := event("crash")
				e.ID, e.Tenant, e.Actor.Tenant = audit.NewID(time.Now()), tenant, tenant
				if err := record(e); err != nil {
					if sqlkit.IsBusy(err) {
						continue // another process had SQLite's lock for too long
					}
					failed <- err
				}
				fmt.Println(string(tenant) + " " + e.ID) // one write, at once
			}
		}()
	}
	return <-failed
}

func childStore(engine, address string) (*auditsql.Store, *sql.DB, error) {
	if engine == "postgres" {
		pool, err := sql.Open("pgx", address)
		if err != nil {
			return nil, nil, err
		}
		store, err := auditsql.Postgres(pool, testKey())
		return store, pool, err
	}
	pool, err := sql.Open("sqlite", "file:"+address+"?"+sound+"&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	store, err := auditsql.SQLite(pool)
	return store, pool, err
}

// childTx records an event in a host's transaction.
func childTx(pool *sql.DB, store *auditsql.Store, log *audit.Log, e audit.Event) error {
	p, err := store.Prepare(context.Background(), log, e)
	if err != nil {
		return err
	}
	tx, err := pool.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := p.RecordTx(context.Background(), tx); err != nil {
		return err
	}
	return tx.Commit()
}

// TestClientsKilled kills two processes at once that record from 36 goroutines each, and looks
// after each kill.
func TestClientsKilled(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		store, log := db.process(t)
		var done acknowledged
		for kill := range kills(t) {
			killChildren(t, db, &done, 300+100*(kill%5))
			done.verify(t, store)
		}
		e := event("after")
		e.ID = fresh()
		require.NoError(t, done.record(t.Context(), log, e))
		done.verify(t, store)
		t.Logf("%d kills, %d events acknowledged, none lost", kills(t), done.len())
	})
}

// TestStoreKilled runs the public crash suite: two processes that append, sequence, read and
// erase, against each other, without a log.
func TestStoreKilled(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			audittest.TestCrash(t, audittest.CrashOptions{
				Database: func(t testing.TB) string {
					if engine == "postgres" {
						return postgres(t).address
					}
					path := filepath.Join(t.TempDir(), "test.db")
					migrated(t, enginetest.OpenSQLite(t, path), sqlkit.SQLite)
					return path
				},
				Open: func(t testing.TB, address string) audit.Store {
					store, pool, err := childStore(engine, address)
					require.NoError(t, err)
					t.Cleanup(func() { pool.Close() })
					return store
				},
				Kills: kills(t),
			})
		})
	}
}

// killChildren runs two children until each has had n more events acknowledged, kills them,
// and notes every event that was printed in full.
func killChildren(t *testing.T, db *shared, done *acknowledged, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEngine+"="+db.dialect.String(), childAddress+"="+db.address)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		wg.Go(func() {
			lines := bufio.NewReader(out)
			seen := 0
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					break
				}
				tenant, id, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
				done.add(audit.Tenant(tenant), id)
				if seen++; seen == n {
					_ = cmd.Process.Kill() // SIGKILL; nothing is flushed
				}
			}
			_ = cmd.Wait()
			if seen < n {
				t.Errorf("a child ended by itself: %s", stderr.String())
			}
		})
	}
	wg.Wait()
}
