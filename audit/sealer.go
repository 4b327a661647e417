package audit

import (
	"context"
	"errors"
)

// Sealer encrypts the private values of events before a store sees them. Package phi has
// one over its vault. It is safe for concurrent use.
//
// The label says what is sealed and where it belongs: the purpose, a slash and the row, for
// example "audit.opening/0190…". It is not secret, has at most 64 bytes and is authenticated
// with the plaintext: what was sealed for one tenant and label opens for no other. Its row
// part differs in each call, so no key may be derived, cached or fetched per label.
type Sealer interface {
	// Seal encrypts plaintext for tenant and label. An empty result means that the sealer
	// keeps nothing.
	Seal(ctx context.Context, tenant Tenant, label string, plaintext []byte) ([]byte, error)
	// Unseal is the inverse of Seal; any other tenant, label or byte is an error.
	Unseal(ctx context.Context, tenant Tenant, label string, sealed []byte) ([]byte, error)
}

// DropOpenings is a Sealer that keeps nothing: events hold commitments to their private
// values, and nobody can ever read the values back. New refuses a nil Sealer, so that giving
// up addresses and typed reasons has to be named.
type DropOpenings struct{}

// Seal returns nothing.
func (DropOpenings) Seal(context.Context, Tenant, string, []byte) ([]byte, error) { return nil, nil }

// Unseal always fails: nothing was kept.
func (DropOpenings) Unseal(context.Context, Tenant, string, []byte) ([]byte, error) {
	return nil, errors.New("audit: openings were dropped")
}
