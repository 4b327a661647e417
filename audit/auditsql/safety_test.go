package auditsql_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

func event(action audit.Action) audit.Event {
	return audit.Event{
		Tenant: "clinic-17", Action: action, Verb: audit.Read,
		Actor:    audit.Actor{ID: "u-9", Kind: audit.KindStaff, Tenant: "clinic-17"},
		Patients: []audit.Patient{"p-1"},
		Objects:  []audit.Object{{Type: "note", ID: "n-1"}},
	}
}

func newLog(t testing.TB, store audit.Store) *audit.Log {
	t.Helper()
	log, err := audit.New(store, audit.DropOpenings{}, nil)
	require.NoError(t, err)
	return log
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		require.NoError(t, newLog(t, over(t, e)).Record(t.Context(), event("a")))
		page, err := newLog(t, over(t, e)).Query(t.Context(), audit.Query{Tenant: "clinic-17"})
		require.NoError(t, err)
		require.Len(t, page.Events, 1)
	})
}

func TestMigrationsAreComplete(t *testing.T) {
	t.Parallel()
	require.NoError(t, fstest.TestFS(auditsql.Migrations(),
		"migrations/sqlite/0001_audit.sql", "migrations/postgres/0001_audit.sql",
		"migrations/sqlite/0002_order.sql", "migrations/postgres/0002_order.sql",
		"migrations/sqlite/0003_guards.sql", "migrations/postgres/0003_guards.sql",
		"migrations/sqlite/0004_runs.sql", "migrations/postgres/0004_one.sql",
		"migrations/sqlite/0005_purge.sql", "migrations/postgres/0005_purge.sql"))
}

func TestNoPool(t *testing.T) {
	t.Parallel()
	_, err := auditsql.SQLite(nil)
	require.Error(t, err)
	_, err = auditsql.Postgres(nil, testKey())
	require.Error(t, err)
	_, err = auditsql.Postgres(new(sql.DB), testKey()[1:])
	require.Error(t, err)
	_, err = auditsql.Postgres(new(sql.DB), testKey(), []byte("short"))
	require.Error(t, err)
}

// sqlite opens a file with the pragmas given.
func sqlite(t testing.TB, path, pragmas string) *sql.DB {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?"+pragmas)
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	return pool
}

func TestUnsafeSQLite(t *testing.T) {
	t.Parallel()
	const safe = "_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	for name, pragmas := range map[string]string{
		"synchronous off":    "_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)",
		"synchronous normal": "_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)",
		"no WAL":             "_pragma=busy_timeout(100)&_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)",
		"no busy timeout":    "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)",
	} {
		path := filepath.Join(t.TempDir(), "test.db")
		store, err := auditsql.SQLite(sqlite(t, path, pragmas))
		require.NoError(t, err)
		require.ErrorIs(t, store.Migrate(t.Context()), auditsql.ErrUnsafeEngine, name)
		require.ErrorIs(t, store.Check(t.Context()), auditsql.ErrUnsafeEngine, name)

		sound, err := auditsql.SQLite(sqlite(t, filepath.Join(t.TempDir(), "test.db"), safe))
		require.NoError(t, err)
		require.NoError(t, sound.Migrate(t.Context()))
	}

	// A pool that was checked may still hold a connection that somebody lowered.
	path := filepath.Join(t.TempDir(), "test.db")
	sound, err := auditsql.SQLite(sqlite(t, path, safe))
	require.NoError(t, err)
	require.NoError(t, sound.Migrate(t.Context()))
	lowered, err := auditsql.SQLite(sqlite(t, path, "_pragma=busy_timeout(100)&_pragma=synchronous(NORMAL)"))
	require.NoError(t, err)
	err = newLog(t, lowered).Record(t.Context(), event("a"))
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.ErrorIs(t, err, auditsql.ErrUnsafeEngine)
	page, err := newLog(t, sound).Query(t.Context(), audit.Query{Tenant: "clinic-17"})
	require.NoError(t, err)
	require.Empty(t, page.Events)
}

// TestPostgresCommitsSynchronously looks from inside the transaction: whatever the session's
// setting, the rows are written with synchronous_commit on.
func TestPostgresCommitsSynchronously(t *testing.T) {
	t.Parallel()
	e := enginetest.Postgres(t)
	store := over(t, e)
	e.Pool.SetMaxOpenConns(1)
	ctx := t.Context()
	for _, statement := range []string{
		"SET synchronous_commit = off",
		`CREATE FUNCTION durable_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('synchronous_commit') <> 'on' THEN RAISE EXCEPTION 'not durable'; END IF;
			RETURN NULL; END $$`,
		`CREATE TRIGGER durable_only AFTER INSERT ON audit_pending FOR EACH STATEMENT EXECUTE FUNCTION durable_only()`,
	} {
		_, err := e.Pool.ExecContext(ctx, statement)
		require.NoError(t, err)
	}
	require.NoError(t, newLog(t, store).Record(ctx, event("a")))
	var after string
	require.NoError(t, e.Pool.QueryRowContext(ctx, "SHOW synchronous_commit").Scan(&after))
	require.Equal(t, "off", after, "the host's session keeps its setting")
}

