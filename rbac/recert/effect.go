package recert

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// last returns the last effect, nil for none.
func (i *Item) last() *Effect {
	if len(i.Effects) == 0 {
		return nil
	}
	return &i.Effects[len(i.Effects)-1]
}

// order notes what is to be made true, under an ID that depends on nothing but the item and how many
// orders it has had.
func (i *Item) order(do Change, at time.Time) {
	id := idOf(at, string(i.Tenant), i.Campaign, strconv.FormatInt(i.Seq, 10), strconv.Itoa(len(i.Effects)), string(do))
	i.Effects = append(i.Effects, Effect{ID: id, Do: do, Ordered: at})
	i.State = ItemPending
}

// close notes how an item ended.
func (i *Item) close(o Outcome, now time.Time) {
	i.State, i.Outcome, i.Closed = ItemClosed, o, now
}

// all returns the ID of the access and of everything that may be in its place.
func (i *Item) all() []string {
	out := []string{i.Access.ID}
	for _, e := range i.Effects {
		switch e.Do {
		case ChangeResume, ChangeReduce, ChangeLimit:
			out = append(out, e.ID)
		}
	}
	return out
}

// current returns the ID of what is there of the access, as far as the campaign knows; "" if it has
// ended it.
func (i *Item) current() string {
	id := i.Access.ID
	for _, e := range i.Effects {
		switch {
		case !e.Done():
		case e.Do == ChangeRevoke || e.Do == ChangeSuspend:
			id = ""
		default:
			id = e.Grant
		}
	}
	return id
}

// asOrder is the last effect as what an Effects carries out.
func (i *Item) asOrder() Order {
	e := i.last()
	return Order{
		ID: e.ID, Tenant: i.Tenant, Do: e.Do, Access: i.Access.clone(), All: i.all(),
		Reach: i.Decision.Reach.clone(), Until: i.Decision.Until, At: e.Ordered, There: i.current(),
	}
}

// allowed asks whether the last effect could be made now.
func (r *Campaigns) allowed(ctx context.Context, i *Item) error {
	effects := r.p.Effects[i.Access.Kind]
	if effects == nil {
		return unavailable("finding the effects of a kind", ErrSpec)
	}
	err := effects.Allowed(system(ctx, i.Tenant), i.asOrder())
	if errors.Is(err, ErrLastAdmin) || errors.Is(err, ErrRefused) || errors.Is(err, ErrGone) {
		return err
	}
	return unavailable("asking whether a change is possible", err)
}

// carry carries out what is pending in a campaign, or of one item of it (seq above 0). What fails stays
// pending, with the reason.
func (r *Campaigns) carry(ctx context.Context, t audit.Tenant, campaign string, seq int64, rep *Report) error {
	ctx = system(ctx, t)
	return r.sweep(ctx, t, campaign, []ItemState{ItemPending}, func(c *Campaign, i *Item) ([]audit.Event, bool, error) {
		if seq > 0 && i.Seq != seq {
			return nil, false, nil
		}
		was := i.clone()
		failed, err := r.spare(ctx, i)
		if err == nil && failed == "" {
			failed, err = r.make(ctx, i)
		}
		if errors.Is(err, ErrGone) {
			return i.gone(r.now()), true, nil
		}
		if err != nil {
			return nil, false, err
		}
		return r.finish(c, i, &was, failed, rep)
	})
}

// make carries out the last effect of i and asks whether it holds. A failure is an Exception, unless
// ctx ended.
func (r *Campaigns) make(ctx context.Context, i *Item) (Exception, error) {
	effects, e, o := r.p.Effects[i.Access.Kind], i.last(), Order{}
	if effects == nil || e == nil {
		return ExceptionFailed, nil
	}
	o = i.asOrder()
	e.Tries++
	err := effects.Apply(ctx, o)
	var checked Checked
	if err == nil {
		if e.Made.IsZero() {
			e.Made = r.now()
		}
		checked, err = effects.Check(ctx, o)
	}
	switch {
	case ctx.Err() != nil:
		return "", unavailable("carrying out a decision", ctx.Err())
	case errors.Is(err, ErrGone):
		return "", ErrGone
	case errors.Is(err, ErrLastAdmin):
		return ExceptionLastAdmin, nil
	case errors.Is(err, ErrRefused):
		return ExceptionRefused, nil
	case err != nil:
		return ExceptionFailed, nil
	}
	e.Denied, e.Asked, e.Others = checked.Denied, checked.Asked, checked.Others
	if !checked.Denied {
		return ExceptionNotDenied, nil
	}
	e.Checked = r.now()
	e.Took = max(0, e.Checked.Sub(e.Ordered).Microseconds())
	return "", nil
}

// finish notes what became of the last effect of i.
func (r *Campaigns) finish(c *Campaign, i, was *Item, failed Exception, rep *Report) ([]audit.Event, bool, error) {
	now, e := r.now(), i.last()
	if failed != "" {
		said := i.effect(audit.NewID(now))
		said.Outcome, said.Code = audit.MinorFailure, string(failed)
		i.fail(failed, now)
		if was.Exception == failed {
			return nil, true, nil // one more try is no news
		}
		return []audit.Event{said}, true, nil
	}
	e.Failed = ""
	i.clear()
	switch e.Do {
	case ChangeRevoke:
		i.close(Revoked, now)
	case ChangeSuspend:
		i.State, i.Hold = ItemSuspended, e.Checked.AddDate(0, 0, c.Spec.Hold)
	case ChangeReduce, ChangeLimit:
		e.Grant = e.ID
		i.close(map[Change]Outcome{ChangeReduce: Reduced, ChangeLimit: Limited}[e.Do], now)
	case ChangeResume:
		e.Grant = e.ID
		if i.Decision.Do == Certify {
			i.close(Certified, now)
			break
		}
		i.State, i.Resumed, i.Due = ItemOpen, e.Checked, i.Hold
	}
	i.remain(now)
	rep.effect(i)
	return []audit.Event{i.effect(audit.NewID(now))}, true, nil
}

// fail notes that the last effect of i could not be made. What only a date ordered, and a rule refused,
// is open again: of two administrators who are due at once, the second one stays.
func (i *Item) fail(failed Exception, now time.Time) {
	i.except(failed, now)
	e := i.last()
	if e == nil {
		return
	}
	e.Failed = failed
	if i.byDate() && slices.Contains([]Exception{ExceptionLastAdmin, ExceptionRefused, ExceptionOnlyOne, ExceptionUnknown}, failed) {
		i.Effects = i.Effects[:len(i.Effects)-1]
		i.State, i.Decision = ItemOpen, Decision{}
	}
}

// remain notes what is still wrong with i after its effect.
func (i *Item) remain(now time.Time) {
	switch {
	case i.Regrant != "":
		i.except(ExceptionRegranted, now)
	case i.State != ItemClosed && i.Reviewer == "":
		i.except(ExceptionNoReviewer, now)
	}
}

// effect is the event about the last effect of i.
func (i *Item) effect(id string) audit.Event {
	said := event(ActionEffect, i, id)
	e := i.last()
	if e == nil {
		return said
	}
	note(&said, "do", string(e.Do))
	note(&said, "order", e.ID)
	note(&said, "denied", strconv.FormatBool(e.Denied))
	note(&said, "asked", strconv.Itoa(e.Asked))
	note(&said, "others", strconv.Itoa(len(e.Others)))
	note(&said, "took_us", strconv.FormatInt(e.Took, 10))
	note(&said, "instead", e.Grant)
	return said
}
