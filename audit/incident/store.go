package incident

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Store keeps cases. Memory and incidentsql.Store implement it; incidenttest.TestStore proves
// somebody else's. It has no way to delete: a case is documentation that is kept for six years
// (45 CFR 164.530(j)(2)).
//
// Every method may be called at once from many goroutines and processes, and shares no memory
// with its callers. A method whose context ends half-way has taken effect wholly or not at all, and
// returns an error. Nothing is cached: once Apply has returned nil, every read of every process that
// begins afterwards sees it. Stores read no clock, and what they keep is sealed.
type Store interface {
	// Get returns the case. Not there: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, id string) (Row, error)

	// List yields the tenant's cases with a Number lower than below, the highest first; with active
	// only those that are. Breaking off the loop is allowed; an error is the last thing yielded.
	List(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[Row, error]

	// Apply makes one change, all of it or nothing, and returns the number of the case. See Change
	// for its conditions and errors. Of several that expect the same version one succeeds.
	Apply(ctx context.Context, c Change) (number int64, err error)

	// Lines yields the timeline of a case in order of Seq, from after on, after itself left out.
	// No such case: nothing. Breaking off and errors as with List.
	Lines(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[Line, error]

	// People yields who is affected by a case, in order of Key by bytes. No such case: nothing.
	// Breaking off and errors as with List.
	People(ctx context.Context, t audit.Tenant, id string) iter.Seq2[Person, error]
}

// Row is a case as a store keeps it.
type Row struct {
	Tenant  audit.Tenant
	ID      string // UUID in its 36-character lower-case form
	Number  int64  // in its tenant, dense from 1, given by Apply
	Version int64  // 1 and up, given by Apply
	Active  bool   // whether reminders and holds look at it
	Body    []byte // sealed
}

// Line is one line of a timeline.
type Line struct {
	Seq  int64 // in its case, dense from 1
	Body []byte
}

// Person is one patient who is affected by a case.
type Person struct {
	Key  []byte // 32 bytes, HMAC-SHA-256 of the patient under a key of the case
	Body []byte // sealed
}

// Change is one change of one case.
type Change struct {
	// Put is the case as it shall be, with the version Expect+1 whatever it says. Its Number is not
	// written: a new case gets the tenant's next one, and every other keeps its own.
	Put Row
	// Expect is the version that the case must have, 0 for one that must not exist. Otherwise
	// nothing changes: ErrConflict. A refused creation uses up no number.
	Expect int64
	// Lines are added. A Seq that the case has already: ErrConflict, and nothing changes.
	Lines []Line
	// Add adds people; who is there already gets the new Body.
	Add []Person
	// Drop removes people by Key, before Add. Not there: no error.
	Drop [][]byte
}
