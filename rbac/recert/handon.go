package recert

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// delegate hands an item to Verdict.To. The reviewer does so once; the owner of the campaign at any
// time, so that nothing waits for somebody who is away.
func (r *Campaigns) delegate(ctx context.Context, c *Campaign, i *Item, by audit.Actor, v Verdict, now time.Time, id string) (audit.Event, error) {
	owner := by.ID == c.Spec.Owner && i.Reviewer != by.ID
	if err := i.Access.excluded(by.ID); err != nil {
		return audit.Event{}, err
	}
	if err := i.mine(by); err != nil && !owner {
		return audit.Event{}, err
	}
	if i.State != ItemOpen && (i.State != ItemSuspended || !now.Before(i.Hold)) {
		return audit.Event{}, ErrState
	}
	if err := v.check(i, now); err != nil {
		return audit.Event{}, err
	}
	if !owner && i.delegated() {
		return audit.Event{}, ErrDelegated
	}
	if !isID(v.To) || v.To == i.Reviewer {
		return audit.Event{}, ErrReviewer
	}
	if is, err := r.attendance(c.Tenant, now).here(ctx, v.To); err != nil {
		return audit.Event{}, err
	} else if !is {
		return audit.Event{}, fmt.Errorf("%w: nobody of the tenant", ErrReviewer)
	}
	reviews, err := r.pairs(ctx, c)
	if err != nil {
		return audit.Event{}, err
	}
	if err := reviews.may(v.To, &i.Access); err != nil {
		return audit.Event{}, err
	}
	i.Reviewer = v.To
	i.Fallback = slices.DeleteFunc(i.Fallback, func(who audit.ActorID) bool { return who == v.To })
	if i.Exception == ExceptionNoReviewer {
		i.clear()
	}
	return i.step(ActionDelegate, Step{At: now, Do: Delegate, By: by.ID, To: v.To, Code: v.Code, Event: id}, v), nil
}

// delegated reports whether the item was delegated since somebody abstained or left.
func (i *Item) delegated() bool {
	for n := len(i.Steps) - 1; n >= 0 && i.Steps[n].Do != Abstain && i.Steps[n].Do != PassOn; n-- {
		if i.Steps[n].Do == Delegate {
			return true
		}
	}
	return false
}

// abstain hands an item to the next of its fallback chain.
func (r *Campaigns) abstain(ctx context.Context, c *Campaign, i *Item, by audit.Actor, v Verdict, now time.Time, id string) (audit.Event, error) {
	if err := i.mine(by); err != nil {
		return audit.Event{}, err
	}
	if i.State != ItemOpen && (i.State != ItemSuspended || !now.Before(i.Hold)) {
		return audit.Event{}, ErrState
	}
	if err := v.check(i, now); err != nil {
		return audit.Event{}, err
	}
	reviews, err := r.pairs(ctx, c)
	if err != nil {
		return audit.Event{}, err
	}
	if reviews.next(i); i.Reviewer == "" {
		i.except(ExceptionNoReviewer, now)
	}
	return i.step(ActionAbstain, Step{At: now, Do: Abstain, By: by.ID, To: i.Reviewer, Code: v.Code, Event: id}, v), nil
}

// pairs reads who reviews whom.
func (r *Campaigns) pairs(ctx context.Context, c *Campaign) (pairs, error) {
	items, err := r.items(ctx, c, ItemFilter{})
	if err != nil {
		return nil, err
	}
	return pairsOf(items), nil
}

// step notes a handing on and returns its event.
func (i *Item) step(a audit.Action, s Step, v Verdict) audit.Event {
	i.Steps = append(i.Steps, s)
	e := event(a, i, s.Event)
	e.Why = audit.NewPrivate(v.Why)
	note(&e, "to", string(s.To))
	note(&e, "code", s.Code)
	return e
}

// Resume gives back access that was suspended because nobody decided in time, in one call, until
// Item.Hold. The item is open again until then; when it is due the second time, access is revoked.
// The person in ctx is the item's reviewer, one of its fallback chain, or the owner of the campaign,
// and nobody who is excluded from reviewing it, or whom its subject reviews. why is required, of at least
// MinWhy letters and digits.
//
// Errors: as Decide.
func (r *Campaigns) Resume(ctx context.Context, campaign string, seq int64, why string) (Item, error) {
	by, err := person(ctx)
	if err != nil {
		return Item{}, err
	}
	now := r.now()
	id := audit.NewID(now)
	i, err := r.change(ctx, by.Tenant, campaign, seq, func(c *Campaign, i *Item) (audit.Event, error) {
		if err := i.Access.excluded(by.ID); err != nil {
			return audit.Event{}, err
		}
		if by.ID != i.Reviewer && by.ID != c.Spec.Owner && !slices.Contains(i.Fallback, by.ID) {
			return audit.Event{}, ErrReviewer
		}
		if by.ID != i.Reviewer {
			reviews, err := r.pairs(ctx, c)
			if err != nil {
				return audit.Event{}, err
			}
			if err := reviews.may(by.ID, &i.Access); err != nil {
				return audit.Event{}, err
			}
		}
		v := Verdict{Do: GiveBack, Why: why}
		if err := v.words(true); err != nil {
			return audit.Event{}, err
		}
		if i.State != ItemSuspended || !now.Before(i.Hold) || !i.Resumed.IsZero() {
			return audit.Event{}, ErrState
		}
		i.order(ChangeResume, now)
		if err := r.allowed(ctx, i); err != nil {
			return audit.Event{}, err
		}
		return i.step(ActionGiveBack, Step{At: now, Do: GiveBack, By: by.ID, Event: id}, v), nil
	})
	if err != nil {
		return Item{}, r.refuse(ctx, by, campaign, seq, GiveBack, err)
	}
	return r.settled(ctx, i), nil
}
