package rbac

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Relation says which people have to do with which patients. It has two readings that must
// agree: a question about one pair, and a condition for lists. rbacsql.Relation derives both
// from one TableRelation; MemoryRelation is for tests and examples.
type Relation interface {
	// Has reports whether, in tenant t at now, subject has the relation to patient. An error
	// means that it could not be found out: the caller denies.
	Has(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (bool, error)
	// SQL returns a condition on column, which holds a patient of tenant t: true for the
	// patients to whom subject has the relation at now. Every value goes through args.
	SQL(args *Args, column string, t audit.Tenant, subject audit.ActorID, now time.Time) string
	// Digest returns what the relation means, as text without values or handles, for the
	// policy's digest: two relations with the same text mean the same.
	Digest() string
}

// TableRelation is a relation kept in a table of the host, one row per pair and period:
// declared once, read as a question and as a condition. Names are SQL identifiers without
// quotes. From and Until name BIGINT columns in microseconds since 1970 UTC; the row counts
// from From (inclusive, NULL or 0: always did) until Until (exclusive, NULL or 0: no end).
type TableRelation struct {
	Table   string // required
	Tenant  string // required
	Subject string // required: the person
	Object  string // required: the patient
	From    string // optional
	Until   string // optional
}

// Validate reports a name that is missing or no identifier.
func (r TableRelation) Validate() error {
	if r.Table == "" || r.Tenant == "" || r.Subject == "" || r.Object == "" {
		return errors.New("rbac: relation: table, tenant, subject and object are required")
	}
	for _, name := range []string{r.Table, r.Tenant, r.Subject, r.Object, r.From, r.Until} {
		if name != "" && !isIdentifier(name) {
			return errors.New("rbac: relation: a name is no identifier")
		}
	}
	return nil
}

// Digest returns the declaration as text.
func (r TableRelation) Digest() string { return fmt.Sprintf("table%q", r) }

// SQL returns the relation as a semi-join on column: the only rendering of the declaration.
func (r TableRelation) SQL(args *Args, column string, t audit.Tenant, subject audit.ActorID, now time.Time) string {
	return column + " IN (SELECT " + r.Object + " FROM " + r.Table + " WHERE " + r.where(args, t, subject, now) + ")"
}

// Question returns a statement that yields one row if subject has the relation to patient,
// none otherwise: the same conditions as SQL.
func (r TableRelation) Question(args *Args, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) string {
	return "SELECT 1 FROM " + r.Table + " WHERE " + r.where(args, t, subject, now) +
		" AND " + r.Object + " = " + args.Add(string(patient)) + " LIMIT 1"
}

func (r TableRelation) where(args *Args, t audit.Tenant, subject audit.ActorID, now time.Time) string {
	var b strings.Builder
	b.WriteString(r.Tenant + " = " + args.Add(string(t)))
	b.WriteString(" AND " + r.Subject + " = " + args.Add(string(subject)))
	if r.From != "" {
		b.WriteString(" AND (" + r.From + " IS NULL OR " + r.From + " <= " + args.Add(now.UnixMicro()) + ")")
	}
	if r.Until != "" {
		b.WriteString(" AND (" + r.Until + " IS NULL OR " + r.Until + " = 0 OR " + r.Until + " > " + args.Add(now.UnixMicro()) + ")")
	}
	return b.String()
}
