package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver that wardkit's tests use

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnredis"
	"github.com/wardkit/wardkit/authn/authnsql"
	"github.com/wardkit/wardkit/internal/bench/turns"
)

// decisions measures the throttle's: a budget's, a charged try, and one that is refused, beside the
// engine's own smallest round trip.
func decisions(ctx context.Context, c *config) error {
	var cases []*turns.Case
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	limits := authn.Limits{Free: 4, Base: time.Second, Max: 15 * time.Minute, Disable: 80}
	add := func(name string, run func(n int) error) {
		n := 0
		cases = append(cases, &turns.Case{Name: name, Run: func() error { n++; return run(n) }})
	}
	windows := func(engine string, w authn.Windows) {
		add(engine+", a budget", func(n int) error {
			_, _, err := w.Hit(ctx, clinic, fmt.Sprint("addr:", n%100), time.Minute, now)
			return err
		})
	}
	engine := func(name string, s authn.Store) {
		windows(name, s)
		add(name+", a try is charged", func(n int) error {
			_, ok, err := s.Charge(ctx, clinic, audit.ActorID(fmt.Sprint("unknown:", n%100)), authn.FamilyPassword, limits, now.Add(time.Duration(n)*24*time.Hour))
			if err == nil && !ok { // disabled after so many: as good as new
				err = s.Clear(ctx, clinic, audit.ActorID(fmt.Sprint("unknown:", n%100)), authn.FamilyPassword, now)
			}
			return err
		})
		add(name+", a try is refused early", func(int) error {
			_, err := s.Credential(ctx, clinic, "unknown:0", authn.FamilyPassword)
			return err
		})
	}
	engine("memory", authn.NewMemory())
	db, s, err := openSQLite(ctx, filepath.Join(c.dir, "authn.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	engine("SQLite", s)
	if c.postgres != "" {
		db, s, end, err := openPostgres(ctx, c.postgres)
		if err != nil {
			return err
		}
		defer end()
		engine("PostgreSQL", s)
		add("PostgreSQL, a row is written", writeRow(ctx, db))
	}
	if c.redis != "" {
		client, w, end, err := openRedis(ctx, c.redis)
		if err != nil {
			return err
		}
		defer end()
		windows("Redis", w)
		add("Redis, PING", func(int) error { return client.Ping(ctx).Err() })
	}
	if err := (turns.Plan{Time: c.table, Batch: 2 * time.Millisecond, First: 50}).Measure(cases...); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Decisions of the throttle, in microseconds:\n\n| | best | median | allocations |\n|---|---|---|---|")
	for _, k := range cases {
		fmt.Fprintf(c.out, "| %s | %.2f | %.2f | %.0f |\n", k.Name, k.Best()/1000, k.Median()/1000, k.Allocs)
	}
	fmt.Fprintln(c.out)
	return nil
}

// writeRow is one statement of its own that writes one row: a round trip with a commit.
func writeRow(ctx context.Context, db *sql.DB) func(int) error {
	return func(n int) error {
		_, err := db.ExecContext(ctx, `INSERT INTO bench_row (id, n) VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = bench_row.n + 1`, n%100)
		return err
	}
}

func openSQLite(ctx context.Context, path string) (*sql.DB, *authnsql.Store, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+
		"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, nil, err
	}
	s, err := authnsql.SQLite(db)
	if err != nil {
		return nil, nil, err
	}
	return db, s, s.Migrate(ctx)
}

func openPostgres(ctx context.Context, url string) (*sql.DB, *authnsql.Store, func(), error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, nil, nil, err
	}
	schema := "wardkit_bench_" + strings.ToLower(rand.Text())
	config.RuntimeParams["search_path"] = schema
	db := stdlib.OpenDB(*config)
	end := func() {
		_, _ = db.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+schema+" CASCADE")
		db.Close()
	}
	_, err1 := db.ExecContext(ctx, "CREATE SCHEMA "+schema)
	_, err2 := db.ExecContext(ctx, "CREATE TABLE bench_row (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
	s, err3 := authnsql.Postgres(db)
	if err := errors.Join(err1, err2, err3); err != nil {
		end()
		return nil, nil, nil, err
	}
	return db, s, end, s.Migrate(ctx)
}

func openRedis(ctx context.Context, url string) (*redis.Client, *authnredis.Windows, func(), error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, nil, err
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	prefix := "wardkit_bench_" + strings.ToLower(rand.Text()) + ":"
	end := func() {
		ctx := context.WithoutCancel(ctx)
		keys := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			client.Del(ctx, keys.Val())
		}
		client.Close()
	}
	w, err := authnredis.New(client, &authnredis.Options{Prefix: prefix})
	if err != nil {
		client.Close()
		return nil, nil, nil, err
	}
	return client, w, end, nil
}
