package phi

import (
	"bytes"
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
)

// each calls f with the keys that q selects, a batch at a time.
func (r *Rotator) each(ctx context.Context, q KeyQuery, f func([]Key) error) error {
	q.Namespace, q.Limit = r.v.namespace, r.o.Batch
	for {
		var page []Key
		err := r.patiently(ctx, func() (err error) {
			if page, err = r.v.keys.List(ctx, q); err != nil {
				return unavailable("listing keys", err)
			}
			return nil
		})
		if err != nil || len(page) == 0 {
			return err
		}
		last := page[len(page)-1].ID
		if bytes.Compare(last[:], q.After[:]) <= 0 {
			return unavailable("listing keys", errors.New("they come out of order"))
		}
		if err := f(page); err != nil {
			return err
		}
		q.After = last
	}
}

// rootsOf returns the tenant's data roots except one.
func (r *Rotator) rootsOf(ctx context.Context, t audit.Tenant, except KeyID) (roots []Key, err error) {
	err = r.each(ctx, KeyQuery{Tenant: t}, func(page []Key) error {
		for _, rec := range page {
			if rec.Purpose == PurposeData && rec.ID != except {
				roots = append(roots, rec)
			}
		}
		return nil
	})
	return roots, err
}

// count returns how many keys the roots wrap, whatever tenant their rows name.
func (r *Rotator) count(ctx context.Context, roots []Key) (sum int, err error) {
	for _, root := range roots {
		err := r.patiently(ctx, func() error {
			n, err := r.v.keys.Count(ctx, KeyQuery{Namespace: r.v.namespace, Root: root.ID, Limit: 1})
			if err != nil {
				return unavailable("counting keys", err)
			}
			sum += n
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// swap stores swaps and returns how many it was that changed. What another process has
// re-wrapped meanwhile stays as that one left it.
func (r *Rotator) swap(ctx context.Context, swaps []KeySwap) (n int, err error) {
	err = r.patiently(ctx, func() error {
		some, err := r.v.keys.Rewrap(ctx, swaps)
		if n += some; err != nil {
			return unavailable("storing re-wrapped keys", err)
		}
		return nil
	})
	return n, err
}
