package purgesql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var files embed.FS

// Store is a purge.Store in a SQL database. It is safe for concurrent use, on any number of servers.
type Store struct{ db *sqlkit.DB }

var _ purge.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("purgesql: %w", err)
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

// Migrate creates the tables or brings them up to date. Several servers may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "purge", files, "migrations")
}

const (
	selectSettings = `SELECT version, months, months_before, counts_from, changed, changed_by FROM purge_settings WHERE tenant = ?`
	insertSettings = `INSERT INTO purge_settings (version, months, months_before, counts_from, changed, changed_by, tenant)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	updateSettings = `UPDATE purge_settings SET version = ?, months = ?, months_before = ?, counts_from = ?, changed = ?, changed_by = ?
		WHERE tenant = ? AND version = ?`

	selectHolds = `SELECT id, version, everything, patient, actor, object_type, object_id, matter, placed, placed_by, released, released_by, ends
		FROM purge_hold WHERE tenant = ? ORDER BY placed DESC, id DESC`
	insertHold = `INSERT INTO purge_hold (version, everything, patient, actor, object_type, object_id, matter, placed, placed_by,
		released, released_by, ends, tenant, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	updateHold = `UPDATE purge_hold SET version = ?, everything = ?, patient = ?, actor = ?, object_type = ?, object_id = ?, matter = ?,
		placed = ?, placed_by = ?, released = ?, released_by = ?, ends = ? WHERE tenant = ? AND id = ? AND version = ?`
)

// Settings implements purge.Periods.
func (s *Store) Settings(ctx context.Context, t audit.Tenant) (purge.Settings, error) {
	out := purge.Settings{Tenant: t}
	var from, changed int64
	err := s.db.Get(ctx, []any{&out.Version, &out.Months, &out.Before, &from, &changed, &out.By}, selectSettings, string(t))
	if errors.Is(err, sql.ErrNoRows) {
		return purge.Settings{}, purge.ErrNotFound
	}
	if err != nil {
		return purge.Settings{}, fmt.Errorf("purgesql: reading a period: %w", err)
	}
	out.From, out.Changed = sqlkit.Time(from), sqlkit.Time(changed)
	return out, nil
}

// PutSettings implements purge.Periods.
func (s *Store) PutSettings(ctx context.Context, next purge.Settings) error {
	return s.put(ctx, "keeping a period", insertSettings, updateSettings, next.Version, []any{
		next.Version + 1, next.Months, next.Before, sqlkit.Micros(next.From), sqlkit.Micros(next.Changed), string(next.By),
		string(next.Tenant),
	})
}

// put inserts a row that must not be there, or updates the one of a version.
func (s *Store) put(ctx context.Context, what, insert, update string, version int64, values []any) error {
	query := insert
	if version != 0 {
		query, values = update, append(values, version)
	}
	n, err := s.db.Exec(ctx, query, values...)
	if err != nil {
		return fmt.Errorf("purgesql: %s: %w", what, err)
	}
	if n == 0 {
		return purge.ErrConflict
	}
	return nil
}

// Holds implements purge.Holds. It holds no connection while it yields.
func (s *Store) Holds(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Hold, error] {
	return func(yield func(purge.Hold, error) bool) {
		all, err := s.holds(ctx, t)
		if err != nil {
			yield(purge.Hold{}, fmt.Errorf("purgesql: reading holds: %w", err))
			return
		}
		for _, h := range all {
			if !yield(h, nil) {
				return
			}
		}
	}
}

func (s *Store) holds(ctx context.Context, t audit.Tenant) ([]purge.Hold, error) {
	rows, err := s.db.Query(ctx, selectHolds, string(t))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []purge.Hold
	for rows.Next() {
		h := purge.Hold{Tenant: t}
		var everything, placed, released, ends int64
		err := rows.Scan(&h.ID, &h.Version, &everything, &h.Patient, &h.Actor, &h.ObjectType, &h.ObjectID, &h.Matter,
			&placed, &h.By, &released, &h.ReleasedBy, &ends)
		if err != nil {
			return nil, err
		}
		h.All, h.Placed, h.Released, h.Ends = everything != 0, sqlkit.Time(placed), sqlkit.Time(released), sqlkit.Time(ends)
		out = append(out, h)
	}
	return out, rows.Err()
}

// PutHold implements purge.Holds.
func (s *Store) PutHold(ctx context.Context, h purge.Hold) error {
	return s.put(ctx, "keeping a hold", insertHold, updateHold, h.Version, []any{
		h.Version + 1, flag(h.All), string(h.Patient), string(h.Actor), h.ObjectType, h.ObjectID, h.Matter,
		sqlkit.Micros(h.Placed), string(h.By), sqlkit.Micros(h.Released), string(h.ReleasedBy), sqlkit.Micros(h.Ends),
		string(h.Tenant), h.ID,
	})
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
