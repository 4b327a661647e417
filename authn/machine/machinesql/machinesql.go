package machinesql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var files embed.FS

// Store is a machine.Store in a SQL database. It is safe for concurrent use, on any number of
// servers.
type Store struct{ db *sqlkit.DB }

var _ machine.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("machinesql: %w", err)
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
	return s.db.Migrate(ctx, "machine", files, "migrations")
}

const (
	insertPrincipal = `INSERT INTO machine_principal (tenant, id, version, kind, name, owner, on_behalf_of, scopes, state, expires, created, created_by, used)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`
	updatePrincipal = `UPDATE machine_principal SET version = ?, kind = ?, name = ?, owner = ?, on_behalf_of = ?, scopes = ?, state = ?,
		expires = ?, created = ?, created_by = ? WHERE tenant = ? AND id = ? AND version = ?`
	insertKey = `INSERT INTO machine_key (id, tenant, principal, hash, created, created_by, expires, revoked, used)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`
	updateKey  = `UPDATE machine_key SET expires = ?, revoked = ? WHERE tenant = ? AND principal = ? AND id = ?`
	deleteKeys = `DELETE FROM machine_key WHERE tenant = ? AND principal = ?`
)

// Apply implements machine.Principals.
func (s *Store) Apply(ctx context.Context, c machine.Change) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		n, err := put(ctx, tx, c)
		if err != nil {
			return err
		}
		if n != 1 {
			return machine.ErrConflict
		}
		return putKeys(ctx, tx, c.Put)
	})
	if err != nil && !errors.Is(err, machine.ErrConflict) && !errors.Is(err, machine.ErrExists) {
		return fmt.Errorf("machinesql: changing a principal: %w", err)
	}
	return err
}

// put writes the row and returns how many rows that touched, 0 where it is not as expected.
func put(ctx context.Context, tx *sqlkit.Tx, c machine.Change) (int64, error) {
	p := c.Put
	values := []any{
		c.Expect + 1, string(p.Kind), p.Name, string(p.Owner), string(p.OnBehalfOf), joined(p.Scopes), string(p.State),
		sqlkit.Micros(p.Expires), sqlkit.Micros(p.Created), string(p.CreatedBy),
	}
	where := []any{string(p.Tenant), string(p.ID)}
	if c.Expect == 0 {
		return tx.Exec(ctx, insertPrincipal, append(where, values...)...)
	}
	return tx.Exec(ctx, updatePrincipal, append(append(values, where...), c.Expect)...)
}

// putKeys makes the keys those of p.
func putKeys(ctx context.Context, tx *sqlkit.Tx, p machine.Principal) error {
	drop, args := deleteKeys, []any{string(p.Tenant), string(p.ID)}
	if len(p.Keys) > 0 {
		drop += ` AND id NOT IN ` + sqlkit.List(len(p.Keys))
	}
	for _, k := range p.Keys {
		args = append(args, k.ID)
	}
	if _, err := tx.Exec(ctx, drop, args...); err != nil {
		return err
	}
	for _, k := range p.Keys {
		n, err := tx.Exec(ctx, updateKey, sqlkit.Micros(k.Expires), sqlkit.Micros(k.Revoked), string(p.Tenant), string(p.ID), k.ID)
		if err == nil && n == 0 {
			n, err = tx.Exec(ctx, insertKey, k.ID, string(p.Tenant), string(p.ID), k.Hash,
				sqlkit.Micros(k.Created), string(k.CreatedBy), sqlkit.Micros(k.Expires), sqlkit.Micros(k.Revoked))
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return machine.ErrExists
		}
	}
	return nil
}

// Get implements machine.Principals.
func (s *Store) Get(ctx context.Context, t audit.Tenant, id audit.ActorID) (machine.Principal, error) {
	found, err := s.principals(ctx, selectPrincipal, string(t), string(id))
	if err != nil {
		return machine.Principal{}, fmt.Errorf("machinesql: reading a principal: %w", err)
	}
	if len(found) == 0 {
		return machine.Principal{}, machine.ErrNotFound
	}
	return found[0], nil
}
