package rbac

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store and a ToggleStore in memory, for tests and examples: it forgets everything on exit.
type Memory struct {
	mu       sync.Mutex
	grants   map[string]Grant
	versions map[audit.Tenant]int64
	toggles  map[audit.Tenant]Toggles
}

var (
	_ Store       = (*Memory)(nil)
	_ ToggleStore = (*Memory)(nil)
)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{grants: map[string]Grant{}, versions: map[audit.Tenant]int64{}, toggles: map[audit.Tenant]Toggles{}}
}

// Grants returns the grants of a person that were not ended.
func (m *Memory) Grants(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]Grant, error) {
	return m.list(ctx, func(g Grant) bool { return g.Tenant == t && g.Person == person && g.Ended.IsZero() })
}

// Holders returns the grants of a tenant to some roles that were not ended.
func (m *Memory) Holders(ctx context.Context, t audit.Tenant, roles []RoleName) ([]Grant, error) {
	return m.list(ctx, func(g Grant) bool { return g.Tenant == t && slices.Contains(roles, g.Role) && g.Ended.IsZero() })
}

// List yields all grants of a tenant after an ID.
func (m *Memory) List(ctx context.Context, t audit.Tenant, after string) iter.Seq2[Grant, error] {
	return func(yield func(Grant, error) bool) {
		all, err := m.list(ctx, func(g Grant) bool { return g.Tenant == t && g.ID > after })
		if err != nil {
			yield(Grant{}, err)
			return
		}
		for _, g := range all {
			if !yield(g, nil) {
				return
			}
		}
	}
}

func (m *Memory) list(ctx context.Context, keep func(Grant) bool) ([]Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Grant
	for _, g := range m.grants {
		if keep(g) {
			out = append(out, g.clone())
		}
	}
	slices.SortFunc(out, func(a, b Grant) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Version returns how often a tenant's grants were changed.
func (m *Memory) Version(ctx context.Context, t audit.Tenant) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.versions[t], nil
}

// Apply changes a tenant's grants, all or nothing.
func (m *Memory) Apply(ctx context.Context, t audit.Tenant, ifVersion int64, c Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.versions[t] != ifVersion {
		return ErrConflict
	}
	staged := map[string]Grant{}
	for _, g := range c.Add {
		_, taken := m.grants[g.ID]
		if _, twice := staged[g.ID]; taken || twice {
			return ErrGrantExists
		}
		g.Tenant = t
		staged[g.ID] = g.clone()
	}
	for _, e := range c.End {
		g, ok := m.grants[e.ID]
		if _, twice := staged[e.ID]; !ok || twice || g.Tenant != t || !g.Ended.IsZero() {
			return ErrNoGrant
		}
		g.Ended, g.EndedBy = e.At, e.By
		staged[e.ID] = g
	}
	for id, g := range staged {
		m.grants[id] = g
	}
	m.versions[t]++
	return nil
}

// Toggles returns what a tenant has chosen.
func (m *Memory) Toggles(ctx context.Context, t audit.Tenant) (Toggles, error) {
	if err := ctx.Err(); err != nil {
		return Toggles{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	chosen := m.toggles[t]
	chosen.Choices, chosen.Masks = slices.Clone(chosen.Choices), chosen.Masks.clone()
	return chosen, nil
}

// SaveToggles replaces what a tenant has chosen.
func (m *Memory) SaveToggles(ctx context.Context, t audit.Tenant, next Toggles) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.toggles[t].Version != next.Version {
		return ErrConflict
	}
	m.toggles[t] = Toggles{next.Version + 1, slices.Clone(next.Choices), next.Masks.clone()}
	return nil
}

// MemoryRelation is a Relation in memory, for tests and examples.
type MemoryRelation struct {
	mu    sync.RWMutex
	until map[link]time.Time
}

type link struct {
	tenant  audit.Tenant
	subject audit.ActorID
	patient audit.Patient
}

// NewMemoryRelation returns an empty relation.
func NewMemoryRelation() *MemoryRelation { return &MemoryRelation{until: map[link]time.Time{}} }

// Link relates subject to patient until a time (exclusive); zero means without end.
func (m *MemoryRelation) Link(t audit.Tenant, subject audit.ActorID, patient audit.Patient, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until[link{t, subject, patient}] = until
}

// Has reports whether subject has the relation to patient at now.
func (m *MemoryRelation) Has(_ context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	until, ok := m.until[link{t, subject, patient}]
	return ok && (until.IsZero() || now.Before(until)), nil
}

// SQL returns the same pairs as a list of arguments.
func (m *MemoryRelation) SQL(args *Args, column string, t audit.Tenant, subject audit.ActorID, now time.Time) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var patients []string
	for l, until := range m.until {
		if l.tenant == t && l.subject == subject && (until.IsZero() || now.Before(until)) {
			patients = append(patients, string(l.patient))
		}
	}
	slices.Sort(patients)
	return args.Among(column, patients)
}

// Digest returns "memory".
func (m *MemoryRelation) Digest() string { return "memory" }
