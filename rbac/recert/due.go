package recert

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// overdue orders what becomes of items that nobody decided about in time: by risk, never of the last
// administrator and never of the only clinician of somebody in open care.
func (r *Campaigns) overdue(ctx context.Context, t audit.Tenant, campaign string, now time.Time) error {
	return r.sweep(ctx, t, campaign, []ItemState{ItemOpen, ItemSuspended}, func(c *Campaign, i *Item) ([]audit.Event, bool, error) {
		if i.State == ItemSuspended {
			if now.Before(i.Hold) {
				return nil, false, nil
			}
			return i.expire("hold_over", now), true, nil
		}
		if now.Before(i.Due) {
			return nil, false, nil
		}
		return r.expired(ctx, c, i, now)
	})
}

// expired is what becomes of one open item that is due.
func (r *Campaigns) expired(ctx context.Context, c *Campaign, i *Item, now time.Time) ([]audit.Event, bool, error) {
	// Another review may have ended it a moment ago; what is gone is not suspended, or it could be given
	// back. If that cannot be found out, Apply is asked.
	if is, err := r.there(ctx, i); err == nil && !is {
		return i.gone(now), true, nil
	}
	do := c.Spec.due(i.Risk)
	if do == Keep {
		return i.stays(ExceptionKept, c.Spec.KeepWhy, now)
	}
	switch only, err := r.p.OnlyOne.OnlyOne(ctx, i.Tenant, i.Access.clone()); {
	case ctx.Err() != nil:
		return nil, false, unavailable("asking who cannot be missed", ctx.Err())
	case err != nil:
		return i.stays(ExceptionUnknown, "", now)
	case only:
		return i.stays(ExceptionOnlyOne, "", now)
	}
	ordered := i.clone()
	said := ordered.expireBy(do, now)
	switch err := r.allowed(ctx, &ordered); {
	case errors.Is(err, ErrLastAdmin):
		return i.stays(ExceptionLastAdmin, "", now)
	case errors.Is(err, ErrRefused):
		return i.stays(ExceptionRefused, "", now)
	case ctx.Err() != nil:
		return nil, false, err
	case err != nil:
		return i.stays(ExceptionFailed, "", now)
	}
	*i = ordered
	return said, true, nil
}

// expireBy orders what Spec.OnDue says. Who was given back once is not suspended again.
func (i *Item) expireBy(do OnDue, now time.Time) []audit.Event {
	if do == Revoke || !i.Resumed.IsZero() {
		return i.expire("due", now)
	}
	i.clear()
	i.order(ChangeSuspend, now)
	return i.said("suspend", "due", audit.NewID(now))
}

// expire ends an item for good because its time is over.
func (i *Item) expire(code string, now time.Time) []audit.Event {
	id := audit.NewID(now)
	i.clear()
	i.Decision = Decision{Do: RevokeIt, By: itself, At: now, Code: code, Event: id}
	i.order(ChangeRevoke, now)
	return i.said("revoke", code, id)
}

// stays notes that an item is overdue and why it stays.
func (i *Item) stays(e Exception, why string, now time.Time) ([]audit.Event, bool, error) {
	if i.Exception == e {
		return nil, false, nil
	}
	i.except(e, now)
	said := i.said("keep", string(e), audit.NewID(now))
	note(&said[0], "why", why)
	return said, true, nil
}

func (i *Item) said(do, code, id string) []audit.Event {
	e := event(ActionDue, i, id)
	note(&e, "do", do)
	note(&e, "code", code)
	return []audit.Event{e}
}
