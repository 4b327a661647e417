package enginetest

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// PgBouncer is Pooled with the program that it imitates, with pool_mode=transaction. Where
// that is not installed the test is skipped, also in a run with all engines: Pooled is there.
func PgBouncer(t testing.TB, address string, n int) *sql.DB {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip("SKIPPED: pgbouncer is not installed")
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatalf("enginetest: PostgreSQL: %v", err)
	}
	s := &Server{t: t, bin: filepath.Dir(path)}
	s.dir, err = os.MkdirTemp("", "wardkit-pgbouncer.")
	s.must(err)
	t.Cleanup(func() { os.RemoveAll(s.dir) })
	s.own(s.dir)
	s.must(os.WriteFile(s.Folder("ini"), []byte(bouncerConfig(config, s.dir, n)), 0o644)) //nolint:gosec // the program runs as another user
	cmd := s.command("pgbouncer", s.Folder("ini"))
	s.must(cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	front, err := pgx.ParseConfig("host=" + s.dir + " port=6432 dbname=test user=test sslmode=disable")
	s.must(err)
	front.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool := stdlib.OpenDB(*front)
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() { pool.Close() })
	for end := time.Now().Add(patience); pool.PingContext(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(s.Folder("log"))
			t.Fatalf("enginetest: pgbouncer does not answer:\n%s", log)
		}
	}
	return pool
}

func bouncerConfig(c *pgx.ConnConfig, dir string, n int) string {
	server := fmt.Sprintf("host=%s port=%d dbname=%s user=%s", c.Host, c.Port, c.Database, c.User)
	if c.Password != "" {
		server += " password=" + c.Password
	}
	if path := c.RuntimeParams["search_path"]; path != "" {
		server += " connect_query='SET search_path TO " + path + "'"
	}
	return strings.Join([]string{
		"[databases]", "test = " + server, "[pgbouncer]", "pool_mode = transaction", "auth_type = any",
		"listen_addr =", "listen_port = 6432", "unix_socket_dir = " + dir, fmt.Sprint("default_pool_size = ", n),
		"logfile = " + filepath.Join(dir, "log"), "server_round_robin = 1", "",
	}, "\n")
}
