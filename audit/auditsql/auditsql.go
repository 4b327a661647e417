package auditsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// ErrUnsafeEngine: the database is set up so that an acknowledged event could be lost, or is
// a version with a known corruption bug. The error's text says what to change.
var ErrUnsafeEngine = sqlkit.ErrUnsafeEngine

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migration files, in migrations/sqlite and
// migrations/postgres, for hosts that apply them with a tool of their own. Such a host calls
// Check at start.
func Migrations() fs.FS { return migrations }

// Store is an audit.Store in a SQL database.
type Store struct{ db *sqlkit.DB }

var _ audit.Store = (*Store)(nil)

// SQLite returns a Store in an SQLite database. It does not connect.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a Store in a PostgreSQL database. It does not connect.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("auditsql: %w", err)
	}
	return &Store{kit}, nil
}

// Migrate checks the database and brings the tables up to date. Several processes may do so
// at once. It returns ErrUnsafeEngine, and changes nothing, where Check does.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "audit", migrations, "migrations")
}

// Check returns ErrUnsafeEngine for a database that cannot keep what it acknowledges: SQLite
// before 3.51.3, without WAL, below synchronous=FULL or with a busy_timeout outside 1 to
// 1000 ms; PostgreSQL with fsync off. It looks at one connection.
func (s *Store) Check(ctx context.Context) error {
	if err := s.db.Check(ctx); err != nil {
		return fmt.Errorf("auditsql: %w", err)
	}
	return nil
}

// durable makes sure that the commit of tx will be on disk.
func (s *Store) durable(ctx context.Context, tx *sqlkit.Tx) error {
	if s.db.Dialect() == sqlkit.Postgres {
		_, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = on")
		return err
	}
	var level int // 2 is FULL, 3 is EXTRA
	if err := tx.Row(ctx, "PRAGMA synchronous").Scan(&level); err != nil {
		return err
	}
	if level < 2 {
		return fmt.Errorf("%w: synchronous must be FULL on every connection", ErrUnsafeEngine)
	}
	return nil
}

const selectOne = `SELECT e.id, e.recorded, e.actor, e.action, e.outcome, e.leaf, e.body, o.sealed
	FROM audit_event e LEFT JOIN audit_opening o ON o.tenant = e.tenant AND o.id = e.id
	WHERE e.tenant = ? AND e.id = ?`

// Get implements audit.Store.
func (s *Store) Get(ctx context.Context, tenant audit.Tenant, id string) (audit.Entry, error) {
	key, ok := idBytes(id)
	if !ok {
		return audit.Entry{}, audit.ErrNotFound
	}
	var r row
	var sealed []byte
	err := s.db.Get(ctx, append(r.dest(), &sealed), selectOne, string(tenant), key)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Entry{}, audit.ErrNotFound
	}
	if err != nil {
		return audit.Entry{}, fmt.Errorf("auditsql: reading an event: %w", err)
	}
	e, err := r.entry(tenant)
	e.Openings = sealed
	return e, err
}

// Erase implements audit.Store.
func (s *Store) Erase(ctx context.Context, tenant audit.Tenant, ids []string) error {
	args := []any{string(tenant)}
	for _, id := range ids {
		if key, ok := idBytes(id); ok {
			args = append(args, key)
		}
	}
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.durable(ctx, tx); err != nil {
			return err
		}
		for start := 1; start < len(args); start += maxRows {
			some := append([]any{args[0]}, args[start:min(start+maxRows, len(args))]...)
			query := `DELETE FROM audit_opening WHERE tenant = ? AND id IN ` + sqlkit.List(len(some)-1)
			if _, err := tx.Exec(ctx, query, some...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("auditsql: erasing openings: %w", err)
	}
	return nil
}
