// Package evidencesql keeps attestations in SQLite or PostgreSQL, through database/sql and
// whichever driver the host imports:
//
//	store, err := evidencesql.Postgres(db)
//	err = store.Migrate(ctx)
//	attested, err := evidence.NewAttestations(store, log, nil)
//
// Its table evidence_attestation holds what people of the staff wrote and what they are called, in
// clear, and nothing about patients. It refers to no other table. Its format is final: later
// releases only add migrations.
package evidencesql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

//go:embed migrations
var files embed.FS

// Store is an evidence.Store in a SQL database. It is safe for concurrent use, on any number of
// servers.
type Store struct{ db *sqlkit.DB }

var _ evidence.Store = (*Store)(nil)

// SQLite returns a store in an SQLite database.
func SQLite(db *sql.DB) (*Store, error) { return open(db, sqlkit.SQLite) }

// Postgres returns a store in a PostgreSQL database.
func Postgres(db *sql.DB) (*Store, error) { return open(db, sqlkit.Postgres) }

func open(db *sql.DB, d sqlkit.Dialect) (*Store, error) {
	kit, err := sqlkit.Open(db, d)
	if err != nil {
		return nil, fmt.Errorf("evidencesql: %w", err)
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
	return s.db.Migrate(ctx, "evidence", files, "migrations")
}

const (
	columns = `tenant, id, version, what, detail, person, said_by, said_at, expires, citations, withdrawn`
	selects = `SELECT ` + columns + ` FROM evidence_attestation WHERE tenant = ?`
	one     = selects + ` AND id = ?`
	page    = selects + ` AND id > ? ORDER BY id LIMIT ?`

	insert = `INSERT INTO evidence_attestation (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	update = `UPDATE evidence_attestation SET version = ?, what = ?, detail = ?, person = ?, said_by = ?, said_at = ?, expires = ?, citations = ?, withdrawn = ?
		WHERE tenant = ? AND id = ? AND version = ?`
)

// perPage is how many rows one query of List reads.
const perPage = 100

// Get implements evidence.Store.
func (s *Store) Get(ctx context.Context, t audit.Tenant, id string) (evidence.Kept, error) {
	var r row
	err := s.db.Get(ctx, r.dest(), one, string(t), id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return evidence.Kept{}, evidence.ErrNotFound
	case err != nil:
		return evidence.Kept{}, fmt.Errorf("evidencesql: reading an attestation: %w", err)
	}
	return r.kept(), nil
}

// List implements evidence.Store. It reads page by page and holds no connection while it yields.
func (s *Store) List(ctx context.Context, t audit.Tenant) iter.Seq2[evidence.Kept, error] {
	return func(yield func(evidence.Kept, error) bool) {
		for after := ""; ; {
			found, err := s.read(ctx, t, after)
			if err != nil {
				yield(evidence.Kept{}, fmt.Errorf("evidencesql: listing attestations: %w", err))
				return
			}
			for _, k := range found {
				if !yield(k, nil) {
					return
				}
				after = k.ID
			}
			if len(found) < perPage {
				return
			}
		}
	}
}

func (s *Store) read(ctx context.Context, t audit.Tenant, after string) ([]evidence.Kept, error) {
	rows, err := s.db.Query(ctx, page, string(t), after, perPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []evidence.Kept
	for rows.Next() {
		var r row
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		out = append(out, r.kept())
	}
	return out, rows.Err()
}

// Apply implements evidence.Store.
func (s *Store) Apply(ctx context.Context, put evidence.Kept, expect int64) error {
	values := []any{
		expect + 1, put.What, put.Detail, string(put.Person), put.By, sqlkit.Micros(put.At), sqlkit.Micros(put.Expires),
		strings.Join(put.Citations, "\n"), sqlkit.Micros(put.Withdrawn),
	}
	key := []any{string(put.Tenant), put.ID}
	query, args := update, append(append(values, key...), expect)
	if expect == 0 {
		query, args = insert, append(key, values...)
	}
	n, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("evidencesql: keeping an attestation: %w", err)
	}
	if n != 1 {
		return evidence.ErrConflict
	}
	return nil
}

// row receives what columns names.
type row struct {
	k                      evidence.Kept
	citations              string
	at, expires, withdrawn int64
}

func (r *row) dest() []any {
	return []any{
		&r.k.Tenant, &r.k.ID, &r.k.Version, &r.k.What, &r.k.Detail, &r.k.Person, &r.k.By, &r.at, &r.expires, &r.citations, &r.withdrawn,
	}
}

func (r *row) kept() evidence.Kept {
	k := r.k
	k.At, k.Expires, k.Withdrawn = sqlkit.Time(r.at), sqlkit.Time(r.expires), sqlkit.Time(r.withdrawn)
	if r.citations != "" {
		k.Citations = strings.Split(r.citations, "\n")
	}
	return k
}
