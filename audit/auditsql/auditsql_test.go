package auditsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// over returns a store with tables in the engine.
func over(t testing.TB, e enginetest.Engine) *auditsql.Store {
	t.Helper()
	open := auditsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		open = auditsql.Postgres
	}
	store, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, store.Migrate(t.Context()))
	return store
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		audittest.TestStore(t, func(t testing.TB) audit.Store { return over(t, open(t)) })
	})
}
