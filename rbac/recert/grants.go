package recert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// GrantOptions are the settings of Grants; nil means all defaults.
type GrantOptions struct {
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Exclusive are the rules of separation of duties, as in rbac.GrantRules.
	Exclusive []rbac.Exclusive
	// Admins are roles that administer, beside rbac.GrantRules.Admins and those that change what lies in
	// rbac.Users, rbac.Settings or rbac.Retention.
	Admins []rbac.RoleName
	// Rules say for Spec.Rule which roles review: who holds one of them where the access counts.
	Rules map[string][]rbac.RoleName
}

// Grants is what rbac knows: a Population of its grants, Effects on them, and Reviewers by role.
//
// One grant has no flag "suspended" that every decision would have to read. To suspend it is to end
// it; the item remembers what it was, and giving it back is a new grant of the same role, reach, end and
// grantor, held against the rules of that day. So the rows tell what was in force when, and what
// decides stays as it is.
//
// Support access (rbac.SourceSupport) can be ended, and is not given back or changed: it is asked for
// again.
type Grants struct {
	z     *rbac.Authorizer
	store rbac.Store
	o     GrantOptions
}

// NewGrants returns Grants over an Authorizer and the store that it works on.
func NewGrants(z *rbac.Authorizer, store rbac.Store, o *GrantOptions) (*Grants, error) {
	if z == nil || store == nil {
		return nil, errors.New("recert: authorizer and store are required")
	}
	g := &Grants{z: z, store: store}
	if o != nil {
		g.o = *o
	}
	if g.o.Now == nil {
		g.o.Now = time.Now
	}
	return g, nil
}

// Policy returns the digest of the policy in force.
func (g *Grants) Policy() string { return g.z.Policy().Digest() }

// Effects returns g as the Effects of every kind that it yields, for Parts.Effects.
func (g *Grants) Effects() map[Kind]Effects {
	return map[Kind]Effects{KindGrant: g, KindSupport: g, KindProxy: g, KindMachine: g}
}

// Accesses implements Population: every grant that is in force or will be, but for those of
// rbac.Suspended, which take access away, and those of patients, who have their own record and nothing
// else. Roles of proxies, services and agents are of the kinds of their own.
func (g *Grants) Accesses(ctx context.Context, t audit.Tenant, kinds []Kind, now time.Time) iter.Seq2[Access, error] {
	return func(yield func(Access, error) bool) {
		live, err := g.live(ctx, t, now)
		if err != nil {
			yield(Access{}, err)
			return
		}
		roles, err := g.roles()
		if err != nil {
			yield(Access{}, err)
			return
		}
		holders, theirs := map[rbac.RoleName]map[audit.ActorID]bool{}, map[audit.ActorID][]rbac.Grant{}
		for _, grant := range live {
			if holders[grant.Role] == nil {
				holders[grant.Role] = map[audit.ActorID]bool{}
			}
			holders[grant.Role][grant.Person] = true
			theirs[grant.Person] = append(theirs[grant.Person], grant)
		}
		for _, grant := range live {
			a := g.access(grant, roles)
			if a.Kind == "" || len(kinds) > 0 && !slices.Contains(kinds, a.Kind) {
				continue
			}
			a.Context.Peers = len(holders[grant.Role]) - 1
			a.Context.Conflicts = g.conflicts(grant, theirs[grant.Person])
			if !yield(a, nil) {
				return
			}
		}
	}
}

// live reads the grants that are in force or will be.
func (g *Grants) live(ctx context.Context, t audit.Tenant, now time.Time) ([]rbac.Grant, error) {
	var out []rbac.Grant
	for grant, err := range g.store.List(ctx, t, "") {
		if err != nil {
			return nil, fmt.Errorf("recert: reading grants: %w", err)
		}
		if grant.Tenant == t && grant.Live(now) && grant.Role != rbac.Suspended {
			out = append(out, grant)
		}
	}
	return out, nil
}

// access is a grant as what is reviewed.
func (g *Grants) access(grant rbac.Grant, roles roles) Access {
	r := roles.of(grant.Role)
	a := Access{
		Kind: r.reviewed(), ID: grant.ID, Subject: grant.Person, Role: string(grant.Role),
		Reach: Reach{texts(grant.Practices), texts(grant.Locations), texts(grant.Queues)},
		From:  grant.From, Until: grant.Until, Granted: grant.Created, By: grant.By, Why: grant.Why, Source: string(grant.Source),
		Admin: r.admin, PHI: r.phi,
	}
	if grant.Source == rbac.SourceSupport {
		a.Kind = KindSupport
	}
	return a
}

func texts[T ~string](list []T) []string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// conflicts returns the rules that a grant breaks together with another one of its person.
func (g *Grants) conflicts(grant rbac.Grant, others []rbac.Grant) []string {
	var out []string
	for _, x := range g.o.Exclusive {
		if slices.ContainsFunc(others, func(h rbac.Grant) bool {
			return slices.Contains(x.One, grant.Role) && slices.Contains(x.Other, h.Role) ||
				slices.Contains(x.One, h.Role) && slices.Contains(x.Other, grant.Role)
		}) {
			out = append(out, x.Name)
		}
	}
	return out
}

// Reviewers implements Reviewers: who holds a role of the rule in all practices, locations and queues
// of a and is not suspended: those with the fewest first, then who has held it longest.
func (g *Grants) Reviewers(ctx context.Context, t audit.Tenant, rule string, a Access) ([]audit.ActorID, error) {
	roles := g.o.Rules[rule]
	if len(roles) == 0 {
		return nil, fmt.Errorf("%w: Rule", ErrSpec)
	}
	held, err := g.store.Holders(ctx, t, append(slices.Clone(roles), rbac.Suspended))
	if err != nil {
		return nil, fmt.Errorf("recert: reading who holds a role: %w", err)
	}
	now := g.o.Now()
	away := map[audit.ActorID]bool{}
	for _, h := range held {
		away[h.Person] = away[h.Person] || h.Role == rbac.Suspended && h.InForce(now)
	}
	held = slices.DeleteFunc(held, func(h rbac.Grant) bool {
		return away[h.Person] || !slices.Contains(roles, h.Role) || !h.InForce(now) ||
			!covers(texts(h.Practices), a.Reach.Practices) || !covers(texts(h.Locations), a.Reach.Locations) || !covers(texts(h.Queues), a.Reach.Queues)
	})
	slices.SortFunc(held, func(a, b rbac.Grant) int {
		return cmp.Or(cmp.Compare(width(a), width(b)), a.Created.Compare(b.Created), cmp.Compare(a.Person, b.Person))
	})
	var out []audit.ActorID
	for _, h := range held {
		if !slices.Contains(out, h.Person) {
			out = append(out, h.Person)
		}
	}
	return out, nil
}

// covers reports whether a list of a grant, empty for no bound, has all of what is asked for.
func covers(list, ids []string) bool {
	return len(list) == 0 || len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(list, id) })
}

// width is how much a grant lists; none is everything.
func width(g rbac.Grant) int {
	if n := len(g.Practices) + len(g.Locations) + len(g.Queues); n > 0 {
		return n
	}
	return int(^uint(0) >> 1)
}
