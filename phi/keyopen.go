package phi

import (
	"context"
	"errors"
	"time"
)

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
	// Asked last, so that the key expires within the cache's time of whatever shreds the patient from
	// here on.
	if err := v.alive(ctx, rec.Tenant, rec.Patient); err != nil {
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
	if k, ok := v.byID.get(id, v.tick()); ok {
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
	b := appendLP(make([]byte, 0, 128), "phi/v1/wrap")
	b = appendLP(b, rec.Namespace)
	b = appendLP(b, string(rec.Tenant))
	b = appendLP(b, string(rec.Patient))
	b = append(b, rec.ID[:]...)
	return append(b, byte(rec.Epoch>>24), byte(rec.Epoch>>16), byte(rec.Epoch>>8), byte(rec.Epoch))
}
