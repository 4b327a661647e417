package rbac

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The actions under which changes of grants are recorded.
const (
	ActionGrant  audit.Action = "rbac.grant"
	ActionRevoke audit.Action = "rbac.revoke"
)

// attempts is how often a change is tried while others change the same tenant's grants: each
// time that it has to wait, another change went through.
const attempts = 256

// Draft is a change of grants that somebody wants to make, all or nothing: a new job is the
// old role revoked and the new one granted, so that no seat is lost in between.
type Draft struct {
	Grant  []Grant
	Revoke []Ref
	// KeepAdmins holds the change to the rule about the last administrator even if the system makes it.
	KeepAdmins bool
}

// Ref names a grant of a person.
type Ref struct {
	Person audit.ActorID
	ID     string
}

// Grant gives g.Person the role g.Role in the tenant of the actor in ctx and returns the
// grant as stored: ID, Tenant, By and Created are set by z; the system may say by whom it is. It is
// Change with one grant.
func (z *Authorizer) Grant(ctx context.Context, g Grant) (Grant, error) {
	out, err := z.Change(ctx, Draft{Grant: []Grant{g}})
	if err != nil {
		return Grant{}, err
	}
	return out[0], nil
}

// Revoke ends the grant of this ID in the tenant of the actor in ctx. It is Change with one
// grant to revoke.
func (z *Authorizer) Revoke(ctx context.Context, person audit.ActorID, id string) error {
	_, err := z.Change(ctx, Draft{Revoke: []Ref{{person, id}}})
	return err
}

// Change makes the changes of d in the tenant of the actor in ctx, all of them or none, and
// returns the new grants as stored. They are in force with the people's next request, on
// every server; end somebody's sessions as well where the request under way must not finish.
//
// People cannot grant or revoke a role of a higher rank than their own highest, nor suspend
// somebody of a higher one, nor grant or revoke in practices, locations and queues where their own
// roles of that rank are bound to others; a role that the policy does not know any more is revoked
// by GrantRules.Admins. Only staff do so at all; audit.System can do all of it, for setting up.
// Beyond that Options.Grants says what is refused. Guard the route with an action of your own.
//
// Every grant and every revocation is recorded before it is made, so that no privilege exists
// without its record; should it then not be made, a second event says so, with the code
// not_applied, or unconfirmed where the store did not tell. Refusals are recorded too. What a
// person typed as the reason is taken from WithReason, into the event, as a private value.
//
// It returns ErrBadGrant for a grant that could not mean anything, a *Denial for a role or a
// reach beyond the actor's own, a *Refusal (ErrRefused) where a rule says no, ErrNoGrant for a grant to
// revoke that is not in force, ErrConflict if others kept changing the tenant's grants,
// ErrUndecided if a change could not be recorded.
func (z *Authorizer) Change(ctx context.Context, d Draft) ([]Grant, error) {
	c, err := z.draft(ctx, d)
	if err != nil {
		return nil, err
	}
	for n := range attempts {
		if err = c.try(ctx); !errors.Is(err, ErrConflict) {
			break
		}
		if pause(ctx, n) != nil {
			break
		}
	}
	if err = c.conclude(ctx, err); err != nil {
		return nil, err
	}
	return c.add, nil
}

// change is a Draft on its way.
type change struct {
	z        *Authorizer
	p        *Policy
	actor    audit.Actor
	now      time.Time
	add      []Grant
	revoke   []Ref
	end      []Grant // what revoke names, as the last attempt read it
	keep     bool    // Draft.KeepAdmins
	recorded bool
}

// draft completes and checks what somebody wants to change.
func (z *Authorizer) draft(ctx context.Context, d Draft) (*change, error) {
	c := &change{z: z, p: z.Policy(), actor: actor(ctx), now: z.now(), revoke: d.Revoke, keep: d.KeepAdmins}
	if len(d.Grant)+len(d.Revoke) == 0 || len(d.Grant)+len(d.Revoke) > maxDraft {
		return nil, fmt.Errorf("%w: between 1 and %d changes at a time", ErrBadGrant, maxDraft)
	}
	for _, g := range d.Grant {
		g = c.complete(g)
		if err := c.sensible(g); err != nil {
			return nil, err
		}
		c.add = append(c.add, g)
	}
	return c, nil
}

// try makes the change once: what was read and checked after the version was, holds when the
// same version is written.
func (c *change) try(ctx context.Context) error {
	version, err := c.z.store.Version(ctx, c.actor.Tenant)
	if err != nil {
		return err
	}
	s, err := c.survey(ctx)
	if err != nil {
		return err
	}
	if err := c.refused(ctx, s); err != nil {
		return err
	}
	if err := c.record(ctx); err != nil {
		return err
	}
	ch := Change{Add: c.add}
	for _, g := range c.end {
		ch.End = append(ch.End, Ending{ID: g.ID, At: c.now, By: c.actor.ID})
	}
	return c.z.store.Apply(ctx, c.actor.Tenant, version, ch)
}

// pause waits a random time, the longer the more often it was tried.
func pause(ctx context.Context, n int) error {
	t := time.NewTimer(time.Duration(rand.Int64N(int64(min(n+1, 16)) * int64(time.Millisecond))))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func actor(ctx context.Context) audit.Actor {
	a, _ := audit.ActorFrom(ctx)
	return a
}
