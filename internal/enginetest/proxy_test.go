package enginetest_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
)

// Before the commit reaches the server nothing is kept; after it, everything is, and the
// client is told neither.
func TestProxyCutsACommit(t *testing.T) {
	t.Parallel()
	direct, address := enginetest.PostgresSchema(t)
	pool, proxy := enginetest.Proxied(t, address)
	exec(t, pool, `CREATE TABLE mine (n INT)`)
	for moment, want := range map[enginetest.Moment]int{enginetest.Before: 0, enginetest.After: 1} {
		exec(t, pool, `DELETE FROM mine`)
		cuts := proxy.Cuts()
		proxy.Cut(moment, enginetest.Commit, 1)
		tx, err := pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), `INSERT INTO mine VALUES (1)`)
		require.NoError(t, err)
		require.Error(t, tx.Commit())
		require.Equal(t, cuts+1, proxy.Cuts())
		require.Equal(t, want, count(t, direct))
		require.Equal(t, want, count(t, pool), "the next connection is served")
	}
}

func TestProxyStallsAndHangsUp(t *testing.T) {
	t.Parallel()
	_, address := enginetest.PostgresSchema(t)
	pool, proxy := enginetest.Proxied(t, address)
	require.NoError(t, pool.PingContext(t.Context()))
	proxy.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, pool.PingContext(ctx), context.DeadlineExceeded)
	proxy.Resume()
	require.NoError(t, pool.PingContext(t.Context()))
	conn, err := pool.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	proxy.Hangup()
	require.Error(t, conn.PingContext(t.Context()))
	require.NoError(t, pool.PingContext(t.Context()))
}

// Our pooler and PgBouncer do the same to a client.
func poolers(t *testing.T, f func(t *testing.T, address string, open func(testing.TB, string, int) *sql.DB)) {
	for name, open := range map[string]func(testing.TB, string, int) *sql.DB{"ours": enginetest.Pooled, "pgbouncer": enginetest.PgBouncer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, address := enginetest.PostgresSchema(t)
			f(t, address, open)
		})
	}
}

// A transaction stays on its connection, the next one is on another; what a session keeps
// stays behind.
func TestPooledChangesConnections(t *testing.T) {
	t.Parallel()
	poolers(t, func(t *testing.T, address string, open func(testing.TB, string, int) *sql.DB) {
		pool := open(t, address, 2)
		other, err := pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer other.Rollback()
		backend := func(q interface {
			QueryRowContext(context.Context, string, ...any) *sql.Row
		},
		) (pid int) {
			t.Helper()
			require.NoError(t, q.QueryRowContext(t.Context(), `SELECT pg_backend_pid() + $1 - $1`, 1).Scan(&pid))
			return pid
		}
		taken := backend(other) // so that both connections are open
		require.NotEqual(t, taken, backend(pool))
		require.Equal(t, taken, backend(other))
		require.NoError(t, other.Rollback())

		conn, err := pool.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		require.NotEqual(t, backend(conn), backend(conn))
		_, err = conn.ExecContext(t.Context(), `SET lock_timeout = 12345`)
		require.NoError(t, err)
		values := map[string]bool{}
		for range 4 {
			var value string
			require.NoError(t, conn.QueryRowContext(t.Context(), `SELECT current_setting('lock_timeout')`).Scan(&value))
			values[value] = true
		}
		require.Len(t, values, 2, "one connection of two has the setting")
		exec(t, pool, `CREATE TABLE mine (n INT)`)
		require.Zero(t, count(t, pool), "in the test's schema")
	})
}

// A client that leaves within a transaction takes it along.
func TestPooledClientLeaves(t *testing.T) {
	t.Parallel()
	direct, address := enginetest.PostgresSchema(t)
	exec(t, direct, `CREATE TABLE mine (n INT)`)
	pool := enginetest.Pooled(t, address, 1)
	tx, err := pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(whileItSleeps(t, direct), sleeps)
	require.Error(t, err)
	require.Error(t, tx.Commit())
	require.Zero(t, count(t, pool))
}

// What a client no longer waits for is cancelled on the server.
func TestPooledCancels(t *testing.T) {
	t.Parallel()
	direct, address := enginetest.PostgresSchema(t)
	pool := enginetest.Pooled(t, address, 1)
	exec(t, pool, `CREATE TABLE mine (n INT)`)
	start := time.Now()
	_, err := pool.ExecContext(whileItSleeps(t, direct), sleeps)
	require.Error(t, err)
	require.Zero(t, count(t, pool))
	require.Less(t, time.Since(start), 2*time.Minute)
}

const sleeps = `INSERT INTO mine SELECT 1 FROM pg_sleep(180)`

// whileItSleeps returns a context that ends when the server is busy with sleeps.
func whileItSleeps(t *testing.T, pool *sql.DB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		const query = `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE l.relation = 'mine'::regclass AND a.wait_event = 'PgSleep')`
		for busy := false; !busy && ctx.Err() == nil; {
			if err := pool.QueryRowContext(ctx, query).Scan(&busy); err != nil {
				if t.Context().Err() == nil {
					t.Error(err)
				}
				return
			}
		}
	}()
	return ctx
}
