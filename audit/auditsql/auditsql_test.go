package auditsql_test

import (
	"bytes"
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
	store := unmigrated(t, e)
	require.NoError(t, store.Migrate(t.Context()))
	return store
}

// unmigrated returns a store whose tables may be missing.
func unmigrated(t testing.TB, e enginetest.Engine) *auditsql.Store {
	t.Helper()
	var store *auditsql.Store
	var err error
	if e.Dialect == sqlkit.Postgres {
		store, err = auditsql.Postgres(e.Pool, testKey())
	} else {
		store, err = auditsql.SQLite(e.Pool)
	}
	require.NoError(t, err)
	return store
}

// testKey authenticates waiting entries in tests.
func testKey() []byte { return bytes.Repeat([]byte{7}, 32) }

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		audittest.TestStore(t, func(t testing.TB) audit.Store { return over(t, open(t)) })
	})
}

func TestPurger(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		audittest.TestPurger(t, func(t testing.TB) audittest.PurgeStore { return over(t, open(t)) })
	})
}
