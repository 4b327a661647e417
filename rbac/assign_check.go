package rbac

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const (
	// maxReach is how many practices, locations and queues a grant can list together: an event
	// names them all.
	maxReach = 200
	// maxDraft is how many grants one change can touch.
	maxDraft = 100
)

// complete fills in what z decides about a grant.
func (c *change) complete(g Grant) Grant {
	if g.ID == "" {
		g.ID = audit.NewID(c.now)
	}
	if c.actor.Kind != audit.KindSystem || g.By == "" {
		g.By = c.actor.ID // the system may narrow, or give back, what somebody granted
	}
	g.Tenant, g.Created = c.actor.Tenant, c.now
	g.From, g.Until = utc(g.From), utc(g.Until)
	g.Ended, g.EndedBy = time.Time{}, ""
	g.Practices, g.Locations, g.Queues = set(g.Practices), set(g.Locations), set(g.Queues)
	if g.Source == "" {
		g.Source = SourceDirect
		if c.actor.Kind == audit.KindSystem {
			g.Source = SourceSetUp
		}
	}
	return g
}

// set returns a sorted copy without duplicates, nil for an empty list.
func set[T ~string](list []T) []T { return slices.Compact(slices.Sorted(slices.Values(list))) }

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// sensible refuses grants that could not mean anything.
func (c *change) sensible(g Grant) error {
	i, ok := c.p.byName[g.Role]
	switch {
	case !ok && g.Role != Suspended:
		return fmt.Errorf("%w: the policy has no such role", ErrBadGrant)
	case !validID(string(g.Tenant)) || !validID(string(g.Person)) || !validID(string(g.By)) || !validID(g.ID):
		return fmt.Errorf("%w: tenant, person and grantor are required", ErrBadGrant)
	case g.Why != "" && !isWord(g.Why):
		return fmt.Errorf("%w: Why is a code of lower-case letters, digits and underscores; words belong to WithReason", ErrBadGrant)
	case !isWord(string(g.Source)):
		return fmt.Errorf("%w: a source is lower-case letters, digits and underscores", ErrBadGrant)
	case !g.Until.IsZero() && (!g.Until.After(g.From) || !g.Until.After(c.now)):
		return fmt.Errorf("%w: it would end before it begins", ErrBadGrant)
	case len(g.Practices)+len(g.Locations)+len(g.Queues) > maxReach:
		return fmt.Errorf("%w: more than %d practices, locations and queues", ErrBadGrant, maxReach)
	case !validIDs(g.Practices) || !validIDs(g.Locations) || !validIDs(g.Queues):
		return fmt.Errorf("%w: a practice, location or queue without an id", ErrBadGrant)
	}
	if err := c.visits(g); err != nil {
		return err
	}
	if !ok {
		return c.reaches(g, false, false, false)
	}
	r := &c.p.roles[i]
	return c.reaches(g, r.uses(Practice), r.uses(Location), r.uses(Queue))
}

func validIDs[T ~string](ids []T) bool {
	return !slices.ContainsFunc(ids, func(id T) bool { return !validID(string(id)) })
}

// reaches refuses lists for a role that has no use for them, and none for one that has:
// otherwise the last entry removed would widen a grant, or a list would seem to narrow it.
func (c *change) reaches(g Grant, practices, locations, queues bool) error {
	if (len(g.Practices) > 0) != practices || (len(g.Locations) > 0) != locations || (len(g.Queues) > 0) != queues {
		return fmt.Errorf("%w: practices, locations and queues are for roles with permissions in such a scope, which need them", ErrBadGrant)
	}
	return nil
}

// survey is what a change is checked against, read after the version.
type survey struct {
	who     *subject // the actor, nil for the system
	people  map[audit.ActorID][]Grant
	holders []Grant // of the roles that rules ask about
	limit   int     // seats, -1 for no limit
}

