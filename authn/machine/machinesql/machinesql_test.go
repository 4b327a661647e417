package machinesql_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/authn/machine/machinesql"
	"github.com/wardkit/wardkit/authn/machine/machinetest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *machinesql.Store {
	t.Helper()
	engines := map[sqlkit.Dialect]func() (*machinesql.Store, error){
		sqlkit.SQLite:   func() (*machinesql.Store, error) { return machinesql.SQLite(e.Pool) },
		sqlkit.Postgres: func() (*machinesql.Store, error) { return machinesql.Postgres(e.Pool) },
	}
	s, err := engines[e.Dialect]()
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		machinetest.TestStore(t, func(t testing.TB) machine.Store { return open(t, engine(t)) })
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
	require.NoError(t, fstest.TestFS(machinesql.Migrations(), "sqlite/0001_machines.sql", "postgres/0001_machines.sql"))
}

func TestNilDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, err := machinesql.SQLite(nil)
	require.Error(t, err)
	_, err = machinesql.Postgres(nil)
	require.Error(t, err)
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		err := machinetest.Check(t.Context(), func() (machine.Store, error) { return s, nil })
		require.ErrorContains(t, err, "get-missing:")
		_, err = s.Get(t.Context(), "clinic", "m-bot")
		require.Error(t, err)
		require.NotErrorIs(t, err, machine.ErrNotFound, "failed is not the same as missing")
		_, err = s.FindKey(t.Context(), "k")
		require.Error(t, err)
		require.NotErrorIs(t, err, machine.ErrNotFound)
		for _, err := range s.List(t.Context(), "clinic", "") {
			require.Error(t, err)
		}
	})
}
