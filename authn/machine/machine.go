package machine

import (
	"context"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Manager makes principals, keeps their keys, and lets them in. It is safe for concurrent use and
// keeps nothing between requests.
type Manager struct {
	p       Parts
	o       Options
	running *atomic.Int64
}

// New returns a Manager. It refuses a missing part and options out of their ranges.
func New(p Parts, o *Options) (*Manager, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	full, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Manager{p: p, o: full, running: &atomic.Int64{}}, nil
}

// now is the clock in the precision of stores.
func (m *Manager) now() time.Time { return m.o.Now().UTC().Truncate(time.Microsecond) }

// Get returns a principal of the tenant of the actor in ctx, with its keys and without their
// hashes. Not there: ErrNotFound.
func (m *Manager) Get(ctx context.Context, id audit.ActorID) (Principal, error) {
	t, err := tenantOf(ctx)
	if err != nil {
		return Principal{}, err
	}
	return m.get(ctx, t, id)
}

// List yields the principals of the tenant of the actor in ctx in order of ID, those after the
// given one, removed ones too: for an administrator's page.
func (m *Manager) List(ctx context.Context, after audit.ActorID) iter.Seq2[Principal, error] {
	return m.list(ctx, after, func(Principal, audit.ActorID) bool { return true })
}

// Owned is List of the principals that the person in ctx answers for, or that act for them: for a
// page of their own.
func (m *Manager) Owned(ctx context.Context, after audit.ActorID) iter.Seq2[Principal, error] {
	return m.list(ctx, after, Principal.concerns)
}

// concerns reports whether person answers for p or p acts for them.
func (p Principal) concerns(person audit.ActorID) bool {
	return p.Owner == person || p.OnBehalfOf == person
}

func (m *Manager) list(ctx context.Context, after audit.ActorID, keep func(Principal, audit.ActorID) bool) iter.Seq2[Principal, error] {
	return func(yield func(Principal, error) bool) {
		t, err := tenantOf(ctx)
		if err != nil {
			yield(Principal{}, err)
			return
		}
		a, _ := audit.ActorFrom(ctx)
		for p, err := range m.p.Store.List(ctx, t, after) {
			if err != nil {
				yield(Principal{}, unavailable("listing principals", err))
				return
			}
			if keep(p, a.ID) && !yield(p, nil) {
				return
			}
		}
	}
}

// tenantOf returns the tenant of whoever is signed in.
func tenantOf(ctx context.Context) (audit.Tenant, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Tenant == "" || a.ID == "" || a.Kind == audit.KindAnonymous {
		return "", ErrNoActor
	}
	return a.Tenant, nil
}

// sweepEvery is how often Run sweeps.
const sweepEvery = 15 * time.Minute

// Run deletes expired access tokens until ctx ends, and returns ctx's error. Call it in a goroutine
// of the host on at least one server.
func (m *Manager) Run(ctx context.Context) error {
	m.running.Add(1)
	defer m.running.Add(-1)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := m.p.Store.Sweep(ctx, m.now()); err != nil && ctx.Err() == nil {
			m.o.Logger.Log(ctx, slog.LevelWarn, "machine: expired access tokens could not be swept")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Health returns ErrNotRunning where nobody calls Run here, nil otherwise.
func (m *Manager) Health(context.Context) error {
	if m.running.Load() == 0 {
		return ErrNotRunning
	}
	return nil
}
