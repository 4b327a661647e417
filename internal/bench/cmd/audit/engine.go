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
	_ "modernc.org/sqlite" // the driver that wardkit's tests use

	"github.com/wardkit/wardkit/audit/auditsql"
)

// engine is one database with the tables of auditsql.
type engine struct {
	name  string
	db    *sql.DB
	store *auditsql.Store
	url   string // of the schema; PostgreSQL only
	size  func(context.Context) (int64, error)
	close func() error // and remove, unless it was opened to be kept
}

// macKey is what the processes of one sample share.
func macKey() []byte { return []byte(strings.Repeat("bench", 8)) }

// openSQLite opens the database file name in dir, with the settings that wardkit asks for.
func openSQLite(ctx context.Context, dir, name string, keep bool) (*engine, error) {
	path := filepath.Join(dir, name+".db")
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+
		"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	e := &engine{name: "SQLite", db: db}
	e.close = func() error {
		err := db.Close()
		if !keep {
			for _, end := range []string{"", "-wal", "-shm"} {
				os.Remove(path + end)
			}
		}
		return err
	}
	e.size = func(ctx context.Context) (int64, error) {
		if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			return 0, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	if e.store, err = auditsql.SQLite(db); err == nil {
		err = e.store.Migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// openPostgres opens the schema wardkit_bench_<name>, or one with a random name.
func openPostgres(ctx context.Context, address, name string, keep bool) (*engine, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("WARDKIT_POSTGRES cannot be read")
	}
	if name == "" {
		name = strings.ToLower(rand.Text())
	}
	schema := "wardkit_bench_" + name
	admin := stdlib.OpenDB(*config)
	if _, err := admin.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema); err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	e, err := attachPostgres(ctx, address, schema)
	if err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	db := e.db
	e.close = func() error {
		err := db.Close()
		if !keep {
			_, drop := admin.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE")
			err = errors.Join(err, drop)
		}
		return errors.Join(err, admin.Close())
	}
	e.size = func(ctx context.Context) (n int64, err error) {
		// What autovacuum does by itself, sooner or later: the room of entries that wait no more, and
		// of all rows that they were committed, which otherwise the first page that reads one notes.
		for _, table := range []string{"audit_pending", "audit_entry", "audit_block", "audit_mark", "audit_run", "audit_tenant"} {
			if _, err := db.ExecContext(ctx, "VACUUM (ANALYZE) "+table); err != nil {
				return 0, err
			}
		}
		err = admin.QueryRowContext(ctx, `SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
			WHERE c.relkind = 'r' AND c.relnamespace = $1::regnamespace`, schema).Scan(&n)
		return n, err
	}
	return e, nil
}

// attachPostgres opens an existing schema, as a second process does.
func attachPostgres(ctx context.Context, address, schema string) (*engine, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("WARDKIT_POSTGRES cannot be read")
	}
	config.RuntimeParams["search_path"], config.RuntimeParams["application_name"] = schema, schema
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	e := &engine{name: "PostgreSQL", db: db, url: schema, close: db.Close}
	if e.store, err = auditsql.Postgres(db, macKey()); err == nil {
		err = e.store.Migrate(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w", errors.Join(err, db.Close()))
	}
	return e, nil
}
