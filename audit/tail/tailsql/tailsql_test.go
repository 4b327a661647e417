package tailsql_test

import (
	"io/fs"
	"path"
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
	open := tailsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		open = tailsql.Postgres
	}
	s, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestCursors(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		tailtest.TestCursors(t, func(t testing.TB) tail.Cursors { return store(t, open(t)) })
	})
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		require.NoError(t, store(t, e).Migrate(t.Context()))
	})
}

func TestMigrationsAreTheSameOnBothEngines(t *testing.T) {
	t.Parallel()
	names := func(engine string) (all []string) {
		entries, err := fs.ReadDir(tailsql.Migrations(), path.Join("migrations", engine))
		require.NoError(t, err)
		for _, e := range entries {
			all = append(all, e.Name())
		}
		return all
	}
	require.NotEmpty(t, names("sqlite"))
	require.Equal(t, names("sqlite"), names("postgres"))
}

func TestNilPool(t *testing.T) {
	t.Parallel()
	_, err := tailsql.SQLite(nil)
	require.Error(t, err)
	_, err = tailsql.Postgres(nil)
	require.Error(t, err)
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
