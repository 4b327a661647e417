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
		if k, ok := v.current.get(s, v.now()); ok {
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

// create stores a new key of this epoch for s. That somebody else was faster is no error.
func (v *Vault) create(ctx context.Context, s slot, epoch uint32) error {
	raw := randomKey()
	defer clear(raw)
	rec := Key{ID: kidOf(raw), KeySlot: v.slot(s), Epoch: epoch, Created: v.now().UTC().Truncate(time.Microsecond)}
	if s.purpose == PurposePatient {
		return v.createUnderRoot(ctx, raw, rec)
	}
	var err error
	if rec.Wrapped, err = v.kms.Wrap(ctx, raw, kmsContext(rec)); err != nil {
		return unavailable("wrapping a key", err)
	}
	// From here on everybody seals with it: not before the KMS has given it back once.
	if _, err := v.openNow(ctx, rec); err != nil {
		return err
	}
	return v.store(ctx, rec)
}

func (v *Vault) store(ctx context.Context, rec Key) error {
	if err := v.keys.Create(ctx, rec); err != nil && !errors.Is(err, ErrKeyExists) {
		return unavailable("storing a new key", err)
	}
	return nil
}

// createUnderRoot stores a patient's key under the tenant's latest data root, past the cache.
//
// Where a rotation makes a new root meanwhile, either its sweep, which begins after that,
// finds the key, or the root is found here, and the key moves itself.
func (v *Vault) createUnderRoot(ctx context.Context, raw []byte, rec Key) error {
	root, err := v.dataRoot(ctx, rec.Tenant)
	if err != nil {
		return err
	}
	rec.Root, rec.Wrapped = root.id, root.wrap.Seal(nil, nil, raw, wrapAAD(rec))
	if err := v.store(ctx, rec); err != nil {
		return err
	}
	now, err := v.dataRoot(ctx, rec.Tenant)
	if err != nil || now.id == root.id {
		return err
	}
	swap := KeySwap{rec.ID, rec.Wrapped, now.id, now.wrap.Seal(nil, nil, raw, wrapAAD(rec))}
	if _, err := v.keys.Rewrap(ctx, []KeySwap{swap}); err != nil {
		return unavailable("storing a new key under the latest root", err)
	}
	return nil
}

// dataRoot returns the tenant's latest data root, past the cache of what seals, and puts it
// there.
func (v *Vault) dataRoot(ctx context.Context, t audit.Tenant) (*key, error) {
	s := slot{tenant: t, purpose: PurposeData}
	k, err := v.latest(ctx, s)
	if errors.Is(err, ErrKeyNotFound) {
		return v.sealing(ctx, s)
	}
	if err == nil {
		v.use(k)
	}
	return k, err
}

// open unwraps rec, unless that is in the cache, and checks that its id commits to it. Of
// those that miss the same root at once, one asks the KMS.
func (v *Vault) open(ctx context.Context, rec Key) (*key, error) {
	if rec.Namespace != v.namespace {
		return nil, ErrForeignTenant
	}
	if (rec.Root == KeyID{}) == (rec.Purpose == PurposePatient) {
		return nil, ErrWrongKey
	}
	if rec.Epoch == 0 || rec.Purpose == PurposeIndex && rec.Epoch > maxIndexEpoch {
		return nil, unavailable("reading a key", errors.New("epoch out of range"))
	}
	if rec.Purpose == PurposeCanary {
		return v.openNow(ctx, rec)
	}
	for {
		if k, ok := v.byID.get(rec.ID, v.now()); ok {
			// The cache knows what the key is for. A row that says otherwise was altered; without
			// the cache it would not unwrap.
			if k.slot != (slot{rec.Tenant, rec.Purpose, rec.Patient}) || k.epoch != rec.Epoch {
				return nil, ErrWrongKey
			}
			return k, nil
		}
		if rec.Purpose == PurposePatient {
			return v.openNow(ctx, rec)
		}
		land, err := v.asking.enter(ctx, rec.ID)
		if err != nil {
			return nil, unavailable("waiting for a key", err)
		}
		if land != nil {
			return v.openOnce(ctx, rec, land)
		}
	}
}

func (v *Vault) openOnce(ctx context.Context, rec Key, land func()) (*key, error) {
	defer land()
	return v.openNow(ctx, rec)
}

func (v *Vault) openNow(ctx context.Context, rec Key) (*key, error) {
	raw, expires, err := v.unwrap(ctx, rec)
	if err != nil {
		return nil, err
	}
	if len(raw) != keySize || kidOf(raw) != rec.ID {
		return nil, ErrWrongKey
	}
	k := newKey(raw, rec, expires)
	if rec.Purpose != PurposeCanary {
		v.byID.put(k.id, k, expires)
	}
	return k, nil
}

func (v *Vault) unwrap(ctx context.Context, rec Key) (raw []byte, expires time.Time, err error) {
	if rec.Purpose != PurposePatient {
		expires = v.now().Add(v.ttl)
		if raw, err = v.kms.Unwrap(ctx, rec.Wrapped, kmsContext(rec)); err != nil {
			err = kmsError("unwrapping a key", err)
		}
		return raw, expires, err
	}
	root, err := v.rootOf(ctx, rec)
	if err != nil {
		return nil, expires, err
	}
	raw, err = root.wrap.Open(nil, nil, rec.Wrapped, wrapAAD(rec))
	if err != nil {
		return nil, expires, ErrWrongKey
	}
	return raw, root.expires, nil
}

// rootOf returns the data root that a patient's key names. What is no data root of the same
// tenant is not opened: a row that was altered to name a patient's key, or itself, would lead
// in a circle.
func (v *Vault) rootOf(ctx context.Context, rec Key) (*key, error) {
	want := slot{tenant: rec.Tenant, purpose: PurposeData}
	if k, ok := v.byID.get(rec.Root, v.now()); ok {
		if k.slot != want {
			return nil, ErrWrongKey
		}
		return k, nil
	}
	root, err := v.read(ctx, rec.Root)
	if err != nil {
		return nil, err
	}
	if root.KeySlot != v.slot(want) {
		return nil, ErrWrongKey
	}
	return v.open(ctx, root)
}

// find returns the key with this id, from whatever tenant: the caller compares.
func (v *Vault) find(ctx context.Context, id KeyID) (*key, error) {
	if k, ok := v.byID.get(id, v.now()); ok {
		return k, nil
	}
	rec, err := v.read(ctx, id)
	if err != nil {
		return nil, err
	}
	return v.open(ctx, rec)
}

// read returns the stored key with this id.
func (v *Vault) read(ctx context.Context, id KeyID) (Key, error) {
	found, err := v.keys.Get(ctx, id)
	if err != nil {
		return Key{}, unavailable("reading a key", err)
	}
	for _, rec := range found {
		if rec.ID == id {
			return rec, nil
		}
	}
	return Key{}, ErrUnknownKey
}

// warm reads those of the keys that are not in the cache with one look-up. What it cannot
// open is left for find to report.
func (v *Vault) warm(ctx context.Context, ids []KeyID) error {
	var missing []KeyID
	for _, id := range ids {
		if _, ok := v.byID.get(id, v.now()); !ok {
			missing = append(missing, id)
		}
	}
	if len(missing) < 2 {
		return nil
	}
	found, err := v.keys.Get(ctx, missing...)
	if err != nil {
		return unavailable("reading keys", err)
	}
	for _, rec := range found {
		if _, err := v.open(ctx, rec); errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	return nil
}

// kmsError keeps ErrWrongKey apart from a KMS that could not be asked.
func kmsError(doing string, err error) error {
	if errors.Is(err, ErrWrongKey) {
		return err
	}
	return unavailable(doing, err)
}

func kmsContext(rec Key) KeyContext {
	return KeyContext{rec.Namespace, rec.Tenant, rec.Purpose, rec.Epoch}
}

// wrapAAD binds a wrapped patient key to its place.
func wrapAAD(rec Key) []byte {
	b := appendLP(nil, "phi/v1/wrap")
	b = appendLP(b, rec.Namespace)
	b = appendLP(b, string(rec.Tenant))
	b = appendLP(b, string(rec.Patient))
	b = append(b, rec.ID[:]...)
	return append(b, byte(rec.Epoch>>24), byte(rec.Epoch>>16), byte(rec.Epoch>>8), byte(rec.Epoch))
}
