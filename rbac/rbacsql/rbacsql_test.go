package rbacsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// open returns a migrated store in the engine.
func open(t testing.TB, e enginetest.Engine) *rbacsql.Store {
	t.Helper()
	make := rbacsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		make = rbacsql.Postgres
	}
	s, err := make(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		t.Parallel()
		rbactest.TestStore(t, func(t testing.TB) rbac.Store { return open(t, engine(t)) })
	})
}
