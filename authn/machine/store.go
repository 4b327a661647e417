package machine

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Store is everything a Manager keeps. Memory and machinesql.Store implement it;
// machinetest.TestStore proves somebody else's.
//
// Every method may be called at once from many goroutines and processes, and shares no memory
// with its callers. A method whose context ends half-way has taken effect wholly or not at all.
// Nothing is cached: once Apply has returned nil, every read of every process that begins
// afterwards sees it. Stores read no clock.
type Store interface {
	Principals
	Credentials
}

// Principals keeps principals and their keys.
type Principals interface {
	// Get returns the principal with its keys, in order of Created and ID, without their hashes.
	// Not there: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, id audit.ActorID) (Principal, error)

	// List yields the tenant's principals with an ID greater than after, as Get returns them, in
	// order of ID by bytes. Breaking off the loop is allowed; an error is the last thing yielded.
	List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Principal, error]

	// Apply makes one change, all of it or nothing. See Change for its conditions and errors. Of
	// several that expect the same version one succeeds.
	Apply(ctx context.Context, c Change) error
}

// Change is one change of one principal.
type Change struct {
	// Put is the principal as it shall be, with the version Expect+1 whatever it says; Used is not
	// written, neither its own nor that of its keys. Of its keys, those that are not there are
	// added, those that are get Expires and Revoked and keep the rest, and stored ones that it does
	// not list are deleted. A new key whose ID exists, whose ever it is: ErrExists.
	Put Principal
	// Expect is the version that the row must have, 0 for a row that must not exist. Otherwise
	// nothing changes: ErrConflict.
	Expect int64
}

// Credentials answers what a credential leads to, with every request.
type Credentials interface {
	// FindKey returns the key with this ID, live or not, and its principal, in one read. Not
	// there: ErrNotFound.
	FindKey(ctx context.Context, id string) (Found, error)

	// FindToken returns the token with this ID, expired or not, its key and its principal, in one
	// read. Not there, or its key is not: ErrNotFound.
	FindToken(ctx context.Context, id string) (Found, error)

	// PutToken adds a token. Its ID exists already: ErrExists.
	PutToken(ctx context.Context, tk Token) error

	// Touch sets Used of the key and of its principal to now where they are earlier, unless the
	// key is revoked. Not there: no error. It counts as no version.
	Touch(ctx context.Context, t audit.Tenant, principal audit.ActorID, key string, now time.Time) error

	// Sweep deletes the tokens that are expired at now, and nothing else.
	Sweep(ctx context.Context, now time.Time) error
}
