package mfasql_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfasql"
	"github.com/wardkit/wardkit/mfa/mfatest"
)

// open returns a migrated store on a fresh database.
func open(t testing.TB, e enginetest.Engine) *mfasql.Store {
	t.Helper()
	engines := map[sqlkit.Dialect]func() (*mfasql.Store, error){
		sqlkit.SQLite:   func() (*mfasql.Store, error) { return mfasql.SQLite(e.Pool) },
		sqlkit.Postgres: func() (*mfasql.Store, error) { return mfasql.Postgres(e.Pool) },
	}
	s, err := engines[e.Dialect]()
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		mfatest.TestStore(t, func(t testing.TB) mfa.Store { return open(t, engine(t)) })
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
	require.NoError(t, fstest.TestFS(mfasql.Migrations(), "sqlite/0001_factors.sql", "postgres/0001_factors.sql", "sqlite/0003_passkeys.sql", "postgres/0003_passkeys.sql"))
}

func TestNilDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	_, err := mfasql.SQLite(nil)
	require.Error(t, err)
	_, err = mfasql.Postgres(nil)
	require.Error(t, err)
}

func TestWithTxFollowsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		for _, commit := range []bool{false, true} {
			tx, err := e.Pool.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			joined := s.WithTx(tx)
			c := mfa.Credential{Tenant: "clinic", Person: "p-lin", ID: "e-1", Secret: []byte("sealed")}
			change := mfa.Change{Was: mfa.Ref{Tenant: "clinic", Person: "p-lin"}, Put: &c, Messages: []audit.Message{{ID: "m-1", Tenant: "clinic"}}}
			require.NoError(t, joined.Apply(t.Context(), change))
			require.ErrorIs(t, joined.Apply(t.Context(), change), mfa.ErrConflict, "a refused change leaves the transaction usable")
			_, err = joined.Get(t.Context(), "clinic", "p-lin")
			require.NoError(t, err)
			if !commit {
				require.NoError(t, tx.Rollback())
				_, err = s.Get(t.Context(), "clinic", "p-lin")
				require.ErrorIs(t, err, mfa.ErrNotFound)
				continue
			}
			require.NoError(t, tx.Commit())
			_, err = s.Get(t.Context(), "clinic", "p-lin")
			require.NoError(t, err)
		}
	})
}

func TestAClosedDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		err := mfatest.Check(t.Context(), func() (mfa.Store, error) { return s, nil })
		require.ErrorContains(t, err, "get-missing:")
		_, err = s.Get(t.Context(), "clinic", "p-lin")
		require.Error(t, err)
		require.NotErrorIs(t, err, mfa.ErrNotFound, "failed is not the same as missing")
		for _, err := range s.List(t.Context(), "clinic", "") {
			require.Error(t, err)
		}
	})
}