func TestRowsAreNeverChanged(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		store := over(t, e)
		log, err := audit.New(store, plainSealer{}, nil)
		require.NoError(t, err)
		ev := event("a")
		ev.Why = audit.NewPrivate("because")
		require.NoError(t, log.Record(t.Context(), ev))
		_, err = log.Query(t.Context(), audit.Query{Tenant: "clinic-17"})
		require.NoError(t, err, "and now it has its place")
		statements := []string{
			"UPDATE audit_entry SET recorded = 1", "UPDATE audit_entry SET sealed = body", "DELETE FROM audit_entry",
			"DELETE FROM audit_tenant", "DELETE FROM audit_block", "DELETE FROM audit_run", "UPDATE audit_run SET state = 2",
			"UPDATE audit_run SET level = 7", "UPDATE audit_block SET key = 0", "INSERT INTO audit_mark (place, latest, low, high) VALUES (1, 1, 1, 1); DELETE FROM audit_mark",
		}
		if e.Dialect == sqlkit.Postgres {
			statements = append(statements, "TRUNCATE audit_entry", "TRUNCATE audit_tenant", "TRUNCATE audit_mark",
				"TRUNCATE audit_pending", "TRUNCATE audit_block", "TRUNCATE audit_run")
		}
		for _, s := range statements {
			_, err := e.Pool.ExecContext(t.Context(), s)
			require.ErrorContains(t, err, "are never", s)
		}
		page, err := log.Query(t.Context(), audit.Query{Tenant: "clinic-17", Patient: "p-1", ResourceType: "note"})
		require.NoError(t, err)
		require.Len(t, page.Events, 1)
		require.NoError(t, store.Erase(t.Context(), "clinic-17", []string{page.Events[0].ID}), "openings may go")
	})
}

type plainSealer struct{}

func (plainSealer) Seal(_ context.Context, _ audit.Tenant, _ string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (plainSealer) Unseal(_ context.Context, _ audit.Tenant, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// TestEngineFails: tables missing, pool closed, file locked. Each is a typed error that quotes
// nothing, in time.
func TestEngineFails(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		check := func(store audit.Store, what string) {
			log := newLog(t, store)
			err := log.Record(t.Context(), event("secret.action"))
			require.ErrorIs(t, err, audit.ErrUnconfirmed, what)
			require.NotContains(t, err.Error(), "secret")
			_, err = log.Query(t.Context(), audit.Query{Tenant: "clinic-17", Patient: "p-secret"})
			require.ErrorIs(t, err, audit.ErrUnavailable, what)
			_, err = log.Open(t.Context(), "clinic-17", audit.NewID(time.Unix(1, 0)))
			require.ErrorIs(t, err, audit.ErrUnavailable, what)
			require.False(t, log.Health(t.Context()).OK, what)
			err = store.Erase(t.Context(), "clinic-17", []string{audit.NewID(time.Unix(1, 0))})
			require.Error(t, err, what)
			require.NotContains(t, err.Error(), "DELETE")
		}
		check(unmigrated(t, open(t)), "no tables")
		closed := open(t)
		store := over(t, closed)
		require.NoError(t, closed.Pool.Close())
		check(store, "closed pool")
	})
}

func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		log := newLog(t, over(t, e))
		require.NoError(t, log.Record(t.Context(), event("before")))
		conn, err := e.Pool.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		lock := []string{"BEGIN IMMEDIATE"}
		if e.Dialect == sqlkit.Postgres {
			lock = []string{"BEGIN", "LOCK TABLE audit_pending IN ACCESS EXCLUSIVE MODE"}
		}
		for _, s := range lock {
			_, err = conn.ExecContext(t.Context(), s)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		ev := event("during")
		ev.ID = audit.NewID(time.Unix(1, 0))
		require.ErrorIs(t, log.Record(ctx, ev), audit.ErrUnconfirmed)
		_, err = conn.ExecContext(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, log.Record(t.Context(), ev), "the lock is gone; the same event again")
		page, err := log.Query(t.Context(), audit.Query{Tenant: "clinic-17"})
		require.NoError(t, err)
		require.Len(t, page.Events, 2)
	})
}

// TestHostileRows: what somebody with the database puts there is an error, not a panic.
func TestHostileRows(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		log := newLog(t, over(t, e))
		kit := e.Kit(t)
		for i, row := range [][]any{
			{[]byte{1}, make([]byte, 32), []byte("x"), 0},
			{make([]byte, 16), make([]byte, 31), []byte("\x00{}"), 0},
			{make([]byte, 16), make([]byte, 32), []byte("\x00{}"), 300},
			{make([]byte, 16), make([]byte, 32), []byte{}, 0},
			{make([]byte, 16), make([]byte, 32), []byte("\x00{\"act\":"), 0},
		} {
			tenant := "clinic-" + string(rune('a'+i))
			_, err := kit.Exec(t.Context(), `INSERT INTO audit_tenant (no, tenant, given, size, latest, late, low, high)
				VALUES (?, ?, 1, 1, 1, 0, 1, 1)`, i+1, tenant)
			require.NoError(t, err)
			_, err = kit.Exec(t.Context(), `INSERT INTO audit_entry (place, recorded, id, leaf, body, outcome)
				VALUES (?, 1, ?, ?, ?, ?)`, int64(i+1)<<40, row[0], row[1], row[2], row[3])
			require.NoError(t, err)
			_, err = log.Query(t.Context(), audit.Query{Tenant: audit.Tenant(tenant)})
			require.True(t, errors.Is(err, audit.ErrDamaged), "row %d: %v", i, err)
		}
	})
}
