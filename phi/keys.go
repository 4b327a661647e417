package phi

import (
	"context"
	"crypto/cipher"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// slot is a KeySlot of this vault's namespace.
type slot struct {
	tenant  audit.Tenant
	purpose Purpose
	patient audit.Patient
}

func (v *Vault) slot(s slot) KeySlot { return KeySlot{v.namespace, s.tenant, s.purpose, s.patient} }

// key is an unwrapped key.
type key struct {
	id      KeyID
	slot    slot
	epoch   uint32
	expires time.Time
	seal    *xaes       // of a patient's key
	root    []byte      // of roots, from which further keys follow
	wrap    cipher.AEAD // of data roots: wraps patients' keys
}

// newKey prepares raw for its purpose.
func newKey(raw []byte, rec Key, expires time.Time) *key {
	k := &key{id: rec.ID, slot: slot{rec.Tenant, rec.Purpose, rec.Patient}, epoch: rec.Epoch, expires: expires}
	switch rec.Purpose {
	case PurposePatient:
		k.seal = newXAES(raw)
	case PurposeData:
		k.root = raw
		gcm, err := cipher.NewGCMWithRandomNonce(newBlock(expand(raw, "phi/v1/wrap", keySize)))
		if err != nil {
			panic("phi: AES-GCM: " + err.Error()) // only for a block that is not AES
		}
		k.wrap = gcm
	case PurposeIndex:
		k.root = raw
	}
	return k
}

// sealing returns the key of s that seals now, creating it where there is none.
func (v *Vault) sealing(ctx context.Context, s slot) (*key, error) {
	for {
		if k, ok := v.current.get(s, v.tick()); ok {
			return k, nil
		}
		land, err := v.loading.enter(ctx, s)
		if err != nil {
			return nil, unavailable("waiting for a key", err)
		}
		if land == nil {
			continue
		}
		return v.loadOnce(ctx, s, land)
	}
}

func (v *Vault) loadOnce(ctx context.Context, s slot, land func()) (*key, error) {
	defer land()
	k, err := v.load(ctx, s)
	if err == nil {
		v.use(k)
	}
	return k, err
}

// use makes k the key that seals in its slot, unless a rotation has made a later one meanwhile.
func (v *Vault) use(k *key) {
	if k.epoch >= v.seen(k.slot) {
		v.current.put(k.slot, k, k.expires)
	}
}

// load reads the current key of s from the store, or creates the first. Two processes that
// create at once end up with the same key: the one that comes second reads the winner's.
func (v *Vault) load(ctx context.Context, s slot) (*key, error) {
	if !storable(v.namespace, string(s.tenant), string(s.patient)) {
		return nil, ErrBinding
	}
	k, err := v.latest(ctx, s)
	if !errors.Is(err, ErrKeyNotFound) {
		return k, err
	}
	if err := v.alive(ctx, s.tenant, s.patient); err != nil {
		return nil, err
	}
	if v.seen(s) > 0 {
		return nil, ErrRolledBack
	}
	if err := v.create(ctx, s, 1); err != nil {
		return nil, err
	}
	if k, err = v.latest(ctx, s); errors.Is(err, ErrKeyNotFound) {
		err = unavailable("reading a new key", err)
	}
	return k, err
}

// latest opens the key of s with the highest epoch, past the cache of what seals. It returns
// ErrKeyNotFound where there is none, and ErrRolledBack where this process has seen a later
// one: what is sealed would go to a key that was retired.
func (v *Vault) latest(ctx context.Context, s slot) (*key, error) {
	seen := v.seen(s) // before the store is asked: a rotation may be faster than its answer
	rec, err := v.keys.Current(ctx, v.slot(s))
	switch {
	case errors.Is(err, ErrKeyNotFound):
		return nil, ErrKeyNotFound
	case err != nil:
		return nil, unavailable("reading the current key", err)
	case rec.KeySlot != v.slot(s):
		return nil, ErrWrongKey
	case rec.Epoch < seen:
		return nil, ErrRolledBack
	}
	k, err := v.open(ctx, rec)
	if err == nil && k.epoch > v.seen(s) {
		v.epochs.put(s, k.epoch, forever())
	}
	return k, err
}

// seen returns the highest epoch that this process has opened in s and still remembers.
func (v *Vault) seen(s slot) uint32 {
	epoch, _ := v.epochs.get(s, time.Time{})
	return epoch
}
