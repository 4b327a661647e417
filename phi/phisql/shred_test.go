package phisql_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
	"github.com/wardkit/wardkit/phi/phitest"
)

func openShreds(t testing.TB, e enginetest.Engine) *phisql.Shreds {
	t.Helper()
	open := phisql.SQLiteShreds
	if e.Dialect == sqlkit.Postgres {
		open = phisql.PostgresShreds
	}
	j, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, j.Migrate(t.Context()))
	require.NoError(t, j.Migrate(t.Context()))
	return j
}

func TestShreds(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		phitest.TestShreds(t, func(t testing.TB) phi.ShredJournal { return openShreds(t, open(t)) })
	})
	_, err := phisql.SQLiteShreds(nil)
	require.Error(t, err)
}

type nobodyHeld struct{}

func (nobodyHeld) Held(context.Context, audit.Tenant, audit.Patient) (bool, error) { return false, nil }

// TestShredAfterRestore shreds a patient, puts the database back to a backup of the keys, and opens it: the
// journal, which is elsewhere, keeps the patient shredded, and Replay empties the store again.
func TestShredAfterRestore(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		store, journal, kms := openStore(t, e), openShreds(t, open(t)), phi.NewMemoryKMS()
		vault := func() *phi.Vault {
			v, err := phi.Open(t.Context(), "app", kms, store, &phi.Options{Shreds: journal})
			require.NoError(t, err)
			return v
		}
		v := vault()
		at := phi.At{Tenant: clinic, Field: "patient.note", Patient: "p-1", Row: "r-1"}
		sealed, err := v.Seal(t.Context(), at, []byte("a note"))
		require.NoError(t, err)
		ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: clinic})
		for _, s := range []string{`CREATE TABLE backup AS SELECT * FROM phi_key`} {
			_, err = e.Pool.ExecContext(t.Context(), s)
			require.NoError(t, err)
		}
		s, err := phi.NewShredder(v, audit.Discard{}, nobodyHeld{}, nil)
		require.NoError(t, err)
		c, err := s.Shred(ctx, clinic, "p-1", "asked to be forgotten")
		require.NoError(t, err)
		require.Equal(t, 1, c.Keys)
		_, err = vault().Unseal(t.Context(), at, sealed)
		require.ErrorIs(t, err, phi.ErrShredded)

		for _, s := range []string{`DELETE FROM phi_key`, `DELETE FROM phi_destroyed`, `INSERT INTO phi_key SELECT * FROM backup`} {
			_, err = e.Pool.ExecContext(t.Context(), s)
			require.NoError(t, err)
		}
		restored := vault()
		_, err = restored.Unseal(t.Context(), at, sealed)
		require.ErrorIs(t, err, phi.ErrShredded, "the key is back, and of no use")
		s, err = phi.NewShredder(restored, audit.Discard{}, nobodyHeld{}, nil)
		require.NoError(t, err)
		n, err := s.Replay(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		var left int
		require.NoError(t, e.Pool.QueryRowContext(t.Context(), `SELECT count(*) FROM phi_key WHERE patient = 'p-1'`).Scan(&left))
		require.Zero(t, left)
	})
}
