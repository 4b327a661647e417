// Package sessionsql keeps sessions in SQLite or PostgreSQL, over database/sql and without
// importing a driver.
//
//	store, err := sessionsql.Postgres(db)
//	err = store.Migrate(ctx)
//	sessions, err := session.New(store, log, session.RemoteAddr, nil)
//
// A request costs one read by primary key, the tenant's policy joined. Conditions are part of
// the statements, so any number of servers may share the database, and what one ends is dead
// on all of them by the next request. A read replica that lags behind breaks that promise: use
// the primary.
//
// The tables session_row, session_proof and session_policy keep the SHA-256 of each token and
// identifiers; no token, no name, and no address of a patient. Released migrations never
// change. While servers of release 0.2 still run beside newer ones, locks, confirmations and
// saved policies bind only at the newer ones.
package sessionsql

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the numbered migration files, in migrations/sqlite and
// migrations/postgres, for hosts that apply them with a tool of their own.
func Migrations() fs.FS { return migrations }

// Store is a session.Store in a SQL database.
type Store struct {
	db      *sqlkit.DB
	decoded *decoded
	selects string // how a statement begins that calls format
}

var _ session.Store = (*Store)(nil)

// SQLite returns a Store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a Store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("sessionsql: %w", err)
	}
	s := &Store{kit, new(decoded), "SELECT "}
	if d == sqlkit.Postgres {
		s.selects += "pg_catalog." // or a function of that name in a schema of the path might fit better
	}
	return s, nil
}

// Migrate brings the tables up to date. Several processes may do so at once.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "session", migrations, "migrations")
}

// WithTx returns a Store that works inside the host's transaction: it uses savepoints and
// never commits, so that ending sessions and the change that asks for it are one.
func (s *Store) WithTx(tx *sql.Tx) *Store { return &Store{s.db.Join(tx), s.decoded, s.selects} }
