package emergency

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Store keeps grants. Memory and emergencysql.Store implement it; emergencytest.TestStore proves
// somebody else's. It has no way to delete: grants are documentation that is kept for six years (45 CFR
// 164.316(b)(2)(i)).
//
// Every method may be called at once from many goroutines and processes, and shares no memory with its
// callers. A method whose context ends half-way has taken effect wholly or not at all, and returns an
// error. Nothing is cached: once Create or Update has returned nil, every read, and every question of
// the relation, of every process that begins afterwards sees it. Times are kept to the microsecond, in
// UTC. Stores read no clock.
type Store interface {
	// Get returns a grant. Not there, or another tenant's: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, id string) (Grant, error)

	// Create adds a grant with Version 1, whatever it says. Its Number must be one more than the
	// person has in the tenant, and its ID nobody's, in any tenant: otherwise ErrConflict, and nothing
	// changes. Of several at once with the same Number one succeeds.
	Create(ctx context.Context, g Grant) error

	// Update replaces what can change of a grant, all but ID, Tenant, Person, Number, Patient and
	// Opened, if the stored one has the version before g.Version: otherwise, or not there, ErrConflict,
	// and nothing changes. Of several at once that expect the same version one succeeds.
	Update(ctx context.Context, g Grant) error

	// Of yields a person's grants with a Number lower than below, or all for 0, the highest first.
	// Nobody there: nothing. Breaking off the loop is allowed; an error is the last thing yielded.
	Of(ctx context.Context, t audit.Tenant, person audit.ActorID, below int64) iter.Seq2[Grant, error]

	// List yields a tenant's grants with an ID lower than below, or all for "", the highest by bytes
	// first; with pending only those that are Pending. With pending and without a tenant it yields
	// those of every tenant; without either nothing. Breaking off and errors as with Of.
	List(ctx context.Context, t audit.Tenant, pending bool, below string) iter.Seq2[Grant, error]
}
