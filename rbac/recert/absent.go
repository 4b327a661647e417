package recert

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// absent hands on what waits for reviewers who are not there any more, so that nobody loses access
// because somebody else left. What nobody who is there may review is an exception; its chain stays, so
// that the first who is there again gets it.
func (r *Campaigns) absent(ctx context.Context, t audit.Tenant, campaign string, now time.Time) error {
	if r.p.Directory == nil {
		return nil
	}
	there := r.attendance(t, now)
	var reviews pairs
	version := int64(-1)
	return r.sweep(ctx, t, campaign, []ItemState{ItemOpen, ItemSuspended}, func(c *Campaign, i *Item) ([]audit.Event, bool, error) {
		if i.State == ItemSuspended && !now.Before(i.Hold) || i.Reviewer == "" && len(i.Fallback) == 0 {
			return nil, false, nil
		}
		if i.Reviewer != "" {
			if is, err := there.here(ctx, i.Reviewer); is || err != nil {
				return nil, false, err
			}
		}
		if version != c.Version {
			var err error
			if reviews, err = r.pairs(ctx, c); err != nil {
				return nil, false, err
			}
			version = c.Version
		}
		return r.passOn(ctx, i, reviews, there, now)
	})
}

// passOn hands one item to the first of its chain who is there and may review it.
func (r *Campaigns) passOn(ctx context.Context, i *Item, reviews pairs, there *attendance, now time.Time) ([]audit.Event, bool, error) {
	here, err := there.only(ctx, i.Fallback)
	if err != nil {
		return nil, false, err
	}
	was := i.Reviewer
	reviews.add(i, -1)
	at := slices.IndexFunc(here, func(who audit.ActorID) bool { return reviews.may(who, &i.Access) == nil })
	if at < 0 && was == "" {
		reviews.add(i, 1)
		return nil, false, nil
	}
	i.Reviewer = ""
	if was != "" {
		i.Fallback = append(slices.Clone(i.Fallback), was) // should they come back
	}
	switch {
	case at >= 0:
		i.Reviewer = here[at]
		i.Fallback = slices.DeleteFunc(slices.Clone(i.Fallback), func(who audit.ActorID) bool { return who == i.Reviewer })
		if i.Exception == ExceptionNoReviewer {
			i.clear()
		}
	case i.Exception == "":
		i.except(ExceptionNoReviewer, now)
	}
	reviews.add(i, 1)
	s := Step{At: now, Do: PassOn, By: itself, To: i.Reviewer, Code: "reviewer_left", Event: audit.NewID(now)}
	return []audit.Event{i.step(ActionPassOn, s, Verdict{})}, true, nil
}
