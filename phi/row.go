package phi

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wardkit/wardkit/audit"
)

// Open returns the row as a T. It reads the keys that the columns name and checks whom they
// belong to; each value is decrypted when it is first asked for. Columns that the row lacks
// are ErrNotLoaded when they are, and make Seal refuse.
//
// Open may ask the key store, so close a result set first. For a page of rows see OpenAll.
//
// Errors that concern a column are *FieldError with one of the errors of Vault.Unseal.
func (c *Codec[T]) Open(ctx context.Context, t audit.Tenant, row Row) (*T, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: opening: nil codec", ErrCodec)
	}
	p, r := new(T), newRow(len(c.layout.fields))
	v := reflect.ValueOf(p).Elem()
	r.v, r.layout, r.tenant, r.id, r.patient = c.v, c.layout, t, row.ID, row.Patient
	if err := r.bind(v); err != nil {
		return nil, err
	}
	if err := r.load(ctx, &row); err != nil {
		return nil, err
	}
	get := func() held { return held{row: r} }
	for i := range r.cols {
		if !isNull(r.cols[i]) {
			*c.layout.value(v, i) = value{get, i}
		}
	}
	return p, nil
}

// OpenAll opens rows, a page of a list for example, reading the keys of all of them with one
// look-up in the key store, where Open would need one for each patient. It opens all or none.
func (c *Codec[T]) OpenAll(ctx context.Context, t audit.Tenant, rows []Row) ([]*T, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: opening: nil codec", ErrCodec)
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
		for _, s := range r.all() {
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
	cols    []Sealed // nil was not loaded, empty is NULL
	key     *xaes    // of the first column that has one
	keys    []*xaes  // of each column, where they are several
	place   place
	buf     [160]byte // for place

	first atomic.Pointer[lock] // of the fields that were sealed together with the one opened first
	mu    sync.Mutex
	more  []*lock
}

// newRow returns a row of n columns, in one piece of memory for most.
func newRow(n int) *lazyRow {
	if n <= 8 {
		all := &struct {
			lazyRow
			room [8]Sealed
		}{}
		all.cols = all.room[:n]
		return &all.lazyRow
	}
	return &lazyRow{cols: make([]Sealed, n)}
}

func isNull(s Sealed) bool { return s != nil && len(s) == 0 }

// bind checks the ids and sets those of the struct.
func (r *lazyRow) bind(v reflect.Value) error {
	l := r.layout
	if l.patient == nil {
		r.patient = ""
	} else if r.patient == "" && l.same {
		r.patient = audit.Patient(r.id)
	}
	if err := l.complete(At{Tenant: r.tenant, Row: r.id, Patient: r.patient}); err != nil {
		return err
	}
	v.FieldByIndex(l.row).SetString(r.id)
	if l.patient != nil {
		v.FieldByIndex(l.patient).SetString(string(r.patient))
	}
	return nil
}

// load takes over the columns and finds their keys, looking one up once for those that share it.
func (r *lazyRow) load(ctx context.Context, row *Row) error {
	if err := row.fits(r.layout); err != nil {
		return err
	}
	r.place.bind(r.buf[:], r.v.namespace, &At{Tenant: r.tenant, Patient: r.patient, Row: r.id})
	var first Sealed // under r.key, which is the patient's
	for i := range r.cols {
		s, loaded := row.at(r.layout, i)
		switch {
		case !loaded:
			continue
		case s == nil:
			r.cols[i] = Sealed{}
			continue
		}
		key, err := r.key, error(nil)
		if s.sharesKey(first) {
			err = s.checkLength()
		} else {
			key, err = r.v.opening(ctx, r.at(&r.layout.fields[i]), s)
		}
		if err != nil {
			return fieldError(&r.layout.fields[i], err)
		}
		r.cols[i] = s
		r.keep(i, key)
		if r.patient != "" && key == r.key {
			first = s
		}
	}
	return nil
}

// keep notes the key of column i.
func (r *lazyRow) keep(i int, key *xaes) {
	if r.key == nil {
		r.key = key
	}
	if r.key != key && r.keys == nil {
		r.keys = slices.Repeat([]*xaes{r.key}, len(r.cols))
	}
	if r.keys != nil {
		r.keys[i] = key
	}
}

// keyOf returns the key of column i.
func (r *lazyRow) keyOf(i int) *xaes {
	if r.keys != nil {
		return r.keys[i]
	}
	return r.key
}

func (r *lazyRow) at(f *field) At { return At{r.tenant, f.id, r.patient, r.id} }

// open decrypts field i.
func (r *lazyRow) open(i int) (string, error) {
	m := r.v.scratchpad()
	plain, err := r.read(m, i)
	text := string(plain)
	m.done(&r.v.scratch)
	return text, err
}

// holds reports whether field i opens and is want.
func (r *lazyRow) holds(i int, want string) bool {
	m := r.v.scratchpad()
	plain, err := r.read(m, i)
	same := err == nil && equalText(plain, want)
	m.done(&r.v.scratch)
	return same
}

// read decrypts field i in m.
func (r *lazyRow) read(m *scratch, i int) ([]byte, error) {
	f, s := &r.layout.fields[i], r.cols[i]
	if s == nil {
		return nil, &FieldError{f.id, ErrNotLoaded}
	}
	l := r.first.Load()
	if l == nil || !l.fits(s) {
		l = r.lock(m, i)
	}
	plain, err := l.open(m, &r.place, f.id, s)
	if err != nil {
		return nil, &FieldError{f.id, r.diagnose(m, l, i, err)}
	}
	return plain, nil
}

// lock returns the lock of column i, made once for the fields that share it.
func (r *lazyRow) lock(m *scratch, i int) *lock {
	s := r.cols[i]
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.first.Load()
	if first != nil && first.fits(s) {
		return first
	}
	for _, l := range r.more {
		if l.fits(s) {
			return l
		}
	}
	l := r.keyOf(i).lock(m, s)
	if first == nil {
		r.first.Store(l)
	} else {
		r.more = append(r.more, l)
	}
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
		if _, e := l.open(m, &r.place, r.layout.fields[j].id, r.cols[i]); e == nil {
			return ErrSwapped
		}
	}
	return err
}
