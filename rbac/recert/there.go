package recert

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// there reports whether the access of i, or what came in its place, is still there. A use of emergency
// access is past, and always is.
func (r *Campaigns) there(ctx context.Context, i *Item) (bool, error) {
	if i.Access.Kind == KindEmergency {
		return true, nil
	}
	effects := r.p.Effects[i.Access.Kind]
	if effects == nil {
		return false, unavailable("finding the effects of a kind", ErrSpec)
	}
	o := Order{Tenant: i.Tenant, Access: i.Access.clone(), All: i.all(), There: i.current()}
	found, err := effects.Check(system(ctx, i.Tenant), o)
	if err != nil {
		return false, unavailable("asking whether access is there", err)
	}
	return !found.Denied, nil
}

// byDate reports whether the last effect of i ends access that a date ordered to end, and nothing of it
// was made yet.
func (i *Item) byDate() bool {
	e := i.last()
	return e != nil && (i.Decision.IsZero() || i.Decision.By == itself) && e.Made.IsZero() &&
		(e.Do == ChangeRevoke || e.Do == ChangeSuspend) && i.current() != ""
}

// spare asks once more, right before a date ends an access, whether its subject can be missed: of two
// who are due on one day, the first one may have gone since the order.
func (r *Campaigns) spare(ctx context.Context, i *Item) (Exception, error) {
	if !i.byDate() {
		return "", nil
	}
	if is, err := r.there(ctx, i); err != nil || !is {
		return "", ctx.Err() // it was ended before, and Apply is no news; or Check will fail again
	}
	only, err := r.p.OnlyOne.OnlyOne(ctx, i.Tenant, i.Access.clone())
	switch {
	case ctx.Err() != nil:
		return "", unavailable("asking who cannot be missed", ctx.Err())
	case err != nil:
		return ExceptionUnknown, nil
	case only:
		return ExceptionOnlyOne, nil
	}
	return "", nil
}

// gone closes an item whose access ended by itself, or by somebody else: what was ordered last does not
// happen.
func (i *Item) gone(now time.Time) []audit.Event {
	if e := i.last(); e != nil && !e.Done() {
		i.Effects = i.Effects[:len(i.Effects)-1]
	}
	i.Decision = Decision{}
	i.clear()
	i.close(Gone, now)
	return []audit.Event{event(ActionGone, i, audit.NewID(now))}
}

// lookAgain flags what was given again since the last Tick, before somebody signs that it is gone.
func (r *Campaigns) lookAgain(ctx context.Context, t audit.Tenant, campaign string) error {
	now, ctx := r.now(), system(ctx, t)
	return r.late(ctx, t, campaign, r.census(ctx, t, now), now)
}
