package phi

import (
	"context"
	"errors"
	"reflect"
	"sync"

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
		return nil, errors.New("phi: sealing: nil codec or nil struct")
	}
	l, v := c.layout, reflect.ValueOf(p).Elem()
	s := &rowSealer{v: c.v, layout: l, tenant: t, row: l.rowID(v), patient: l.patientID(v)}
	if t == "" || s.row == "" || l.patient != nil && s.patient == "" {
		return nil, ErrBinding
	}
	r := &Record{fields: l.fields, cols: make([]Sealed, len(l.fields))}
	r.terms = Terms{Entity: l.entity, Row: s.row}
	for i := range l.fields {
		if err := s.field(ctx, r, i, *l.value(v, i)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// rowSealer seals the fields of one row, under one salt where they share a key.
type rowSealer struct {
	v       *Vault
	layout  *layout
	tenant  audit.Tenant
	row     string
	patient audit.Patient
	shared  *lock // of a patient's row
}

func (s *rowSealer) field(ctx context.Context, r *Record, i int, text value) error {
	if text.IsZero() {
		return nil
	}
	f := &s.layout.fields[i]
	kept := s.untouched(text, i)
	if kept == nil || f.index != nil {
		plain, err := s.plain(text)
		if err == nil && kept == nil {
			kept, err = s.seal(ctx, f, plain)
		}
		if err != nil {
			return fieldError(f, err)
		}
		if err := s.term(ctx, r, f, plain); err != nil {
			return err
		}
	}
	r.cols[i] = kept
	return nil
}

// untouched returns the stored bytes of a value that was read from this very place.
func (s *rowSealer) untouched(text value, i int) Sealed {
	row := text.held().row
	if row == nil || text.i != i || row.layout != s.layout ||
		row.tenant != s.tenant || row.id != s.row || row.patient != s.patient {
		return nil
	}
	return row.cells[i].sealed
}

// plain returns the plaintext of a value, which must not come from another tenant.
func (s *rowSealer) plain(text value) (string, error) {
	if row := text.held().row; row != nil && row.tenant != s.tenant {
		return "", ErrForeignTenant
	}
	return text.open()
}

func (s *rowSealer) seal(ctx context.Context, f *field, plain string) (Sealed, error) {
	if len(plain) > MaxValue {
		return nil, ErrTooLong
	}
	at := At{s.tenant, f.id, s.patient, s.row}
	l := s.shared
	if l == nil {
		var err error
		if l, err = s.v.newLock(ctx, at); err != nil {
			return nil, err
		}
		if s.patient != "" {
			s.shared = l
		}
	}
	return sealUnder(s.v, l, at, plain), nil
}

func (s *rowSealer) term(ctx context.Context, r *Record, f *field, plain string) error {
	if f.index == nil {
		return nil
	}
	term, err := s.v.fieldTerm(ctx, s.tenant, f, plain)
	if err != nil || term == nil {
		return err
	}
	r.terms.List = append(r.terms.List, Term{Field: f.name, Unique: f.index.unique, Value: term})
	return nil
}

// Open returns the row as a T. It reads the keys that the columns name and checks whom they
// belong to; each value is decrypted when it is first asked for. Columns that the row lacks
// are ErrNotLoaded when they are, and make Seal refuse.
//
// Open may ask the key store, so close a result set first. For a page of rows see OpenAll.
//
// Errors that concern a column are *FieldError with one of the errors of Vault.Unseal.
func (c *Codec[T]) Open(ctx context.Context, t audit.Tenant, row Row) (*T, error) {
	if c == nil {
		return nil, errors.New("phi: opening a row: nil codec")
	}
	l := c.layout
	p := new(T)
	v := reflect.ValueOf(p).Elem()
	r := &lazyRow{v: c.v, layout: l, tenant: t, id: row.ID, patient: row.Patient}
	if err := r.bind(v); err != nil {
		return nil, err
	}
	for name := range row.Cols {
		if l.find(name) == nil {
			return nil, &FieldError{l.entity + "." + name, ErrNoField}
		}
	}
	r.cells = make([]cell, len(l.fields))
	h := &held{row: r}
	get := func() *held { return h }
	for i := range l.fields {
		f := &l.fields[i]
		sealed, loaded := row.Cols[f.name]
		if loaded && sealed == nil {
			continue // NULL
		}
		if loaded {
			x, err := c.v.opening(ctx, r.at(f), sealed)
			if err != nil {
				return nil, fieldError(f, err)
			}
			r.cells[i] = cell{sealed, x}
		}
		*l.value(v, i) = value{get, i}
	}
	return p, nil
}

// OpenAll opens rows, a page of a list for example, reading the keys of all of them with one
// look-up in the key store, where Open would need one for each patient. It opens all or none.
func (c *Codec[T]) OpenAll(ctx context.Context, t audit.Tenant, rows []Row) ([]*T, error) {
	if c == nil {
		return nil, errors.New("phi: opening rows: nil codec")
	}
	if err := c.v.warm(ctx, keysOf(rows)); err != nil {
		return nil, err
	}
	out := make([]*T, len(rows))
	for i, row := range rows {
		p, err := c.Open(ctx, t, row)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

// keysOf returns the ids of the keys that rows name, each once.
func keysOf(rows []Row) []KeyID {
	seen := map[KeyID]bool{}
	var ids []KeyID
	for _, r := range rows {
		for _, s := range r.Cols {
			if id, err := s.KeyID(); err == nil && !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// lazyRow is a row whose values are decrypted one by one, when they are asked for.
type lazyRow struct {
	v       *Vault
	layout  *layout
	tenant  audit.Tenant
	id      string
	patient audit.Patient
	cells   []cell

	mu    sync.Mutex
	locks []*lock // those in use; fields that were sealed together share one
}

type cell struct {
	sealed Sealed
	key    *xaes
}

// bind checks the ids and sets those of the struct.
func (r *lazyRow) bind(v reflect.Value) error {
	l := r.layout
	if l.patient == nil {
		r.patient = ""
	} else if r.patient == "" && equalPath(l.row, l.patient) {
		r.patient = audit.Patient(r.id)
	}
	if r.tenant == "" || r.id == "" || l.patient != nil && r.patient == "" {
		return ErrBinding
	}
	v.FieldByIndex(l.row).SetString(r.id)
	if l.patient != nil {
		v.FieldByIndex(l.patient).SetString(string(r.patient))
	}
	return nil
}

func (r *lazyRow) at(f *field) At { return At{r.tenant, f.id, r.patient, r.id} }

// open decrypts field i.
func (r *lazyRow) open(i int) (string, error) {
	f, c := &r.layout.fields[i], r.cells[i]
	if c.sealed == nil {
		return "", &FieldError{f.id, ErrNotLoaded}
	}
	l := r.lock(c)
	m := r.v.scratchpad()
	defer m.done(&r.v.scratch)
	plain, err := r.v.openUnder(m, l, r.at(f), c.sealed)
	if err != nil {
		return "", &FieldError{f.id, r.diagnose(m, l, i, err)}
	}
	return string(plain), nil
}

// lock returns the lock of a cell, made once for the fields that share it.
func (r *lazyRow) lock(c cell) *lock {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.locks {
		if [nonceAt]byte(c.sealed[:nonceAt]) == l.head {
			return l
		}
	}
	l := lockOf(c.key, c.sealed)
	r.locks = append(r.locks, l)
	return l
}

// diagnose says whether a value that did not open is the genuine one of another field of this
// row, which is what a SELECT with its columns in the wrong order gives. It tries places under
// the one key that the value names, never keys, and keeps nothing of what it finds.
func (r *lazyRow) diagnose(m *scratch, l *lock, i int, err error) error {
	for j := range r.layout.fields {
		if j == i || r.patient == "" {
			continue
		}
		if _, e := r.v.openUnder(m, l, r.at(&r.layout.fields[j]), r.cells[i].sealed); e == nil {
			return ErrSwapped
		}
	}
	return err
}

func equalPath(a, b []int) bool { return reflect.DeepEqual(a, b) }

// fieldError adds the field's name, where it is not there yet.
func fieldError(f *field, err error) error {
	var have *FieldError
	if errors.As(err, &have) {
		return err
	}
	return &FieldError{f.id, err}
}
