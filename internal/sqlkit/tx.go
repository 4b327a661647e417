package sqlkit

import (
	"context"
	"database/sql"
	"errors"
)

// Querier runs statements; *sql.Conn, *sql.Tx and *sql.DB are behind it.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx runs statements inside one transaction or savepoint. Its methods take ? placeholders.
// It is not safe for concurrent use.
//
// A statement that failed ends the transaction on PostgreSQL; here it does on SQLite too:
// Write commits nothing after one, even if the function ignored the error.
type Tx struct {
	db     *DB
	q      Querier
	failed error // of the first statement that failed
}

// Exec runs one statement and returns the number of affected rows.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.q.ExecContext(ctx, t.db.Rebind(query), args...)
	if err != nil {
		return 0, t.fail(err)
	}
	n, err := res.RowsAffected()
	return n, t.fail(err)
}

// Query runs a query; the caller closes the rows.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	rows, err := t.q.QueryContext(ctx, t.db.Rebind(query), args...)
	if err != nil {
		return nil, t.fail(err)
	}
	return &Rows{tx: t, rows: rows}, nil
}

// Row runs a query for at most one row; Scan reports sql.ErrNoRows.
func (t *Tx) Row(ctx context.Context, query string, args ...any) *Row {
	return &Row{tx: t, row: t.q.QueryRowContext(ctx, t.db.Rebind(query), args...)}
}

// fail remembers that a statement failed and returns err without its text.
func (t *Tx) fail(err error) error {
	err = hide(err)
	if err != nil && t.failed == nil && !errors.Is(err, sql.ErrNoRows) {
		t.failed = err
	}
	return err
}

// Rows is a query's result, used like *sql.Rows.
type Rows struct {
	tx   *Tx
	rows *sql.Rows
}

// Next prepares the next row for Scan; it reports false after the last one or an error.
func (r *Rows) Next() bool { return r.rows.Next() }

// Scan copies the current row into dest.
func (r *Rows) Scan(dest ...any) error { return r.tx.fail(r.rows.Scan(dest...)) }

// Err returns the error that ended Next, if any.
func (r *Rows) Err() error { return r.tx.fail(r.rows.Err()) }

// Close ends the query. It may be called more than once.
func (r *Rows) Close() error { return r.tx.fail(r.rows.Close()) }

// Row is a query's only row.
type Row struct {
	tx  *Tx
	row *sql.Row
}

// Scan copies the row into dest and ends the query. It returns sql.ErrNoRows if there is none.
func (r *Row) Scan(dest ...any) error { return r.tx.fail(r.row.Scan(dest...)) }
