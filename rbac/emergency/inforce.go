package emergency

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// inForce asks the relation of the policy, as the next decision will, whether the grant that was just
// written lets its person in, and returns the grant as it is. What lets nobody in is ended: whoever stands
// before a patient must not believe otherwise, and nobody is told that somebody is in. The question is
// about the instant of the opening, so that no clock decides it.
func (d *Desk[R]) inForce(ctx context.Context, g Grant) (Grant, error) {
	err := d.known(ctx, g)
	if err == nil {
		return g, nil
	}
	is, ended := d.withdraw(ctx, g)
	switch {
	case ended != nil:
		return Grant{}, &unconfirmedError{errors.Join(err, ended)}
	case is.withdrawn():
		return Grant{}, err
	}
	return is, nil // somebody ended it between the two
}

// known reports that the relation knows the grant.
func (d *Desk[R]) known(ctx context.Context, g Grant) error {
	relation := d.p.Authorizer.Policy().Emergencies()
	if relation == nil { // a policy that was swapped in
		return ErrRelation
	}
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	id, err := relation.Grant(ask, g.Tenant, g.Person, g.Patient, g.Opened)
	switch {
	case err != nil:
		return unavailable("asking Relations.Emergency", err)
	case id != g.ID:
		return ErrRelation
	}
	return nil
}

// withdraw ends a grant as if it had never been open, unless it is over.
func (d *Desk[R]) withdraw(ctx context.Context, g Grant) (Grant, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	c := change{do: "withdrawing", again: true}
	return d.change(ctx, g.Tenant, g.ID, &c, func(is Grant, _ time.Time) (Grant, *audit.Event, error) {
		if !is.Ended.IsZero() {
			return is, nil, nil
		}
		e := is.event(ActionEnd, audit.Execute)
		e.Actor, e.Detail["by"] = system(is.Tenant), "system"
		is.Ended = is.Opened
		return is, &e, nil
	})
}
