package rbac

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// Supposition is a change that somebody is thinking about: of grants, of what the tenant
// switches, of the policy, or of several together. What is nil stays as it is.
type Supposition struct {
	Draft   *Draft
	Toggles *Toggles
	Policy  *Policy
}

// Supposed is how things would be. Explain and Rights ask it; nothing that acts takes it, so
// that no permission comes of a supposition.
type Supposed struct {
	was, z *Authorizer
}

func (s *Supposed) authorizer() *Authorizer { return s.z }

// Suppose returns how things would be in the tenant of the actor in ctx. What
// Change, Choose or Swap would refuse, it refuses with the same error. Nothing is written and nothing recorded.
func (z *Authorizer) Suppose(ctx context.Context, s Supposition) (*Supposed, error) {
	if z.Policy() == nil {
		return nil, ErrUndecided
	}
	then := &Authorizer{store: z.store, rec: audit.Discard{}, o: z.o}
	then.live.Store(z.Policy())
	if s.Policy != nil {
		if err := z.swappable(ctx, z.Policy(), s.Policy, actor(ctx).Tenant); err != nil {
			return nil, err
		}
		then.live.Store(s.Policy)
	}
	if s.Toggles != nil {
		if err := z.choosable(ctx, then.Policy(), *s.Toggles); err != nil {
			return nil, err
		}
		then.o.Toggles = supposedToggles{tenant: actor(ctx).Tenant, toggles: *s.Toggles, others: z.o.Toggles}
	}
	if s.Draft != nil {
		c, err := then.draft(ctx, *s.Draft)
		if err != nil {
			return nil, err
		}
		if err := c.ask(ctx); err != nil {
			return nil, err
		}
		then.store = &supposedStore{z.store, c}
	}
	return &Supposed{z, then}, nil
}

// choosable reports why a tenant cannot choose next under p, as Choose does.
func (z *Authorizer) choosable(ctx context.Context, p *Policy, next Toggles) error {
	if err := next.Validate(p); err != nil {
		return err
	}
	var was Toggles
	if z.o.Toggles != nil {
		var err error
		if was, err = z.o.Toggles.Toggles(ctx, actor(ctx).Tenant); err != nil {
			return fmt.Errorf("%w: reading a tenant's toggles: %w", ErrUndecided, err)
		}
	}
	return z.keepsManagers(p, was, next)
}

// ask holds the change against the rules as they are now.
func (c *change) ask(ctx context.Context) error {
	s, err := c.survey(ctx)
	if err != nil {
		return err
	}
	return c.refused(ctx, s)
}

// Effects returns what would become of the rights of some people of the tenant, as Rights
// tells them: the actions of which something changes, in order of person and action.
func (s *Supposed) Effects(ctx context.Context, people ...audit.Actor) ([]RightsChange, error) {
	var out []RightsChange
	for _, who := range people {
		before, err := Rights(ctx, s.was, who)
		if err != nil {
			return nil, err
		}
		after, err := Rights(ctx, s.z, who)
		if err != nil {
			return nil, err
		}
		out = append(out, compareRights(who.ID, before, after)...)
	}
	return out, nil
}

// RightsChange is what a supposition would do to one person's right to one action.
type RightsChange struct {
	Person audit.ActorID `json:"person"`
	Action audit.Action  `json:"action"`
	Effect Effect        `json:"effect"`
	Before []string      `json:"before"` // the scopes in which it reaches something, sorted
	After  []string      `json:"after"`
}

func compareRights(person audit.ActorID, before, after []Explanation) []RightsChange {
	was, is := reaching(before), reaching(after)
	var out []RightsChange
	for _, name := range actionNames(before, after) {
		if slices.Equal(was[name], is[name]) {
			continue
		}
		c := RightsChange{Person: person, Action: name, Effect: Changes, Before: was[name], After: is[name]}
		switch {
		case containsAll(is[name], was[name]):
			c.Effect = Gains
		case containsAll(was[name], is[name]):
			c.Effect = Loses
		}
		out = append(out, c)
	}
	return out
}

func containsAll(list, of []string) bool {
	return !slices.ContainsFunc(of, func(s string) bool { return !slices.Contains(list, s) })
}

// reaching returns the scopes in which each action reaches something, with the lists that a
// scope is about.
func reaching(all []Explanation) map[audit.Action][]string {
	out := map[audit.Action][]string{}
	for _, x := range all {
		if !x.Allowed {
			continue
		}
		for _, c := range x.Clauses {
			if c.Verdict == VerdictAllows {
				out[x.Action] = append(out[x.Action], c.reach())
			}
		}
		out[x.Action] = set(out[x.Action])
	}
	return out
}

func actionNames(lists ...[]Explanation) []audit.Action {
	var names []audit.Action
	for _, all := range lists {
		for _, x := range all {
			names = append(names, x.Action)
		}
	}
	return set(names)
}

// supposedToggles are one tenant's toggles as they would be.
type supposedToggles struct {
	tenant  audit.Tenant
	toggles Toggles
	others  TenantToggles
}

func (s supposedToggles) Toggles(ctx context.Context, t audit.Tenant) (Toggles, error) {
	switch {
	case t == s.tenant:
		return s.toggles, nil
	case s.others == nil:
		return Toggles{}, nil
	}
	return s.others.Toggles(ctx, t)
}

// supposedStore is a store as it would be after a change.
type supposedStore struct {
	Store
	c *change
}

func (s *supposedStore) Grants(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]Grant, error) {
	grants, err := s.Store.Grants(ctx, t, person)
	return s.after(t, grants, func(g Grant) bool { return g.Person == person }), err
}

func (s *supposedStore) Holders(ctx context.Context, t audit.Tenant, roles []RoleName) ([]Grant, error) {
	grants, err := s.Store.Holders(ctx, t, roles)
	return s.after(t, grants, func(g Grant) bool { return slices.Contains(roles, g.Role) }), err
}

func (s *supposedStore) after(t audit.Tenant, grants []Grant, about func(Grant) bool) []Grant {
	if t != s.c.actor.Tenant {
		return grants
	}
	return s.c.after(grants, about)
}

// errSupposed says that nothing is written to what is only supposed.
var errSupposed = errors.New("rbac: only supposed")

func (s *supposedStore) List(context.Context, audit.Tenant, string) iter.Seq2[Grant, error] {
	return func(yield func(Grant, error) bool) { yield(Grant{}, errSupposed) }
}

func (s *supposedStore) Apply(context.Context, audit.Tenant, int64, Change) error { return errSupposed }
