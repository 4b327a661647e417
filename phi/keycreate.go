package phi

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

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
