package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver that wardkit's tests use

	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
	"github.com/wardkit/wardkit/session/sessionsql"
)

// engine is one store, empty when it is opened.
type engine struct {
	name   string
	store  session.Store
	db     *sql.DB       // SQLite and PostgreSQL
	redis  *redis.Client // Redis
	schema string        // PostgreSQL
	size   func(context.Context) (int64, error)
	close  func()
}

// open opens the n-th store of an engine.
func open(ctx context.Context, c *config, name string, n int) (*engine, error) {
	switch name {
	case "memory":
		return &engine{name: name, store: session.NewMemory(), size: heap, close: func() {}}, nil
	case "sqlite":
		return openSQLite(ctx, filepath.Join(c.dir, fmt.Sprint("sessions", n, ".db")))
	case "postgres":
		return openPostgres(ctx, c.postgres)
	case "redis":
		return openRedis(ctx, c, 14+n)
	}
	return nil, errors.New("an unknown engine: " + name)
}

func openSQLite(ctx context.Context, path string) (*engine, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+
		"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	store, err := sessionsql.SQLite(db)
	if err != nil {
		return nil, err
	}
	size := func(ctx context.Context) (int64, error) {
		if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			return 0, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	end := func() {
		db.Close()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(path + suffix)
		}
	}
	return &engine{name: "sqlite", store: store, db: db, size: size, close: end}, store.Migrate(ctx)
}

func openPostgres(ctx context.Context, url string) (*engine, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	e := &engine{name: "postgres", schema: "wardkit_bench_" + strings.ToLower(rand.Text())}
	config.RuntimeParams["search_path"] = e.schema
	e.db = stdlib.OpenDB(*config)
	e.close = func() {
		_, _ = e.db.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+e.schema+" CASCADE")
		e.db.Close()
	}
	if _, err := e.db.ExecContext(ctx, "CREATE SCHEMA "+e.schema); err != nil {
		return nil, err
	}
	store, err := sessionsql.Postgres(e.db)
	if err != nil {
		return nil, err
	}
	e.store = store
	e.size = func(ctx context.Context) (n int64, err error) {
		return n, e.db.QueryRowContext(ctx, "SELECT pg_total_relation_size('session_row')").Scan(&n)
	}
	return e, store.Migrate(ctx)
}

// openRedis opens a logical database of its own, with what is durable in SQLite.
func openRedis(ctx context.Context, c *config, number int) (*engine, error) {
	options, err := redis.ParseURL(c.redis)
	if err != nil {
		return nil, err
	}
	options.DB, options.ContextTimeoutEnabled = number, true
	client := redis.NewClient(options)
	n, err := client.DBSize(ctx).Result()
	if err != nil || n != 0 {
		return nil, errors.Join(err, fmt.Errorf("Redis's database %d is not empty", number))
	}
	sql, err := openSQLite(ctx, filepath.Join(c.dir, fmt.Sprint("durable", number, ".db")))
	if err != nil {
		return nil, err
	}
	store, err := sessionredis.New(client, sql.store.(*sessionsql.Store), nil)
	if err != nil {
		return nil, err
	}
	size := func(ctx context.Context) (int64, error) {
		info, err := client.InfoMap(ctx, "memory").Result()
		if err != nil {
			return 0, err
		}
		var n int64
		_, err = fmt.Sscan(info["Memory"]["used_memory"], &n)
		return n, err
	}
	end := func() {
		client.FlushDB(context.WithoutCancel(ctx))
		client.Close()
		sql.close()
	}
	return &engine{name: "redis", store: store, redis: client, size: size, close: end}, nil
}
