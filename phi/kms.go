package phi

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// How a KMS fails. Both are ErrUnavailable.
var (
	// ErrThrottled: the KMS asks its callers to slow down.
	ErrThrottled = fmt.Errorf("%w: the KMS is throttling", ErrUnavailable)
	// ErrDenied: the KMS refuses this caller, or its key does not exist or is disabled. Asking
	// again does not help before somebody has changed that.
	ErrDenied = fmt.Errorf("%w: the KMS refuses", ErrUnavailable)
)

// Retryable reports whether asking again, later, may succeed: the KMS or the key store could
// not be asked, did not answer, or is throttling. ErrDenied, ErrWrongKey and everything that
// is about the value or the caller's own context are not.
func Retryable(err error) bool {
	return errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrDenied) && !errors.Is(err, ErrWrongKey) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// KMS holds the key-encryption key, which never leaves it. Its methods take the context of
// the key that is wrapped and must authenticate it: unwrapping under another context fails.
// A cloud KMS has a place for it (encryption context, additional authenticated data).
//
// Wrap and Unwrap are called once per tenant and purpose within Options.CacheTTL, not once
// per value. Implementations are safe for concurrent use, pass phitest.TestKMS, and bound how
// long they try. They return ErrWrongKey, or an error that wraps it, where they do not hold
// the key-encryption key, or where the bytes or the context are not those of Wrap; any other
// error means that the KMS could not be asked: ErrThrottled and ErrDenied where it said so.
type KMS interface {
	// Wrap encrypts a 32-byte key under the current key-encryption key. Wrapping the same key
	// twice may give different results.
	Wrap(ctx context.Context, key []byte, c KeyContext) ([]byte, error)
	// Unwrap returns the key that Wrap was given.
	Unwrap(ctx context.Context, wrapped []byte, c KeyContext) ([]byte, error)
	// Rewrap returns the same key wrapped under the current key-encryption key. Where it is
	// already, and the KMS can tell, it returns wrapped as it is.
	Rewrap(ctx context.Context, wrapped []byte, c KeyContext) ([]byte, error)
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
