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
	engine := sqlkit.SQLite
	switch d {
	case rbac.SQLite:
	case rbac.Postgres, rbac.PostgresQ:
		engine = sqlkit.Postgres
	default:
		return nil, errors.New("rbacsql: relation: unknown dialect")
	}
	s, err := open(db, engine)
	if err != nil {
		return nil, err
	}
	return s.Relation(r)
}

// Relation returns the relation that r declares, kept in the same database as the grants.
func (s *Store) Relation(r rbac.TableRelation) (*Relation, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return &Relation{r, s.db}, nil
}

// WithTx returns a Relation that is asked inside the host's transaction.
func (r *Relation) WithTx(tx *sql.Tx) *Relation {
	return &Relation{r.TableRelation, r.db.Join(tx)}
}

// Has implements rbac.Relation.
func (r *Relation) Has(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (bool, error) {
	d := rbac.SQLite
	if r.db.Dialect() == sqlkit.Postgres {
		d = rbac.PostgresQ // ? placeholders, as sqlkit takes them
	}
	args := rbac.NewArgs(d, 1)
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
