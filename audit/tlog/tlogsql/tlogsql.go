// Package tlogsql keeps package tlog's trees in SQLite or PostgreSQL, over database/sql and
// whatever driver the host chose; usually the database of the events.
//
//	store, err := tlogsql.SQLite(db) // or tlogsql.Postgres(db)
//	err = store.Migrate(ctx)
//	trees, err := tlog.New(events, store, "clinic.example.com/audit", key, nil)
//
// It protects nothing by itself: whoever can write to the database can write to these tables,
// and what they hold is compared with what was signed. Stored formats and migrations never break;
// release N−1 runs on the tables of release N.
package tlogsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migrations, migrations/sqlite and migrations/postgres, for
// hosts that run them with their own tool.
func Migrations() fs.FS { return migrations }

// ErrUnsafeEngine: the database is set up so that an acknowledged commit could be lost. The
// error's text says what to change.
var ErrUnsafeEngine = sqlkit.ErrUnsafeEngine

// Store is a tlog.Store in a SQL database. It is safe for concurrent use.
type Store struct{ db *sqlkit.DB }

var _ tlog.Store = (*Store)(nil)

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

// Migrate creates or updates the tables. It may run at any time and from several processes at
// once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "audit_tlog", migrations, "migrations")
}

// Latest implements tlog.Store.
func (s *Store) Latest(ctx context.Context) (tlog.Signed, error) {
	var last tlog.Signed
	err := s.db.Get(ctx, []any{&last.Size, &last.Note}, `SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return tlog.Signed{}, nil
	}
	return last, err
}

const (
	insertRoot       = `INSERT INTO audit_root (n, tenant, size, root, at) VALUES (?, ?, ?, ?, ?)`
	insertCheckpoint = `INSERT INTO audit_checkpoint (size, note) VALUES (?, ?)`
	upsertTile       = `INSERT INTO audit_tile (tenant, level, n, data) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, level, n) DO UPDATE SET data = excluded.data`
)

// Commit implements tlog.Store. Two at once have an entry of the root log in common, whose key
// the second violates.
func (s *Store) Commit(ctx context.Context, c tlog.Commit) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.durable(ctx, tx); err != nil {
			return err
		}
		var size int64
		if err := tx.Row(ctx, `SELECT COALESCE(MAX(size), 0) FROM audit_checkpoint`).Scan(&size); err != nil {
			return err
		}
		if size != c.Was {
			return tlog.ErrConflict
		}
		for _, h := range c.Heads {
			if _, err := tx.Exec(ctx, insertRoot, h.N, string(h.Tenant), h.Size, h.Root[:], sqlkit.Micros(h.At)); err != nil {
				return err
			}
		}
		for _, t := range c.Tiles {
			if _, err := tx.Exec(ctx, upsertTile, string(t.Tenant), t.Level, t.N, t.Data); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, insertCheckpoint, c.Signed.Size, c.Signed.Note)
		return err
	})
	if sqlkit.IsUnique(err) {
		return tlog.ErrConflict
	}
	return err
}

// durable makes sure that the commit will be on disk before a sink hears of it.
func (s *Store) durable(ctx context.Context, tx *sqlkit.Tx) error {
	if s.db.Dialect() == sqlkit.Postgres {
		_, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`)
		return err
	}
	var level int // 2 is FULL, 3 is EXTRA
	if err := tx.Row(ctx, `PRAGMA synchronous`).Scan(&level); err != nil {
		return err
	}
	if level < 2 {
		return fmt.Errorf("%w: synchronous must be FULL on every connection", ErrUnsafeEngine)
	}
	return nil
}

// Tiles implements tlog.Store.
func (s *Store) Tiles(ctx context.Context, tenant audit.Tenant, ask []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(ask))
	for i, t := range ask {
		err := s.db.Get(ctx, []any{&out[i]}, `SELECT data FROM audit_tile WHERE tenant = ? AND level = ? AND n = ?`, string(tenant), t.Level, t.N)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
	}
	return out, nil
}

// pageSize is how many heads are read with one statement, so that no connection is held while
// the caller looks at one.
const pageSize = 2048

const selectRoot = `SELECT n, tenant, size, root, at FROM audit_root WHERE `

// Heads implements tlog.Store.
func (s *Store) Heads(ctx context.Context, from int64) iter.Seq2[tlog.Head, error] {
	return s.pages(ctx, from, selectRoot+`n >= ? ORDER BY n LIMIT ?`)
}

// HeadsOf implements tlog.Store.
func (s *Store) HeadsOf(ctx context.Context, tenant audit.Tenant, from int64) iter.Seq2[tlog.Head, error] {
	return s.pages(ctx, from, selectRoot+`tenant = ? AND n >= ? ORDER BY n LIMIT ?`, string(tenant))
}

func (s *Store) pages(ctx context.Context, from int64, query string, args ...any) iter.Seq2[tlog.Head, error] {
	return func(yield func(tlog.Head, error) bool) {
		for {
			page, err := s.page(ctx, query, append(args[:len(args):len(args)], from, pageSize)...)
			if err != nil {
				yield(tlog.Head{}, err)
				return
			}
			for _, h := range page {
				if !yield(h, nil) {
					return
				}
				from = h.N + 1
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

func (s *Store) page(ctx context.Context, query string, args ...any) ([]tlog.Head, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []tlog.Head
	for rows.Next() {
		var (
			h    tlog.Head
			root []byte
			at   int64
		)
		if err := rows.Scan(&h.N, &h.Tenant, &h.Size, &root, &at); err != nil {
			return nil, err
		}
		copy(h.Root[:], root) // of another length it is another hash, which nothing was signed over
		h.At = sqlkit.Time(at)
		page = append(page, h)
	}
	return page, rows.Err()
}
