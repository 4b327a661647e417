package incidentsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var files embed.FS

// Store is an incident.Store in a SQL database. It is safe for concurrent use, on any number of
// servers.
type Store struct{ db *sqlkit.DB }

var _ incident.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("incidentsql: %w", err)
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
	return s.db.Migrate(ctx, "incident", files, "migrations")
}

const (
	// one row for each tenant hands out numbers, so creations of a tenant follow each other
	nextNumber = `INSERT INTO incident_number (tenant, last) VALUES (?, 1)
		ON CONFLICT (tenant) DO UPDATE SET last = incident_number.last + 1 RETURNING last`
	insertCase   = `INSERT INTO incident_case (tenant, id, number, version, active, body) VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`
	updateCase   = `UPDATE incident_case SET version = ?, active = ?, body = ? WHERE tenant = ? AND id = ? AND version = ?`
	selectNumber = `SELECT number FROM incident_case WHERE tenant = ? AND id = ?`
	insertLine   = `INSERT INTO incident_line (tenant, id, seq, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`
	dropPerson   = `DELETE FROM incident_person WHERE tenant = ? AND id = ? AND person = ?`
	putPerson    = `INSERT INTO incident_person (tenant, id, person, body) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, id, person) DO UPDATE SET body = excluded.body`
)

// Apply implements incident.Store.
func (s *Store) Apply(ctx context.Context, c incident.Change) (number int64, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) (err error) {
		if number, err = put(ctx, tx, c); err != nil {
			return err
		}
		for _, l := range c.Lines {
			n, err := tx.Exec(ctx, insertLine, string(c.Put.Tenant), c.Put.ID, l.Seq, l.Body)
			if err != nil {
				return err
			}
			if n != 1 {
				return incident.ErrConflict
			}
		}
		return people(ctx, tx, c)
	})
	switch {
	case errors.Is(err, incident.ErrConflict):
		return 0, incident.ErrConflict
	case err != nil:
		return 0, fmt.Errorf("incidentsql: changing a case: %w", err)
	}
	return number, nil
}

// put writes the row and returns its number.
func put(ctx context.Context, tx *sqlkit.Tx, c incident.Change) (number int64, err error) {
	p := c.Put
	var n int64
	if c.Expect == 0 {
		if err := tx.Row(ctx, nextNumber, string(p.Tenant)).Scan(&number); err != nil {
			return 0, err
		}
		n, err = tx.Exec(ctx, insertCase, string(p.Tenant), p.ID, number, flag(p.Active), p.Body)
	} else {
		n, err = tx.Exec(ctx, updateCase, c.Expect+1, flag(p.Active), p.Body, string(p.Tenant), p.ID, c.Expect)
	}
	switch {
	case err != nil:
		return 0, err
	case n != 1:
		return 0, incident.ErrConflict
	case c.Expect == 0:
		return number, nil
	}
	err = tx.Row(ctx, selectNumber, string(p.Tenant), p.ID).Scan(&number)
	return number, err
}

// people changes who is affected.
func people(ctx context.Context, tx *sqlkit.Tx, c incident.Change) error {
	for _, key := range c.Drop {
		if _, err := tx.Exec(ctx, dropPerson, string(c.Put.Tenant), c.Put.ID, key); err != nil {
			return err
		}
	}
	for _, p := range c.Add {
		if _, err := tx.Exec(ctx, putPerson, string(c.Put.Tenant), c.Put.ID, p.Key, p.Body); err != nil {
			return err
		}
	}
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
