package auditsql_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// reopen returns another store over the same tables, as another process would have.
func reopen(t testing.TB, pool *sql.DB, d sqlkit.Dialect) *auditsql.Store {
	t.Helper()
	return unmigrated(t, enginetest.Engine{Pool: pool, Dialect: d})
}

// migrated is reopen for a database without tables.
func migrated(t testing.TB, pool *sql.DB, d sqlkit.Dialect) *auditsql.Store {
	t.Helper()
	return over(t, enginetest.Engine{Pool: pool, Dialect: d})
}

// shared is a database that several pools of one test use, as several processes would.
type shared struct {
	dialect sqlkit.Dialect
	address string // a file or a connection string
	pool    *sql.DB
}

// both runs f for each engine with a fresh database that has the tables.
func both(t *testing.T, f func(t *testing.T, db *shared)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "test.db")
		db := &shared{sqlkit.SQLite, path, enginetest.OpenSQLite(t, path)}
		migrated(t, db.pool, db.dialect)
		f(t, db)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, postgres(t))
	})
}

// postgres returns a fresh PostgreSQL database with the tables.
func postgres(t testing.TB) *shared {
	t.Helper()
	pool, address := enginetest.PostgresSchema(t)
	migrated(t, pool, sqlkit.Postgres)
	return &shared{sqlkit.Postgres, address, pool}
}

// another opens the database once more.
func (db *shared) another(t testing.TB) *sql.DB {
	t.Helper()
	if db.dialect == sqlkit.SQLite {
		return enginetest.OpenSQLite(t, db.address)
	}
	pool, err := sql.Open("pgx", db.address)
	require.NoError(t, err)
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// process returns a store over connections of its own, and a log over it.
func (db *shared) process(t testing.TB) (*auditsql.Store, *audit.Log) {
	t.Helper()
	store := reopen(t, db.another(t), db.dialect)
	return store, newLog(t, store)
}

// secret is an event whose every text begins with "secret".
func secret(id string) audit.Event {
	return audit.Event{
		ID: id, Tenant: "secret-clinic", Action: "secret.read", Verb: audit.Read,
		Actor:    audit.Actor{ID: "secret-u", Kind: audit.KindStaff, Tenant: "secret-clinic"},
		Patients: []audit.Patient{"secret-p"},
		Objects:  []audit.Object{{Type: "secret", ID: "secret-o"}},
	}
}

// fresh returns a new ID.
func fresh() string { return audit.NewID(time.Now()) }

// closed asks for a typed error whose text tells nothing that was recorded, and no SQL.
func closed(t testing.TB, err, sentinel error) {
	t.Helper()
	require.ErrorIs(t, err, sentinel)
	require.NotRegexp(t, `(?i)secret|audit_|insert|select|update|commit;|\$1|host=|/tmp`, err.Error())
}

// acknowledged collects the IDs that Record said are durable.
type acknowledged struct {
	mu  sync.Mutex
	ids map[audit.Tenant][]string
}

func (a *acknowledged) add(tenant audit.Tenant, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ids == nil {
		a.ids = map[audit.Tenant][]string{}
	}
	a.ids[tenant] = append(a.ids[tenant], id)
}

func (a *acknowledged) len() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ids := range a.ids {
		n += len(ids)
	}
	return n
}

// record records an event and notes that it is acknowledged.
func (a *acknowledged) record(ctx context.Context, log *audit.Log, e audit.Event) error {
	err := log.Record(ctx, e)
	if err == nil {
		a.add(e.Tenant, e.ID)
	}
	return err
}

// verify looks at everything that is there: each acknowledged event, none twice, each whole,
// in an order without a gap, and nothing that waits or was refused.
func (a *acknowledged) verify(t testing.TB, store *auditsql.Store) {
	t.Helper()
	log := newLog(t, store)
	for tenant, ids := range a.ids {
		there := order(t, log, tenant)
		seen := map[string]bool{}
		for _, id := range there {
			require.False(t, seen[id], "an event is there twice")
			seen[id] = true
		}
		lost := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return seen[id] })
		require.Empty(t, lost, "acknowledged and lost: %d of %d", len(lost), len(ids))
	}
	until(t, "the backlog drains", func() bool { // a server may still finish what a killed client had sent
		_, err := store.Sequence(t.Context(), 1000)
		require.NoError(t, err)
		backlog, err := store.Backlog(t.Context())
		require.NoError(t, err)
		require.Zero(t, backlog.Refused)
		return backlog == audit.Backlog{}
	})
}

// order lists the IDs of a tenant's events in their order, which must be dense.
func order(t testing.TB, log *audit.Log, tenant audit.Tenant) (ids []string) {
	t.Helper()
	q := audit.Query{Tenant: tenant, Limit: audit.MaxLimit}
	next := int64(-1)
	for {
		page, err := log.Query(t.Context(), q)
		require.NoError(t, err)
		for _, e := range page.Events {
			if next >= 0 {
				require.Equal(t, next, e.Index, "a gap in the order")
			}
			next = e.Index - 1
			ids = append(ids, e.ID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	require.Equal(t, int64(-1), next, "the order does not begin at 0")
	slices.Reverse(ids)
	return ids
}

// kills is how often a test kills its victim: 3 times, once with -short, or as often as
// WARDKIT_KILLS says: WARDKIT_KILLS=20 go test -run Killed ./audit/auditsql
func kills(t testing.TB) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("WARDKIT_KILLS")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 1
	}
	return 3
}

// until repeats f for at most half a minute until it reports true.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatal("waited in vain: " + what)
}

// ballast fills a folder's file system but for some bytes, and returns a function that frees it.
func ballast(t testing.TB, dir string, leave int64) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	chunk := make([]byte, 64<<10)
	size := int64(0)
	for {
		n, err := f.Write(chunk)
		size += int64(n)
		if err != nil {
			break
		}
	}
	require.NoError(t, f.Truncate(max(0, size-leave)))
	return func() { require.NoError(t, os.Remove(path)) }
}
