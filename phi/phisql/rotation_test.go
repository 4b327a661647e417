package phisql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
)

// notes is a host's table of one sealed column, and what its rows hold.
type notes struct {
	e      enginetest.Engine
	store  *phisql.Store
	values map[string]string // by row
}

func noteAt(row string) phi.At {
	return phi.At{Tenant: clinic, Field: "note.text", Patient: audit.Patient("p-" + row), Row: row}
}

// newNotes fills a table with n patients' notes.
func newNotes(t testing.TB, e enginetest.Engine, kms phi.KMS, n int) *notes {
	t.Helper()
	nt := &notes{e: e, store: openStore(t, e), values: map[string]string{}}
	v := nt.vault(t, kms)
	blob := "BLOB"
	if e.Dialect == sqlkit.Postgres {
		blob = "BYTEA"
	}
	_, err := e.Pool.ExecContext(t.Context(), `CREATE TABLE note (id TEXT PRIMARY KEY, note `+blob+`)`)
	require.NoError(t, err)
	for i := range n {
		row := fmt.Sprintf("%04d", i)
		nt.values[row] = "note of " + row
		s, err := v.Seal(t.Context(), noteAt(row), []byte(nt.values[row]))
		require.NoError(t, err)
		_, err = e.Pool.ExecContext(t.Context(), e.Kit(t).Rebind(`INSERT INTO note (id, note) VALUES (?, ?)`), row, s)
		require.NoError(t, err)
	}
	return nt
}

func (nt *notes) vault(t testing.TB, kms phi.KMS) *phi.Vault {
	t.Helper()
	v, err := phi.Open(t.Context(), "app", kms, nt.store, nil)
	require.NoError(t, err)
	return v
}

func newRotator(t testing.TB, v *phi.Vault) *phi.Rotator {
	t.Helper()
	r, err := phi.NewRotator(v, audit.Discard{}, "platform", &phi.RotatorOptions{Batch: 7})
	require.NoError(t, err)
	return r
}

// readable checks that a server that has just started reads every row.
func (nt *notes) readable(t testing.TB, kms phi.KMS) (stale int) {
	t.Helper()
	v := nt.vault(t, kms)
	rows, err := nt.e.Pool.QueryContext(t.Context(), `SELECT id, note FROM note`)
	require.NoError(t, err)
	defer rows.Close()
	seen := 0
	for ; rows.Next(); seen++ {
		var row string
		var s phi.Sealed
		require.NoError(t, rows.Scan(&row, &s))
		plain, err := v.Unseal(t.Context(), noteAt(row), s)
		require.NoError(t, err)
		require.Equal(t, nt.values[row], string(plain))
		old, err := v.Stale(t.Context(), noteAt(row), s)
		require.NoError(t, err)
		if old {
			stale++
		}
	}
	require.NoError(t, rows.Err())
	require.Equal(t, len(nt.values), seen)
	return stale
}

// resealNotes is the step of a host's sweep: the next rows, each written on condition that it
// is as it was read.
func resealNotes(v *phi.Vault, pool *sql.DB, kit *sqlkit.DB) phi.Step {
	return func(ctx context.Context, cursor string) (next string, n int, err error) {
		rows, err := pool.QueryContext(ctx, kit.Rebind(`SELECT id, note FROM note WHERE id > ? ORDER BY id LIMIT 7`), cursor)
		if err != nil {
			return "", 0, err
		}
		found := map[string]phi.Sealed{}
		for rows.Next() {
			var s phi.Sealed
			if err := rows.Scan(&next, &s); err != nil {
				return "", 0, errors.Join(err, rows.Close())
			}
			found[next] = s
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return "", 0, err
		}
		for row, s := range found {
			fresh, err := v.Reseal(ctx, noteAt(row), s)
			if err != nil {
				return "", 0, err
			}
			if fresh != nil {
				if _, err := kit.Exec(ctx, `UPDATE note SET note = ? WHERE id = ? AND note = ?`, fresh, row, s); err != nil {
					return "", 0, err
				}
			}
		}
		return next, len(found), nil
	}
}

// Four processes rotate the same keys at once while a fifth seals: nobody sees an error, and
// each key is re-wrapped.
func TestRotateAtOnce(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		kms := phi.NewMemoryKMS()
		nt := newNotes(t, open(t), kms, 40)
		for _, kind := range []phi.RotationKind{phi.RotateRoot, phi.RotatePatients} {
			var wg sync.WaitGroup
			errs := make([]error, 5)
			for i := range 4 {
				r := newRotator(t, nt.vault(t, kms))
				wg.Go(func() { _, errs[i] = r.Rotate(t.Context(), kind, clinic) })
			}
			sealer := nt.vault(t, kms)
			wg.Go(func() {
				for i := range 40 {
					at := noteAt(fmt.Sprintf("%s-%d", kind, i))
					s, err := sealer.Seal(t.Context(), at, nil)
					if err == nil {
						_, err = sealer.Unseal(t.Context(), at, s)
					}
					errs[4] = errors.Join(errs[4], err)
				}
			})
			wg.Wait()
			require.NoError(t, errors.Join(errs...))
			nt.readable(t, kms)
			status, err := newRotator(t, nt.vault(t, kms)).Status(t.Context(), clinic)
			require.NoError(t, err)
			require.Zero(t, status.Behind)
		}
	})
}

