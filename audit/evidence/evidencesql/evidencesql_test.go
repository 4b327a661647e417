package evidencesql_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/evidence/evidencesql"
	"github.com/wardkit/wardkit/audit/evidence/evidencetest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *evidencesql.Store {
	t.Helper()
	engines := map[sqlkit.Dialect]func() (*evidencesql.Store, error){
		sqlkit.SQLite:   func() (*evidencesql.Store, error) { return evidencesql.SQLite(e.Pool) },
		sqlkit.Postgres: func() (*evidencesql.Store, error) { return evidencesql.Postgres(e.Pool) },
	}
	s, err := engines[e.Dialect]()
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		evidencetest.TestStore(t, func(t testing.TB) evidence.Store { return open(t, engine(t)) })
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
	require.NoError(t, fstest.TestFS(evidencesql.Migrations(), "sqlite/0001_attestations.sql", "postgres/0001_attestations.sql"))
}

func TestNilDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, err := evidencesql.SQLite(nil)
	require.Error(t, err)
	_, err = evidencesql.Postgres(nil)
	require.Error(t, err)
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		err := evidencetest.Check(t.Context(), func() (evidence.Store, error) { return s, nil })
		require.ErrorContains(t, err, "get-missing:")
		_, err = s.Get(t.Context(), "clinic", "host.training")
		require.Error(t, err)
		require.NotErrorIs(t, err, evidence.ErrNotFound, "failed is not the same as missing")
		for _, err := range s.List(t.Context(), "clinic") {
			require.Error(t, err)
		}
	})
}
