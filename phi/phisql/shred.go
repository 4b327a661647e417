package phisql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

// Destroy removes every key of a patient, and remembers that it did.
func (s *Store) Destroy(ctx context.Context, slot phi.KeySlot) (int, error) {
	if err := slot.Shreddable(); err != nil {
		return 0, err
	}
	var n int64
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) (err error) {
		args := []any{slot.Namespace, string(slot.Tenant), string(slot.Patient)}
		if _, err = tx.Exec(ctx, `INSERT INTO phi_destroyed (namespace, tenant, patient) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, args...); err != nil {
			return err
		}
		n, err = tx.Exec(ctx, `DELETE FROM phi_key WHERE namespace = ? AND tenant = ? AND patient = ? AND purpose = ?`, append(args, string(phi.PurposePatient))...)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("phisql: destroying keys: %w", err)
	}
	return int(n), nil
}

// Destroyed returns for how many patients of a namespace Destroy was called.
func (s *Store) Destroyed(ctx context.Context, namespace string) (n int, err error) {
	if err := s.db.Get(ctx, []any{&n}, `SELECT count(*) FROM phi_destroyed WHERE namespace = ?`, namespace); err != nil {
		return 0, fmt.Errorf("phisql: counting destroyed keys: %w", err)
	}
	return n, nil
}

//go:embed journal
var journal embed.FS

// Shreds is a phi.ShredJournal in a database of its own, which no backup of keys or data puts back.
type Shreds struct{ db *sqlkit.DB }

var _ phi.ShredJournal = (*Shreds)(nil)

// SQLiteShreds returns a journal over an SQLite database, PostgresShreds one over PostgreSQL.
func SQLiteShreds(db *sql.DB) (*Shreds, error) { return openShreds(db, sqlkit.SQLite) }

// PostgresShreds returns a journal over a PostgreSQL database.
func PostgresShreds(db *sql.DB) (*Shreds, error) { return openShreds(db, sqlkit.Postgres) }

func openShreds(pool *sql.DB, d sqlkit.Dialect) (*Shreds, error) {
	db, err := sqlkit.Open(pool, d)
	if err != nil {
		return nil, fmt.Errorf("phisql: %w", err)
	}
	return &Shreds{db}, nil
}

// Migrate creates the table phi_shred, or brings it up to date.
func (s *Shreds) Migrate(ctx context.Context) error {
	return s.db.Migrate(ctx, "phi_shreds", journal, "journal")
}

// Append adds e unless its patient is there.
func (s *Shreds) Append(ctx context.Context, e phi.Shredded) error {
	_, err := s.db.Exec(ctx, `INSERT INTO phi_shred (namespace, tenant, patient, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		e.Namespace, string(e.Tenant), string(e.Patient), sqlkit.Micros(e.At))
	if err != nil {
		return fmt.Errorf("phisql: writing the journal of shreds: %w", err)
	}
	return nil
}

// Has reports whether the patient is in the journal.
func (s *Shreds) Has(ctx context.Context, namespace string, t audit.Tenant, p audit.Patient) (bool, error) {
	var one int
	err := s.db.Get(ctx, []any{&one}, `SELECT 1 FROM phi_shred WHERE namespace = ? AND tenant = ? AND patient = ?`, namespace, string(t), string(p))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("phisql: asking the journal of shreds: %w", err)
	}
	return true, nil
}

// List yields the entries of a namespace in the order in which they were added.
func (s *Shreds) List(ctx context.Context, namespace string) iter.Seq2[phi.Shredded, error] {
	return func(yield func(phi.Shredded, error) bool) {
		list, err := s.list(ctx, namespace)
		if err != nil {
			yield(phi.Shredded{}, fmt.Errorf("phisql: reading the journal of shreds: %w", err))
			return
		}
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (s *Shreds) list(ctx context.Context, namespace string) (list []phi.Shredded, err error) {
	rows, err := s.db.Query(ctx, `SELECT tenant, patient, at FROM phi_shred WHERE namespace = ? ORDER BY no`, namespace)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e := phi.Shredded{Namespace: namespace}
		var at int64
		if err := rows.Scan(&e.Tenant, &e.Patient, &at); err != nil {
			return nil, err
		}
		e.At = sqlkit.Time(at)
		list = append(list, e)
	}
	return list, rows.Err()
}
