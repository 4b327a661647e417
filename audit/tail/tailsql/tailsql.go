// Package tailsql keeps package tail's cursors in SQLite or PostgreSQL, over database/sql and whatever
// driver the host chose.
//
//	cursors, err := tailsql.SQLite(db) // or tailsql.Postgres(db)
//	err = cursors.Migrate(ctx)
//	feed, err := tail.New(events, cursors, sink, "siem", log, nil)
//
// It protects nothing by itself: whoever can write to the table can make a feed pass over events, or
// send them again. The host gives it to the same role as the log's own tables. Stored formats and
// migrations never break; release N−1 runs on the tables of release N.
package tailsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tail"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migrations, migrations/sqlite and migrations/postgres, for
// hosts that run them with their own tool.
func Migrations() fs.FS { return migrations }

// Store is a tail.Cursors in a SQL database. It is safe for concurrent use.
type Store struct{ db *sqlkit.DB }

var _ tail.Cursors = (*Store)(nil)

// SQLite returns a store in an SQLite database. It does not connect.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database. It does not connect.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(pool *sql.DB, d sqlkit.Dialect) (*Store, error) {
	db, err := sqlkit.Open(pool, d)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// Migrate creates or updates the table. It may run at any time and from several processes at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "audit_tail", migrations, "migrations")
}

const (
	selectCursor = `SELECT tenant, next, last, holder, until, version FROM audit_feed WHERE feed = ?`
	insertCursor = `INSERT INTO audit_feed (feed, tenant, next, last, holder, until, version) VALUES (?, ?, ?, ?, ?, ?, 1)
		ON CONFLICT (feed, tenant) DO NOTHING`
	updateCursor = `UPDATE audit_feed SET next = ?, last = ?, holder = ?, until = ?, version = version + 1
		WHERE feed = ? AND tenant = ? AND version = ?`
)

// Get implements tail.Cursors.
func (s *Store) Get(ctx context.Context, feed string, tenant audit.Tenant) (tail.Cursor, error) {
	var r row
	err := s.db.Get(ctx, r.dest(), selectCursor+` AND tenant = ?`, feed, string(tenant))
	if errors.Is(err, sql.ErrNoRows) {
		return tail.Cursor{Feed: feed, Tenant: tenant}, nil
	}
	if err != nil {
		return tail.Cursor{}, err
	}
	return r.cursor(feed)
}

// Put implements tail.Cursors.
func (s *Store) Put(ctx context.Context, c tail.Cursor) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		var n int64
		var err error
		if c.Version == 0 {
			n, err = tx.Exec(ctx, insertCursor, c.Feed, string(c.Tenant), c.Next, c.Last[:], c.Holder, micros(c.Until))
		} else {
			n, err = tx.Exec(ctx, updateCursor, c.Next, c.Last[:], c.Holder, micros(c.Until), c.Feed, string(c.Tenant), c.Version)
		}
		if err == nil && n == 0 {
			return tail.ErrConflict
		}
		return err
	})
}

const pageSize = 1000

// All implements tail.Cursors.
func (s *Store) All(ctx context.Context, feed string) iter.Seq2[tail.Cursor, error] {
	return func(yield func(tail.Cursor, error) bool) {
		for after, first := "", true; ; first = false {
			page, err := s.page(ctx, feed, after, first)
			if err != nil {
				yield(tail.Cursor{}, err)
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
				after = string(c.Tenant)
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

func (s *Store) page(ctx context.Context, feed, after string, first bool) ([]tail.Cursor, error) {
	condition, args := ` AND tenant > ?`, []any{feed, after, pageSize}
	if first {
		condition = ` AND tenant >= ?`
	}
	rows, err := s.db.Query(ctx, selectCursor+condition+` ORDER BY tenant LIMIT ?`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []tail.Cursor
	for rows.Next() {
		var r row
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		c, err := r.cursor(feed)
		if err != nil {
			return nil, err
		}
		page = append(page, c)
	}
	return page, rows.Err()
}

// row is a cursor as it is stored.
type row struct {
	c     tail.Cursor
	last  []byte
	until int64
}

func (r *row) dest() []any {
	return []any{&r.c.Tenant, &r.c.Next, &r.last, &r.c.Holder, &r.until, &r.c.Version}
}

func (r *row) cursor(feed string) (tail.Cursor, error) {
	if len(r.last) != len(r.c.Last) {
		return tail.Cursor{}, errors.New("tailsql: a stored cursor is damaged")
	}
	r.c.Feed, r.c.Last = feed, [32]byte(r.last)
	if r.until != 0 {
		r.c.Until = sqlkit.Time(r.until)
	}
	return r.c, nil
}

// micros is 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return sqlkit.Micros(t)
}
