package auditsql_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const sound = "_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"

// exhaust records until it fails twice in a row, and returns the events that were not
// confirmed.
func exhaust(t *testing.T, log *audit.Log, done *acknowledged) (failed []audit.Event) {
	t.Helper()
	for len(failed) < 2 {
		var batch []audit.Event
		for range 64 {
			batch = append(batch, secret(fresh()))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		err := log.Record(ctx, batch...)
		cancel()
		if err == nil {
			require.Empty(t, failed, "room came back by itself")
			for _, e := range batch {
				done.add(e.Tenant, e.ID)
			}
			require.Less(t, done.len(), 100_000, "the disk does not get full")
			continue
		}
		closed(t, err, audit.ErrUnconfirmed)
		failed = append(failed, batch[0])
	}
	return failed
}

// again records what was not confirmed, now that there is room.
func again(t *testing.T, log *audit.Log, done *acknowledged, failed []audit.Event) {
	t.Helper()
	for _, e := range failed {
		require.NoError(t, done.record(t.Context(), log, e))
	}
}

// TestFullSQLite lets the file have no more pages, as a quota would.
func TestFullSQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	roomy := migrated(t, enginetest.OpenSQLite(t, path), sqlkit.SQLite)
	tight := reopen(t, sqlite(t, path, sound+"&_pragma=max_page_count(150)"), sqlkit.SQLite)
	var done acknowledged
	failed := exhaust(t, newLog(t, tight), &done)
	again(t, newLog(t, roomy), &done, failed)
	done.verify(t, roomy)
}

// TestFullDiskSQLite fills the file system that holds the database and its log.
func TestFullDiskSQLite(t *testing.T) {
	inTurn(t)
	t.Parallel()
	dir := enginetest.SmallDisk(t, 16<<20)
	store := migrated(t, enginetest.OpenSQLite(t, filepath.Join(dir, "test.db")), sqlkit.SQLite)
	log := newLog(t, store)
	free := ballast(t, dir, 512<<10)
	var done acknowledged
	failed := exhaust(t, log, &done)
	free()
	again(t, log, &done, failed)
	done.verify(t, store)
}

// TestFullDiskPostgres fills the file system that holds the tables, but not the server's log.
func TestFullDiskPostgres(t *testing.T) {
	inTurn(t)
	t.Parallel()
	server := enginetest.Cluster(t)
	admin := server.Pool()
	disk := server.SmallDisk(24 << 20)
	for _, s := range []string{`CREATE TABLESPACE small LOCATION '` + disk + `'`, `ALTER ROLE postgres SET default_tablespace = small`} {
		_, err := admin.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	store := migrated(t, server.Pool(), sqlkit.Postgres)
	log := newLog(t, store)
	free := ballast(t, disk, 1<<20)
	var done acknowledged
	failed := exhaust(t, log, &done)
	free()
	again(t, log, &done, failed)
	done.verify(t, store)
}

// TestFullLogPostgres fills the file system of the write-ahead log: PostgreSQL stops itself,
// and recovers once there is room.
func TestFullLogPostgres(t *testing.T) {
	inTurn(t)
	t.Parallel()
	server := enginetest.Cluster(t, "restart_after_crash=off")
	disk := server.SmallDisk(24 << 20)
	server.Stop()
	server.MoveLog(disk)
	server.Start()
	store := migrated(t, server.Pool(), sqlkit.Postgres)
	log := newLog(t, store)
	free := ballast(t, disk, 1<<20)
	var done acknowledged
	failed := exhaust(t, log, &done)
	server.Ended()
	free()
	server.Start()
	again(t, log, &done, failed)
	done.verify(t, store)
}

// TestUnsafeServer: a server that does not flush is refused, and nothing is made on it.
func TestUnsafeServer(t *testing.T) {
	inTurn(t)
	t.Parallel()
	for _, setting := range []string{"fsync=off", "full_page_writes=off"} {
		pool := enginetest.Cluster(t, setting).Pool()
		store := reopen(t, pool, sqlkit.Postgres)
		closed(t, store.Migrate(t.Context()), auditsql.ErrUnsafeEngine)
		closed(t, store.Check(t.Context()), auditsql.ErrUnsafeEngine)
		var table sql.NullString
		require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT to_regclass('audit_pending')::text`).Scan(&table))
		require.False(t, table.Valid)
	}
}

// TestReadOnly: what may not write records nothing and says so.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *shared) {
		_, log := db.process(t)
		before := secret(fresh())
		require.NoError(t, log.Record(t.Context(), before))
		order(t, log, before.Tenant)
		var pool *sql.DB
		if db.dialect == sqlkit.SQLite {
			pool = sqlite(t, db.address, sound+"&_pragma=query_only(1)")
		} else {
			var err error
			pool, err = sql.Open("pgx", db.address+"&default_transaction_read_only=on")
			require.NoError(t, err)
			t.Cleanup(func() { pool.Close() })
		}
		reader := newLog(t, reopen(t, pool, db.dialect))
		during := secret(fresh())
		closed(t, reader.Record(t.Context(), during), audit.ErrUnconfirmed)
		require.Equal(t, []string{before.ID}, order(t, log, before.Tenant))
		require.NoError(t, log.Record(t.Context(), during))
		require.Equal(t, []string{before.ID, during.ID}, order(t, log, before.Tenant))
	})
}
