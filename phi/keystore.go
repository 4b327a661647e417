package phi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Errors of key stores.
var (
	// ErrKeyExists: a key with this id, or with this slot and epoch, exists already.
	ErrKeyExists = errors.New("phi: key exists already")
	// ErrKeyNotFound: the slot holds no key yet.
	ErrKeyNotFound = errors.New("phi: no such key")
	// ErrRolledBack: the store has lost a key that this process has used: an older copy of the
	// key store was put back, or somebody removed the key. It is an ErrWrongKey.
	ErrRolledBack = fmt.Errorf("%w: the key store is older than it was", ErrWrongKey)
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

// KeyStore keeps wrapped keys, and how far their rotations have come. Losing a key loses
// everything sealed under it; so keep its backups, and keep them apart from those of the
// data, because a backup that has both undoes the erasure of a patient's key. It never joins
// a host's transaction: a key must be durable before anything is sealed under it.
//
// Implementations are safe for concurrent use, share no memory with their callers, and pass
// phitest.TestKeys. A call whose context has ended is an error.
type KeyStore interface {
	KeyKeeper
	KeyRewrapper
	KeyDestroyer
	RotationStore
}

// KeyKeeper is what sealing and opening need of a KeyStore.
type KeyKeeper interface {
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

// KeyRewrapper is what re-wrapping needs of a KeyStore.
type KeyRewrapper interface {
	// List returns the keys that q selects, in ascending order of their ids, compared byte by
	// byte, q.Limit at most. None: an empty list. It sees every Create and Rewrap that returned
	// before it began, from any process; what is created meanwhile may or may not be there.
	List(ctx context.Context, q KeyQuery) ([]Key, error)
	// Count returns how many keys q selects, whatever its After and Limit.
	Count(ctx context.Context, q KeyQuery) (int, error)
	// Rewrap changes, durably, how keys are wrapped, and nothing else of them: for each swap
	// whose key is still wrapped as swap.Old it stores swap.Root and swap.Wrapped. It returns
	// for how many. Not there, or wrapped otherwise by now: left alone, without an error. Twice
	// at once: one of them changes a key. Cancelled half-way, or killed: each key is wrapped in
	// the old way or the new, and repeating it does the rest.
	Rewrap(ctx context.Context, swaps []KeySwap) (int, error)
}

// KeyQuery selects the keys of a namespace that one key wraps.
type KeyQuery struct {
	Namespace string
	Tenant    audit.Tenant // any where empty
	Root      KeyID        // what wraps them; zero for those that the KMS wraps
	After     KeyID        // only ids above this one
	Limit     int          // at least 1
}

// KeySwap is a compare-and-set of how a key is wrapped.
type KeySwap struct {
	ID      KeyID
	Old     []byte // Wrapped as it was read
	Root    KeyID
	Wrapped []byte
}
