package sessionsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionsql"
	"github.com/wardkit/wardkit/session/sessiontest"
)

// store returns a migrated store on e.
func store(t testing.TB, e enginetest.Engine) *sessionsql.Store {
	t.Helper()
	open := sessionsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		open = sessionsql.Postgres
	}
	s, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		sessiontest.TestStore(t, func(t testing.TB) session.Store { return store(t, open(t)) })
	})
}
