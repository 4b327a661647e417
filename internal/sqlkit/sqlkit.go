// Package sqlkit is what the SQL stores share: two dialects over database/sql, placeholders,
// write transactions with bounded retry, savepoints inside a host's transaction, migrations
// and error classes. It imports no driver.
//
// Statements are written once, with ? for every parameter, and work on both engines:
// INSERT … ON CONFLICT, RETURNING and row values are common ground. Times are microseconds
// since 1970 UTC in BIGINT columns, see Micros.
package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
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
	pool    *sql.DB // nil inside a host's transaction
	tx      *sql.Tx // nil outside
	rebound *sync.Map
}

// Querier runs statements; *sql.Conn, *sql.Tx and *sql.DB are behind it.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Open wraps a host's connection pool.
func Open(pool *sql.DB, d Dialect) (*DB, error) {
	if pool == nil {
		return nil, errors.New("sqlkit: nil *sql.DB")
	}
	if d != SQLite && d != Postgres {
		return nil, errors.New("sqlkit: unknown dialect")
	}
	return &DB{dialect: d, pool: pool, rebound: new(sync.Map)}, nil
}

// Join returns a DB whose statements run inside the host's transaction: Write uses a
// savepoint, nothing is retried, nothing is committed.
func (d *DB) Join(tx *sql.Tx) *DB {
	return &DB{dialect: d.dialect, tx: tx, rebound: d.rebound}
}

// Dialect returns the engine.
func (d *DB) Dialect() Dialect { return d.dialect }

// Joined reports whether d runs inside a host's transaction.
func (d *DB) Joined() bool { return d.tx != nil }

// Tx runs statements inside one transaction or savepoint. Its methods take ? placeholders.
type Tx struct {
	db *DB
	q  Querier
}

// Exec runs one statement and returns the number of affected rows.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.q.ExecContext(ctx, t.db.Rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Query runs a query; the caller closes the rows.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.q.QueryContext(ctx, t.db.Rebind(query), args...)
}

// Row runs a query for at most one row; Scan reports sql.ErrNoRows.
func (t *Tx) Row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.q.QueryRowContext(ctx, t.db.Rebind(query), args...)
}

// Exec runs one statement outside a transaction of its own, retried while the engine is
// busy, and returns the number of affected rows.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = d.retry(ctx, func() error {
		n, err = d.direct().Exec(ctx, query, args...)
		return err
	})
	return n, err
}

// Query runs a query; the caller closes the rows. It is retried while the engine is busy.
func (d *DB) Query(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	err = d.retry(ctx, func() error {
		rows, err = d.direct().Query(ctx, query, args...)
		return err
	})
	return rows, err
}

// Get runs a query for one row and scans it into dest. It returns sql.ErrNoRows where
// there is none.
func (d *DB) Get(ctx context.Context, dest []any, query string, args ...any) error {
	return d.retry(ctx, func() error {
		return d.direct().Row(ctx, query, args...).Scan(dest...)
	})
}

func (d *DB) direct() *Tx {
	if d.tx != nil {
		return &Tx{d, d.tx}
	}
	return &Tx{d, d.pool}
}

// Write runs f in one write transaction and commits it: BEGIN IMMEDIATE on SQLite, READ
// COMMITTED on PostgreSQL. While the engine is busy or reports a serialization failure the
// whole of f is run again, within the deadline of ctx and 5 seconds at most, so f must have
// no effect outside the database. Inside a host's transaction it uses a savepoint and runs
// f once.
//
// An error of the commit itself can leave it open whether the transaction took effect;
// callers' writes are idempotent or conditional for that reason.
func (d *DB) Write(ctx context.Context, f func(*Tx) error) error {
	if d.tx != nil {
		return d.savepoint(ctx, f)
	}
	return d.retry(ctx, func() error { return d.write(ctx, f) })
}

func (d *DB) write(ctx context.Context, f func(*Tx) error) (err error) {
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	begin := "BEGIN"
	if d.dialect == SQLite {
		begin = "BEGIN IMMEDIATE"
	}
	if _, err = conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	done := false
	defer func() { // also when f panics
		if !done {
			d.rollback(conn)
		}
	}()
	if err = f(&Tx{d, conn}); err != nil {
		return err
	}
	if _, err = conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// rollback ends the transaction on conn. A connection that cannot roll back is thrown away:
// handing it back to the pool would hand its open transaction to somebody else.
func (d *DB) rollback(conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return errBadConn })
	}
}

func (d *DB) savepoint(ctx context.Context, f func(*Tx) error) (err error) {
	if _, err = d.tx.ExecContext(ctx, "SAVEPOINT wardkit"); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_, e1 := d.tx.ExecContext(clean, "ROLLBACK TO SAVEPOINT wardkit")
			_, e2 := d.tx.ExecContext(clean, "RELEASE SAVEPOINT wardkit")
			if err != nil && (e1 != nil || e2 != nil) {
				err = fmt.Errorf("%w (and the savepoint could not be undone)", err)
			}
		}
	}()
	if err = f(&Tx{d, d.tx}); err != nil {
		return err
	}
	if _, err = d.tx.ExecContext(ctx, "RELEASE SAVEPOINT wardkit"); err != nil {
		return err
	}
	done = true
	return nil
}

// Rebind replaces each ? by $1, $2 … on PostgreSQL. Statements hold no other question mark.
func (d *DB) Rebind(query string) string {
	if d.dialect == SQLite {
		return query
	}
	if s, ok := d.rebound.Load(query); ok {
		return s.(string)
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	d.rebound.Store(query, b.String())
	return b.String()
}

// List returns "(?, ?, …)" with n placeholders, for IN.
func List(n int) string {
	return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
}

// Micros converts a time to what is stored: microseconds since 1970 UTC, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the inverse of Micros.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
