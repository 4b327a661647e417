package emergency

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Run calls Tick until ctx ends, whose error it returns. One server at least runs it; several may.
func (d *Desk[R]) Run(ctx context.Context) error {
	d.count(1)
	defer d.count(-1)
	tick := time.NewTicker(d.o.Every)
	defer tick.Stop()
	for {
		if err := d.Tick(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.WarnContext(ctx, "emergency: not everything that is due was done")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Tick does what is due for every tenant: it writes down what time ended, delivers notices that were
// not, and reminds of reviews that are overdue. It may be called at any time, again after any error,
// and from several servers at once: each step is written once, and a notice that two servers deliver has
// one ID. Two servers at the same instant may both record a step that one of them writes.
//
// What this Desk could not tell it tries again after a minute, two, four, and up to an hour, so that who
// can be reached is not flooded while somebody else cannot.
//
// Errors: ErrUntold, ErrUnavailable; one grant that fails does not keep the others back.
func (d *Desk[R]) Tick(ctx context.Context) error {
	var bad error
	for g, err := range d.p.Store.List(ctx, "", true, "") {
		if err != nil {
			bad = errors.Join(bad, unavailable("listing grants", err))
			break
		}
		if err := d.settle(ctx, g); err != nil {
			bad = errors.Join(bad, err)
		}
	}
	if ctx.Err() == nil {
		d.set(bad)
	}
	return bad
}

// settle does what is due for one grant.
func (d *Desk[R]) settle(ctx context.Context, g Grant) error {
	expired := d.expire(ctx, &g)
	if d.waits(g.ID) {
		return errors.Join(expired, ErrUntold)
	}
	told := d.inform(ctx, g)
	d.wait(g.ID, told)
	return errors.Join(expired, told)
}

// inform tells what is to be told about one grant.
func (d *Desk[R]) inform(ctx context.Context, g Grant) error {
	if g.Told.IsZero() {
		if g = d.tellOpened(ctx, g); g.Told.IsZero() {
			return d.untold(ctx, g, func(g Grant) bool { return !g.Told.IsZero() })
		}
	}
	if g.alarmed() {
		d.tellLimited(ctx, g)
		return d.untold(ctx, g, func(g Grant) bool { return !g.alarmed() })
	}
	return d.remind(ctx, g)
}

// untold is ErrUntold, unless another server told.
func (d *Desk[R]) untold(ctx context.Context, g Grant, told func(Grant) bool) error {
	if is, err := d.Get(ctx, g.Tenant, g.ID); err == nil && told(is) {
		return nil
	}
	return ErrUntold
}

// expire writes down that time ended a grant.
func (d *Desk[R]) expire(ctx context.Context, g *Grant) error {
	if !g.Ended.IsZero() || d.now().Before(g.Until) {
		return nil
	}
	e := g.event(ActionExpire, audit.Execute)
	e.Actor = system(g.Tenant)
	is := *g
	is.Ended = is.Until
	return d.write(ctx, g, is, e)
}

// remind tells that a review is overdue, as often as Options.Remind says.
func (d *Desk[R]) remind(ctx context.Context, g Grant) error {
	now := d.now()
	if !g.OverdueAt(now) || !g.Reminded.IsZero() && now.Before(g.Reminded.Add(d.o.Remind)) {
		return nil
	}
	if err := d.tell(ctx, g.notice(Overdue, g.Reminders)); err != nil {
		return ErrUntold
	}
	e := g.event(ActionOverdue, audit.Execute)
	e.Actor = system(g.Tenant)
	is := g
	is.Reminders, is.Reminded = g.Reminders+1, now
	return d.write(ctx, &g, is, e)
}

// write records and writes a step of Tick. Who was quicker did it, or it is done with the next Tick.
func (d *Desk[R]) write(ctx context.Context, g *Grant, is Grant, e audit.Event) error {
	if err := d.record(ctx, "a step", e); err != nil {
		return err
	}
	is.Version++
	switch err := d.p.Store.Update(ctx, is); {
	case errors.Is(err, ErrConflict):
		now, err := d.Get(ctx, g.Tenant, g.ID)
		if err == nil {
			*g = now
		}
		return err
	case err != nil:
		return unavailable("writing a step", err)
	}
	*g = is
	return nil
}

// Health returns what Tick failed with last, nil if it succeeded, or ErrNotRunning.
func (d *Desk[R]) Health(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil && d.running == 0 {
		return ErrNotRunning
	}
	return d.last
}

func (d *Desk[R]) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running += n
}

func (d *Desk[R]) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = err
}
