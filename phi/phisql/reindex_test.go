package phisql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
	"github.com/wardkit/wardkit/phi/phitest"
)

func TestIndexes(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		phitest.TestIndexes(t, func(t testing.TB) phi.IndexStore { return openStore(t, open(t)) })
	})
}

// patientRows is what a host writes for the rotation of its index: the next rows, opened.
func patientRows(codec *phi.Codec[patient], pool *sql.DB, kit *sqlkit.DB) phi.IndexRows {
	query := kit.Rebind(`SELECT id, ` + codec.Columns("") + ` FROM patient WHERE tenant = ? AND id > ? ORDER BY id LIMIT 5`)
	return phi.IndexRows{Entity: "patient", Page: func(ctx context.Context, t audit.Tenant, cursor string) (page []phi.Terms, next string, err error) {
		rows, err := pool.QueryContext(ctx, query, string(t), cursor)
		if err != nil {
			return nil, "", err
		}
		defer rows.Close()
		var found []phi.Row
		for rows.Next() {
			var row phi.Row
			if err := rows.Scan(codec.Dest(&row, &row.ID)...); err != nil {
				return nil, "", err
			}
			found, next = append(found, row), row.ID
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, "", err
		}
		patients, err := codec.OpenAll(ctx, t, found)
		if err != nil {
			return nil, "", err
		}
		for _, p := range patients {
			terms, err := codec.Terms(ctx, t, p)
			if err != nil {
				return nil, "", err
			}
			page = append(page, terms)
		}
		return page, next, nil
	}}
}

func patientCodec(v *phi.Vault) (*phi.Codec[patient], error) {
	return phi.For[patient](v, "patient",
		phi.WithIndex("phone", phi.Phone("US")), phi.WithUnique("email", phi.Email()), phi.WithUnique("mrn", phi.MRN()),
		phi.WithLast("ssn", phi.SSN(), 4), phi.WithPrefix("family", phi.Name(), 3, 5))
}

// shortTTL is the cache time of these tests' servers; rotations wait longer for them.
const shortTTL, settle = 20 * time.Millisecond, 100 * time.Millisecond

// server is one of a host's processes.
type server struct {
	*host
	v *phi.Vault
}

func newServer(t testing.TB, h *host, kms phi.KMS) *server {
	t.Helper()
	v, err := phi.Open(t.Context(), "app", kms, h.store, &phi.Options{CacheTTL: shortTTL})
	require.NoError(t, err)
	codec, err := patientCodec(v)
	require.NoError(t, err)
	mine := *h
	mine.codec = codec
	return &server{&mine, v}
}

// put is add that seals again where the row's terms are too old by now.
func (s *server) put(p *patient) error {
	for {
		if err := s.add(p); !errors.Is(err, phi.ErrStaleTerms) {
			return err
		}
		time.Sleep(shortTTL)
	}
}

func (s *server) rotator(t testing.TB, progress func(phi.Rotation)) *phi.Rotator {
	t.Helper()
	r, err := phi.NewRotator(s.v, audit.Discard{}, "platform", &phi.RotatorOptions{
		Batch: 4, Settle: settle, Terms: s.store, Rows: []phi.IndexRows{patientRows(s.codec, s.e.Pool, s.e.Kit(t))}, Progress: progress,
	})
	require.NoError(t, err)
	return r
}

// finds returns the rows that the server finds.
func (s *server) finds(t testing.TB, index, value string) []string {
	t.Helper()
	q, err := s.codec.Lookup(t.Context(), clinic, index, value)
	require.NoError(t, err)
	ids, err := s.store.Lookup(t.Context(), clinic, q)
	require.NoError(t, err)
	return ids
}

func onePatient(id string, mail int) *patient {
	return newPatient(id, fmt.Sprintf("555-555-%04d", mail), fmt.Sprintf("w%d@example.com", mail), "mrn-"+id)
}

