package tlogsql_test

import (
	"io/fs"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
	"github.com/wardkit/wardkit/audit/tlog/tlogtest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// store returns a migrated store over an engine.
func store(t testing.TB, e enginetest.Engine) *tlogsql.Store {
	t.Helper()
	open := tlogsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		open = tlogsql.Postgres
	}
	s, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		tlogtest.TestStore(t, func(t testing.TB) tlog.Store { return store(t, open(t)) })
	})
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		require.NoError(t, store(t, e).Migrate(t.Context()))
	})
}

func TestMigrationsAreTheSameOnBothEngines(t *testing.T) {
	t.Parallel()
	names := func(engine string) (all []string) {
		entries, err := fs.ReadDir(tlogsql.Migrations(), path.Join("migrations", engine))
		require.NoError(t, err)
		for _, e := range entries {
			all = append(all, e.Name())
		}
		return all
	}
	require.NotEmpty(t, names("sqlite"))
	require.Equal(t, names("sqlite"), names("postgres"))
}

func TestNilPool(t *testing.T) {
	t.Parallel()
	_, err := tlogsql.SQLite(nil)
	require.Error(t, err)
	_, err = tlogsql.Postgres(nil)
	require.Error(t, err)
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
