package tailsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/tail"
	"github.com/wardkit/wardkit/audit/tail/tailsql"
	"github.com/wardkit/wardkit/audit/tail/tailtest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// store returns a migrated store over an engine.
func store(t testing.TB, e enginetest.Engine) *tailsql.Store {
	t.Helper()
	return enginetest.Store(t, e, tailsql.SQLite, tailsql.Postgres)
}

func TestCursors(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		tailtest.TestCursors(t, func(t testing.TB) tail.Cursors { return store(t, open(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, tailsql.Migrations(), "migrations", tailsql.SQLite, tailsql.Postgres)
}

// TestADamagedCursor is an error and not a feed that begins anew.
func TestADamagedCursor(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := store(t, e)
		require.NoError(t, s.Put(t.Context(), tail.Cursor{Feed: "siem", Tenant: "clinic", Next: 3}))
		_, err := e.Pool.ExecContext(t.Context(), `UPDATE audit_feed SET last = ''`)
		if e.Dialect == sqlkit.SQLite {
			_, err = e.Pool.ExecContext(t.Context(), `UPDATE audit_feed SET last = x''`)
		}
		require.NoError(t, err)
		_, err = s.Get(t.Context(), "siem", "clinic")
		require.Error(t, err)
		for _, err := range s.All(t.Context(), "siem") {
			require.Error(t, err)
		}
	})
}
