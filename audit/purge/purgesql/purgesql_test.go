package purgesql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/purge/purgesql"
	"github.com/wardkit/wardkit/audit/purge/purgetest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *purgesql.Store {
	t.Helper()
	return enginetest.Store(t, e, purgesql.SQLite, purgesql.Postgres)
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		purgetest.TestStore(t, func(t testing.TB) purge.Store { return open(t, engine(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, purgesql.Migrations(), ".", purgesql.SQLite, purgesql.Postgres)
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		err := purgetest.Check(t.Context(), func() (purge.Store, error) { return s, nil })
		require.ErrorContains(t, err, "settings-missing:")
		_, err = s.Settings(t.Context(), "clinic")
		require.Error(t, err)
		require.NotErrorIs(t, err, purge.ErrNotFound, "failed is not the same as missing")
		_, err = s.Plan(t.Context(), "clinic", "p")
		require.Error(t, err)
		require.NotErrorIs(t, err, purge.ErrNotFound)
		for _, err := range s.Holds(t.Context(), "clinic") {
			require.Error(t, err)
		}
		for _, err := range s.Open(t.Context()) {
			require.Error(t, err)
		}
		require.Error(t, s.PutPlan(t.Context(), purge.Plan{Tenant: "clinic", ID: "p", State: purge.Proposed}))
	})
}
