package review

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store that keeps everything in this process, for tests and demonstrations.
type Memory struct {
	mu      sync.RWMutex
	tenants map[audit.Tenant]*memoryTenant
}

type memoryTenant struct {
	place    Place
	actors   map[audit.ActorID][]byte
	findings map[string]Finding
	settings Settings
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{tenants: map[audit.Tenant]*memoryTenant{}} }

// of returns what there is of a tenant; the lock is held.
func (m *Memory) of(t audit.Tenant) *memoryTenant {
	if m.tenants[t] == nil {
		return &memoryTenant{}
	}
	return m.tenants[t]
}

func (m *Memory) made(t audit.Tenant) *memoryTenant {
	if m.tenants[t] == nil {
		m.tenants[t] = &memoryTenant{actors: map[audit.ActorID][]byte{}, findings: map[string]Finding{}}
	}
	return m.tenants[t]
}

// copyOf shares nothing with f.
func copyOf(f Finding) Finding {
	f.Events, f.Note = slices.Clone(f.Events), bytes.Clone(f.Note)
	return f
}

// Place implements Store.
func (m *Memory) Place(ctx context.Context, t audit.Tenant) (Place, error) {
	if err := ctx.Err(); err != nil {
		return Place{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := m.of(t).place
	p.Data = bytes.Clone(p.Data)
	return p, nil
}

// Actors implements Store.
func (m *Memory) Actors(ctx context.Context, t audit.Tenant, ids []audit.ActorID) ([]Actor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Actor
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if data, ok := m.of(t).actors[id]; ok {
			out = append(out, Actor{id, bytes.Clone(data)})
		}
	}
	return out, nil
}

// Commit implements Store.
func (m *Memory) Commit(ctx context.Context, c Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.of(c.Place.Tenant)
	if t.place.Version != c.Place.Version-1 {
		return ErrConflict
	}
	for _, f := range c.Findings {
		if t.findings[f.ID].Version != f.Version-1 {
			return ErrConflict
		}
	}
	t = m.made(c.Place.Tenant)
	t.place = c.Place
	t.place.Data = bytes.Clone(c.Place.Data)
	for _, a := range c.Actors {
		t.actors[a.ID] = bytes.Clone(a.Data)
	}
	for _, f := range c.Findings {
		t.findings[f.ID] = copyOf(f)
	}
	return nil
}

// Finding implements Store.
func (m *Memory) Finding(ctx context.Context, t audit.Tenant, id string) (Finding, error) {
	if err := ctx.Err(); err != nil {
		return Finding{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, ok := m.of(t).findings[id]
	if !ok {
		return Finding{}, ErrNotFound
	}
	return copyOf(f), nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, f Filter) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Finding{}, err)
			return
		}
		for _, one := range m.page(f) {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// page collects findings, so that no lock is held while the caller looks at them.
func (m *Memory) page(f Filter) (all []Finding) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, one := range m.of(f.Tenant).findings {
		if f.selects(&one) {
			all = append(all, copyOf(one))
		}
	}
	slices.SortFunc(all, func(a, b Finding) int { return b.Mark().compare(a.Mark()) })
	return all[:min(len(all), f.Limit)]
}

func (f *Filter) selects(one *Finding) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, one.State)) && (f.Rule == "" || f.Rule == one.Rule) &&
		(f.Actor == "" || f.Actor == one.Actor) && (f.Below == Mark{} || one.Mark().compare(f.Below) < 0)
}

func (m Mark) compare(o Mark) int {
	return cmp.Or(cmp.Compare(m.Index, o.Index), cmp.Compare(m.ID, o.ID))
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, f Finding) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.of(f.Tenant)
	if was, ok := t.findings[f.ID]; !ok || was.Version != f.Version-1 {
		return ErrConflict
	}
	t.findings[f.ID] = copyOf(f)
	return nil
}

// Count implements Store.
func (m *Memory) Count(ctx context.Context, t audit.Tenant) (map[State]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := map[State]int{}
	for _, f := range m.of(t).findings {
		n[f.State]++
	}
	return n, nil
}

// Settings implements Store.
func (m *Memory) Settings(ctx context.Context, t audit.Tenant) (Settings, error) {
	if err := ctx.Err(); err != nil {
		return Settings{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := m.of(t).settings
	s.Rules = slices.Clone(s.Rules)
	return s, nil
}

// SaveSettings implements Store.
func (m *Memory) SaveSettings(ctx context.Context, t audit.Tenant, s Settings) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of(t).settings.Version != s.Version-1 {
		return ErrConflict
	}
	s.Rules = slices.Clone(s.Rules)
	m.made(t).settings = s
	return nil
}
