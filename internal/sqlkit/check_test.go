package sqlkit_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const safe = "_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"

// checked runs Check on a fresh file opened with the settings.
func checked(t testing.TB, settings string, prepare ...string) error {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "test.db"))+"?"+settings)
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	for _, s := range prepare {
		_, err := pool.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	db, err := sqlkit.Open(pool, sqlkit.SQLite)
	require.NoError(t, err)
	return db.Check(t.Context())
}

func TestCheckAcceptsWhatTestsUse(t *testing.T) {
	engines(t, func(t *testing.T, e enginetest.Engine, db *sqlkit.DB) {
		require.NoError(t, db.Check(t.Context()))
		e.Pool.SetMaxOpenConns(1)
		require.NoError(t, db.Check(t.Context()))
		tx, err := e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		require.NoError(t, db.Join(tx).Check(t.Context()))
	})
}

func TestCheckRefusesUnsafeSQLite(t *testing.T) {
	t.Parallel()
	require.NoError(t, checked(t, safe))
	require.NoError(t, checked(t, "_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(EXTRA)"))
	for _, c := range []struct {
		name, settings, rule string
		prepare              []string
	}{
		{"rollback journal", "_pragma=busy_timeout(100)&_pragma=synchronous(FULL)", "journal_mode", nil},
		{"journal in memory", "_pragma=busy_timeout(100)&_pragma=synchronous(FULL)&_pragma=journal_mode(MEMORY)", "journal_mode", nil},
		{"journal off", "_pragma=busy_timeout(100)&_pragma=synchronous(FULL)&_pragma=journal_mode(OFF)", "journal_mode", nil},
		{"synchronous NORMAL", "_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", "synchronous", nil},
		{"synchronous OFF", "_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)", "synchronous", nil},
		{"no busy_timeout", "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", "busy_timeout", nil},
		{"long busy_timeout", "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", "busy_timeout", nil},
		{
			"set on one connection only", "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", "busy_timeout",
			[]string{"PRAGMA busy_timeout = 100"},
		},
		{"lowered for all", "_pragma=busy_timeout(100)&_pragma=synchronous(NORMAL)", "synchronous", []string{"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"}},
	} {
		err := checked(t, c.settings, c.prepare...)
		require.ErrorIs(t, err, sqlkit.ErrUnsafeEngine, c.name)
		require.ErrorContains(t, err, c.rule, c.name)
	}
}

func TestCheckRefusesMemory(t *testing.T) {
	t.Parallel()
	pool, err := sql.Open("sqlite", ":memory:?_pragma=busy_timeout(100)")
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	db, err := sqlkit.Open(pool, sqlkit.SQLite)
	require.NoError(t, err)
	require.ErrorIs(t, db.Check(t.Context()), sqlkit.ErrUnsafeEngine)
}

// A pool whose other connections are all in use is checked by the one that can be had.
func TestCheckDoesNotWaitForABusyPool(t *testing.T) {
	t.Parallel()
	e := enginetest.SQLite(t)
	e.Pool.SetMaxOpenConns(2)
	taken, err := e.Pool.Conn(t.Context())
	require.NoError(t, err)
	defer taken.Close()
	require.NoError(t, e.Kit(t).Check(t.Context()))
	other, err := e.Pool.Conn(t.Context())
	require.NoError(t, err)
	defer other.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.Kit(t).Check(ctx), context.Canceled)
}

// A database that does not answer is not a safe one.
func TestCheckFails(t *testing.T) {
	t.Parallel()
	e := enginetest.SQLite(t)
	db := e.Kit(t)
	require.NoError(t, e.Pool.Close())
	require.Error(t, db.Check(t.Context()))

	// The other engine answers the questions with errors.
	wrong, err := sqlkit.Open(enginetest.SQLite(t).Pool, sqlkit.Postgres)
	require.NoError(t, err)
	require.ErrorContains(t, wrong.Check(t.Context()), "checking that fsync must be on")
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for have, want := range map[string]bool{
		"3.51.3": true, "3.51.10": true, "3.52.0": true, "4.0.0": true, "3.51.3.1": true,
		"3.51.2": false, "3.50.9": false, "2.99.9": false, "3.51": false, "": false, "x.y.z": false, "3.51.x": false,
	} {
		require.Equal(t, want, sqlkit.AtLeast("3.51.3", have), have)
	}
}
