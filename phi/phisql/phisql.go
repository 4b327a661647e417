// Package phisql keeps phi's wrapped keys and blind-index terms in SQLite or PostgreSQL, over
// database/sql and any driver.
//
//	store, err := phisql.Postgres(db)
//	err = store.Migrate(ctx)
//	vault, err := phi.Open(ctx, "acme-ehr", kms, store, nil)
//	…
//	err = store.WithTx(tx).SaveTerms(ctx, tenant, rec.Terms())
//
// Keys are stored outside any transaction of the host's: they must be durable before anything
// is sealed under them. Terms belong into the transaction that writes the row. Keys may live
// in another database than terms and data, and should, where backups must not undo the
// erasure of a patient's key.
//
// The tables are phi_key, phi_destroyed, phi_rotation, phi_term, phi_unique and phi_index, and phi_shred in
// the database of a journal of shreds. Times are microseconds since
// 1970 UTC.
package phisql

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

//go:embed migrations
var migrations embed.FS

var (
	_ phi.KeyStore   = (*Store)(nil)
	_ phi.IndexStore = (*Store)(nil)
	_ phi.TermStore  = (*Terms)(nil)
)

// Store is a phi.KeyStore and a phi.IndexStore over one database. It is safe for concurrent
// use.
type Store struct {
	*Terms
	db *sqlkit.DB
}

// SQLite returns a store over an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store over a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(pool *sql.DB, d sqlkit.Dialect) (*Store, error) {
	db, err := sqlkit.Open(pool, d)
	if err != nil {
		return nil, fmt.Errorf("phisql: %w", err)
	}
	return &Store{&Terms{db}, db}, nil
}

// Migrations returns the migration files, in the folders sqlite and postgres, for hosts that
// run migrations by a tool of their own.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic("phisql: " + err.Error()) // the folder is embedded above
	}
	return sub
}

// Migrate creates the tables, or brings them up to date. It may run at every start, from many
// processes at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "phi", migrations, "migrations")
}

// WithTx returns the term store inside the host's transaction. It never commits; after an
// error, a *phi.DuplicateError included, the transaction is as it was before the call. It
// holds no keys on purpose: a key that a rollback takes back loses what was sealed under it.
func (s *Store) WithTx(tx *sql.Tx) *Terms { return &Terms{s.db.Join(tx)} }
