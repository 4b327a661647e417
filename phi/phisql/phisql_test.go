package phisql_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
	"github.com/wardkit/wardkit/phi/phitest"
)

// openStore returns a migrated store over the engine.
func openStore(t testing.TB, e enginetest.Engine) *phisql.Store {
	t.Helper()
	open := phisql.SQLite
	if e.Dialect == sqlkit.Postgres {
		open = phisql.Postgres
	}
	s, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestKeys(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		phitest.TestKeys(t, func(t testing.TB) phi.KeyStore { return openStore(t, open(t)) })
	})
}

func TestTerms(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		phitest.TestTerms(t, func(t testing.TB) phi.TermStore { return openStore(t, open(t)) })
	})
}

func TestMigrateAgainAndAtOnce(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := openStore(t, e)
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { errs[i] = s.Migrate(t.Context()) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
	})
}

func TestMigrationsAreExported(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "postgres"} {
		found, err := fs.Glob(phisql.Migrations(), dialect+"/0001_*.sql")
		require.NoError(t, err)
		require.Len(t, found, 1)
	}
}

func TestOpenRefusesNil(t *testing.T) {
	t.Parallel()
	_, err := phisql.SQLite(nil)
	require.Error(t, err)
	_, err = phisql.Postgres(nil)
	require.Error(t, err)
}

// Two processes open the same empty database at once and seal for the same tenant and patient:
// they end up with the same keys, and each reads what the other sealed.
func TestVaultsRaceForTheFirstKeys(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		kms := phi.NewMemoryKMS()
		openStore(t, e)
		const processes = 4
		var vaults [processes]*phi.Vault
		var sealed [processes]phi.Sealed
		var terms [processes][]byte
		var errs [processes]error
		at := phi.At{Tenant: "clinic", Field: "patient.name", Patient: "p-1", Row: "p-1"}
		var wg sync.WaitGroup
		for i := range processes {
			store := openStore(t, e)
			wg.Go(func() {
				errs[i] = func() (err error) {
					if vaults[i], err = phi.Open(t.Context(), "app", kms, store, nil); err != nil {
						return err
					}
					if sealed[i], err = vaults[i].Seal(t.Context(), at, fmt.Append(nil, "from ", i)); err != nil {
						return err
					}
					terms[i], err = vaults[i].Term(t.Context(), "clinic", "x", "y")
					return err
				}()
			})
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		for i, v := range vaults {
			for j, s := range sealed {
				plain, err := v.Unseal(t.Context(), at, s)
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint("from ", j), string(plain))
			}
			require.Equal(t, terms[0], terms[i])
		}
		var keys int
		require.NoError(t, e.Kit(t).Get(t.Context(), []any{&keys}, `SELECT count(*) FROM phi_key`))
		require.Equal(t, 4, keys, "canary, data root, patient's key, index root")
	})
}

// A restart with another key file is refused, and changes nothing.
func TestWrongKeyFile(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		store := openStore(t, e)
		right, wrong := keyFile(t), keyFile(t)
		v, err := phi.Open(t.Context(), "app", right, store, nil)
		require.NoError(t, err)
		at := phi.At{Tenant: "clinic", Field: "patient.name", Patient: "p-1", Row: "p-1"}
		s, err := v.Seal(t.Context(), at, []byte("Jane Doe"))
		require.NoError(t, err)
		before := dump(t, e)

		_, err = phi.Open(t.Context(), "app", wrong, store, nil)
		require.ErrorIs(t, err, phi.ErrWrongKey)
		require.ErrorContains(t, err, right.Fingerprint())
		require.ErrorContains(t, err, wrong.Fingerprint())
		require.Equal(t, before, dump(t, e))

		v, err = phi.Open(t.Context(), "app", right, store, nil)
		require.NoError(t, err)
		plain, err := v.Unseal(t.Context(), at, s)
		require.NoError(t, err)
		require.Equal(t, "Jane Doe", string(plain))
		require.Equal(t, before, dump(t, e))
	})
}

func keyFile(t *testing.T) *phi.KeyFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, phi.CreateKeyFile(path))
	k, err := phi.OpenKeyFile(path)
	require.NoError(t, err)
	return k
}

// dump returns every row of phi_key.
func dump(t *testing.T, e enginetest.Engine) string {
	t.Helper()
	rows, err := e.Pool.QueryContext(t.Context(), `SELECT kid, namespace, tenant, purpose, patient, epoch, root, wrapped, created FROM phi_key ORDER BY kid`)
	require.NoError(t, err)
	defer rows.Close()
	out := ""
	for rows.Next() {
		cols := make([]any, 9)
		for i := range cols {
			cols[i] = new(any)
		}
		require.NoError(t, rows.Scan(cols...))
		for _, c := range cols {
			out += fmt.Sprintf("%x ", *c.(*any))
		}
		out += "\n"
	}
	require.NoError(t, rows.Err())
	return out
}

func TestClosedDatabase(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		store := openStore(t, e)
		v, err := phi.Open(t.Context(), "app", phi.NewMemoryKMS(), store, nil)
		require.NoError(t, err)
		require.NoError(t, v.Health(t.Context()))
		require.NoError(t, e.Pool.Close())
		require.ErrorIs(t, v.Health(t.Context()), phi.ErrUnavailable)
		_, err = v.Seal(t.Context(), phi.At{Tenant: "t", Field: "f", Row: "r"}, nil)
		require.ErrorIs(t, err, phi.ErrUnavailable)
		ctx := context.Background()
		require.Error(t, store.SaveTerms(ctx, "t", phi.Terms{Entity: "e", Row: "r"}))
		require.Error(t, store.DeleteTerms(ctx, "t", "e", "r"))
		_, err = store.Lookup(ctx, "t", phi.Query{Entity: "e", Field: "f"})
		require.Error(t, err)
	})
}

func TestDamagedKeyRow(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		store := openStore(t, e)
		kms := phi.NewMemoryKMS()
		_, err := phi.Open(t.Context(), "app", kms, store, nil)
		require.NoError(t, err)
		_, err = e.Kit(t).Exec(t.Context(), `UPDATE phi_key SET root = ?`, []byte{1, 2, 3})
		require.NoError(t, err)
		_, err = phi.Open(t.Context(), "app", kms, store, nil)
		require.ErrorIs(t, err, phi.ErrUnavailable)
	})
}
