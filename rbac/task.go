package rbac

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// task is what a service or an agent was made for: the most it may do, whatever its roles. What
// it may do is the least of three: its scopes, its own roles, and, where it acts for a person,
// what that person may do now.
type task struct {
	scopes []audit.Action
	person *subject // whom it acts for; nil for nobody
}

// program reports whether actors of a kind are programs: they have no second factor, and scopes.
func program(k audit.Kind) bool { return k == audit.KindService || k == audit.KindAgent }

// task returns the task of s, who is a; nil for people. The grants of whom a program acts for are
// read with its own, so that who loses a right takes it from the program with the next request.
func (z *Authorizer) task(ctx context.Context, s *subject, a audit.Actor) (*task, error) {
	if !program(a.Kind) {
		return nil, nil
	}
	t := &task{scopes: a.Scopes()}
	if a.OnBehalfOf == "" {
		return t, nil
	}
	grants, err := z.store.Grants(ctx, a.Tenant, a.OnBehalfOf)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the grants of whom somebody acts for: %w", ErrUndecided, err)
	}
	t.person = &subject{
		z: z, policy: s.policy, known: true, tenant: a.Tenant, id: a.OnBehalfOf, kind: kindPerson,
		assurance: audit.AAL3, us: s.us, on: s.on, masks: s.masks, // they prove nothing here: the program's own assurance counts
	}
	t.person.held = t.person.room[:0]
	t.person.take(grants, s.at())
	return t, nil
}

// kindPerson is the kind of whom a program acts for: one of those that people have.
const kindPerson audit.Kind = "person"

// fits reports whether s can hold a role for actors of kind k.
func (s *subject) fits(k audit.Kind) bool {
	return k == s.kind || s.kind == kindPerson && !program(k)
}

// is reports whether t is the task of a.
func (t *task) is(a audit.Actor) bool {
	var person audit.ActorID
	if t.person != nil {
		person = t.person.id
	}
	return person == a.OnBehalfOf && slices.Equal(t.scopes, a.Scopes())
}

// names reports whether the scopes name an action.
func (t *task) names(d *definition) bool { return slices.Contains(t.scopes, d.name) }

// answer denies what dec allows if whom t acts for may not do it.
func (t *task) answer(ctx context.Context, d *definition, a *Attrs, us int64, dec *Decision) error {
	if !dec.Allowed || t.person == nil {
		return nil
	}
	var theirs Decision
	var q question
	q.s, q.us = t.person, us
	if err := t.person.answer(ctx, d, a, &q, &theirs); err != nil {
		dec.withdraw(CodeUndecided)
		return err
	}
	if !theirs.Allowed {
		dec.withdraw(CodePerson)
		return nil
	}
	dec.person = theirs.roles
	return nil
}

// reach narrows a list to what whom t acts for may list.
func (t *task) reach(f *filter, now time.Time) {
	if t.person == nil {
		return
	}
	theirs, _ := t.person.reach(f.def, now)
	if !theirs.allow.Allowed {
		f.allow.withdraw(CodePerson)
		f.groups = nil
		return
	}
	f.person = theirs
}

// narrowest returns of each class the lower level.
func narrowest(a, b map[phi.Class]phi.Level) map[phi.Class]phi.Level {
	for c := range a {
		a[c] = min(a[c], b[c])
	}
	return a
}

// insufficientScope is the challenge of RFC 6750, section 3.1. A name has no character that
// would have to be quoted.
func insufficientScope(d *definition) string {
	return `Bearer error="insufficient_scope", scope="` + string(d.name) + `"`
}

// MayGrant reports whether the actor in ctx may do the action of this name themselves, so that a
// scope of a program that they make does not go beyond their own rights: anywhere, which is enough
// for a program that acts for them, or everywhere in the tenant, which it takes for every other.
// What no program can do is granted to none: not what needs a step-up, a second person or a licence,
// nor what the policy does not list. A program grants nothing. Like Check it only asks; an error wraps ErrUndecided.
func (z *Authorizer) MayGrant(ctx context.Context, name audit.Action, everywhere bool) (bool, error) {
	s, err := z.asked(ctx)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(s.policy.actions, func(d *definition) bool { return d.name == name })
	if i < 0 {
		return false, nil
	}
	d := s.policy.actions[i]
	switch {
	case s.task != nil, d.stepUp > 0 || d.twoPerson || d.licence != "":
		return false, nil
	case d.tenantLevel():
		dec, err := s.decide(ctx, d, d.anywhere(s.tenant), s.at())
		return dec.Allowed && err == nil, err
	}
	f, code := s.reach(d, s.at())
	return code == CodeAllowed && (!everywhere || f.everywhere()), nil
}

// everywhere reports whether a list has every row of the tenant, but for what labels hold back.
func (f *filter) everywhere() bool {
	return slices.ContainsFunc(f.groups, func(g group) bool { return g.everything() })
}
