package incidentsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/incident/incidentsql"
	"github.com/wardkit/wardkit/audit/incident/incidenttest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *incidentsql.Store {
	t.Helper()
	return enginetest.Store(t, e, incidentsql.SQLite, incidentsql.Postgres)
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		incidenttest.TestStore(t, func(t testing.TB) incident.Store { return open(t, engine(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, incidentsql.Migrations(), ".", incidentsql.SQLite, incidentsql.Postgres)
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		err := incidenttest.Check(t.Context(), func() (incident.Store, error) { return s, nil })
		require.ErrorContains(t, err, "get-missing:")
		_, err = s.Get(t.Context(), "clinic", "m-bot")
		require.Error(t, err)
		require.NotErrorIs(t, err, incident.ErrNotFound, "failed is not the same as missing")
		for _, err := range s.List(t.Context(), "clinic", true, incident.Newest) {
			require.Error(t, err)
			require.NotErrorIs(t, err, incident.ErrNotFound)
		}
		_, err = s.Apply(t.Context(), incident.Change{Put: incident.Row{Tenant: "clinic", ID: "a"}})
		require.Error(t, err)
		require.NotErrorIs(t, err, incident.ErrConflict)
	})
}
