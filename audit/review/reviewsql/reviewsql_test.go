package reviewsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/audit/review/reviewsql"
	"github.com/wardkit/wardkit/audit/review/reviewtest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// store returns a migrated store over an engine.
func store(t testing.TB, e enginetest.Engine) *reviewsql.Store {
	t.Helper()
	return enginetest.Store(t, e, reviewsql.SQLite, reviewsql.Postgres)
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		reviewtest.TestStore(t, func(t testing.TB) review.Store { return store(t, open(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, reviewsql.Migrations(), "migrations", reviewsql.SQLite, reviewsql.Postgres)
}

// TestLessThanDurable: what was reviewed is on disk before anybody relies on it.
func TestLessThanDurable(t *testing.T) {
	t.Parallel()
	e := enginetest.SQLite(t)
	s := store(t, e)
	e.Pool.SetMaxOpenConns(1)
	_, err := e.Pool.ExecContext(t.Context(), `PRAGMA synchronous = OFF`)
	require.NoError(t, err)
	require.ErrorIs(t, s.Commit(t.Context(), review.Commit{Place: review.Place{Tenant: "clinic", Version: 1, Next: 1}}), reviewsql.ErrUnsafeEngine)
}

// TestADamagedRow: what was not stored like this is an error, and no finding.
func TestADamagedRow(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := store(t, e)
		f := review.Finding{ID: "8d1c2a90-0000-8000-8000-000000000001", Tenant: "clinic", Version: 1, Rule: review.VIP, State: review.Open}
		require.NoError(t, s.Commit(t.Context(), review.Commit{Place: review.Place{Tenant: "clinic", Version: 1, Next: 1}, Findings: []review.Finding{f}}))
		require.NoError(t, s.SaveSettings(t.Context(), "clinic", review.Settings{Version: 1, Zone: "UTC"}))
		for _, statement := range []string{`UPDATE audit_review_finding SET body = 'x'`, `UPDATE audit_review_settings SET data = 'x'`} {
			if e.Dialect == sqlkit.SQLite {
				statement = statement[:len(statement)-3] + "x'78'"
			}
			_, err := e.Pool.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		_, err := s.Finding(t.Context(), "clinic", f.ID)
		require.ErrorContains(t, err, "not what was stored")
		for _, err := range s.List(t.Context(), review.Filter{Tenant: "clinic", Limit: 1}) {
			require.ErrorContains(t, err, "not what was stored")
		}
		_, err = s.Settings(t.Context(), "clinic")
		require.ErrorContains(t, err, "not what was stored")
	})
}
