package recert

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// round begins the next round of c if it is time. Its ID follows from the series, so that of several
// servers one begins it; periods that were missed are not made up for. A round of nothing is none: it
// begins as soon as there is something to review.
func (r *Campaigns) round(ctx context.Context, c Campaign, now time.Time, rep *Report) error {
	if c.Next.IsZero() || now.Before(c.Next) {
		return nil
	}
	id := idOf(c.Next, string(c.Tenant), c.Series, strconv.Itoa(c.Round+1))
	_, err := r.store.Get(ctx, c.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		err = r.begin(ctx, c, id, now, rep)
	}
	switch {
	case errors.Is(err, ErrEmpty):
		return nil
	case err != nil && !errors.Is(err, ErrConflict): // another server begins it
		return unavailable("beginning a round", err)
	}
	return r.begun(ctx, c)
}

// begin draws the next round and stores it.
func (r *Campaigns) begin(ctx context.Context, c Campaign, id string, now time.Time, rep *Report) error {
	n, items, err := r.draw(ctx, c.Tenant, c.Spec, now, nil)
	if err != nil {
		return err
	}
	n.ID, n.Series, n.Round, n.Anchor, n.StartedBy = id, c.Series, c.Round+1, c.Anchor, itself
	n.Next = months(c.Anchor, c.Spec.Every, now)
	if _, err := r.create(ctx, n, items); err != nil {
		return err
	}
	rep.Started = append(rep.Started, Ref{Tenant: c.Tenant, Campaign: id})
	return nil
}

// begun notes that the round after c is there.
func (r *Campaigns) begun(ctx context.Context, c Campaign) error {
	for n := range attempts {
		now, err := r.store.Get(ctx, c.Tenant, c.ID)
		if err != nil {
			return unavailable("reading a campaign", err)
		}
		if !now.Next.Equal(c.Next) {
			return nil
		}
		now.Next = time.Time{}
		err = r.commit(ctx, prepare(now, nil, nil), nil)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if pause(ctx, n) != nil {
			break
		}
	}
	return ErrConflict
}