// From the beginning of a rotation to its end, 64 writers on several servers try to add
// patients with the same e-mail: of each e-mail there is one, and it is found.
func TestUniqueWhileIndexRotates(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h, kms := newHost(t, open(t)), phi.NewMemoryKMS()
		// newHost's own keys are of another KMS.
		_, err := h.e.Kit(t).Exec(t.Context(), `DELETE FROM phi_key`)
		require.NoError(t, err)
		var servers []*server
		for range 4 {
			servers = append(servers, newServer(t, h, kms))
		}
		const before = 20
		for i := range before {
			require.NoError(t, servers[0].put(onePatient(fmt.Sprintf("old-%02d", i), i)))
		}
		var over atomic.Bool
		done := make(chan error, 1)
		go func() {
			job, err := servers[0].rotator(t, nil).Rotate(t.Context(), phi.RotateIndex, clinic)
			if err == nil && job.Finished.IsZero() {
				err = errors.New("not finished")
			}
			over.Store(true)
			done <- err
		}()
		mail := before
		for last := false; !last; mail++ {
			last = over.Load() // one more round when it is over
			race64(t, servers, mail)
			require.ErrorIs(t, servers[mail%4].put(onePatient(fmt.Sprintf("dup-%d", mail), mail%before)), phi.ErrDuplicate)
		}
		require.NoError(t, <-done)
		require.Greater(t, mail, before+1)
		for i := range mail {
			require.Len(t, servers[i%4].finds(t, "email", fmt.Sprintf("W%d@example.com", i)), 1, "e-mail %d", i)
		}
		var rows, old int
		require.NoError(t, h.e.Kit(t).Get(t.Context(), []any{&rows}, `SELECT count(*) FROM patient`))
		require.Equal(t, mail, rows)
		require.NoError(t, h.e.Kit(t).Get(t.Context(), []any{&old}, `SELECT count(*) FROM phi_unique WHERE term < ?`, []byte{2}))
		require.Zero(t, old)
	})
}

// race64 has 64 writers add patients with one e-mail: one of them gets through.
func race64(t *testing.T, servers []*server, mail int) {
	t.Helper()
	writers := 64
	if testing.Short() {
		writers = 16
	}
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { errs[i] = servers[i%len(servers)].put(onePatient(fmt.Sprintf("new-%d-%d", mail, i), mail)) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, phi.ErrDuplicate)
	}
	require.Equal(t, 1, won, "e-mail %d", mail)
}

// A rotation that is killed again and again, two processes at a time, is finished by those
// that come after. In between every patient is found, and none can be there twice.
func TestIndexRotationKilled(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "test.db")
		indexRotationKilled(t, enginetest.Engine{Name: "sqlite", Pool: enginetest.OpenSQLite(t, path), Dialect: sqlkit.SQLite}, path)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		pool, address := enginetest.PostgresSchema(t)
		indexRotationKilled(t, enginetest.Engine{Name: "postgres", Pool: pool, Dialect: sqlkit.Postgres}, address)
	})
}

func indexRotationKilled(t *testing.T, e enginetest.Engine, address string) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, phi.CreateKeyFile(key))
	kms, err := ringOf([]string{key})
	require.NoError(t, err)
	h := newHost(t, e)
	_, err = e.Kit(t).Exec(t.Context(), `DELETE FROM phi_key`)
	require.NoError(t, err)
	const n = 40
	s := newServer(t, h, kms)
	for i := range n {
		require.NoError(t, s.put(onePatient(fmt.Sprintf("p-%02d", i), i)))
	}
	c := crash{t, nil, kms, []string{childEngine + "=" + e.Name, childAddress + "=" + address, childKeys + "=" + key}}
	job, kills := phi.Rotation{}, 0
	for lines := 1; job.Finished.IsZero(); lines++ {
		var wg sync.WaitGroup
		var killed [2]bool
		for i := range killed {
			wg.Go(func() { killed[i] = c.child(phi.RotateIndex, lines+i) })
		}
		wg.Wait()
		for _, k := range killed {
			if k {
				kills++
			}
		}
		fresh := newServer(t, h, kms)
		for i := range n {
			require.Equal(t, []string{fmt.Sprintf("p-%02d", i)}, fresh.finds(t, "email", fmt.Sprintf("w%d@example.com", i)))
			require.Equal(t, []string{fmt.Sprintf("p-%02d", i)}, fresh.finds(t, "phone", fmt.Sprintf("555.555.%04d", i)))
		}
		require.Len(t, fresh.finds(t, "ssn.last4", "4321"), n)
		require.Len(t, fresh.finds(t, "family.prefix", "Feather"), n)
		require.ErrorIs(t, fresh.put(onePatient("dup", lines%n)), phi.ErrDuplicate)
		all, err := fresh.rotator(t, nil).Rotations(t.Context(), clinic, "", 10)
		require.NoError(t, err)
		if len(all) > 0 {
			job = all[len(all)-1]
		}
	}
	t.Logf("%d processes killed", kills)
	require.GreaterOrEqual(t, kills, 2)
	require.Equal(t, n, job.Done, "each row once, whoever was killed when")
	var old int
	require.NoError(t, e.Kit(t).Get(t.Context(), []any{&old}, `SELECT count(*) FROM phi_term WHERE term < ?`, []byte{byte(job.Target)}))
	require.Zero(t, old)
}

