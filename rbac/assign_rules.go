package rbac

import (
	"context"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// refused holds a change against every rule, the actor's own limits first.
func (c *change) refused(ctx context.Context, s *survey) error {
	if s.who != nil {
		if err := c.outranks(s); err != nil {
			return err
		}
	}
	for _, g := range c.add {
		if s.who != nil && g.Person == c.actor.ID && !c.z.o.Grants.SelfGrants {
			return &Refusal{Code: CodeSelfGrant}
		}
		if err := c.exclusive(g, s); err != nil {
			return err
		}
		if err := c.single(g, s); err != nil {
			return err
		}
	}
	if err := c.seats(s); err != nil {
		return err
	}
	return c.lastAdmin(s)
}

// outranks refuses changes to roles above the actor's own highest, and suspending people who
// stand above the actor.
func (c *change) outranks(s *survey) error {
	held := s.who.inForce(c.now)
	denial := &Denial{Decision{Code: CodeRank, policy: c.p, held: held}}
	best := c.p.highest(held)
	if visitor, _ := visiting(c.actor); visitor || c.actor.Kind != audit.KindStaff || best < 0 {
		return denial
	}
	for _, g := range slices.Concat(c.add, c.end) {
		if _, known := c.p.byName[g.Role]; !known && g.Role != Suspended && c.administers(held) {
			continue // it gives nothing any more
		}
		if c.rank(g, s) > c.p.roles[best].Rank {
			return denial
		}
		if !c.within(g, s) {
			return &Denial{Decision{Code: CodeReach, policy: c.p, held: held}}
		}
	}
	return nil
}

// administers reports whether one of the roles is of GrantRules.Admins.
func (c *change) administers(held roleSet) bool {
	return slices.ContainsFunc(c.z.o.Grants.admins(c.p), func(name RoleName) bool {
		i, ok := c.p.byName[name]
		return ok && held.has(i)
	})
}

// within reports whether what g lists lies within what the actor's own grants list, of the roles
// that stand as high as g's. Who holds such a role without a list of that dimension is bound to
// none in it.
func (c *change) within(g Grant, s *survey) bool {
	reach := lists{tidy(g.Practices), tidy(g.Locations), tidy(g.Queues)}
	rank, us := c.rank(g, s), c.now.UnixMicro()
	for dimension, list := range reach {
		var own []string
		free := false
		for i := range s.who.held {
			h := &s.who.held[i]
			if h.inForce(us) && h.role.Rank >= rank {
				own = union(own, h.lists[dimension])
				free = free || len(h.lists[dimension]) == 0
			}
		}
		if !free && len(list) > 0 && len(union(own, list)) > len(own) {
			return false
		}
	}
	return true
}

// rank returns the rank that it takes to grant or to revoke g: its role's, of Suspended the
// highest that its person holds. A role that the policy does not know is nobody's rank: another
// server may have a newer policy. Only who administers the tenant can revoke one.
func (c *change) rank(g Grant, s *survey) int {
	rank := c.rankOf(g.Role)
	if g.Role != Suspended {
		return rank
	}
	for _, h := range s.people[g.Person] {
		if h.Live(c.now) {
			rank = max(rank, c.rankOf(h.Role))
		}
	}
	return rank
}

func (c *change) rankOf(name RoleName) int {
	i, ok := c.p.byName[name]
	switch {
	case ok:
		return c.p.roles[i].Rank
	case name == Suspended:
		return minRank
	}
	return maxRank
}

const (
	maxRank = int(^uint(0) >> 1)
	minRank = -maxRank - 1
)

// exclusive refuses roles that nobody holds together.
func (c *change) exclusive(g Grant, s *survey) error {
	theirs := c.after(s.people[g.Person], func(h Grant) bool { return h.Person == g.Person })
	for _, h := range theirs {
		if h.ID == g.ID || !h.Live(c.now) || !g.overlaps(h) {
			continue
		}
		for _, x := range c.z.o.Grants.Exclusive {
			if x.joins(g.Role, h.Role) {
				return &Refusal{Code: CodeExclusive, Rule: x.Name}
			}
		}
	}
	return nil
}

// single refuses a second holder of a role that one person holds at a time.
func (c *change) single(g Grant, s *survey) error {
	if !slices.Contains(c.z.o.Grants.Single, g.Role) {
		return nil
	}
	for _, h := range c.after(s.holders, func(Grant) bool { return true }) {
		if h.Role == g.Role && h.Person != g.Person && h.Live(c.now) && g.overlaps(h) {
			return &Refusal{Code: CodeSingle, Rule: string(g.Role)}
		}
	}
	return nil
}

// seats refuses to seat more people than the limit; where there are too many already, what
// seats nobody more is let through.
func (c *change) seats(s *survey) error {
	if s.limit < 0 {
		return nil
	}
	taken := c.p.seated(c.after(s.holders, func(Grant) bool { return true }), c.now)
	if taken > s.limit && taken > c.p.seated(s.holders, c.now) {
		return &Refusal{Code: CodeSeats}
	}
	return nil
}

// lastAdmin refuses to leave a tenant without anybody who administers it, or with only those
// whose grant has an end.
func (c *change) lastAdmin(s *survey) error {
	if !c.unseatsAdmins() {
		return nil
	}
	roles := c.z.o.Grants.admins(c.p)
	all, lasting := administer(roles, s.holders, c.now)
	allAfter, lastingAfter := administer(roles, c.after(s.holders, func(Grant) bool { return true }), c.now)
	if all > 0 && allAfter == 0 || lasting > 0 && lastingAfter == 0 {
		return &Refusal{Code: CodeLastAdmin}
	}
	return nil
}
