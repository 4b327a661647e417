package supportsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac/support"
)

//go:embed migrations
var files embed.FS

// Store is a support.Store in a SQL database. It is safe for concurrent use, on any number of
// servers.
type Store struct{ db *sqlkit.DB }

var _ support.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("supportsql: %w", err)
	}
	return &Store{kit}, nil
}

// Migrations returns the migrations, in the folders sqlite and postgres, for hosts that run
// them with a tool of their own.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return files // not reached: the folder is embedded
	}
	return sub
}

// Migrate creates the table or brings it up to date. Several servers may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "support", files, "migrations")
}

const (
	columns   = `tenant, id, version, platform, operator, opened, active, body`
	insertRow = `INSERT INTO support_access (` + columns + `) VALUES (?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	// what was closed is not opened again
	updateRow  = `UPDATE support_access SET version = ?, opened = ?, active = ?, body = ? WHERE tenant = ? AND id = ? AND version = ? AND opened >= ?`
	selectRow  = `SELECT ` + columns + ` FROM support_access WHERE tenant = ? AND id = ?`
	selectOpen = `SELECT ` + columns + ` FROM support_access WHERE tenant = ? AND platform = ? AND operator = ? AND opened = 1`
	listTenant = `SELECT ` + columns + ` FROM support_access WHERE tenant = ? AND (? = '' OR id < ?) AND opened >= ?
		ORDER BY id DESC LIMIT ?`
	listOperator = `SELECT ` + columns + ` FROM support_access WHERE platform = ? AND operator = ? AND (? = '' OR id < ?) AND opened >= ?
		ORDER BY id DESC LIMIT ?`
	listActive = `SELECT ` + columns + ` FROM support_access WHERE active = 1 AND (id > ? OR id = ? AND tenant > ?) ORDER BY id, tenant LIMIT ?`
)

// page is how many rows one query of a list reads.
const page = 100

// Get implements support.Store.
func (s *Store) Get(ctx context.Context, t audit.Tenant, id string) (support.Row, error) {
	return s.one(ctx, selectRow, string(t), id)
}

// Open implements support.Store.
func (s *Store) Open(ctx context.Context, t audit.Tenant, operator support.Account) (support.Row, error) {
	return s.one(ctx, selectOpen, string(t), string(operator.Tenant), string(operator.ID))
}

func (s *Store) one(ctx context.Context, query string, args ...any) (support.Row, error) {
	var r support.Row
	var opened, active int64
	err := s.db.Get(ctx, []any{&r.Tenant, &r.ID, &r.Version, &r.Operator.Tenant, &r.Operator.ID, &opened, &active, &r.Body}, query, args...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return support.Row{}, support.ErrNotFound
	case err != nil:
		return support.Row{}, fmt.Errorf("supportsql: reading an access: %w", err)
	}
	r.Open, r.Active = opened == 1, active == 1
	return r, nil
}

// Apply implements support.Store.
func (s *Store) Apply(ctx context.Context, r support.Row, expect int64) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if expect == 0 {
			return create(ctx, tx, r)
		}
		return update(ctx, tx, r, expect)
	})
	switch {
	case errors.Is(err, support.ErrConflict):
		return support.ErrConflict
	case errors.Is(err, support.ErrOpen):
		return support.ErrOpen
	case err != nil:
		return fmt.Errorf("supportsql: changing an access: %w", err)
	}
	return nil
}

// create writes a new row. What keeps it from being written is its ID, or another that is open.
func create(ctx context.Context, tx *sqlkit.Tx, r support.Row) error {
	n, err := tx.Exec(ctx, insertRow, string(r.Tenant), r.ID, string(r.Operator.Tenant), string(r.Operator.ID), flag(r.Open), flag(r.Active), r.Body)
	if err != nil || n == 1 {
		return err
	}
	var taken support.Row
	var opened, active int64
	err = tx.Row(ctx, selectRow, string(r.Tenant), r.ID).
		Scan(&taken.Tenant, &taken.ID, &taken.Version, &taken.Operator.Tenant, &taken.Operator.ID, &opened, &active, &taken.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return support.ErrOpen
	}
	if err != nil {
		return err
	}
	return support.ErrConflict
}

// update writes the next version of a row.
func update(ctx context.Context, tx *sqlkit.Tx, r support.Row, expect int64) error {
	n, err := tx.Exec(ctx, updateRow, expect+1, flag(r.Open), flag(r.Active), r.Body, string(r.Tenant), r.ID, expect, flag(r.Open))
	if err == nil && n != 1 {
		err = support.ErrConflict
	}
	return err
}

// List implements support.Store. Like Active it reads page by page and holds no connection while it yields.
func (s *Store) List(ctx context.Context, q support.Query, below string) iter.Seq2[support.Row, error] {
	least := flag(q.Open)
	switch mine := q.Operator != (support.Account{}); {
	case q.Tenant != "" && !mine:
		return s.pages(ctx, func(last *support.Row) (string, []any) {
			return listTenant, []any{string(q.Tenant), at(last, below), at(last, below), least, page}
		})
	case q.Tenant == "" && mine:
		return s.pages(ctx, func(last *support.Row) (string, []any) {
			return listOperator, []any{string(q.Operator.Tenant), string(q.Operator.ID), at(last, below), at(last, below), least, page}
		})
	}
	return func(func(support.Row, error) bool) {}
}

// at is where the next page begins.
func at(last *support.Row, first string) string {
	if last == nil {
		return first
	}
	return last.ID
}

// Active implements support.Store.
func (s *Store) Active(ctx context.Context) iter.Seq2[support.Row, error] {
	return s.pages(ctx, func(last *support.Row) (string, []any) {
		if last == nil {
			return listActive, []any{"", "", "", page}
		}
		return listActive, []any{last.ID, last.ID, string(last.Tenant), page}
	})
}

// pages yields what a query lists, page by page.
func (s *Store) pages(ctx context.Context, query func(last *support.Row) (string, []any)) iter.Seq2[support.Row, error] {
	return func(yield func(support.Row, error) bool) {
		var last *support.Row
		for {
			found, err := s.onePage(ctx, query, last)
			if err != nil {
				yield(support.Row{}, fmt.Errorf("supportsql: listing: %w", err))
				return
			}
			for _, r := range found {
				if !yield(r, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
			last = &found[len(found)-1]
		}
	}
}

func (s *Store) onePage(ctx context.Context, query func(last *support.Row) (string, []any), last *support.Row) ([]support.Row, error) {
	text, args := query(last)
	rows, err := s.db.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []support.Row
	for rows.Next() {
		var r support.Row
		var opened, active int64
		if err := rows.Scan(&r.Tenant, &r.ID, &r.Version, &r.Operator.Tenant, &r.Operator.ID, &opened, &active, &r.Body); err != nil {
			return nil, err
		}
		r.Open, r.Active = opened == 1, active == 1
		out = append(out, r)
	}
	return out, rows.Err()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
