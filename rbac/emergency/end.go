package emergency

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// End ends a grant of the person in ctx, and with it any other that they have of the same patient. It takes no second factor: whoever wants to be out is out.
// It counts with the next request on every server. Ended already: nothing happens.
//
// Errors: ErrNoActor, ErrNotFound (also for somebody else's), ErrUnavailable.
func (d *Desk[R]) End(ctx context.Context, id string) (Grant, error) {
	a, err := person(ctx)
	if err != nil {
		return Grant{}, err
	}
	return d.endAll(ctx, a, id, "", func(g Grant) bool { return g.Person == a.ID })
}

// Stop ends anybody's grant in the tenant of the person in ctx: decide before who may, with an action
// of its own on the page. why are words for the event, and may be empty. Otherwise like End.
func (d *Desk[R]) Stop(ctx context.Context, id, why string) (Grant, error) {
	a, err := person(ctx)
	if err != nil {
		return Grant{}, err
	}
	if len(why) > MaxWords || !printable(why) {
		return Grant{}, &InputError{"words"}
	}
	return d.endAll(ctx, a, id, why, func(Grant) bool { return true })
}

// endAll ends a grant and whatever else its person has of the same patient: servers whose clocks differ
// may have opened two, and who is out is out.
func (d *Desk[R]) endAll(ctx context.Context, a audit.Actor, id, why string, may func(Grant) bool) (Grant, error) {
	g, err := d.end(ctx, a, id, why, may)
	if err != nil {
		return g, err
	}
	now := d.now()
	for other, err := range d.p.Store.Of(ctx, g.Tenant, g.Person, 0) {
		switch {
		case err != nil:
			return Grant{}, unavailable("reading openings", err)
		case other.ID == g.ID || other.Patient != g.Patient || other.OverAt(now):
		default:
			if _, err := d.end(ctx, a, other.ID, why, may); err != nil {
				return Grant{}, err
			}
		}
		if g.Number-other.Number >= deepest {
			break
		}
	}
	return g, nil
}

func (d *Desk[R]) end(ctx context.Context, a audit.Actor, id, why string, may func(Grant) bool) (Grant, error) {
	c := change{do: "ending", again: true}
	return d.change(ctx, a.Tenant, id, &c, func(g Grant, now time.Time) (Grant, *audit.Event, error) {
		if !may(g) {
			return g, nil, ErrNotFound
		}
		if g.OverAt(now) {
			return g, nil, nil // by time, which Run writes down, or by somebody
		}
		e := g.event(ActionEnd, audit.Execute)
		e.Actor, e.Detail["by"] = a, "self"
		if a.ID != g.Person {
			e.Detail["by"] = "other"
		}
		if why != "" {
			e.Why = audit.NewPrivate(why)
		}
		g.Ended, g.By = now, a.ID
		if now.Before(g.Opened) { // a clock that was set back
			g.Ended = g.Opened
		}
		return g, &e, nil
	})
}

// change is a change of a grant on its way.
type change struct {
	do       string
	again    bool         // what was changed meanwhile is looked at again, otherwise it is a conflict
	recorded *audit.Event // once it is on record
}

// change reads a grant, lets decide say what becomes of it, records that, and writes it. Without an
// event there is nothing to do.
func (d *Desk[R]) change(ctx context.Context, t audit.Tenant, id string, c *change, decide func(Grant, time.Time) (Grant, *audit.Event, error)) (Grant, error) {
	for range tries {
		was, err := d.Get(ctx, t, id)
		if err != nil {
			return Grant{}, d.undone(ctx, c, err)
		}
		is, e, err := decide(was, d.now())
		if err != nil || e == nil {
			return is, d.undone(ctx, c, err)
		}
		if c.recorded == nil {
			if err := d.record(ctx, c.do, *e); err != nil {
				return Grant{}, err
			}
			c.recorded = e
		}
		is.Version = was.Version + 1
		err = d.p.Store.Update(ctx, is)
		switch {
		case err == nil:
			return is, nil
		case errors.Is(err, ErrConflict) && c.again:
			continue
		case errors.Is(err, ErrConflict):
			return Grant{}, d.undone(ctx, c, ErrConflict)
		}
		return d.confirm(ctx, c, is, err)
	}
	return Grant{}, d.undone(ctx, c, unavailable(c.do, ErrConflict))
}

// confirm asks a store that failed whether it wrote.
func (d *Desk[R]) confirm(ctx context.Context, c *change, is Grant, err error) (Grant, error) {
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	have, gerr := d.p.Store.Get(ask, is.Tenant, is.ID)
	switch {
	case gerr == nil && have == is:
		return is, nil
	case gerr == nil && have.Version < is.Version:
		return Grant{}, d.undone(ctx, c, unavailable(c.do, err))
	}
	return Grant{}, d.undone(ctx, c, &unconfirmedError{unavailable(c.do, err)})
}

// undone records that a recorded change was not made.
func (d *Desk[R]) undone(ctx context.Context, c *change, err error) error {
	o := opening{recorded: c.recorded}
	if err == nil && c.recorded != nil { // somebody else was quicker and made it
		return d.record(context.WithoutCancel(ctx), "what was not done", unmade(*c.recorded, codeNotApplied))
	}
	return d.concluded(ctx, &o, err)
}
