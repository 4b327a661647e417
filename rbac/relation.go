package rbac

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Relation says which people have to do with which patients. It has two readings that must
// agree: a question about one pair, and a condition for lists. rbacsql.Relation derives both
// from one TableRelation; MemoryRelation is for tests and examples.
//
// Care, supervision, proxies, consents and emergency grants are all relations: whatever holds
// for a page holds for the lists.
type Relation interface {
	// Has reports whether, in tenant t at now, subject has the relation to patient. An error
	// means that it could not be found out: the caller denies.
	Has(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (bool, error)
	// SQL returns a condition on column, which holds a patient of tenant t: true for the
	// patients to whom subject has the relation at now, false or NULL for others. Every value
	// goes through args.
	SQL(args *Args, column string, t audit.Tenant, subject audit.ActorID, now time.Time) string
	// Digest returns what the relation means, as text without values or handles, for the
	// policy's digest: two relations with the same text mean the same.
	Digest() string
}

// maxRelations is how many relations a policy can have.
const maxRelations = 16

// The indexes of the basic relations in Policy.relations; the others follow in order of name.
const (
	relOwn = iota
	relSupervisees
	relSelf
	relProxy
	relConsent
	relEmergency
	relOthers
)

// list returns the relations by index, nil for those that are not declared, and their names.
func (r Relations) list() (relations []Relation, names []string) {
	relations = []Relation{r.Own, r.Supervisees, r.Self, r.Proxy, r.Consent, r.Emergency}
	names = []string{"own", "supervisees", "self", "proxy", "consent", "emergency"}
	for _, name := range slices.Sorted(maps.Keys(r.Others)) {
		relations, names = append(relations, r.Others[name]), append(names, name)
	}
	return relations, names
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

	// ID names the column of the row's own id: text, unique in its tenant. Emergency access has one.
	ID string `json:",omitempty"`

	// Kind names a text column that says what sort of relation a row is, and Kinds the values
	// that count: the authority of a proxy, the purpose of a consent. Both or neither.
	Kind  string
	Kinds []string

	// Through says that Subject does not hold the person who asks but somebody to whom that
	// person is related: a care table with Through a table of supervision (Subject the
	// supervisor, Object the supervisee) is Relations.Supervisees. It has no Through itself.
	Through *TableRelation
}

// Validate reports a name that is missing or no identifier, Kind without Kinds or the other
// way round, and a Through of a Through.
func (r TableRelation) Validate() error {
	if r.Table == "" || r.Tenant == "" || r.Subject == "" || r.Object == "" {
		return errors.New("rbac: relation: table, tenant, subject and object are required")
	}
	for _, name := range []string{r.Table, r.Tenant, r.Subject, r.Object, r.From, r.Until, r.ID, r.Kind} {
		if name != "" && !isIdentifier(name) {
			return errors.New("rbac: relation: a name is no identifier")
		}
	}
	if (r.Kind == "") != (len(r.Kinds) == 0) || slices.ContainsFunc(r.Kinds, func(k string) bool { return !validID(k) }) {
		return errors.New("rbac: relation: kind and kinds belong together, and no kind is empty")
	}
	switch {
	case r.Through == nil:
		return nil
	case r.Through.Through != nil:
		return errors.New("rbac: relation: through goes one step")
	}
	return r.Through.Validate()
}

// Digest returns the declaration as text.
func (r TableRelation) Digest() string {
	text, err := json.Marshal(r) // strings and pointers to the same always have a JSON form
	if err != nil {
		return ""
	}
	return "table" + string(text)
}

// SQL returns the relation as a semi-join on column: the only rendering of the declaration.
// Every column is written with its table, so that a wrong name is an error, never a column of
// the statement around it.
func (r TableRelation) SQL(args *Args, column string, t audit.Tenant, subject audit.ActorID, now time.Time) string {
	w := relationWriter{table: r.Table}
	w.Grow(320)
	w.text(column, " IN (SELECT ")
	w.column(r.Object)
	w.text(" FROM ", r.Table, " WHERE ")
	r.where(&w, args, t, subject, now)
	w.text(")")
	return w.String()
}

// Question returns a statement that yields one row if subject has the relation to patient,
// none otherwise: the same conditions as SQL.
func (r TableRelation) Question(args *Args, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) string {
	w := relationWriter{table: r.Table}
	w.Grow(320)
	w.text("SELECT 1 FROM ", r.Table, " WHERE ")
	r.where(&w, args, t, subject, now)
	w.text(" AND ")
	w.column(r.Object)
	w.text(" = ", args.Add(string(patient)), " LIMIT 1")
	return w.String()
}

// Identify returns a statement that yields the ID of a row by which subject has the relation to
// patient, of several the lowest, and no row if there is none: the same conditions as SQL. It
// needs ID.
func (r TableRelation) Identify(args *Args, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) string {
	return r.identities(args, t, subject, now, func(w *relationWriter) {
		w.text(" AND ")
		w.column(r.Object)
		w.text(" = ", args.Add(string(patient)))
	}) + " LIMIT 1"
}

// Identities returns a statement that yields the ID of every row by which subject has the relation
// to somebody, in order: the same conditions as SQL. It needs ID.
func (r TableRelation) Identities(args *Args, t audit.Tenant, subject audit.ActorID, now time.Time) string {
	return r.identities(args, t, subject, now, func(*relationWriter) {})
}

func (r TableRelation) identities(args *Args, t audit.Tenant, subject audit.ActorID, now time.Time, more func(*relationWriter)) string {
	w := relationWriter{table: r.Table}
	w.Grow(320)
	w.text("SELECT ")
	w.column(r.ID)
	w.text(" FROM ", r.Table, " WHERE ")
	r.where(&w, args, t, subject, now)
	more(&w)
	w.text(" ORDER BY ")
	w.column(r.ID)
	return w.String()
}

// relationWriter writes a statement about one table.
type relationWriter struct {
	strings.Builder
	table string
}

func (w *relationWriter) text(parts ...string) {
	for _, p := range parts {
		w.WriteString(p)
	}
}

func (w *relationWriter) column(name string) { w.text(w.table, ".", name) }

func (r *TableRelation) where(w *relationWriter, args *Args, t audit.Tenant, subject audit.ActorID, now time.Time) {
	w.column(r.Tenant)
	w.text(" = ", args.Add(string(t)), " AND ")
	if r.Through != nil {
		w.text(r.Through.SQL(args, r.Table+"."+r.Subject, t, subject, now))
	} else {
		w.column(r.Subject)
		w.text(" = ", args.Add(string(subject)))
	}
	if r.From != "" {
		r.since(w, args, now)
	}
	if r.Until != "" {
		r.until(w, args, now)
	}
	if r.Kind != "" {
		w.text(" AND ", args.Among(r.Table+"."+r.Kind, r.Kinds))
	}
}

// since is the condition that a row has begun. SQLite looks at each column as often as it is named, so
// it gets it named once; PostgreSQL estimates from its statistics, which it has of columns only.
func (r *TableRelation) since(w *relationWriter, args *Args, now time.Time) {
	if args.dialect == SQLite {
		w.text(" AND COALESCE(")
		w.column(r.From)
		w.text(", 0) <= ", args.Add(now.UnixMicro()))
		return
	}
	w.text(" AND (")
	w.column(r.From)
	w.text(" IS NULL OR ")
	w.column(r.From)
	w.text(" <= ", args.Add(now.UnixMicro()), ")")
}

// until is the condition that a row is not over, written as since is.
func (r *TableRelation) until(w *relationWriter, args *Args, now time.Time) {
	w.text(" AND (")
	if args.dialect == SQLite {
		w.text("COALESCE(")
		w.column(r.Until)
		w.text(", 0) = 0 OR ")
	} else {
		w.column(r.Until)
		w.text(" IS NULL OR ")
		w.column(r.Until)
		w.text(" = 0 OR ")
	}
	w.column(r.Until)
	w.text(" > ", args.Add(now.UnixMicro()), ")")
}
