// Package authnsql keeps package authn's rows in SQLite or PostgreSQL, over database/sql and
// whatever driver the host chose.
//
//	store, err := authnsql.SQLite(db) // or authnsql.Postgres(db)
//	err = store.Migrate(ctx)
//	people, err := authn.New(authn.Parts{Store: store, …}, nil)
//
// The host opens the database so that an acknowledged write stays: SQLite in WAL mode with
// synchronous=FULL and a busy_timeout of at most one second, PostgreSQL with fsync on.
// Stored formats and migrations never break; release N−1 runs on the tables of release N.
package authnsql

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"time"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// line is the name under which migrations are counted. It never changes.
const line = "authn"

// Migrations returns the numbered migrations, migrations/sqlite and migrations/postgres, for
// hosts that run them with their own tool.
func Migrations() fs.FS { return migrations }

// Store is an authn.Store in a SQL database. It is safe for concurrent use; one made by
// WithTx only as far as its transaction is.
type Store struct {
	db      *sqlkit.DB
	decoded *decoded
}

var _ authn.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(pool *sql.DB, d sqlkit.Dialect) (*Store, error) {
	db, err := sqlkit.Open(pool, d)
	if err != nil {
		return nil, err
	}
	return &Store{db, &decoded{}}, nil
}

// Migrate creates or updates the tables. It may run at any time and from several processes
// at once. A migration that was edited after it was applied is an error.
func (s *Store) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, line, migrations, "migrations")
}

// WithTx returns a store that writes inside the host's transaction, in savepoints: it never
// commits and never retries. Give it to authn.Manager.With.
func (s *Store) WithTx(tx *sql.Tx) *Store { return &Store{s.db.Join(tx), s.decoded} }

// bytesOrNull keeps nil as NULL.
func bytesOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// micros and timeOf convert what is stored.
func micros(t time.Time) int64  { return sqlkit.Micros(t) }
func timeOf(us int64) time.Time { return sqlkit.Time(us) }
