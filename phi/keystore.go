package phi

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Errors of key stores.
var (
	// ErrKeyExists: a key with this id, or with this slot and epoch, exists already.
	ErrKeyExists = errors.New("phi: key exists already")
	// ErrKeyNotFound: the slot holds no key yet.
	ErrKeyNotFound = errors.New("phi: no such key")
)

// KeySlot is what a key belongs to. The keys of one slot differ in their epoch; the highest
// epoch seals, all of them open.
type KeySlot struct {
	Namespace string
	Tenant    audit.Tenant  // empty for PurposeCanary
	Purpose   Purpose       //
	Patient   audit.Patient // set for PurposePatient only
}

// Key is a wrapped key as a store keeps it. It is no secret without the KMS.
type Key struct {
	ID KeyID
	KeySlot
	Epoch   uint32    // from 1
	Root    KeyID     // the data root that wraps a patient's key; zero where the KMS wraps it
	Wrapped []byte    // at most a few hundred bytes
	Created time.Time // UTC, microseconds
}

// KeyStore keeps wrapped keys. Losing one loses everything sealed under it; so keep its
// backups, and keep them apart from those of the data, because a backup that has both undoes
// the erasure of a patient's key. It never joins a host's transaction: a key must be durable
// before anything is sealed under it.
//
// Implementations are safe for concurrent use, share no memory with their callers, and pass
// phitest.TestKeys. A call whose context has ended is an error.
type KeyStore interface {
	// Create stores k durably. Already there: ErrKeyExists, and nothing changes, whether the id
	// or the slot with its epoch is taken. Twice at once: exactly one succeeds. Cancelled
	// half-way: the key is stored whole or not at all, and repeating it finds out.
	Create(ctx context.Context, k Key) error
	// Current returns the slot's key of the highest epoch. Not there: ErrKeyNotFound. It sees
	// every Create that returned before it began, from any process.
	Current(ctx context.Context, s KeySlot) (Key, error)
	// Get returns the keys with these ids, in any order, whatever tenant they belong to: the
	// id is a 128-bit secret-derived name, and the caller compares the tenant. Not there: left
	// out, without an error.
	Get(ctx context.Context, ids ...KeyID) ([]Key, error)
}
