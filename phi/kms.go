package phi

import (
	"context"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// KMS holds the key-encryption key, which never leaves it. Both methods take the context of
// the key that is wrapped and must authenticate it: unwrapping under another context fails.
// A cloud KMS has a place for it (encryption context, additional authenticated data).
//
// Implementations are safe for concurrent use. Wrap and Unwrap are called once per tenant and
// purpose within Options.CacheTTL, not once per value.
type KMS interface {
	// Wrap encrypts a 32-byte key. Wrapping the same key twice may give different results.
	Wrap(ctx context.Context, key []byte, c KeyContext) ([]byte, error)
	// Unwrap returns the key that Wrap was given. It returns ErrWrongKey, or an error that
	// wraps it, where it does not hold the key-encryption key, or where the bytes or the
	// context are not those of Wrap; any other error means that it could not be asked.
	Unwrap(ctx context.Context, wrapped []byte, c KeyContext) ([]byte, error)
}

// Purpose says what a key is for. A KMS can grant them separately: who may search need not
// be able to read.
type Purpose string

// The purposes of keys. Keys of patients are wrapped by their tenant's data root, all others
// by the KMS.
const (
	PurposeCanary  Purpose = "canary"  // one per namespace: shows that the KMS is the right one
	PurposeData    Purpose = "data"    // a tenant's root for sealed values
	PurposeIndex   Purpose = "index"   // a tenant's root for blind indexes
	PurposePatient Purpose = "patient" // a patient's own key
)

// KeyContext is what a wrapped key is bound to.
type KeyContext struct {
	Namespace string
	Tenant    audit.Tenant // empty for PurposeCanary
	Purpose   Purpose
	Epoch     uint32 // from 1
}

// Bytes returns the context as additional authenticated data: each part preceded by its
// length as 4 bytes, big endian.
func (c KeyContext) Bytes() []byte {
	b := appendLP(nil, "phi/v1/kms")
	b = appendLP(b, c.Namespace)
	b = appendLP(b, string(c.Tenant))
	b = appendLP(b, string(c.Purpose))
	return appendLP(b, strconv.FormatUint(uint64(c.Epoch), 10))
}

// Map returns the context as the pairs that cloud services take.
func (c KeyContext) Map() map[string]string {
	return map[string]string{
		"namespace": c.Namespace,
		"tenant":    string(c.Tenant),
		"purpose":   string(c.Purpose),
		"epoch":     strconv.FormatUint(uint64(c.Epoch), 10),
	}
}
