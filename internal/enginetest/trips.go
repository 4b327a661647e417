package enginetest

import (
	"context"
	"database/sql"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
)

// Trips counts round trips on the wire: how often something was said and then listened for.
type Trips struct{ n atomic.Int64 }

// Of returns how many round trips f takes.
func (t *Trips) Of(f func()) int {
	before := t.n.Load()
	f()
	return int(t.n.Load() - before)
}

// counted is a connection whose round trips are counted.
type counted struct {
	net.Conn
	trips *Trips
	said  atomic.Bool
}

func (c *counted) Write(b []byte) (int, error) {
	c.said.Store(true)
	return c.Conn.Write(b)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.said.Swap(false) {
		c.trips.n.Add(1)
	}
	return n, err
}

func (t *Trips) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &counted{Conn: conn, trips: t}, nil
}

// CountedPostgres is Postgres with one connection, whose round trips are counted.
func CountedPostgres(t testing.TB) (Engine, *Trips) {
	t.Helper()
	e := Postgres(t)
	var schema string
	if err := e.Pool.QueryRowContext(t.Context(), "SELECT current_schema()").Scan(&schema); err != nil {
		t.Fatalf("enginetest: PostgreSQL: %v", err)
	}
	config, err := pgx.ParseConfig(need(t, "WARDKIT_POSTGRES"))
	if err != nil {
		t.Fatalf("enginetest: WARDKIT_POSTGRES: %v", err)
	}
	trips := &Trips{}
	config.DialFunc = trips.dial
	config.RuntimeParams["search_path"] = schema
	e.Pool = single(t, stdlib.OpenDB(*config))
	return e, trips
}

func single(t testing.TB, pool *sql.DB) *sql.DB {
	pool.SetMaxOpenConns(1)
	t.Cleanup(func() { pool.Close() })
	return pool
}

// CountedRedis is Redis with a client whose round trips are counted.
func CountedRedis(t testing.TB) (client *redis.Client, prefix string, trips *Trips) {
	t.Helper()
	direct, prefix := Redis(t)
	options := *direct.Options()
	trips = &Trips{}
	options.Dialer = trips.dial
	options.PoolSize = 1
	client = redis.NewClient(&options)
	t.Cleanup(func() { client.Close() })
	return client, prefix, trips
}
