package phi

import (
	"context"
	"fmt"
	"reflect"
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
	p := new(T)
	v := reflect.ValueOf(p).Elem()
	r := newLazyRow(len(c.layout.fields))
	r.v, r.layout, r.tenant, r.id, r.patient = c.v, c.layout, t, row.ID, row.Patient
	if err := r.bind(v); err != nil {
		return nil, err
	}
	if err := r.load(ctx, &row); err != nil {
		return nil, err
	}
	get := func() *held { return &r.self }
	for i := range r.cells {
		if !r.cells[i].null() {
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
	self    held // what the row's values hold on to
	v       *Vault
	layout  *layout
	tenant  audit.Tenant
	id      string
	patient audit.Patient
	cells   []cell
	place   place
	buf     [112]byte // for place

	first atomic.Pointer[lock] // of the fields that were sealed together with the one opened first
	mu    sync.Mutex
	more  []*lock
}

// newLazyRow returns a row of n cells, in one piece of memory for most rows.
func newLazyRow(n int) (r *lazyRow) {
	if n <= 8 {
		row := &struct {
			lazyRow
			room [8]cell
		}{}
		r = &row.lazyRow
		r.cells = row.room[:n]
	} else {
		r = &lazyRow{cells: make([]cell, n)}
	}
	r.self.row = r
	return r
}

// cell is a column of a row: nil was not loaded, empty is NULL.
type cell struct {
	sealed Sealed
	key    *xaes
}

func (c *cell) null() bool { return c.sealed != nil && c.key == nil }

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

// load takes over the columns and finds their keys.
func (r *lazyRow) load(ctx context.Context, row *Row) error {
	if err := row.fits(r.layout); err != nil {
		return err
	}
	r.place.bind(r.buf[:], r.v.namespace, &At{Tenant: r.tenant, Patient: r.patient, Row: r.id})
	for i := range r.cells {
		f, c := &r.layout.fields[i], &r.cells[i]
		sealed, loaded := row.at(r.layout, i)
		if !loaded {
			continue
		}
		if sealed == nil {
			c.sealed = Sealed{}
			continue
		}
		key, err := r.key(ctx, f, sealed)
		if err != nil {
			return fieldError(f, err)
		}
		c.sealed, c.key = sealed, key
	}
	return nil
}

// key returns the key that a column names, looking it up once for those that share it.
func (r *lazyRow) key(ctx context.Context, f *field, s Sealed) (*xaes, error) {
	if r.patient != "" && len(s) >= overhead {
		for i := range r.cells {
			if c := &r.cells[i]; c.key != nil && string(c.sealed[:saltAt]) == string(s[:saltAt]) {
				_, err := parse(s)
				return c.key, err
			}
		}
	}
	return r.v.opening(ctx, r.at(f), s)
}

func (r *lazyRow) at(f *field) At { return At{r.tenant, f.id, r.patient, r.id} }

// open decrypts field i.
func (r *lazyRow) open(i int) (string, error) {
	m := r.v.scratchpad()
	defer m.done(&r.v.scratch)
	plain, err := r.read(m, i)
	return string(plain), err
}

// holds reports whether field i opens and is want.
func (r *lazyRow) holds(i int, want string) bool {
	m := r.v.scratchpad()
	defer m.done(&r.v.scratch)
	plain, err := r.read(m, i)
	return err == nil && equalText(plain, want)
}

// read decrypts field i in m.
func (r *lazyRow) read(m *scratch, i int) ([]byte, error) {
	f, c := &r.layout.fields[i], &r.cells[i]
	if c.sealed == nil {
		return nil, &FieldError{f.id, ErrNotLoaded}
	}
	l := r.first.Load()
	if l == nil || !l.fits(c.sealed) {
		l = r.lock(m, c)
	}
	plain, err := l.open(m, &r.place, f.id, c.sealed)
	if err != nil {
		return nil, &FieldError{f.id, r.diagnose(m, l, i, err)}
	}
	return plain, nil
}

// lock returns the lock of a cell, made once for the fields that share it.
func (r *lazyRow) lock(m *scratch, c *cell) *lock {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.first.Load()
	if first != nil && first.fits(c.sealed) {
		return first
	}
	for _, l := range r.more {
		if l.fits(c.sealed) {
			return l
		}
	}
	l := c.key.lock(m, c.sealed)
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
		if _, e := l.open(m, &r.place, r.layout.fields[j].id, r.cells[i].sealed); e == nil {
			return ErrSwapped
		}
	}
	return err
}