// An answer that is lost on its way from the database leaves a rotation that the next one
// finishes: the statement may have taken effect or not.
func TestRotationWithLostAnswers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	pool, address := enginetest.PostgresSchema(t)
	kms := phi.NewMemoryKMS()
	nt := newNotes(t, enginetest.Engine{Name: "postgres", Pool: pool, Dialect: sqlkit.Postgres}, kms, 20)
	for _, moment := range []enginetest.Moment{enginetest.Before, enginetest.After} {
		for _, statement := range []string{"INSERT INTO phi_key", "UPDATE phi_key", "INSERT INTO phi_rotation", "UPDATE phi_rotation"} {
			cut, proxy := enginetest.Proxied(t, address)
			store, err := phisql.Postgres(cut)
			require.NoError(t, err)
			v, err := phi.Open(t.Context(), "app", kms, store, nil)
			require.NoError(t, err)
			r, err := phi.NewRotator(v, audit.Discard{}, "platform", &phi.RotatorOptions{Batch: 7, Patience: -1})
			require.NoError(t, err)
			proxy.Cut(moment, statement, 1)
			_, err = r.Rotate(t.Context(), phi.RotatePatients, clinic)
			require.Equal(t, 1, proxy.Cuts(), statement)
			if err != nil { // the driver may have repeated what certainly did not arrive
				require.ErrorIs(t, err, phi.ErrUnavailable)
			}
			nt.readable(t, kms)
			_, err = newRotator(t, nt.vault(t, kms)).Rotate(t.Context(), phi.RotatePatients, clinic)
			require.NoError(t, err)
			status, err := r.Status(t.Context(), clinic)
			require.NoError(t, err)
			require.Zero(t, status.Behind)
			require.Equal(t, 20, nt.readable(t, kms), "none is under the latest key yet")
		}
	}
}

// A page of a rotation reads as many rows of the index as it returns.
func TestListUsesTheIndex(t *testing.T) {
	t.Parallel()
	e := enginetest.SQLite(t)
	openStore(t, e)
	for query, want := range map[string]string{
		`SELECT kid FROM phi_key WHERE namespace = 'a' AND root = x'00' AND kid > x'00' ORDER BY kid LIMIT 5`: "phi_key_root (namespace=? AND root=? AND kid>?)",
		`SELECT count(*) FROM phi_key WHERE namespace = 'a' AND root = x'00'`:                                 "COVERING INDEX phi_key_root",
		`WITH swap (kid, old, root, wrapped) AS (VALUES (x'00', x'00', x'00', x'00'), (x'01', x'00', x'00', x'00'))
			UPDATE phi_key SET root = swap.root, wrapped = swap.wrapped FROM swap
			WHERE phi_key.kid = swap.kid AND phi_key.wrapped = swap.old`: "(kid=?)",
	} {
		rows, err := e.Pool.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+query)
		require.NoError(t, err)
		plan := ""
		for rows.Next() {
			var id, parent, unused int
			var detail string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
			plan += detail + "\n"
		}
		require.NoError(t, errors.Join(rows.Err(), rows.Close()))
		require.Contains(t, plan, want)
		require.NotContains(t, plan, "SCAN phi_key")
		require.NotContains(t, plan, "TEMP B-TREE")
	}
}

// BenchmarkRotateRoot re-wraps the keys of 10,000 patients: phi's work and the database's.
func BenchmarkRotateRoot(b *testing.B) {
	for _, open := range []func(testing.TB) enginetest.Engine{enginetest.SQLite, enginetest.Postgres} {
		e := open(b)
		b.Run(e.Name, func(b *testing.B) {
			const patients = 10_000
			kms, store := phi.NewMemoryKMS(), openStore(b, e)
			source := phi.NewMemoryKeys()
			v, err := phi.Open(b.Context(), "app", kms, source, nil)
			require.NoError(b, err)
			for i := range patients {
				_, err := v.Seal(b.Context(), noteAt(fmt.Sprint(i)), nil)
				require.NoError(b, err)
			}
			current, err := source.Current(b.Context(), phi.KeySlot{Namespace: "app", Tenant: clinic, Purpose: phi.PurposeData})
			require.NoError(b, err)
			copyKeys(b, source, store, phi.KeyID{})
			copyKeys(b, source, store, current.ID)
			v, err = phi.Open(b.Context(), "app", kms, store, nil)
			require.NoError(b, err)
			r, err := phi.NewRotator(v, audit.Discard{}, "platform", nil)
			require.NoError(b, err)
			for b.Loop() {
				job, err := r.Rotate(b.Context(), phi.RotateRoot, clinic)
				if err != nil || job.Done != patients {
					b.Fatal(err, job.Done)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/patients, "ns/key")
		})
	}
}

func copyKeys(b *testing.B, from, to phi.KeyStore, root phi.KeyID) {
	keys, err := from.List(b.Context(), phi.KeyQuery{Namespace: "app", Root: root, Limit: 1 << 30})
	require.NoError(b, err)
	for _, k := range keys {
		require.NoError(b, to.Create(b.Context(), k))
	}
}
