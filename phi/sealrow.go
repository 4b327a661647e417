package phi

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/wardkit/wardkit/audit"
)

// Seal encrypts every field of p for its row and computes the terms of its indexes. A field
// that came from Open of the same row and was not replaced keeps its bytes. Where any field
// fails there is no record.
//
// A patient's first row creates the patient's key: call Seal before, not inside, a write
// transaction on the database that holds the key store. Errors that concern a field are
// *FieldError: ErrTooLong, ErrNotNormal, ErrNotLoaded, ErrForeignTenant and those of Open.
func (c *Codec[T]) Seal(ctx context.Context, t audit.Tenant, p *T) (*Record, error) {
	if c == nil || p == nil {
		return nil, fmt.Errorf("%w: sealing: nil codec or nil struct", ErrCodec)
	}
	l, v := c.layout, reflect.ValueOf(p).Elem()
	s := rowSealer{v: c.v, layout: l, at: At{Tenant: t, Row: l.rowID(v), Patient: l.patientID(v)}}
	return s.run(ctx, v)
}

// rowSealer seals the fields of one row.
type rowSealer struct {
	v      *Vault
	layout *layout
	at     At // but for the field
	m      *scratch
}

// plainField is what has to be encrypted.
type plainField struct {
	i     int
	plain string
}

// run seals the struct v.
func (s *rowSealer) run(ctx context.Context, v reflect.Value) (*Record, error) {
	l := s.layout
	if err := l.complete(s.at); err != nil {
		return nil, err
	}
	s.m = s.v.scratchpad()
	defer s.done()
	r := newRecord(l, s.at.Row)
	for i := range l.fields {
		if err := s.field(r, i, l.valueIn(v, i)); err != nil {
			return nil, err
		}
	}
	var err error
	if r.terms.List, err = s.v.rowTerms(ctx, s.at.Tenant, s.at.Row, l, s.plainOf); err != nil {
		return nil, err
	}
	if err := s.seal(ctx, r.cols); err != nil {
		return nil, err
	}
	return r, nil
}

// terms computes the terms of the struct v alone.
func (s *rowSealer) terms(ctx context.Context, v reflect.Value) (Terms, error) {
	l := s.layout
	if err := l.complete(s.at); err != nil {
		return Terms{}, err
	}
	s.m = s.v.scratchpad()
	defer s.done()
	for i := range l.fields {
		if t := l.valueIn(v, i); l.fields[i].indexed && !t.IsZero() {
			plain, err := s.plain(t.held(), t.i)
			if err != nil {
				return Terms{}, fieldError(&l.fields[i], err)
			}
			s.m.sought = append(s.m.sought, plainField{i, plain})
		}
	}
	list, err := s.v.rowTerms(ctx, s.at.Tenant, s.at.Row, l, s.plainOf)
	return Terms{Entity: l.entity, Row: s.at.Row, List: list}, err
}

// plainOf returns the plaintext of an indexed field.
func (s *rowSealer) plainOf(field int) (string, bool) {
	for _, p := range s.m.sought {
		if p.i == field {
			return p.plain, true
		}
	}
	return "", false
}

// done forgets the plaintext.
func (s *rowSealer) done() {
	clear(s.m.anew)
	clear(s.m.sought)
	s.m.anew, s.m.sought = s.m.anew[:0], s.m.sought[:0]
	s.m.done(&s.v.scratch)
}

// field decides what becomes of one field: its bytes are kept, or it waits in the scratchpad.
func (s *rowSealer) field(r *Record, i int, t value) error {
	if t.IsZero() {
		return nil
	}
	f, h := &s.layout.fields[i], t.held()
	r.cols[i] = s.untouched(h.row, t.i, i)
	if r.cols[i] != nil && !f.indexed {
		return nil
	}
	plain, err := s.plain(h, t.i)
	if err != nil {
		return fieldError(f, err)
	}
	if r.cols[i] == nil {
		s.m.anew = append(s.m.anew, plainField{i, plain})
	}
	if f.indexed {
		s.m.sought = append(s.m.sought, plainField{i, plain})
	}
	return nil
}

// untouched returns the stored bytes of a value, field from of row, if it was read from this
// very place.
func (s *rowSealer) untouched(row *lazyRow, from, i int) Sealed {
	if row == nil || from != i || row.layout != s.layout ||
		row.tenant != s.at.Tenant || row.id != s.at.Row || row.patient != s.at.Patient {
		return nil
	}
	return row.cols[i]
}

// plain returns the plaintext of a value, which must not come from another tenant.
func (s *rowSealer) plain(h held, i int) (string, error) {
	if h.row != nil && h.row.tenant != s.at.Tenant {
		return "", ErrForeignTenant
	}
	plain, err := h.open(i)
	if len(plain) > MaxValue {
		return "", ErrTooLong
	}
	return plain, err
}

// seal encrypts s.m.anew into cols, in one piece of memory and, where the fields share a key,
// under one salt.
func (s *rowSealer) seal(ctx context.Context, cols []Sealed) error {
	size := 0
	for i := range s.m.anew {
		size += sealedSize(len(s.m.anew[i].plain))
	}
	all := make([]byte, 0, size)
	m := s.m
	m.place.bind(m.where, s.v.namespace, &s.at)
	var l lock
	for k := range m.anew {
		p := &m.anew[k]
		f := &s.layout.fields[p.i]
		if k == 0 || s.at.Patient == "" {
			s.at.Field = f.id
			if err := s.v.newLock(ctx, m, &l, &s.at); err != nil {
				return fieldError(f, err)
			}
		}
		from := len(all)
		all = appendSealed(all, m, &l, &m.place, f.id, p.plain)
		cols[p.i] = Sealed(all[from:len(all):len(all)])
	}
	return nil
}

// fieldError adds the field's name, where it is not there yet.
func fieldError(f *field, err error) error {
	var have *FieldError
	if errors.As(err, &have) {
		return err
	}
	return &FieldError{f.id, err}
}
