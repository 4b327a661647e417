package auditsql_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// poolers runs f with the tests' own pooler of transactions, and with PgBouncer where that is
// installed.
func poolers(t *testing.T, f func(t *testing.T, open func(t testing.TB, n int) *auditsql.Store)) {
	for name, pool := range map[string]func(testing.TB, string, int) *sql.DB{"ours": enginetest.Pooled, "pgbouncer": enginetest.PgBouncer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := func(t testing.TB, n int) *auditsql.Store {
				db := postgres(t)
				return migrated(t, pool(t, db.address, n), sqlkit.Postgres)
			}
			open(t, 1) // skip here, once
			f(t, open)
		})
	}
}

// TestStoreBehindPooler runs the whole contract over connections that change with each
// transaction.
func TestStoreBehindPooler(t *testing.T) {
	t.Parallel()
	poolers(t, func(t *testing.T, open func(testing.TB, int) *auditsql.Store) {
		audittest.TestStore(t, func(t testing.TB) audit.Store { return open(t, 4) })
	})
}

// TestSequencersBehindPooler: more processes want to sequence than there are connections, and
// those that wait for their turn take connections from those whose turn it is.
func TestSequencersBehindPooler(t *testing.T) {
	t.Parallel()
	poolers(t, func(t *testing.T, open func(testing.TB, int) *auditsql.Store) {
		store := open(t, 3)
		var done acknowledged
		stop := load(t, &done, 8, store, store, store, store)
		until(t, "events are recorded", func() bool { return done.len() > 100 })
		stop()
		done.verify(t, store)
	})
}

// TestNothingStaysInTheSession: what comes after a store's transactions on the same connection
// finds no lock, no changed setting and no prepared statement.
func TestNothingStaysInTheSession(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	pool := enginetest.Pooled(t, db.address, 2)
	store := reopen(t, pool, sqlkit.Postgres)
	var done acknowledged
	stop := load(t, &done, 8, store, store)
	until(t, "events are recorded", func() bool { return done.len() > 100 })
	stop()
	done.verify(t, store)
	for range 4 {
		var locks, prepared, changed int
		require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT
			(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
			(SELECT count(*) FROM pg_prepared_statements),
			(SELECT count(*) FROM pg_settings WHERE source = 'session')`).Scan(&locks, &prepared, &changed))
		require.Zero(t, locks)
		require.Zero(t, prepared)
		require.Zero(t, changed)
	}
}
