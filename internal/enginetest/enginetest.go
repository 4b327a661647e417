// Package enginetest hands tests real engines: SQLite in a file, PostgreSQL in a schema of
// the test's own, Redis under a prefix of its own. For what goes wrong there are a PostgreSQL
// server that may be killed (Cluster), connections that are cut or stalled (Proxied), and
// connections that change with each transaction (Pooled); for Redis PrivateRedis, RedisCluster
// and ProxiedRedis.
//
// WARDKIT_POSTGRES and WARDKIT_REDIS hold the addresses; without them the engine's tests are
// skipped, unless WARDKIT_ENGINES=all turns a missing engine into a failure.
package enginetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the SQLite driver of the tests

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Engine is one SQL database that belongs to one test.
type Engine struct {
	Name    string // "sqlite" or "postgres"
	Pool    *sql.DB
	Dialect sqlkit.Dialect
}

// Kit returns the engine as a sqlkit.DB.
func (e Engine) Kit(t testing.TB) *sqlkit.DB {
	t.Helper()
	db, err := sqlkit.Open(e.Pool, e.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// SQL runs f once for each SQL engine, as the subtests "sqlite" and "postgres", each with a
// fresh database per call of open.
func SQL(t *testing.T, f func(t *testing.T, open func(testing.TB) Engine)) {
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite) })
	t.Run("postgres", func(t *testing.T) {
		need(t, "WARDKIT_POSTGRES") // skip before f opens anything of its own
		f(t, Postgres)
	})
}

// SQLite returns a fresh database file with the settings that wardkit asks of hosts.
func SQLite(t testing.TB) Engine {
	t.Helper()
	return Engine{"sqlite", OpenSQLite(t, filepath.Join(t.TempDir(), "test.db")), sqlkit.SQLite}
}

// OpenSQLite opens the database file at path; it is closed when the test ends.
func OpenSQLite(t testing.TB, path string) *sql.DB {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+
		"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// Postgres returns a pool whose connections use a fresh schema, dropped when the test ends.
func Postgres(t testing.TB) Engine {
	t.Helper()
	pool, _ := PostgresSchema(t)
	return Engine{"postgres", pool, sqlkit.Postgres}
}

// PostgresSchema is Postgres that also returns a connection string for the same schema, for
// tests that start another process.
func PostgresSchema(t testing.TB) (pool *sql.DB, url string) {
	t.Helper()
	base := need(t, "WARDKIT_POSTGRES")
	config, err := pgx.ParseConfig(base)
	if err != nil {
		t.Fatalf("enginetest: WARDKIT_POSTGRES: %v", err)
	}
	schema := "wardkit_test_" + strings.ToLower(rand.Text())
	administer(t, t.Context(), config, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { administer(t, context.Background(), config, "DROP SCHEMA "+schema+" CASCADE") })
	mine := config.Copy()
	mine.RuntimeParams["search_path"] = schema
	pool = stdlib.OpenDB(*mine)
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() { pool.Close() })
	return pool, withSearchPath(base, schema)
}

// administer runs a statement on a connection of its own: a server has few of them, and many
// tests want some.
func administer(t testing.TB, ctx context.Context, config *pgx.ConnConfig, statement string) { //nolint:revive // t is first as everywhere here
	t.Helper()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatalf("enginetest: PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("enginetest: PostgreSQL: %v", err)
	}
}

// withSearchPath adds the schema to a connection string, a URL or a list of key=value.
func withSearchPath(address, schema string) string {
	switch {
	case !strings.Contains(address, "://"):
		return address + " search_path=" + schema
	case strings.Contains(address, "?"):
		return address + "&search_path=" + schema
	}
	return address + "?search_path=" + schema
}

// Redis returns a client that obeys contexts and a key prefix of the test's own; its keys are
// deleted when the test ends.
func Redis(t testing.TB) (client *redis.Client, prefix string) {
	t.Helper()
	options, err := redis.ParseURL(need(t, "WARDKIT_REDIS"))
	if err != nil {
		t.Fatalf("enginetest: WARDKIT_REDIS: %v", err)
	}
	options.ContextTimeoutEnabled = true
	client = redis.NewClient(patient(options))
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("enginetest: Redis: %v", err)
	}
	prefix = "wardkit_test_" + rand.Text() + ":"
	t.Cleanup(func() {
		defer client.Close()
		ctx := context.Background()
		keys := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			client.Del(ctx, keys.Val())
		}
		if err := keys.Err(); err != nil {
			t.Errorf("enginetest: deleting the test's keys: %v", err)
		}
	})
	return client, prefix
}

// need returns the variable's value; without one it skips the test, or fails it where all
// engines were asked for.
func need(t testing.TB, variable string) string {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		Missing(t, variable+" is not set")
	}
	return v
}

// Missing skips the test because something it needs is not there, loudly, or fails it where
// WARDKIT_ENGINES=all.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("WARDKIT_ENGINES") == "all" {
		t.Fatalf("enginetest: WARDKIT_ENGINES=all, but %s", what)
	}
	t.Skipf("SKIPPED: %s", what)
}
