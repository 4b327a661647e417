package incidentsql_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/incident/incidentsql"
	"github.com/wardkit/wardkit/audit/incident/incidenttest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *incidentsql.Store {
	t.Helper()
	engines := map[sqlkit.Dialect]func() (*incidentsql.Store, error){
		sqlkit.SQLite:   func() (*incidentsql.Store, error) { return incidentsql.SQLite(e.Pool) },
		sqlkit.Postgres: func() (*incidentsql.Store, error) { return incidentsql.Postgres(e.Pool) },
	}
	s, err := engines[e.Dialect]()
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		incidenttest.TestStore(t, func(t testing.TB) incident.Store { return open(t, engine(t)) })
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
	require.NoError(t, fstest.TestFS(incidentsql.Migrations(), "sqlite/0001_incidents.sql", "postgres/0001_incidents.sql"))
}

func TestNilDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, err := incidentsql.SQLite(nil)
	require.Error(t, err)
	_, err = incidentsql.Postgres(nil)
	require.Error(t, err)
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
