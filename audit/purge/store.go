package purge

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Store is everything that a Keeper keeps. Memory and purgesql.Store implement it;
// purgetest.TestStore proves somebody else's.
//
// Every method may be called at once from many goroutines and processes, and shares no memory
// with its callers. A method whose context ends half-way has taken effect wholly or not at all.
// Nothing is cached: once a Put has returned nil, every read that begins afterwards sees it.
// Every Put carries its condition: Version is the one that was read, 0 for what must not be there,
// and what is stored has the next one. Otherwise nothing changes: ErrConflict. Of several that
// carry the same version one succeeds. Stores read no clock and decide nothing: what they answer
// is checked.
type Store interface {
	Periods
	Holds
	Plans
}

// Periods keeps how long tenants keep their events.
type Periods interface {
	// Settings returns what a tenant has set. Nothing yet: ErrNotFound.
	Settings(ctx context.Context, t audit.Tenant) (Settings, error)

	// PutSettings stores s under s.Tenant, see Store.
	PutSettings(ctx context.Context, s Settings) error
}

// Holds keeps legal holds, released ones too.
type Holds interface {
	// Holds yields the tenant's holds in order of Placed and ID, the latest first. None: nothing. An
	// error is the last thing yielded; breaking off the loop is allowed.
	Holds(ctx context.Context, t audit.Tenant) iter.Seq2[Hold, error]

	// PutHold stores h under h.Tenant and h.ID, see Store.
	PutHold(ctx context.Context, h Hold) error
}

// Plans keeps what was proposed, and what became of it.
type Plans interface {
	// Plan returns one. Not there, or another tenant's: ErrNotFound.
	Plan(ctx context.Context, t audit.Tenant, id string) (Plan, error)

	// Plans yields the tenant's plans in order of Proposed and ID, the latest first, as Holds does.
	Plans(ctx context.Context, t audit.Tenant) iter.Seq2[Plan, error]

	// PutPlan stores p under p.Tenant and p.ID, see Store. If p is open (Plan.Open) and another plan
	// of the tenant is, nothing changes: ErrOpen. At once: one of them.
	PutPlan(ctx context.Context, p Plan) error

	// Open yields the open plans of all tenants, in no order, as Holds does. It is for maintenance.
	Open(ctx context.Context) iter.Seq2[Plan, error]
}
