package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The actions under which changes of grants are recorded.
const (
	ActionGrant  audit.Action = "rbac.grant"
	ActionRevoke audit.Action = "rbac.revoke"
)

// maxPractices is how many practices a grant can list: an event names them all.
const maxPractices = 200

// maxWhy is the length in bytes of Grant.Why.
const maxWhy = 500

// attempts is how often a change is tried while others change the same tenant's grants.
const attempts = 5

// Grant gives g.Person the role g.Role in the tenant of the actor in ctx and returns the
// grant as stored: ID, Tenant, By and Created are set by z. It is in force with the person's
// next request, on every server.
//
// The change is recorded before it is made, so that no privilege exists without its record;
// should the store then fail, a second event says so. People cannot grant a role of a higher
// rank than their own highest, and only staff grant roles at all; audit.System can grant
// every role, for setting up. Guard the route with an
// action of your own.
//
// It returns ErrBadGrant for a grant that could not mean anything, ErrDenied for a role above
// the actor's own, ErrConflict if others kept changing the tenant's grants.
func (z *Authorizer) Grant(ctx context.Context, g Grant) (Grant, error) {
	a, now := actor(ctx), z.now()
	if g.ID == "" {
		g.ID = audit.NewID(now)
	}
	g.Tenant, g.By, g.Created = a.Tenant, a.ID, now
	g.From, g.Until = utc(g.From), utc(g.Until)
	g.Ended, g.EndedBy = time.Time{}, ""
	g.Practices = slices.Compact(slices.Sorted(slices.Values(g.Practices)))
	if err := z.sensible(g, now); err != nil {
		return Grant{}, err
	}
	if err := z.outranks(ctx, a, ActionGrant, g); err != nil {
		return Grant{}, err
	}
	if err := z.change(ctx, ActionGrant, g, Change{Add: []Grant{g}}); err != nil {
		return Grant{}, err
	}
	return g, nil
}

// Revoke ends the grant of this ID in the tenant of the actor in ctx. It is in force with the
// person's next request, on every server; end the person's sessions as well where the request
// under way must not finish. Recorded like Grant; nobody revokes a role above their own.
// It returns ErrNoGrant if there is no such grant in force.
func (z *Authorizer) Revoke(ctx context.Context, person audit.ActorID, id string) error {
	a, now := actor(ctx), z.now()
	grants, err := z.store.Grants(ctx, a.Tenant, person)
	if err != nil {
		return fmt.Errorf("rbac: revoking a grant: %w", err)
	}
	i := slices.IndexFunc(grants, func(g Grant) bool { return g.ID == id && g.Tenant == a.Tenant && g.Person == person })
	if i < 0 {
		return ErrNoGrant
	}
	if err := z.outranks(ctx, a, ActionRevoke, grants[i]); err != nil {
		return err
	}
	return z.change(ctx, ActionRevoke, grants[i], Change{End: []Ending{{ID: id, At: now, By: a.ID}}})
}

func actor(ctx context.Context) audit.Actor {
	a, _ := audit.ActorFrom(ctx)
	return a
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// sensible refuses grants that could not mean anything.
func (z *Authorizer) sensible(g Grant, now time.Time) error {
	i, ok := z.policy.byName[g.Role]
	switch {
	case !ok:
		return fmt.Errorf("%w: the policy has no such role", ErrBadGrant)
	case !validID(string(g.Tenant)) || !validID(string(g.Person)) || !validID(string(g.By)) || !validID(g.ID):
		return fmt.Errorf("%w: tenant, person and grantor are required", ErrBadGrant)
	case len(g.Why) > maxWhy:
		return fmt.Errorf("%w: the reason is longer than %d bytes", ErrBadGrant, maxWhy)
	case !g.Until.IsZero() && (!g.Until.After(g.From) || !g.Until.After(now)):
		return fmt.Errorf("%w: it would end before it begins", ErrBadGrant)
	case len(g.Practices) > maxPractices:
		return fmt.Errorf("%w: more than %d practices", ErrBadGrant, maxPractices)
	case z.policy.roles[i].practiceScoped() != (len(g.Practices) > 0):
		return fmt.Errorf("%w: practices are for roles with permissions in scope practice, which need them", ErrBadGrant)
	case slices.ContainsFunc(g.Practices, func(p PracticeID) bool { return !validID(string(p)) }):
		return fmt.Errorf("%w: a practice without an id", ErrBadGrant)
	}
	return nil
}

// practiceScoped reports whether the role has a permission in scope Practice.
func (r *role) practiceScoped() bool {
	return slices.ContainsFunc(r.scopes, func(s scopeSet) bool { return s.has(Practice) })
}

// outranks refuses changes to roles above the actor's own highest, and records that somebody
// tried.
func (z *Authorizer) outranks(ctx context.Context, a audit.Actor, action audit.Action, g Grant) error {
	if a.Kind == audit.KindSystem {
		return nil
	}
	now := z.now()
	s, err := z.read(ctx, now)
	if err != nil {
		return err
	}
	dec := Decision{Code: CodeRank, policy: z.policy, held: s.inForce(now)}
	best := z.policy.highest(dec.held)
	i, ok := z.policy.byName[g.Role]
	if a.Kind == audit.KindStaff && ok && best >= 0 && z.policy.roles[i].Rank <= z.policy.roles[best].Rank {
		return nil
	}
	e := z.changed(a, action, g)
	e.Outcome, e.Code = audit.Failure, string(CodeRank)
	if err := z.rec.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: recording: %w", ErrUndecided, err)
	}
	return &Denial{dec}
}

// change records what is about to be done, does it, and records it if it was not done.
func (z *Authorizer) change(ctx context.Context, action audit.Action, g Grant, c Change) error {
	e := z.changed(actor(ctx), action, g)
	if err := z.rec.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: recording: %w", ErrUndecided, err)
	}
	err := z.apply(ctx, g.Tenant, c, func() error { return z.outranks(ctx, actor(ctx), action, g) })
	if err == nil {
		return nil
	}
	e.Outcome, e.Code = audit.MajorFailure, "not_applied"
	if rerr := z.rec.Record(context.WithoutCancel(ctx), e); rerr != nil {
		err = errors.Join(err, rerr)
	}
	return fmt.Errorf("rbac: changing grants: %w", err)
}

// apply writes c, provided that may, asked after the version was read, agrees: what changes
// after that makes another version.
func (z *Authorizer) apply(ctx context.Context, t audit.Tenant, c Change, may func() error) (err error) {
	for range attempts {
		var version int64
		if version, err = z.store.Version(ctx, t); err != nil {
			return err
		}
		if err = may(); err != nil {
			return err
		}
		if err = z.store.Apply(ctx, t, version, c); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// changed is the event of a change. Its codes are identifiers; the reason is private.
func (z *Authorizer) changed(a audit.Actor, action audit.Action, g Grant) audit.Event {
	e := audit.Event{
		Tenant: g.Tenant,
		Action: action,
		Verb:   audit.Update,
		Actor:  a,
		Objects: []audit.Object{
			{Type: "grant", ID: g.ID, Category: string(Users)},
			{Type: "person", ID: string(g.Person)},
		},
		Why:      audit.NewPrivate(g.Why),
		Decision: audit.Decision{Policy: z.policy.digest},
		Detail:   map[string]string{"role": string(g.Role)},
	}
	if !g.Until.IsZero() {
		e.Detail["until"] = g.Until.Format(time.RFC3339)
	}
	for _, p := range g.Practices {
		e.Objects = append(e.Objects, audit.Object{Type: "practice", ID: string(p)})
	}
	return e
}