// survey reads what the rules need, and finds what is to be revoked.
func (c *change) survey(ctx context.Context) (*survey, error) {
	s := &survey{people: map[audit.ActorID][]Grant{}, limit: -1}
	if c.actor.Kind != audit.KindSystem {
		who, err := c.z.read(ctx, c.now)
		if err != nil {
			return nil, err
		}
		if who.policy != c.p { // ranks of one policy say nothing under another
			return nil, fmt.Errorf("%w: another policy was put in force", ErrUndecided)
		}
		s.who = who
	}
	c.end = nil
	for _, ref := range c.revoke {
		if err := s.load(ctx, c, ref.Person); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(s.people[ref.Person], func(g Grant) bool { return g.ID == ref.ID })
		if i < 0 || slices.ContainsFunc(c.end, func(g Grant) bool { return g.ID == ref.ID }) {
			return nil, ErrNoGrant
		}
		c.end = append(c.end, s.people[ref.Person][i])
	}
	for _, g := range c.add {
		if err := s.load(ctx, c, g.Person); err != nil {
			return nil, err
		}
	}
	return s, s.count(ctx, c)
}

// load reads the grants of a person, once.
func (s *survey) load(ctx context.Context, c *change, person audit.ActorID) error {
	if _, ok := s.people[person]; ok {
		return nil
	}
	grants, err := c.z.store.Grants(ctx, c.actor.Tenant, person)
	if err != nil {
		return fmt.Errorf("rbac: reading grants: %w", err)
	}
	s.people[person] = slices.DeleteFunc(grants, func(g Grant) bool { return g.Tenant != c.actor.Tenant || g.Person != person })
	return nil
}

// count reads the holders of the roles that this change's rules are about.
func (s *survey) count(ctx context.Context, c *change) error {
	var roles []RoleName
	if c.takesSeats() {
		limit, err := c.z.o.Grants.Seats.Seats(ctx, c.actor.Tenant)
		if err != nil {
			return fmt.Errorf("rbac: asking for the seat limit: %w", err)
		}
		s.limit = max(limit, 0)
		roles = append(c.p.seatRoles(), Suspended)
	}
	for _, g := range c.add {
		if slices.Contains(c.z.o.Grants.Single, g.Role) {
			roles = append(roles, g.Role)
		}
	}
	if c.unseatsAdmins() {
		roles = append(append(roles, c.z.o.Grants.admins(c.p)...), Suspended)
	}
	if len(roles) == 0 {
		return nil
	}
	holders, err := c.z.store.Holders(ctx, c.actor.Tenant, set(roles))
	if err != nil {
		return fmt.Errorf("rbac: reading holders: %w", err)
	}
	s.holders = holders
	return nil
}

// takesSeats reports whether the change could take a seat.
func (c *change) takesSeats() bool {
	return c.z.o.Grants.Seats != nil &&
		(slices.ContainsFunc(c.add, func(g Grant) bool { return c.p.takesSeat(g.Role) }) ||
			slices.ContainsFunc(c.end, func(g Grant) bool { return g.Role == Suspended }))
}

// unseatsAdmins reports whether the change could leave a tenant without administrators.
func (c *change) unseatsAdmins() bool {
	return (c.actor.Kind != audit.KindSystem || c.keep) &&
		(slices.ContainsFunc(c.end, func(g Grant) bool { return slices.Contains(c.z.o.Grants.admins(c.p), g.Role) }) ||
			slices.ContainsFunc(c.add, func(g Grant) bool { return g.Role == Suspended }))
}

// after returns what grants become by the change: those of the roles in question.
func (c *change) after(grants []Grant, about func(Grant) bool) []Grant {
	out := slices.DeleteFunc(slices.Clone(grants), func(g Grant) bool {
		return slices.ContainsFunc(c.end, func(e Grant) bool { return e.ID == g.ID })
	})
	for _, g := range c.add {
		if about(g) {
			out = append(out, g)
		}
	}
	return out
}
