package rbacsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
)

// Relation is an rbac.Relation over a table of the host: the question about one pair runs in
// the database, and the condition for lists becomes part of the host's own statement.
type Relation struct {
	rbac.TableRelation
	db *sqlkit.DB
}

var _ rbac.Relation = (*Relation)(nil)

// TableRelation returns the relation that r declares, kept in db. The dialect is rbac.SQLite
// or rbac.Postgres. An index on (Tenant, Subject, Object) serves both readings.
func TableRelation(db *sql.DB, d rbac.Dialect, r rbac.TableRelation) (*Relation, error) {
	s, err := openAs(db, d)
	if err != nil {
		return nil, err
	}
	return s.Relation(r)
}

// openAs is open for a dialect of rbac.
func openAs(db *sql.DB, d rbac.Dialect) (*Store, error) {
	switch d {
	case rbac.SQLite:
		return open(db, sqlkit.SQLite)
	case rbac.Postgres, rbac.PostgresQ:
		return open(db, sqlkit.Postgres)
	}
	return nil, errors.New("rbacsql: relation: unknown dialect")
}

// Relation returns the relation that r declares, kept in the same database as the grants.
func (s *Store) Relation(r rbac.TableRelation) (*Relation, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return &Relation{r, s.db}, nil
}

// EmergencyRelation is an rbac.EmergencyRelation over a table of the host, whose rows have ids.
type EmergencyRelation struct{ *Relation }

var _ rbac.EmergencyRelation = (*EmergencyRelation)(nil)

// EmergencyRelation returns the emergency access that r declares, kept in the same database as the
// grants. r.ID is required.
func (s *Store) EmergencyRelation(r rbac.TableRelation) (*EmergencyRelation, error) {
	if r.ID == "" {
		return nil, errors.New("rbacsql: emergency relation: the column ID is required")
	}
	inner, err := s.Relation(r)
	if err != nil {
		return nil, err
	}
	return &EmergencyRelation{inner}, nil
}

// EmergencyTable returns the emergency access that r declares, kept in db. The dialect is
// rbac.SQLite or rbac.Postgres; r.ID is required.
func EmergencyTable(db *sql.DB, d rbac.Dialect, r rbac.TableRelation) (*EmergencyRelation, error) {
	s, err := openAs(db, d)
	if err != nil {
		return nil, err
	}
	return s.EmergencyRelation(r)
}

// WithTx returns an EmergencyRelation that is asked inside the host's transaction.
func (r *EmergencyRelation) WithTx(tx *sql.Tx) *EmergencyRelation {
	return &EmergencyRelation{r.Relation.WithTx(tx)}
}

// Grant implements rbac.EmergencyRelation.
func (r *EmergencyRelation) Grant(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (id string, err error) {
	args := r.args()
	err = r.db.Get(ctx, []any{&id}, r.Identify(args, t, subject, patient, now), args.Values()...)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err == nil && id == "" {
		err = errors.New("a row without an id")
	}
	if err != nil {
		return "", fmt.Errorf("rbacsql: asking for emergency access: %w", err)
	}
	return id, nil
}

// Open implements rbac.EmergencyRelation.
func (r *EmergencyRelation) Open(ctx context.Context, t audit.Tenant, subject audit.ActorID, now time.Time) ([]string, error) {
	args := r.args()
	rows, err := r.db.Query(ctx, r.Identities(args, t, subject, now), args.Values()...)
	if err != nil {
		return nil, fmt.Errorf("rbacsql: asking for emergency access: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("rbacsql: asking for emergency access: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("rbacsql: asking for emergency access: %w", err)
	}
	return ids, nil
}

// WithTx returns a Relation that is asked inside the host's transaction.
func (r *Relation) WithTx(tx *sql.Tx) *Relation {
	return &Relation{r.TableRelation, r.db.Join(tx)}
}

// args collects arguments with ? placeholders, as sqlkit takes them.
func (r *Relation) args() *rbac.Args {
	if r.db.Dialect() == sqlkit.Postgres {
		return rbac.NewArgs(rbac.PostgresQ, 1)
	}
	return rbac.NewArgs(rbac.SQLite, 1)
}

// Has implements rbac.Relation.
func (r *Relation) Has(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (bool, error) {
	args := r.args()
	query := r.Question(args, t, subject, patient, now)
	var n int
	err := r.db.Get(ctx, []any{&n}, query, args.Values()...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("rbacsql: asking a relation: %w", err)
	}
	return true, nil
}
