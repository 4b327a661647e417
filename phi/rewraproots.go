package phi

import (
	"bytes"
	"context"
	"errors"
)

// rewrapRoots is RotateKEK. It goes through all roots every time, because the KMS alone knows
// which are done; those it leaves as they are. The canary comes last: as long as a root may
// need the old key, a vault without it does not open.
func (r *Rotator) rewrapRoots(ctx context.Context, n *run) error {
	done := 0
	err := r.each(ctx, KeyQuery{}, func(page []Key) error {
		for _, rec := range page {
			if rec.Purpose == PurposeCanary {
				continue
			}
			if err := r.rewrapRoot(ctx, n, rec); err != nil {
				return err
			}
		}
		done += len(page)
		_, err := r.advance(ctx, n, func(job *Rotation) {
			job.Done, job.Failed = max(job.Done, done-len(n.failed)), len(n.failed)
			job.Total = max(job.Total, job.Done)
		})
		return err
	})
	if err != nil || len(n.failed) > 0 {
		return err
	}
	return r.rewrapCanary(ctx, n)
}

func (r *Rotator) rewrapCanary(ctx context.Context, n *run) error {
	var rec Key
	err := r.patiently(ctx, func() (err error) {
		if rec, err = r.v.keys.Current(ctx, r.v.slot(slot{purpose: PurposeCanary})); err != nil {
			return unavailable("reading the canary", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.rewrapRoot(ctx, n, rec)
}

// rewrapRoot brings one key under the current key of the KMS, and stores the result only after
// it was seen to hold the same key.
func (r *Rotator) rewrapRoot(ctx context.Context, n *run, rec Key) error {
	var wrapped []byte
	err := r.patiently(ctx, func() (err error) {
		if wrapped, err = r.v.kms.Rewrap(ctx, rec.Wrapped, kmsContext(rec)); err != nil {
			return kmsError("re-wrapping a key", err)
		}
		if bytes.Equal(wrapped, rec.Wrapped) {
			return nil
		}
		raw, err := r.v.kms.Unwrap(ctx, wrapped, kmsContext(rec))
		defer clear(raw)
		if err != nil {
			return kmsError("unwrapping a key", err)
		}
		if len(raw) != keySize || kidOf(raw) != rec.ID {
			return ErrWrongKey
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrWrongKey):
		n.failed[rec.ID] = err
		return nil
	case err != nil || bytes.Equal(wrapped, rec.Wrapped):
		return err
	}
	_, err = r.swap(ctx, []KeySwap{{rec.ID, rec.Wrapped, KeyID{}, wrapped}})
	return err
}
