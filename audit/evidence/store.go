package evidence

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Kept is an attestation as a store keeps it: the latest one of each ID. Earlier ones are in the
// audit log.
type Kept struct {
	Tenant audit.Tenant
	Attestation
	Version   int64         // counts the writes to this row, from 1
	Person    audit.ActorID // who attests
	Withdrawn time.Time     // zero: it was not
}

// clone returns a copy that shares no memory with k.
func (k Kept) clone() Kept {
	k.Citations = slices.Clone(k.Citations)
	return k
}

// Store keeps the attestations of all tenants. Memory and evidencesql.Store implement it;
// evidencetest.TestStore proves somebody else's.
//
// Every method may be called at once from many goroutines and processes, and shares no memory with
// its callers. A method whose context has ended is an error, and has taken effect wholly or not at
// all. Once Apply has returned nil, every read of every process that begins afterwards sees it.
// Stores read no clock. Times are UTC, in microseconds.
type Store interface {
	// Get returns the attestation with this ID, withdrawn or not. Not there: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, id string) (Kept, error)

	// List yields the tenant's attestations, withdrawn ones too, in order of ID by bytes. Nothing
	// there: it yields nothing. Breaking off the loop is allowed; an error is the last thing
	// yielded.
	List(ctx context.Context, t audit.Tenant) iter.Seq2[Kept, error]

	// Apply writes put, with the version expect+1 whatever it says, provided that the stored one
	// has the version expect, 0 for one that must not exist. Otherwise, whether it is there already,
	// is not there, or was changed meanwhile: ErrConflict, and nothing changes. Of several at once
	// with the same version one succeeds. Cancelled half-way: all or nothing.
	Apply(ctx context.Context, put Kept, expect int64) error
}
