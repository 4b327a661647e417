package emergency

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Memory is a Store for tests and demonstrations; it forgets everything with the process.
type Memory struct {
	mu     sync.Mutex
	grants map[string]Grant
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{grants: map[string]Grant{}} }

// enter takes the lock, unless ctx has ended.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, t audit.Tenant, id string) (Grant, error) {
	if err := m.enter(ctx); err != nil {
		return Grant{}, err
	}
	defer m.mu.Unlock()
	g, ok := m.grants[id]
	if !ok || g.Tenant != t {
		return Grant{}, ErrNotFound
	}
	return g, nil
}

// Create implements Store.
func (m *Memory) Create(ctx context.Context, g Grant) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	last := int64(0)
	for _, have := range m.grants {
		if have.Tenant == g.Tenant && have.Person == g.Person {
			last = max(last, have.Number)
		}
	}
	if _, taken := m.grants[g.ID]; taken || g.Number != last+1 {
		return ErrConflict
	}
	g.Version = 1
	m.grants[g.ID] = g.tidy()
	return nil
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, g Grant) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	have, ok := m.grants[g.ID]
	if !ok || have.Tenant != g.Tenant || have.Version != g.Version-1 {
		return ErrConflict
	}
	g.Person, g.Number, g.Patient, g.Opened = have.Person, have.Number, have.Patient, have.Opened
	m.grants[g.ID] = g.tidy()
	return nil
}

// tidy returns the grant with its times as stores keep them.
func (g Grant) tidy() Grant {
	for _, t := range []*time.Time{&g.Opened, &g.Until, &g.Due, &g.Ended, &g.Reviewed, &g.Told, &g.Limited, &g.LimitedTold, &g.Reminded} {
		if !t.IsZero() {
			*t = t.UTC().Truncate(time.Microsecond)
		}
	}
	return g
}

// Of implements Store.
func (m *Memory) Of(ctx context.Context, t audit.Tenant, person audit.ActorID, below int64) iter.Seq2[Grant, error] {
	return m.list(ctx, func(a, b Grant) int { return cmp.Compare(b.Number, a.Number) }, func(g Grant) bool {
		return g.Tenant == t && g.Person == person && (below == 0 || g.Number < below)
	})
}

// List implements Store.
func (m *Memory) List(ctx context.Context, t audit.Tenant, pending bool, below string) iter.Seq2[Grant, error] {
	return m.list(ctx, func(a, b Grant) int { return cmp.Compare(b.ID, a.ID) }, func(g Grant) bool {
		return (g.Tenant == t || t == "" && pending) && (!pending || g.Pending()) && (below == "" || g.ID < below)
	})
}

func (m *Memory) list(ctx context.Context, order func(a, b Grant) int, which func(Grant) bool) iter.Seq2[Grant, error] {
	return func(yield func(Grant, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(Grant{}, err)
			return
		}
		var found []Grant
		for _, g := range m.grants {
			if which(g) {
				found = append(found, g)
			}
		}
		m.mu.Unlock()
		slices.SortFunc(found, order)
		for _, g := range found {
			if !yield(g, nil) {
				return
			}
		}
	}
}

// Relation returns the open grants as Relations.Emergency.
func (m *Memory) Relation() rbac.EmergencyRelation { return memoryRelation{m} }

type memoryRelation struct{ m *Memory }

// open returns the grants that let subject in at now, in order of ID.
func (r memoryRelation) open(ctx context.Context, t audit.Tenant, subject audit.ActorID, now time.Time) ([]Grant, error) {
	if err := r.m.enter(ctx); err != nil {
		return nil, err
	}
	defer r.m.mu.Unlock()
	var out []Grant
	for _, g := range r.m.grants {
		if g.Tenant == t && g.Person == subject && g.OpenAt(now) {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b Grant) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Has implements rbac.Relation.
func (r memoryRelation) Has(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (bool, error) {
	id, err := r.Grant(ctx, t, subject, patient, now)
	return id != "", err
}

// Grant implements rbac.EmergencyRelation.
func (r memoryRelation) Grant(ctx context.Context, t audit.Tenant, subject audit.ActorID, patient audit.Patient, now time.Time) (string, error) {
	open, err := r.open(ctx, t, subject, now)
	if i := slices.IndexFunc(open, func(g Grant) bool { return g.Patient == patient }); i >= 0 {
		return open[i].ID, err
	}
	return "", err
}

// Open implements rbac.EmergencyRelation.
func (r memoryRelation) Open(ctx context.Context, t audit.Tenant, subject audit.ActorID, now time.Time) ([]string, error) {
	open, err := r.open(ctx, t, subject, now)
	ids := make([]string, len(open))
	for i, g := range open {
		ids[i] = g.ID
	}
	return ids, err
}

// SQL implements rbac.Relation: the same patients as a list of arguments.
func (r memoryRelation) SQL(args *rbac.Args, column string, t audit.Tenant, subject audit.ActorID, now time.Time) string {
	open, _ := r.open(context.Background(), t, subject, now) // fails with its context only
	patients := make([]string, len(open))
	for i, g := range open {
		patients[i] = string(g.Patient)
	}
	slices.Sort(patients)
	return args.Among(column, slices.Compact(patients))
}

// Digest implements rbac.Relation.
func (memoryRelation) Digest() string { return "emergency" }
