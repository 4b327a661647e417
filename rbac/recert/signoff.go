package recert

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// SignOff says, for the person in ctx, that the review is complete. It is an act of its own that takes
// a fresh proof of who signs (Parts.StepUps, or Options.Fresh). Nothing may be open; the items
// must be those that were frozen (ErrOpen names what keeps it: also a suspension), and nobody may have decided what they must not. The event has
// ContentDigest, so that the log fixes what was signed. Right before, who has what is read once more, so
// that what was given again is signed as such. Afterwards the campaign does not change.
//
// Errors: ErrActor, ErrStepUp, ErrNotFound, ErrSigned, ErrOpen, ErrDamaged, ErrConflict, ErrUnavailable.
func (r *Campaigns) SignOff(ctx context.Context, campaign, why string) (Campaign, error) {
	by, err := person(ctx)
	if err != nil {
		return Campaign{}, err
	}
	v := Verdict{Why: why}
	if err := v.words(false); err != nil {
		return Campaign{}, err
	}
	if _, _, err := r.signable(ctx, by.Tenant, campaign); err != nil {
		return Campaign{}, err
	}
	if err := r.fresh(ctx, by, campaign); err != nil {
		return Campaign{}, err
	}
	if err := r.lookAgain(ctx, by.Tenant, campaign); err != nil {
		return Campaign{}, err
	}
	for n := range attempts {
		c, err := r.sign(ctx, by, campaign, why)
		if !errors.Is(err, ErrConflict) {
			return c, err
		}
		if pause(ctx, n) != nil {
			break
		}
	}
	return Campaign{}, ErrConflict
}

// fresh asks for a fresh proof of who signs.
func (r *Campaigns) fresh(ctx context.Context, by audit.Actor, campaign string) error {
	if r.p.StepUps == nil {
		if age := r.now().Sub(by.AuthTime); by.AuthTime.IsZero() || age < 0 || age > r.o.Fresh {
			return ErrStepUp
		}
		return nil
	}
	owed, err := r.p.StepUps.StepUp(ctx, ActionSignOff, audit.Object{Type: ObjectCampaign, ID: campaign}, r.o.Fresh)
	switch {
	case err != nil:
		return unavailable("asking for a step-up", err)
	case owed:
		return ErrStepUp
	}
	return nil
}

// signable reads a campaign that can be signed, with its items of one moment.
func (r *Campaigns) signable(ctx context.Context, t audit.Tenant, campaign string) (Campaign, []Item, error) {
	c, err := r.campaign(ctx, t, campaign)
	if err != nil {
		return Campaign{}, nil, err
	}
	items, err := r.items(ctx, &c, ItemFilter{})
	if err != nil {
		return Campaign{}, nil, err
	}
	now, err := r.store.Get(ctx, t, campaign)
	switch {
	case err != nil:
		return Campaign{}, nil, unavailable("reading a campaign", err)
	case now.Version != c.Version:
		return Campaign{}, nil, ErrConflict
	}
	return c, items, whole(&c, items)
}

// sign records the sign-off and stores it.
func (r *Campaigns) sign(ctx context.Context, by audit.Actor, campaign, why string) (Campaign, error) {
	c, items, err := r.signable(ctx, by.Tenant, campaign)
	if err != nil {
		return Campaign{}, err
	}
	now := r.now()
	e := c.event(ActionSignOff, audit.Update, now)
	c.SignOff = SignOff{By: by.ID, At: now, Event: e.ID}
	digest, err := ContentDigest(c, sequence(items))
	if err != nil {
		return Campaign{}, err
	}
	e.Why = audit.NewPrivate(why)
	note(&e, "digest", digest)
	note(&e, "snapshot", c.Snapshot.Digest)
	note(&e, "count", strconv.Itoa(c.Snapshot.Count))
	note(&e, "exceptions", strconv.Itoa(c.Counts.Exception))
	note(&e, "started", c.Started.Format(time.RFC3339))
	c.State, c.SignOff.Digest = Signed, digest
	w := prepare(c, nil, nil)
	if err := r.commit(ctx, w, []audit.Event{e}); err != nil {
		return Campaign{}, err
	}
	return w.Campaign, nil
}
