package purge

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store for tests and demonstrations; it forgets everything with the process.
type Memory struct {
	mu       sync.Mutex
	settings map[audit.Tenant]Settings
	holds    map[rowKey]Hold
	plans    map[rowKey]Plan
}

type rowKey struct {
	tenant audit.Tenant
	id     string
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{settings: map[audit.Tenant]Settings{}, holds: map[rowKey]Hold{}, plans: map[rowKey]Plan{}}
}

var _ Store = (*Memory)(nil)

// enter takes the lock, unless ctx has ended.
func (s *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

// Settings implements Periods.
func (s *Memory) Settings(ctx context.Context, t audit.Tenant) (Settings, error) {
	if err := s.enter(ctx); err != nil {
		return Settings{}, err
	}
	defer s.mu.Unlock()
	have, ok := s.settings[t]
	if !ok {
		return Settings{}, ErrNotFound
	}
	return have, nil
}

// PutSettings implements Periods.
func (s *Memory) PutSettings(ctx context.Context, next Settings) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.settings[next.Tenant].Version != next.Version {
		return ErrConflict
	}
	next.Version++
	s.settings[next.Tenant] = next
	return nil
}

// Holds implements Holds.
func (s *Memory) Holds(ctx context.Context, t audit.Tenant) iter.Seq2[Hold, error] {
	return func(yield func(Hold, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(Hold{}, err)
			return
		}
		var out []Hold
		for key, h := range s.holds {
			if key.tenant == t {
				out = append(out, h)
			}
		}
		s.mu.Unlock()
		slices.SortFunc(out, func(a, b Hold) int { return cmp.Or(b.Placed.Compare(a.Placed), cmp.Compare(b.ID, a.ID)) })
		for _, h := range out {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// PutHold implements Holds.
func (s *Memory) PutHold(ctx context.Context, h Hold) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	key := rowKey{h.Tenant, h.ID}
	if s.holds[key].Version != h.Version {
		return ErrConflict
	}
	h.Version++
	s.holds[key] = h
	return nil
}

// Plan implements Plans.
func (s *Memory) Plan(ctx context.Context, t audit.Tenant, id string) (Plan, error) {
	if err := s.enter(ctx); err != nil {
		return Plan{}, err
	}
	defer s.mu.Unlock()
	p, ok := s.plans[rowKey{t, id}]
	if !ok {
		return Plan{}, ErrNotFound
	}
	return p.clone(), nil
}

func (p *Plan) clone() Plan {
	c := *p
	c.Spans = slices.Clone(p.Spans)
	return c
}

// Plans implements Plans.
func (s *Memory) Plans(ctx context.Context, t audit.Tenant) iter.Seq2[Plan, error] {
	return s.some(ctx, func(p *Plan) bool { return p.Tenant == t })
}

// Open implements Plans.
func (s *Memory) Open(ctx context.Context) iter.Seq2[Plan, error] {
	return s.some(ctx, (*Plan).Open)
}

func (s *Memory) some(ctx context.Context, want func(*Plan) bool) iter.Seq2[Plan, error] {
	return func(yield func(Plan, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(Plan{}, err)
			return
		}
		var out []Plan
		for _, p := range s.plans {
			if want(&p) {
				out = append(out, p.clone())
			}
		}
		s.mu.Unlock()
		slices.SortFunc(out, func(a, b Plan) int { return cmp.Or(b.Proposed.Compare(a.Proposed), cmp.Compare(b.ID, a.ID)) })
		for _, p := range out {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// PutPlan implements Plans.
func (s *Memory) PutPlan(ctx context.Context, p Plan) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	key := rowKey{p.Tenant, p.ID}
	if s.plans[key].Version != p.Version {
		return ErrConflict
	}
	for _, other := range s.plans {
		if p.Open() && other.Open() && other.Tenant == p.Tenant && other.ID != p.ID {
			return ErrOpen
		}
	}
	p = p.clone()
	p.Version++
	s.plans[key] = p
	return nil
}
