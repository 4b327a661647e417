// Package sqlkit is what the SQL stores share: two dialects over database/sql, placeholders,
// write transactions with bounded retry, savepoints inside a host's transaction, migrations
// and error classes. It imports no driver.
//
// Statements are written once, with ? for every parameter, and work on both engines:
// INSERT … ON CONFLICT, RETURNING and row values are common ground. Times are microseconds
// since 1970 UTC in BIGINT columns, see Micros.
//
// A driver's error text can quote statements, values and names. Every error that sqlkit
// returns says only its class, for example "sqlkit: unique constraint (SQLSTATE 23505)"; the
// driver's own error stays reachable with errors.As.
package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// Dialect is a database engine.
type Dialect uint8

// The engines.
const (
	SQLite Dialect = iota + 1
	Postgres
)

// String returns "sqlite" or "postgres"; migrations live in folders of these names.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	}
	return "unknown"
}

// DB is a database handle that knows its dialect and whether it runs inside a host's
// transaction. It is safe for concurrent use, a DB made by Join only as far as its *sql.Tx is.
type DB struct {
	dialect Dialect
	pool    *sql.DB       // nil inside a host's transaction
	tx      *sql.Tx       // nil outside
	writer  chan struct{} // SQLite: one writer of this process at a time, instead of a race for the lock
	rebound *rebound
	kept    *kept   // nil without KeepStatements
	joined  *keptTx // the same inside a host's transaction
}

// Open wraps a host's connection pool. It does not connect.
func Open(pool *sql.DB, d Dialect) (*DB, error) {
	if pool == nil {
		return nil, errors.New("sqlkit: nil *sql.DB")
	}
	db := &DB{dialect: d, pool: pool, rebound: new(rebound)}
	switch d {
	case SQLite:
		db.writer = make(chan struct{}, 1)
	case Postgres:
	default:
		return nil, errors.New("sqlkit: unknown dialect")
	}
	return db, nil
}

// Join returns a DB whose statements run inside the host's transaction: Write uses a
// savepoint, nothing is retried, nothing is committed.
func (d *DB) Join(tx *sql.Tx) *DB {
	joined := &DB{dialect: d.dialect, tx: tx, rebound: d.rebound}
	if d.kept != nil {
		joined.joined = &keptTx{tx: tx, k: d.kept}
	}
	return joined
}

// Dialect returns the engine.
func (d *DB) Dialect() Dialect { return d.dialect }

// Joined reports whether d runs inside a host's transaction.
func (d *DB) Joined() bool { return d.tx != nil }

// Exec runs one statement outside a transaction of its own, retried while the engine is
// busy, and returns the number of affected rows.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = d.exclusively(ctx, func() error {
		n, err = d.direct().Exec(ctx, query, args...)
		return err
	})
	return n, err
}

// Query runs a query; the caller closes the rows. It is retried while the engine is busy.
func (d *DB) Query(ctx context.Context, query string, args ...any) (rows *Rows, err error) {
	err = d.retry(ctx, func() error {
		rows, err = d.direct().Query(ctx, query, args...)
		return err
	})
	return rows, err
}

// Get runs a query for one row and scans it into dest. It returns sql.ErrNoRows where
// there is none, and is retried while the engine is busy.
func (d *DB) Get(ctx context.Context, dest []any, query string, args ...any) error {
	defer d.prepareWanted(ctx) // nobody may write here who reads
	return d.retry(ctx, func() error {
		return d.direct().Row(ctx, query, args...).Scan(dest...)
	})
}

// direct runs statements in the host's transaction, or each in one of its own.
func (d *DB) direct() *Tx {
	switch {
	case d.joined != nil:
		return &Tx{db: d, q: d.joined}
	case d.tx != nil:
		return &Tx{db: d, q: d.tx}
	case d.kept != nil:
		return &Tx{db: d, q: keptPool{d.pool, d.kept}}
	}
	return &Tx{db: d, q: d.pool}
}

// rebound remembers rewritten statements. A store has a fixed number of them; statements
// beyond the limit, made by an endless variety of filters, are rewritten each time.
type rebound struct {
	mu   sync.RWMutex
	text map[string]string
}

const maxRebound = 1024

func (r *rebound) load(query string) (string, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.text[query]
	return s, ok
}

func (r *rebound) store(query, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.text == nil {
		r.text = map[string]string{}
	}
	if len(r.text) < maxRebound {
		r.text[query] = text
	}
}
