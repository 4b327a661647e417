package supportsql_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/support"
	"github.com/wardkit/wardkit/rbac/support/supportsql"
	"github.com/wardkit/wardkit/rbac/support/supporttest"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *supportsql.Store {
	t.Helper()
	engines := map[sqlkit.Dialect]func() (*supportsql.Store, error){
		sqlkit.SQLite:   func() (*supportsql.Store, error) { return supportsql.SQLite(e.Pool) },
		sqlkit.Postgres: func() (*supportsql.Store, error) { return supportsql.Postgres(e.Pool) },
	}
	s, err := engines[e.Dialect]()
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		supporttest.TestStore(t, func(t testing.TB) support.Store { return open(t, engine(t)) })
	})
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		s := open(t, engine(t))
		require.NoError(t, s.Migrate(t.Context()))
	})
}

func TestMigrationsAreExported(t *testing.T) {
	t.Parallel()
	require.NoError(t, fstest.TestFS(supportsql.Migrations(), "sqlite/0001_support.sql", "postgres/0001_support.sql"))
}

func TestNilDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, err := supportsql.SQLite(nil)
	require.Error(t, err)
	_, err = supportsql.Postgres(nil)
	require.Error(t, err)
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		_, err := s.Get(t.Context(), "clinic", "m-bot")
		require.Error(t, err)
		require.NotErrorIs(t, err, support.ErrNotFound, "failed is not the same as missing")
		_, err = s.Open(t.Context(), "clinic", support.Account{Tenant: "platform", ID: "o-1"})
		require.Error(t, err)
		require.NotErrorIs(t, err, support.ErrNotFound)
		err = s.Apply(t.Context(), support.Row{Tenant: "clinic", ID: "a"}, 0)
		require.Error(t, err)
		require.NotErrorIs(t, err, support.ErrConflict)
		require.NotErrorIs(t, err, support.ErrOpen)
		for _, err := range s.Active(t.Context()) {
			require.Error(t, err)
		}
	})
}
