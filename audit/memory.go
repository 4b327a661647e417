package audit

import (
	"bytes"
	"context"
	"iter"
	"sync"
)

// Memory is a Store that keeps entries in this process, for tests and examples. Nothing
// survives the process, so its Append is durable only as far as that goes. Append gives
// entries their place; Sequence never finds any without one.
type Memory struct {
	mu      sync.RWMutex
	tenants map[Tenant]*memoryTenant
}

type memoryTenant struct {
	byID map[string]*Entry
	list []*Entry // by Index
	gone []Span   // what was purged, ascending, without spans that meet
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{tenants: map[Tenant]*memoryTenant{}} }

// Append implements Store.
func (m *Memory) Append(ctx context.Context, entries []Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range entries {
		if m.conflicts(&entries[i], entries[:i]) {
			return ErrConflict
		}
	}
	for i := range entries {
		m.add(&entries[i])
	}
	return nil
}

// conflicts reports whether another entry, stored or earlier in the same call, has e's ID.
func (m *Memory) conflicts(e *Entry, earlier []Entry) bool {
	if t := m.tenants[e.Tenant]; t != nil {
		if old := t.byID[e.ID]; old != nil {
			return !old.says(e.Body)
		}
	}
	for i := range earlier {
		if o := &earlier[i]; o.ID == e.ID && o.Tenant == e.Tenant && !bytes.Equal(o.Body, e.Body) {
			return true
		}
	}
	return false
}

func (m *Memory) add(e *Entry) {
	t := m.tenants[e.Tenant]
	if t == nil {
		t = &memoryTenant{byID: map[string]*Entry{}}
		m.tenants[e.Tenant] = t
	}
	if t.byID[e.ID] != nil {
		return
	}
	c := e.clone()
	c.Index = int64(len(t.list))
	t.byID[c.ID] = c
	t.list = append(t.list, c)
}

// clone copies an entry; one of a single patient and object into a single place.
func (e *Entry) clone() *Entry {
	c := &struct {
		Entry
		patient [1]Patient
		object  [1]Ref
	}{Entry: *e}
	c.Patients, c.Objects = append(c.patient[:0], e.Patients...), append(c.object[:0], e.Objects...)
	data := append(append(make([]byte, 0, len(e.Body)+len(e.Openings)), e.Body...), e.Openings...)
	c.Body, c.Openings = data[:len(e.Body):len(e.Body)], nil
	if e.Openings != nil {
		c.Openings = data[len(e.Body):]
	}
	return &c.Entry
}

// Sequence implements Store.
func (m *Memory) Sequence(ctx context.Context, _ int) (int, error) { return 0, ctx.Err() }

// Backlog implements Store.
func (m *Memory) Backlog(ctx context.Context) (Backlog, error) { return Backlog{}, ctx.Err() }

// Get implements Store.
func (m *Memory) Get(ctx context.Context, tenant Tenant, id string) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tenants[tenant]
	if t == nil || t.byID[id] == nil {
		return Entry{}, ErrNotFound
	}
	if t.byID[id].purged() {
		return Entry{}, ErrPurged
	}
	c := t.byID[id].row()
	c.Openings = bytes.Clone(t.byID[id].Openings)
	return c, nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, f Filter, below int64, limit int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Entry{}, err)
			return
		}
		for _, e := range m.page(&f, below, limit) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// page collects the entries, so that no lock is held while the caller looks at them.
func (m *Memory) page(f *Filter, below int64, limit int) []Entry {
	var out []Entry
	m.each(f, below, func(e *Entry) bool {
		out = append(out, e.row())
		return len(out) < limit
	})
	return out
}

// Count implements Store.
func (m *Memory) Count(ctx context.Context, f Filter, limit int) (int, error) {
	n := 0
	m.each(&f, Newest, func(*Entry) bool {
		n++
		return n < limit
	})
	return n, ctx.Err()
}

// each calls visit for what f selects, newest first, until it returns false.
func (m *Memory) each(f *Filter, below int64, visit func(*Entry) bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tenants[f.Tenant]
	if t == nil {
		return
	}
	for i := min(below, int64(len(t.list))) - 1; i >= 0; i-- {
		if t.list[i].purged() {
			i = t.gone[t.firstGone(i)].From
			continue
		}
		if f.Matches(t.list[i]) && !visit(t.list[i]) {
			return
		}
	}
}

// Erase implements Store.
func (m *Memory) Erase(ctx context.Context, tenant Tenant, ids []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenants[tenant]
	if t == nil {
		return nil
	}
	for _, id := range ids {
		if e := t.byID[id]; e != nil {
			e.Openings = nil
		}
	}
	return nil
}

// row copies what Get and List return of an entry.
func (e *Entry) row() Entry {
	c := *e
	c.Patients, c.Objects, c.Openings = nil, nil, nil
	c.Body = bytes.Clone(e.Body)
	return c
}
