package support

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
)

// Enter begins the operator's visit to tenant t, for the operator in ctx and their session of the platform: staff
// with AAL2. Both logs have it before it counts, and the tenant is told the first time. From then on Guard lets
// this session in. Entering from another session ends the visit of the one before.
//
// ErrNoActor, ErrAssurance, ErrClosed: nobody came in. ErrUnavailable, ErrConflict: try again.
func (d *Desk) Enter(ctx context.Context, t audit.Tenant) (audit.Actor, Access, error) {
	a, r, err := d.standing(ctx, t)
	if err != nil {
		return audit.Actor{}, Access{}, err
	}
	if a.Session == "" {
		return audit.Actor{}, Access{}, ErrNoActor
	}
	v := d.visitor(a, t)
	if r.Session = a.Session; r.Entered.IsZero() {
		r.Entered = d.now()
	}
	if err := d.step(ctx, &r, note{action: ActionEnter, by: v}); err != nil {
		return audit.Actor{}, Access{}, err
	}
	return v, d.tellNow(ctx, r).Access, nil
}

// Guard returns the actor under which the operator in ctx acts in tenant t, as long as an access stands that this
// session has entered. Call it before each request of the operator in the tenant, and put the actor into the
// request's context; call it again every 30 seconds of a stream.
//
// It reads everything again: the access, its grant, whether the role still is a support role and the platform still lets the operator. What it finds over
// it closes. ErrNoActor, ErrAssurance, ErrClosed, ErrUnavailable: there is no actor.
func (d *Desk) Guard(ctx context.Context, t audit.Tenant) (audit.Actor, Access, error) {
	a, r, err := d.standing(ctx, t)
	switch {
	case err != nil:
		return audit.Actor{}, Access{}, err
	case r.Entered.IsZero(), a.Session == "", r.Session != a.Session, d.now().Before(r.Entered):
		return audit.Actor{}, Access{}, ErrClosed
	}
	return d.visitor(a, t), r.Access, nil
}

// standing returns the operator and their access to t, if it stands now.
func (d *Desk) standing(ctx context.Context, t audit.Tenant) (audit.Actor, record, error) {
	a, err := d.operator(ctx, true)
	if err != nil {
		return a, record{}, err
	}
	r, err := d.open(ctx, t, Account{a.Tenant, a.ID})
	switch {
	case errors.Is(err, ErrNotFound):
		return a, record{}, ErrClosed
	case err != nil:
		return a, record{}, err
	case d.now().Before(r.Approved): // a clock was set back
		return a, record{}, ErrClosed
	}
	r, err = d.tidy(ctx, r)
	switch {
	case err != nil:
		return a, record{}, err
	case r.State != Approved:
		return a, record{}, ErrClosed
	}
	switch ok, err := d.granted(ctx, &r); {
	case err != nil:
		return a, record{}, err
	case !ok: // not yet, not any more, or beside others that nobody approved
		return a, record{}, ErrClosed
	}
	return a, r, nil
}

// granted reports whether the visitor holds the grant of this access, and nothing else.
func (d *Desk) granted(ctx context.Context, r *record) (bool, error) {
	grants, err := d.p.Grants.Grants(ctx, r.Tenant, r.Visitor())
	if err != nil {
		return false, unavailable("reading grants", err)
	}
	want, found := r.grant(), false
	for _, g := range grants {
		if g.Person != want.Person || !g.Live(d.now()) {
			continue
		}
		if g.ID != want.ID || g.Role != want.Role || g.Source != want.Source || !g.Until.Equal(want.Until) || g.By != r.Approver ||
			!equal(g.Practices, want.Practices) || !equal(g.Locations, want.Locations) || !equal(g.Queues, want.Queues) {
			return false, nil
		}
		found = true
	}
	return found, nil
}

func equal[T ~string](a, b []T) bool {
	a, b = set(a), set(b)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// tidy closes an open access that is over by the clock, by the policy, or because the platform does not let
// the operator any more, and returns it as it is then.
func (d *Desk) tidy(ctx context.Context, r record) (record, error) {
	c := closing{by: d.system(&r)}
	now := d.now()
	switch {
	case !r.State.Open():
		return r, nil
	case r.State == Requested && !now.Before(r.Lapses):
		c.state = Lapsed
	case r.State == Approved && !now.Before(r.Until):
		c.state = Expired
	case r.State == Approved && d.fit(r.Role) != nil:
		c.state, c.how = Ended, RoleChanged
	default:
		ok, err := d.allowed(ctx, r.Operator, r.Tenant)
		switch {
		case err != nil:
			return record{}, err
		case ok:
			return r, nil
		case r.State == Requested:
			c.state, c.how = Lapsed, OperatorGone
		default:
			c.state, c.how = Ended, OperatorGone
		}
	}
	return d.close(ctx, r, c)
}
