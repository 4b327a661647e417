package mfasql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/mfa"
)

// A number that changes within the host's transaction changes with it, and a refused change leaves
// the transaction usable.
func TestNumbersFollowTheHostsTransaction(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		n := mfa.Number{Tenant: "clinic", Person: "p-lin", ID: "n-1", Phone: []byte("sealed"), CodeID: "c-1"}
		create := mfa.NumberChange{Was: mfa.Ref{Tenant: "clinic", Person: "p-lin"}, Put: &n}
		for _, commit := range []bool{false, true} {
			tx, err := e.Pool.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			joined := s.WithTx(tx)
			require.NoError(t, joined.ApplyNumber(t.Context(), create))
			require.ErrorIs(t, joined.ApplyNumber(t.Context(), create), mfa.ErrConflict)
			head := mfa.Credential{Tenant: "clinic", Person: "p-lin", ID: "e-1"}
			stale := mfa.Change{Was: create.Was, Put: &head, Number: &create}
			require.ErrorIs(t, joined.Apply(t.Context(), stale), mfa.ErrConflict)
			_, err = joined.Get(t.Context(), "clinic", "p-lin")
			require.ErrorIs(t, err, mfa.ErrNotFound, "the credential did not stay without the number")
			if commit {
				require.NoError(t, tx.Commit())
			} else {
				require.NoError(t, tx.Rollback())
			}
			_, err = s.Number(t.Context(), "clinic", "p-lin")
			require.Equal(t, commit, err == nil, "%v", err)
		}
	})
}

func TestNumbersOfAClosedDatabaseAreAnError(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		s := open(t, e)
		require.NoError(t, e.Pool.Close())
		r := mfa.Ref{Tenant: "clinic", Person: "p-lin", ID: "n-1"}
		_, err := s.Number(t.Context(), "clinic", "p-lin")
		require.Error(t, err)
		require.NotErrorIs(t, err, mfa.ErrNotFound, "failed is not the same as missing")
		err = s.ApplyNumber(t.Context(), mfa.NumberChange{Was: r, Version: 1})
		require.Error(t, err)
		require.NotErrorIs(t, err, mfa.ErrConflict)
		n, err := s.TryText(t.Context(), r, "c-1", 5, 100, time.Unix(1, 0))
		require.Error(t, err)
		require.Zero(t, n)
		ok, err := s.BurnText(t.Context(), r, "c-1", time.Unix(1, 0))
		require.Error(t, err)
		require.False(t, ok)
	})
}
