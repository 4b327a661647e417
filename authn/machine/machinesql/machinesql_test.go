package machinesql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/authn/machine/machinesql"
	"github.com/wardkit/wardkit/authn/machine/machinetest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *machinesql.Store {
	t.Helper()
	return enginetest.Store(t, e, machinesql.SQLite, machinesql.Postgres)
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		machinetest.TestStore(t, func(t testing.TB) machine.Store { return open(t, engine(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, machinesql.Migrations(), ".", machinesql.SQLite, machinesql.Postgres)
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
