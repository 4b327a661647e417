package enginetest_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

func exec(t testing.TB, pool *sql.DB, statement string) {
	t.Helper()
	_, err := pool.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

func count(t testing.TB, pool *sql.DB) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRowContext(t.Context(), `SELECT count(*) FROM mine`).Scan(&n))
	return n
}

// What was committed survives the kill; what was not, does not; connections end.
func TestServerIsKilled(t *testing.T) {
	t.Parallel()
	s := enginetest.Cluster(t)
	pool := s.Pool()
	exec(t, pool, `CREATE TABLE mine (n INT)`)
	exec(t, pool, `INSERT INTO mine VALUES (1)`)
	tx, err := pool.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `INSERT INTO mine VALUES (2)`)
	require.NoError(t, err)
	for range 2 {
		s.Kill()
		require.False(t, s.Running())
		require.Error(t, pool.PingContext(t.Context()))
		s.Start()
		require.True(t, s.Running())
		require.Equal(t, 1, count(t, pool))
	}
	require.Error(t, tx.Commit())
	require.Equal(t, 1, count(t, pool))
	log, err := os.ReadFile(s.Folder("log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "database system was not properly shut down")
	require.NoError(t, sqlkitOf(t, pool).Check(t.Context()))
	s.Stop()
	require.Error(t, pool.PingContext(t.Context()))
	s.Start()
	require.Equal(t, 1, count(t, pool))
}

func sqlkitOf(t testing.TB, pool *sql.DB) *sqlkit.DB {
	t.Helper()
	db, err := sqlkit.Open(pool, sqlkit.Postgres)
	require.NoError(t, err)
	return db
}

// Nothing of a server stays when its test has ended, whatever state it is in; and a setting
// reaches it.
func TestServerIsGoneWithItsTest(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"running", "killed", "stopped"} {
		var dir string
		t.Run(state, func(t *testing.T) {
			s := enginetest.Cluster(t, "fsync=off")
			dir = s.Folder(".")
			require.DirExists(t, dir)
			require.ErrorIs(t, sqlkitOf(t, s.Pool()).Check(t.Context()), sqlkit.ErrUnsafeEngine)
			switch state {
			case "killed":
				s.Kill()
			case "stopped":
				s.Stop()
			}
		})
		require.NoDirExists(t, dir)
		sockets, _ := filepath.Glob(filepath.Join(dir, ".s.PGSQL.*"))
		require.Empty(t, sockets)
	}
}

// A small disk is full when it is full, and only that.
func TestSmallDisk(t *testing.T) {
	t.Parallel()
	s := enginetest.Cluster(t)
	pool := s.Pool()
	exec(t, pool, `CREATE TABLESPACE small LOCATION '`+s.SmallDisk(2<<20)+`'`)
	exec(t, pool, `CREATE TABLE mine (text TEXT) TABLESPACE small`)
	_, err := pool.ExecContext(t.Context(), `INSERT INTO mine SELECT repeat('x', 1000) FROM generate_series(1, 4000)`)
	var state interface{ SQLState() string }
	require.True(t, errors.As(err, &state), "%v", err)
	require.Equal(t, "53100", state.SQLState())
	exec(t, pool, `CREATE TABLE other (text TEXT)`)
	require.Zero(t, count(t, pool))

	file := filepath.Join(enginetest.SmallDisk(t, 1<<20), "file")
	require.NoError(t, os.WriteFile(file, make([]byte, 1<<19), 0o600))
	require.ErrorIs(t, os.WriteFile(file, make([]byte, 1<<21), 0o600), syscall.ENOSPC)
}

// A server whose log has no room left stops by itself, and comes back once there is.
func TestMoveLog(t *testing.T) {
	t.Parallel()
	s := enginetest.Cluster(t, "restart_after_crash=off")
	disk := s.SmallDisk(12 << 20)
	s.Stop()
	s.MoveLog(disk)
	s.Start()
	pool := s.Pool()
	exec(t, pool, `CREATE TABLE mine (text TEXT)`)
	ballast := filepath.Join(disk, "ballast")
	require.Error(t, os.WriteFile(ballast, make([]byte, 12<<20), 0o600))
	_, err := pool.ExecContext(t.Context(), `INSERT INTO mine SELECT repeat('x', 1000) FROM generate_series(1, 8000)`)
	require.Error(t, err)
	s.Ended()
	require.NoError(t, os.Remove(ballast))
	s.Start()
	require.Zero(t, count(t, pool))
}
