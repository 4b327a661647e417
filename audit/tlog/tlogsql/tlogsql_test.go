package tlogsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
	"github.com/wardkit/wardkit/audit/tlog/tlogtest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// store returns a migrated store over an engine.
func store(t testing.TB, e enginetest.Engine) *tlogsql.Store {
	t.Helper()
	return enginetest.Store(t, e, tlogsql.SQLite, tlogsql.Postgres)
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		tlogtest.TestStore(t, func(t testing.TB) tlog.Store { return store(t, open(t)) })
	})
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	enginetest.TestMigrations(t, tlogsql.Migrations(), "migrations", tlogsql.SQLite, tlogsql.Postgres)
}

// TestACarelessStatement: what was signed is not changed by mistake.
func TestACarelessStatement(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := store(t, e)
		c := tlog.Commit{Heads: []tlog.Head{{Tenant: "clinic", Size: 1}}, Signed: tlog.Signed{Size: 1, Note: []byte("note")}}
		require.NoError(t, s.Commit(t.Context(), c))
		for _, statement := range []string{
			`UPDATE audit_root SET size = 2`, `DELETE FROM audit_root`, `UPDATE audit_checkpoint SET note = 'x'`, `DELETE FROM audit_checkpoint`,
		} {
			_, err := e.Pool.ExecContext(t.Context(), statement)
			require.Error(t, err, statement)
		}
	})
}

// TestLessThanDurable: a checkpoint that a sink hears of is on disk.
func TestLessThanDurable(t *testing.T) {
	t.Parallel()
	e := enginetest.SQLite(t)
	s := store(t, e)
	e.Pool.SetMaxOpenConns(1)
	_, err := e.Pool.ExecContext(t.Context(), `PRAGMA synchronous = OFF`)
	require.NoError(t, err)
	c := tlog.Commit{Heads: []tlog.Head{{Tenant: "clinic", Size: 1}}, Signed: tlog.Signed{Size: 1, Note: []byte("note")}}
	require.ErrorIs(t, s.Commit(t.Context(), c), tlogsql.ErrUnsafeEngine)
}
