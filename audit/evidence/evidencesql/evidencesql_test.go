package evidencesql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/evidence/evidencesql"
	"github.com/wardkit/wardkit/audit/evidence/evidencetest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *evidencesql.Store {
	t.Helper()
	return enginetest.Store(t, e, evidencesql.SQLite, evidencesql.Postgres)
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		evidencetest.TestStore(t, func(t testing.TB) evidence.Store { return open(t, engine(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, evidencesql.Migrations(), ".", evidencesql.SQLite, evidencesql.Postgres)
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
