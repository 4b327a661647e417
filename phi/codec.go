package phi

import (
	"context"
	"errors"
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

// Lookup returns the query for rows whose field has the same normal form as value: the term
// store answers it. It returns ErrNoIndex, or ErrNotNormal where value cannot be normalised,
// as a *FieldError.
func (c *Codec[T]) Lookup(ctx context.Context, t audit.Tenant, field, value string) (Query, error) {
	f := c.layout.find(field)
	if f == nil || f.index == nil {
		return Query{}, &FieldError{c.layout.entity + "." + field, ErrNoIndex}
	}
	q := Query{Entity: c.layout.entity, Field: f.name, Unique: f.index.unique}
	term, err := c.v.fieldTerm(ctx, t, f, value)
	if err != nil {
		return Query{}, err
	}
	if term != nil {
		q.Terms = [][]byte{term}
	}
	return q, nil
}

// fieldTerm normalises plain and returns its term, nil for an empty one.
func (v *Vault) fieldTerm(ctx context.Context, t audit.Tenant, f *field, plain string) ([]byte, error) {
	normal, err := f.index.norm.Normalise(plain)
	if err != nil {
		return nil, &FieldError{f.id, err}
	}
	term, err := v.term(ctx, t, f.id, f.index.norm.ID(), normal)
	if err != nil {
		return nil, &FieldError{f.id, err}
	}
	return term, nil
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