// crashIndex is the child's part of TestIndexRotationKilled.
func crashIndex(ctx context.Context, kms phi.KMS, store *phisql.Store, pool *sql.DB, kit *sqlkit.DB, progress func(phi.Rotation)) error {
	v, err := phi.Open(ctx, "app", kms, store, &phi.Options{CacheTTL: shortTTL})
	if err != nil {
		return err
	}
	codec, err := patientCodec(v)
	if err != nil {
		return err
	}
	r, err := phi.NewRotator(v, audit.Discard{}, "platform", &phi.RotatorOptions{
		Batch: 3, Settle: settle, Progress: progress, Terms: store, Rows: []phi.IndexRows{patientRows(codec, pool, kit)},
	})
	if err != nil {
		return err
	}
	_, err = r.Rotate(ctx, phi.RotateIndex, clinic)
	return err
}

func termsOf(row string, epochs ...byte) phi.Terms {
	terms := phi.Terms{Entity: "patient", Row: row}
	for _, e := range epochs {
		terms.List = append(terms.List, phi.Term{Field: "phone", Value: append([]byte{e}, make([]byte, 16)...)})
	}
	return terms
}

// A host's transaction that has saved terms is waited for; where it does not end, nothing is
// required, and others are not held up.
func TestRequireWaitsForTransactions(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		store := openStore(t, e)
		tx, err := e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		require.NoError(t, store.WithTx(tx).SaveTerms(t.Context(), clinic, termsOf("p-1", 1)))
		short, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		require.Error(t, store.RequireTerms(short, clinic, 1, 2))
		require.NoError(t, tx.Commit())
		require.NoError(t, store.SaveTerms(t.Context(), clinic, termsOf("p-2", 1)), "nothing is required yet")
		require.NoError(t, store.RequireTerms(t.Context(), clinic, 1, 2))
		require.ErrorIs(t, store.SaveTerms(t.Context(), clinic, termsOf("p-3", 1)), phi.ErrStaleTerms)
		behind, err := store.Behind(t.Context(), clinic, 2)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"patient": 2}, behind)
	})
}

// The locks of one schema are nothing to another schema of the same database, whose tenants and
// rows may have the same names: there nothing waits, and no row is left out.
func TestSchemasLockApart(t *testing.T) {
	t.Parallel()
	e, elsewhere := enginetest.Postgres(t), enginetest.Postgres(t)
	store, other := openStore(t, e), openStore(t, elsewhere)
	require.NoError(t, store.SaveTerms(t.Context(), clinic, termsOf("p-1", 1)))
	require.NoError(t, other.SaveTerms(t.Context(), clinic, termsOf("p-1", 1)))
	tx, err := elsewhere.Pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	require.NoError(t, other.WithTx(tx).SaveTerms(t.Context(), clinic, termsOf("p-1", 1)))
	n, err := other.Reindex(t.Context(), clinic, 2, []phi.Terms{termsOf("p-1", 1, 2)})
	require.NoError(t, err)
	require.Zero(t, n, "somebody is writing it")
	n, err = store.Reindex(t.Context(), clinic, 2, []phi.Terms{termsOf("p-1", 1, 2)})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, store.RequireTerms(t.Context(), clinic, 1, 2))
}

// A transaction that looks at the database as it was before the rotation is refused, whatever
// its isolation level shows it.
func TestRequireIsSeenByOldSnapshots(t *testing.T) {
	t.Parallel()
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			e := enginetest.Postgres(t)
			store := openStore(t, e)
			require.NoError(t, store.RequireTerms(t.Context(), clinic, 1, 1))
			tx, err := e.Pool.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
			require.NoError(t, err)
			defer tx.Rollback()
			var n int
			require.NoError(t, tx.QueryRowContext(t.Context(), `SELECT count(*) FROM phi_term`).Scan(&n)) // takes the snapshot
			require.NoError(t, store.RequireTerms(t.Context(), clinic, 1, 2))
			require.Error(t, store.WithTx(tx).SaveTerms(t.Context(), clinic, termsOf("p-1", 1)))
			_ = tx.Commit()
			behind, err := store.Behind(t.Context(), clinic, 2)
			require.NoError(t, err)
			require.Empty(t, behind)
		})
	}
}

// What release 0.2 writes, which knows no phases, is read as having none.
func TestPreviousReleaseOnThisSchema(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		store := openStore(t, e)
		_, err := e.Kit(t).Exec(t.Context(), `INSERT INTO phi_rotation (id, namespace, tenant, kind, name, target, place, done,
			failed, total, started, updated, finished, version, lane) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			"r-1", "app", string(clinic), "root", "", 2, "", 0, 0, 3, 1, 1, 0, 1, "data")
		require.NoError(t, err)
		job, err := store.Rotation(t.Context(), "app", "r-1")
		require.NoError(t, err)
		require.Equal(t, phi.RotateRoot, job.Kind)
		require.Empty(t, job.Phase)
	})
}
