package auditsql_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestAttacks runs the public suites that attack two handles of one database, as two servers
// would hold them.
func TestAttacks(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		pair := twoOfSQLite
		if open(t).Dialect == sqlkit.Postgres {
			pair = twoOfPostgres
		}
		t.Run("concurrency", func(t *testing.T) { audittest.TestConcurrency(t, pair) })
		t.Run("fork", func(t *testing.T) { audittest.TestFork(t, pair) })
	})
}

func twoOfSQLite(t testing.TB) (one, other audit.Store) {
	path := filepath.Join(t.TempDir(), "test.db")
	handle := func() audit.Store {
		return over(t, enginetest.Engine{Name: "sqlite", Pool: enginetest.OpenSQLite(t, path), Dialect: sqlkit.SQLite})
	}
	return handle(), handle()
}

func twoOfPostgres(t testing.TB) (one, other audit.Store) {
	_, address := enginetest.PostgresSchema(t)
	handle := func() audit.Store {
		pool, err := sql.Open("pgx", address)
		require.NoError(t, err)
		pool.SetMaxOpenConns(8)
		t.Cleanup(func() { pool.Close() })
		return over(t, enginetest.Engine{Name: "postgres", Pool: pool, Dialect: sqlkit.Postgres})
	}
	return handle(), handle()
}
