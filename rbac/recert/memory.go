package recert

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store for tests and demonstrations; it forgets everything with the process.
type Memory struct {
	mu  sync.Mutex
	all map[string]*kept // by Campaign.ID
}

type kept struct {
	campaign Campaign
	items    map[int64]Item
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{all: map[string]*kept{}} }

var _ Store = (*Memory)(nil)

// enter takes the lock, unless ctx has ended.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, t audit.Tenant, id string) (Campaign, error) {
	if err := m.enter(ctx); err != nil {
		return Campaign{}, err
	}
	defer m.mu.Unlock()
	k, ok := m.all[id]
	if !ok || k.campaign.Tenant != t {
		return Campaign{}, ErrNotFound
	}
	return k.campaign.clone(), nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, t audit.Tenant, below string) iter.Seq2[Campaign, error] {
	return m.campaigns(ctx, func(c *Campaign) bool { return c.Tenant == t && (below == "" || c.ID < below) })
}

// Active implements Store.
func (m *Memory) Active(ctx context.Context) iter.Seq2[Campaign, error] {
	return m.campaigns(ctx, func(c *Campaign) bool { return c.Active })
}

func (m *Memory) campaigns(ctx context.Context, want func(*Campaign) bool) iter.Seq2[Campaign, error] {
	return func(yield func(Campaign, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(Campaign{}, err)
			return
		}
		var out []Campaign
		for _, k := range m.all {
			if want(&k.campaign) {
				out = append(out, k.campaign.clone())
			}
		}
		m.mu.Unlock()
		slices.SortFunc(out, func(a, b Campaign) int { return cmp.Compare(b.ID, a.ID) })
		for _, c := range out {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Items implements Store.
func (m *Memory) Items(ctx context.Context, t audit.Tenant, campaign string, f ItemFilter) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(Item{}, err)
			return
		}
		var out []Item
		if k, ok := m.all[campaign]; ok && k.campaign.Tenant == t {
			for _, seq := range slices.Sorted(maps.Keys(k.items)) {
				if i := k.items[seq]; f.Matches(&i) && (f.Limit == 0 || len(out) < f.Limit) {
					out = append(out, i.clone())
				}
			}
		}
		m.mu.Unlock()
		for _, i := range out {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// Apply implements Store.
func (m *Memory) Apply(ctx context.Context, w Write) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	k, ok := m.all[w.Campaign.ID]
	switch {
	case ok != (w.Expect > 0):
		return ErrConflict
	case !ok:
		k = &kept{items: map[int64]Item{}}
		m.all[w.Campaign.ID] = k
	case k.campaign.Tenant != w.Campaign.Tenant || k.campaign.Version != w.Expect:
		return ErrConflict
	}
	k.campaign = w.Campaign.clone()
	k.campaign.Version = w.Expect + 1
	for _, i := range w.Items {
		i = i.clone()
		i.Tenant, i.Campaign = w.Campaign.Tenant, w.Campaign.ID
		k.items[i.Seq] = i
	}
	return nil
}
