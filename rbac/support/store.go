package support

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Store keeps accesses. Memory and supportsql.Store implement it; supporttest.TestStore proves
// somebody else's. It has no way to delete: who was let in is documentation that is kept for six years
// (45 CFR 164.316(b)(2)(i)).
//
// Every method may be called at once from many goroutines and processes, and shares no memory
// with its callers. A method whose context ends half-way has taken effect wholly or not at all, and
// returns an error. Nothing is cached: once Apply has returned nil, every read of every process that
// begins afterwards sees it. Stores read no clock, and the bodies that they keep are sealed.
type Store interface {
	// Get returns the row. Not there, or another tenant's: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, id string) (Row, error)

	// Open returns the row of this operator in this tenant that is Open, of which there is at most
	// one. None: ErrNotFound.
	Open(ctx context.Context, t audit.Tenant, operator Account) (Row, error)

	// Apply writes the row as it shall be, with the version expect+1 whatever it says, if its version
	// is expect, 0 for one that must not exist. Otherwise nothing changes: ErrConflict. A row that is not Open
	// is never opened again: ErrConflict. A new one that is Open while another of the same tenant and operator
	// is: ErrOpen, and nothing changes. A row keeps its Operator, whatever it says later. Of several at
	// once that exclude each other one succeeds.
	Apply(ctx context.Context, r Row, expect int64) error

	// List yields the rows that q is about with an ID lower than below by bytes, the highest first;
	// "" for all. Breaking off the loop is allowed; an error is the last thing yielded.
	List(ctx context.Context, q Query, below string) iter.Seq2[Row, error]

	// Active yields the rows of all tenants that are Active, in order of ID by bytes and then tenant, for maintenance.
	// Breaking off and errors as with List.
	Active(ctx context.Context) iter.Seq2[Row, error]
}

// Query says which rows are listed: of a tenant, or of an operator in all tenants. One of Tenant and
// Operator is the zero value; both zero: nothing.
type Query struct {
	Tenant   audit.Tenant
	Operator Account
	Open     bool // only those that are
}

// Row is an access as a store keeps it.
type Row struct {
	Tenant   audit.Tenant
	ID       string // UUID in its 36-character lower-case form
	Version  int64  // 1 and up, given by Apply
	Operator Account
	Open     bool // requested or approved
	Active   bool // whether Run looks at it
	Body     []byte
}
