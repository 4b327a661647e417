package phi

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// maxPasses bounds how often a rotation looks for keys that appeared behind it. One pass is
// the rule: a server that made a key under an older root moves it itself.
const maxPasses = 100

// rewrapPatients is RotateRoot and RotatePatients. What is left is read off the keys, so that
// it ends where no key of the tenant is under an older root, whoever did it.
func (r *Rotator) rewrapPatients(ctx context.Context, n *run) error {
	root, err := r.targetRoot(ctx, n.job)
	if err != nil {
		return err
	}
	older, err := r.rootsOf(ctx, n.job.Tenant, root.id)
	if err != nil {
		return err
	}
	for range maxPasses {
		left, err := r.count(ctx, older)
		if err != nil {
			return err
		}
		if _, err = r.advance(ctx, n, func(job *Rotation) { job.Done = max(job.Total-left, 0) }); err != nil {
			return err
		}
		if left <= len(n.failed) {
			return nil
		}
		for _, old := range older {
			if err := r.rewrapUnder(ctx, n, old, root); err != nil {
				return err
			}
		}
	}
	return unavailable("re-wrapping keys", errors.New("more and more appear under an older root"))
}

// targetRoot returns the data root that the rotation leads to, making it if nobody has yet.
func (r *Rotator) targetRoot(ctx context.Context, job Rotation) (root *key, err error) {
	s := slot{tenant: job.Tenant, purpose: PurposeData}
	err = r.patiently(ctx, func() error {
		root, err = r.v.dataRoot(ctx, job.Tenant)
		if err != nil || root.epoch >= job.Target {
			return err
		}
		if root.epoch+1 != job.Target {
			return fmt.Errorf("%w: it aims at an epoch that does not come next", ErrRotationMoved)
		}
		if err := r.v.create(ctx, s, job.Target); err != nil {
			return err
		}
		root, err = r.v.dataRoot(ctx, job.Tenant)
		return err
	})
	return root, err
}

// rewrapUnder brings the keys that old wraps under root.
func (r *Rotator) rewrapUnder(ctx context.Context, n *run, old Key, root *key) error {
	var from *key
	lost := r.patiently(ctx, func() (err error) {
		from, err = r.v.open(ctx, old)
		return err
	})
	if lost != nil && !errors.Is(lost, ErrWrongKey) {
		return lost
	}
	return r.each(ctx, KeyQuery{Root: old.ID}, func(page []Key) error {
		swaps := make([]KeySwap, 0, len(page))
		for _, rec := range page {
			swap, err := r.moved(ctx, n.job, rec, from, root)
			switch {
			case err == nil:
				swaps = append(swaps, swap)
			case errors.Is(err, ErrWrongKey):
				n.failed[rec.ID] = err
			default:
				return err
			}
		}
		done, err := r.swap(ctx, swaps)
		if err != nil {
			return err
		}
		_, err = r.advance(ctx, n, func(job *Rotation) {
			job.Done, job.Failed = job.Done+done, len(n.failed)
			job.Total = max(job.Total, job.Done)
		})
		return err
	})
}

// moved returns how rec, which from wraps, is wrapped under root. Where patients get new keys,
// the patient has one before the key that sealed until then is moved: so a patient is never
// left out, and never gets two, whoever dies or overtakes whom.
func (r *Rotator) moved(ctx context.Context, job Rotation, rec Key, from, root *key) (KeySwap, error) {
	if from == nil || rec.Purpose != PurposePatient {
		return KeySwap{}, ErrWrongKey
	}
	aad := wrapAAD(rec)
	raw, err := from.wrap.Open(nil, nil, rec.Wrapped, aad)
	if err != nil || len(raw) != keySize || kidOf(raw) != rec.ID {
		return KeySwap{}, ErrWrongKey
	}
	defer clear(raw)
	if job.Kind == RotatePatients {
		if err := r.renew(ctx, rec); err != nil {
			return KeySwap{}, err
		}
	}
	return KeySwap{rec.ID, rec.Wrapped, root.id, root.wrap.Seal(nil, nil, raw, aad)}, nil
}

// renew gives the patient of rec a new key, if rec is the one that seals.
func (r *Rotator) renew(ctx context.Context, rec Key) error {
	return r.patiently(ctx, func() error {
		now, err := r.v.keys.Current(ctx, rec.KeySlot)
		switch {
		case errors.Is(err, ErrKeyNotFound):
			return nil // erased meanwhile
		case err != nil:
			return unavailable("reading the current key", err)
		case now.KeySlot != rec.KeySlot || now.Epoch < rec.Epoch || now.Epoch == 1<<32-1:
			return ErrWrongKey
		case now.ID != rec.ID:
			return nil
		}
		return r.v.renew(ctx, slot{rec.Tenant, rec.Purpose, rec.Patient}, now.Epoch+1)
	})
}

// RotatePatient gives one patient a new key, for a patient whose key is suspect. What is sealed
// under the old one is readable until it is sealed anew, see Codec.Reseal. Called twice, it
// gives two. It returns ErrUnknownKey for a patient without a key.
func (r *Rotator) RotatePatient(ctx context.Context, t audit.Tenant, p audit.Patient) error {
	s := slot{t, PurposePatient, p}
	if t == "" || p == "" || !storable(string(t), string(p)) {
		return ErrBinding
	}
	k, err := r.v.latest(ctx, s)
	if errors.Is(err, ErrKeyNotFound) {
		return ErrUnknownKey
	}
	if err != nil {
		return err
	}
	if k.epoch == 1<<32-1 {
		return fmt.Errorf("%w: no epoch is left", ErrBinding)
	}
	record := func(phase string) error {
		return r.write(ctx, audit.Event{
			Tenant: t, Action: audit.ActionKeyRotated, Verb: audit.Update, Patients: []audit.Patient{p},
			Detail: map[string]string{"kind": "patient", "phase": phase, "target": strconv.FormatUint(uint64(k.epoch)+1, 10)},
		})
	}
	if err := record("begun"); err != nil {
		return err
	}
	if err := r.v.renew(ctx, s, k.epoch+1); err != nil {
		return err
	}
	return record("finished")
}

// renew makes a key of this epoch in s, after which this process seals with it.
func (v *Vault) renew(ctx context.Context, s slot, epoch uint32) error {
	err := v.create(ctx, s, epoch)
	v.current.forget(s)
	return err
}
