package rbac

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Store keeps the grants of all tenants. It only persists: what a grant means, and whether it
// is in force, is the Authorizer's business. Nothing it returns may come from a cache that
// outlives the call: after Apply has returned, every Grants on every server sees its effect.
//
// It keeps copies of what it is given and hands out copies, lists included. A call whose
// context has ended is an error, never an empty answer. It is safe for concurrent use.
//
// rbacsql keeps it in SQLite or PostgreSQL, NewMemory in memory; rbactest proves others.
type Store interface {
	// Grants returns the grants of person in tenant t that were not ended, in order of ID:
	// one indexed read. Nobody there: an empty slice and no error.
	Grants(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]Grant, error)

	// Holders returns the grants of tenant t to one of the roles that were not ended, in order
	// of ID: an indexed read. No roles, or nobody holds one: an empty slice and no error.
	Holders(ctx context.Context, t audit.Tenant, roles []RoleName) ([]Grant, error)

	// List yields all grants of tenant t, ended ones included, in order of ID, starting after
	// the ID after ("" for the start). An error ends the sequence.
	List(ctx context.Context, t audit.Tenant, after string) iter.Seq2[Grant, error]

	// Version returns how often the grants of tenant t were changed, 0 for a tenant that
	// never had one.
	Version(ctx context.Context, t audit.Tenant) (int64, error)

	// Apply writes c to tenant t and counts its version up by one, all or nothing, provided
	// that the version still is ifVersion; otherwise it returns ErrConflict. Of two at once
	// with the same version one wins. A grant to add whose ID is taken, by any tenant:
	// ErrGrantExists. A grant to end that is not there, is another tenant's or was ended
	// before: ErrNoGrant. A cancelled call that returned an error may have taken effect;
	// Version tells.
	Apply(ctx context.Context, t audit.Tenant, ifVersion int64, c Change) error
}
