package rbac

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// SourceSupport is the source of what a tenant granted to an operator of the platform for a while:
// package rbac/support makes such grants, and only visitors hold them.
const SourceSupport Source = "support"

// VisitorPrefix begins the ids of visitors: people of another organization whom a tenant lets in
// for a while. No person of a tenant may have such an id. A visitor
//
//   - holds only grants of SourceSupport with an end, and nobody else holds any;
//   - has audit.Actor.Organization, other than the tenant, or holds nothing;
//   - grants, revokes and switches nothing, whatever the roles say.
const VisitorPrefix = "support:"

// MaxVisit is the longest time for which anybody can grant something to a visitor.
const MaxVisit = 24 * time.Hour

// IsVisitor reports whether the id is a visitor's.
func IsVisitor(id audit.ActorID) bool { return strings.HasPrefix(string(id), VisitorPrefix) }

// visitable reports whether g is of a visitor exactly if its source says so.
func (g *Grant) visitable() bool {
	return IsVisitor(g.Person) == (g.Source == SourceSupport) && (g.Source != SourceSupport || !g.Until.IsZero())
}

// visits refuses grants that would be a visitor's standing access, or somebody else's by the name of it.
func (c *change) visits(g Grant) error {
	if !g.visitable() || g.Source == SourceSupport && g.Until.Sub(c.now) > MaxVisit {
		return fmt.Errorf("%w: visitors, and nobody else, hold grants of source support, with an end within %v", ErrBadGrant, MaxVisit)
	}
	return nil
}

// visiting reports whether a is a visitor, and as one who says where they come from.
func visiting(a audit.Actor) (visitor, stated bool) {
	return IsVisitor(a.ID), a.Organization != "" && a.Organization != string(a.Tenant)
}

// Reach is one permission of a role, as the policy has it.
type Reach struct {
	Action      audit.Action
	Verb        audit.Verb
	Category    Category
	Scope       string // as Scope.String has it
	PHI         bool
	Destructive bool
	Reveals     bool // it shows classes in full, whatever the role's own sight is
	Listed      bool // the scope is Tenant, Practice, Location or Queue, and asks no relation
}

// Reach returns the permissions of a role, those that tenants may switch included, in the policy's
// order; false if the policy has no such role.
func (p *Policy) Reach(name RoleName) ([]Reach, bool) {
	at, ok := p.byName[name]
	if !ok {
		return nil, false
	}
	var out []Reach
	for i, r := range p.roles[at].rules {
		if r == nil {
			continue
		}
		d := p.actions[i]
		for _, c := range r.clauses {
			base, basic := c.scope.(Base)
			out = append(out, Reach{
				d.name, d.verb, d.category, c.scope.String(), d.phi, d.destructive, len(d.reveals) > 0,
				basic && slices.Contains([]Base{Tenant, Practice, Location, Queue}, base),
			})
		}
	}
	return out, true
}

// Admins returns the roles of which somebody must hold one: GrantRules.Admins, or what stands for it.
func (z *Authorizer) Admins() []RoleName {
	p := z.Policy()
	if p == nil {
		return nil
	}
	return slices.Clone(z.o.Grants.admins(p))
}
