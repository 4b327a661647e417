package phi

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Codec seals and opens the rows of one entity, described by the tags of T:
//
//	type Patient struct {
//		ID    string   `phi:",row,patient"`
//		Name  phi.Text `phi:"name,class=name"`
//		Phone phi.Text `phi:"phone,class=phone"`
//	}
//
// The string tagged row is the row's id, which is unique within the entity. The string tagged
// patient, which may be the same or one beside it (`phi:",patient"`), says under whose key the
// row is sealed; without one it is the tenant's. Both may be of a type such as audit.Patient.
// Every phi.Text, Date and Number has a name, which is part of what its values are bound to
// and never changes, and a class; it is a field of T itself or of a struct embedded in it.
// Fields without a tag are left alone: Open returns them zero, and the host fills them from its
// own columns.
//
// A Codec is safe for concurrent use.
type Codec[T any] struct {
	v      *Vault
	layout *layout
}

// For returns the codec of T under the name of its entity, for example "patient". It reports
// everything that is wrong with the tags and options at once; the error is an ErrCodec.
func For[T any](v *Vault, entity string, opts ...Option) (*Codec[T], error) {
	if v == nil {
		return nil, errors.Join(ErrCodec, errors.New("phi: nil vault"))
	}
	l, err := layoutOf(reflect.TypeFor[T](), entity, opts)
	if err != nil {
		return nil, err
	}
	return &Codec[T]{v, l}, nil
}

// Fields returns the names of the sealed fields in the order of the struct.
func (c *Codec[T]) Fields() []string {
	names := make([]string, len(c.layout.fields))
	for i, f := range c.layout.fields {
		names[i] = f.name
	}
	return names
}

// Columns returns Fields as a list for SQL, "name, phone, email", for hosts whose columns are
// named like the fields. With a prefix such as "p." each name has it.
func (c *Codec[T]) Columns(prefix string) string {
	names := c.Fields()
	for i := range names {
		names[i] = prefix + names[i]
	}
	return strings.Join(names, ", ")
}

// Lookup returns the query for the rows that have value in an index: the term store answers it.
// Index is the name of a field with WithIndex or WithUnique, or "ssn.last4", "family.prefix" and
// the name of a compound, which takes one value for each of its parts. A prefix longer than the
// longest that is indexed is cut there, so that rows may be found which go on otherwise: compare
// after opening. Nothing to look for finds nothing.
//
// It returns ErrNoIndex, or ErrNotNormal where a value cannot be normalised, is too short, or
// is one too many or too few, as a *FieldError.
func (c *Codec[T]) Lookup(ctx context.Context, t audit.Tenant, index string, values ...string) (Query, error) {
	if c == nil {
		return Query{}, fmt.Errorf("%w: looking up: nil codec", ErrCodec)
	}
	l := c.layout
	ix := l.index(index)
	if ix == nil {
		return Query{}, &FieldError{l.entity + "." + index, ErrNoIndex}
	}
	q := Query{Entity: l.entity, Field: ix.name, Unique: ix.unique}
	input, err := ix.sought(l, values)
	if err != nil {
		return Query{}, err
	}
	if t == "" {
		return Query{}, &FieldError{l.entity + "." + index, errNoTenant}
	}
	if ix.byWord && len(strings.Fields(input)) > 1 {
		return Query{}, &FieldError{l.entity + "." + index, fmt.Errorf("%w: several words", ErrNotNormal)}
	}
	if input == "" {
		return q, nil
	}
	live, err := c.v.live(ctx, t)
	if err != nil {
		return Query{}, &FieldError{l.entity + "." + index, err}
	}
	if ix.spread != nil {
		q.Terms = live.buckets(nil, ix.mac, input, ix.spread.Buckets(input))
	} else {
		q.Terms = live.terms(nil, ix.mac, input)
	}
	return q, nil
}

// Terms returns all blind-index terms of the row, as Seal does, and seals nothing: for giving
// rows new terms, see IndexRows.
func (c *Codec[T]) Terms(ctx context.Context, t audit.Tenant, p *T) (Terms, error) {
	if c == nil || p == nil {
		return Terms{}, fmt.Errorf("%w: indexing: nil codec or nil struct", ErrCodec)
	}
	l, v := c.layout, reflect.ValueOf(p).Elem()
	s := rowSealer{v: c.v, layout: l, at: At{Tenant: t, Row: l.rowID(v), Patient: l.patientID(v)}}
	return s.terms(ctx, v)
}

// Record is a sealed row, ready to be written.
type Record struct {
	fields []field
	cols   []Sealed
	terms  Terms
}

// newRecord returns a record without values, in one piece of memory for most rows.
func newRecord(l *layout, row string) (r *Record) {
	if n := len(l.fields); n <= 8 {
		small := &struct {
			Record
			room [8]Sealed
		}{}
		r = &small.Record
		r.cols = small.room[:n]
	} else {
		r = &Record{cols: make([]Sealed, n)}
	}
	r.fields = l.fields
	r.terms = Terms{Entity: l.entity, Row: row}
	return r
}

// Col returns the sealed value of a field, nil for no value. It panics if the codec has no
// such field, which is a programmer's error.
func (r *Record) Col(name string) Sealed {
	i := slices.IndexFunc(r.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		panic("phi: the record has no field " + name)
	}
	return r.cols[i]
}

// Args returns the arguments of an INSERT or UPDATE of the host's own columns followed by
// those of Codec.Columns: own, then every sealed value.
//
//	_, err := tx.ExecContext(ctx, insert, rec.Args(tenant, p.ID, p.Therapist)...)
func (r *Record) Args(own ...any) []any {
	args := make([]any, 0, len(own)+len(r.cols))
	args = append(args, own...)
	for _, c := range r.cols {
		args = append(args, c)
	}
	return args
}

// Terms returns all blind-index terms of the row, for TermStore.SaveTerms.
func (r *Record) Terms() Terms { return r.terms }
