package auditsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestStoreBehindPooler runs the whole contract over connections that change with each
// transaction.
func TestStoreBehindPooler(t *testing.T) {
	t.Parallel()
	postgres(t) // skip before the suite starts
	audittest.TestStore(t, func(t testing.TB) audit.Store {
		db := postgres(t)
		return reopen(t, enginetest.Pooled(t, db.address, 4), sqlkit.Postgres)
	})
}

// TestNothingStaysInTheSession: what comes after a store's transactions on the same connection
// finds no lock, no changed setting and no prepared statement.
func TestNothingStaysInTheSession(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	pool := enginetest.Pooled(t, db.address, 2)
	store := reopen(t, pool, sqlkit.Postgres)
	require.NoError(t, store.Migrate(t.Context()))
	var done acknowledged
	stop := load(t, &done, 8, store, store)
	until(t, "events are recorded", func() bool { return done.len() > 100 })
	stop()
	done.verify(t, store)
	for range 4 {
		var locks, prepared, sources int
		require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT
			(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
			(SELECT count(*) FROM pg_prepared_statements),
			(SELECT count(*) FROM pg_settings WHERE source = 'session' AND name <> 'search_path'
				AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'extra_float_digits'))`).
			Scan(&locks, &prepared, &sources))
		require.Zero(t, locks)
		require.Zero(t, prepared)
		require.Zero(t, sources)
	}
}
