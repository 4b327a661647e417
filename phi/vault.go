package phi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Defaults of Options.
const (
	DefaultCacheTTL  = 5 * time.Minute
	DefaultCacheSize = 10_000 // keys, of at most some 3 KB each
)

// Options of a Vault. Nil means the defaults.
type Options struct {
	// CacheTTL is how long an unwrapped root is used before the KMS is asked again, and so how
	// long a permission withdrawn in the KMS can still be used. DefaultCacheTTL where 0.
	CacheTTL time.Duration
	// CacheSize bounds how many unwrapped keys are held in memory. DefaultCacheSize where 0.
	CacheSize int
	// Shreds remembers whose keys were destroyed, see Shredder. Once a patient was shredded, every vault of
	// the namespace needs it: one without would open what a restored backup brings back. Nil: nobody can be shredded.
	Shreds ShredJournal
	// Now is the clock, time.Now where nil.
	Now func() time.Time
}

// Vault seals, opens and indexes values under keys that it creates, wraps and caches. It is
// safe for concurrent use and starts no goroutine.
type Vault struct {
	namespace string
	kms       KMS
	keys      KeyStore
	shreds    ShredJournal // nil for none
	ttl       time.Duration
	now       func() time.Time
	tick      func() time.Time // now for the caches

	current *cache[slot, *key]               // what seals
	epochs  *cache[slot, uint32]             // the highest epoch ever seen, so that an older one is noticed
	byID    *cache[KeyID, *key]              // what opens
	fields  *cache[fieldKey, *xaes]          // keys of tenant-scope fields
	indexes *cache[audit.Tenant, *liveRoots] // what blind indexes are computed under
	places  *cache[audit.Tenant, indexPlace] // how far each index was ever seen, like epochs
	scratch sync.Pool                        // of *scratch
	loading flights[slot]                    // one load of a slot at a time
	asking  flights[KeyID]                   // one question to the KMS about a key at a time
}

// Open returns a vault over keys. Namespace names the application and its deployment, for
// example "acme-ehr"; it is part of what every value is bound to and never changes.
//
// Open asks the KMS to unwrap the namespace's canary, which the first Open stores: with a
// wrong or lost key-encryption key it returns ErrWrongKey before anything is written, and
// ErrUnavailable where the KMS or the store could not be asked.
func Open(ctx context.Context, namespace string, kms KMS, keys KeyStore, o *Options) (*Vault, error) {
	if namespace == "" || !storable(namespace) || kms == nil || keys == nil {
		return nil, errors.New("phi: opening a vault: namespace, KMS and key store are required")
	}
	if o == nil {
		o = &Options{}
	}
	if o.CacheTTL < 0 || o.CacheSize < 0 {
		return nil, errors.New("phi: opening a vault: negative cache time or size")
	}
	v := &Vault{namespace: namespace, kms: kms, keys: keys, shreds: o.Shreds, ttl: o.CacheTTL, now: o.Now}
	if v.ttl == 0 {
		v.ttl = DefaultCacheTTL
	}
	v.tick = v.now
	if v.now == nil {
		v.now, v.tick = time.Now, ticker(time.Now())
	}
	size := o.CacheSize
	if size == 0 {
		size = DefaultCacheSize
	}
	v.current = newCache[slot, *key](size)
	v.epochs = newCache[slot, uint32](size)
	v.byID = newCache[KeyID, *key](size)
	v.fields = newCache[fieldKey, *xaes](size)
	v.indexes = newCache[audit.Tenant, *liveRoots](size)
	v.places = newCache[audit.Tenant, indexPlace](size)
	if _, err := v.load(ctx, slot{purpose: PurposeCanary}); err != nil {
		return nil, err
	}
	if err := v.whole(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// Namespace returns the namespace that the vault was opened with.
func (v *Vault) Namespace() string { return v.namespace }

// Health asks the key store and the KMS for the namespace's canary, past every cache. It
// returns ErrWrongKey, or ErrUnavailable, which includes that the canary is gone.
func (v *Vault) Health(ctx context.Context) error {
	rec, err := v.keys.Current(ctx, v.slot(slot{purpose: PurposeCanary}))
	if err != nil {
		return unavailable("reading the canary", err)
	}
	_, err = v.open(ctx, rec)
	return err
}

// ticker returns a clock that asks for the time since start alone, which is all that an expiry
// is compared with, and takes half the time of time.Now.
func ticker(start time.Time) func() time.Time {
	return func() time.Time { return start.Add(time.Since(start)) }
}
