package phi

import (
	"context"

	"github.com/wardkit/wardkit/audit"
)

// Sealer seals what audit keeps beside its events. It satisfies audit.Sealer.
type Sealer struct{ v *Vault }

// NewSealer returns a Sealer over v.
func NewSealer(v *Vault) Sealer { return Sealer{v} }

const sealerField = "audit.private"

// Seal encrypts plaintext under the tenant's key, bound to label.
func (s Sealer) Seal(ctx context.Context, t audit.Tenant, label string, plaintext []byte) ([]byte, error) {
	return s.v.Seal(ctx, At{Tenant: t, Field: sealerField, Row: label}, plaintext)
}

// Unseal returns what Seal was given for the same tenant and label. Its errors are those of
// Vault.Unseal.
func (s Sealer) Unseal(ctx context.Context, t audit.Tenant, label string, sealed []byte) ([]byte, error) {
	return s.v.Unseal(ctx, At{Tenant: t, Field: sealerField, Row: label}, sealed)
}
