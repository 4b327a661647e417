package rbac

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

const (
	verifiedPolicy = "read from the policy in force"
	verifiedRules  = "read from the configuration"
	verifiedGrants = "counted in the grants in force"
)

// Controls states who may do what in a tenant, and what holds that back, for a review packet: from
// the policy that decides now, the tenant's choices and the grants in force. It satisfies
// evidence.Source. It names roles and actions, and nobody who holds them.
func (z *Authorizer) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	p := z.Policy()
	if p == nil {
		return nil, fmt.Errorf("%w: no policy", ErrUndecided)
	}
	fixed := []evidence.Control{
		denyControl(p), forbidControl(p), stepUpControl(p), z.assuranceControl(), careControl(p), recheckControl(), z.separationControl(),
	}
	var chosen Toggles
	var err error
	if z.o.Toggles != nil {
		if chosen, err = z.o.Toggles.Toggles(ctx, t); err != nil {
			return fixed, fmt.Errorf("rbac: stating the tenant's choices: %w", err)
		}
	}
	h, err := z.holdings(ctx, t, p)
	if err != nil {
		return fixed, fmt.Errorf("rbac: stating grants: %w", err)
	}
	on := p.chosen(chosen)
	return append(fixed, maskControl(p, chosen), everythingControl(p, on, h), clinicalControl(p, on, h), z.adminControl(p, on, h), grantsControl(p, h)), nil
}

func denyControl(p *Policy) evidence.Control {
	c := evidence.Control{
		ID: "rbac.default_deny", What: "What no role allows is denied, and what cannot be decided is, too.", State: evidence.InForce,
		Detail:   fmt.Sprintf("actions: %d, roles: %d, policy %.12s, masks %.12s", len(p.actions), len(p.roles), p.digest, p.masks.sum()),
		Verified: verifiedPolicy, Citations: []string{"45 CFR 164.312(a)(1)", "45 CFR 170.315(d)(1)"},
	}
	if n := len(p.notices); n > 0 {
		c.Warning = fmt.Sprintf("The policy has %d places worth a second look, see Policy.Notices.", n)
	}
	return c
}

// maskControl says which table decides who sees how much, and how often the tenant lowered it.
func maskControl(p *Policy, t Toggles) evidence.Control {
	m := p.maskingOf(t)
	lowered := 0
	for i := range p.roles {
		for class, ceiling := range p.roles[i].Sight {
			if m.levels[i][class] < ceiling {
				lowered++
			}
		}
	}
	return evidence.Control{
		ID: "rbac.masks", What: "Each role sees of each class of data as much as the table says, and of what it does not name nothing.", State: evidence.InForce,
		Detail:   fmt.Sprintf("roles: %d, lowered by the tenant: %d, masks %.12s", len(p.roles), lowered, m.sum()),
		Verified: verifiedPolicy, Citations: []string{"45 CFR 164.502(b)", "45 CFR 164.514(d)(2)"},
	}
}

func forbidControl(p *Policy) evidence.Control {
	var names []string
	for _, f := range p.forbid {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	c := evidence.Control{
		ID: "rbac.forbids", What: "Labels on records take them away from roles that would reach them otherwise.", State: evidence.InForce,
		Detail: strings.Join(names, ", "), Verified: verifiedPolicy, Citations: []string{"45 CFR 164.508(a)(2)", "42 CFR 2.12"},
	}
	switch {
	case len(p.forbid) == 0:
		c.State = evidence.NotUsed
	case !slices.ContainsFunc(p.actions, func(d *definition) bool { return d.columns.labelled() != "" }):
		c.State, c.Warning = evidence.Partly, "No kind of record has labels."
	}
	return c
}

func stepUpControl(p *Policy) evidence.Control {
	var fresh, second, reason, bare int
	for _, d := range p.actions {
		switch {
		case d.stepUp > 0:
			fresh++
		case d.destructive && !d.twoPerson:
			bare++
		}
		if d.twoPerson {
			second++
		}
		if d.reason {
			reason++
		}
	}
	c := evidence.Control{
		ID: "rbac.step_up", What: "Before the gravest actions people prove again who they are, name a reason, or need a second person.", State: evidence.InForce,
		Detail:   fmt.Sprintf("actions with a fresh proof: %d, a second person: %d, a reason: %d", fresh, second, reason),
		Verified: verifiedPolicy, Citations: []string{"45 CFR 164.312(d)", "NIST SP 800-53, AC-3(2)"},
	}
	switch {
	case fresh+second == 0:
		c.State = evidence.NotUsed
	case bare > 0:
		c.State = evidence.Partly
	}
	if bare > 0 {
		c.Warning = fmt.Sprintf("%d actions that cannot be undone ask for neither a fresh proof nor a second person.", bare)
	}
	return c
}

func (z *Authorizer) assuranceControl() evidence.Control {
	staff, patients := z.phiAssurance(audit.KindStaff), z.phiAssurance(audit.KindPatient)
	c := evidence.Control{
		ID: "rbac.assurance", What: "Health information is shown and changed only after a sign-in of enough assurance.", State: evidence.InForce,
		Detail: fmt.Sprintf("staff AAL%d, patients AAL%d", staff, patients), Verified: verifiedRules, Citations: []string{"45 CFR 164.312(d)", "NIST SP 800-63B-4, section 2"},
	}
	if staff < audit.AAL2 {
		c.State, c.Warning = evidence.Partly, "One factor is enough for staff to see health information."
	}
	return c
}

// careControl states whether there is a care team that permissions are bound to.
func careControl(p *Policy) evidence.Control {
	bound := 0
	for i := range p.roles {
		if slices.ContainsFunc(p.roles[i].rules, func(r *rule) bool {
			return r != nil && slices.ContainsFunc(r.clauses, func(c clause) bool { return c.node.asks(relOwn) })
		}) {
			bound++
		}
	}
	c := evidence.Control{
		ID: "rbac.care_team", What: "Roles that treat patients reach those in their care and no others.", State: evidence.InForce,
		Detail: fmt.Sprintf("roles that are bound to it: %d", bound), Verified: verifiedPolicy, Citations: []string{"45 CFR 164.502(b)", "45 CFR 164.514(d)"},
	}
	if bound == 0 || p.relations[relOwn] == nil { // in this order: the zero Policy has no relations
		c.State, c.Warning = evidence.NotUsed, "Nothing says who cares for whom."
	}
	return c
}

// asks reports whether a leaf of the scope asks the relation.
func (n *node) asks(rel int) bool {
	return n.op == "" && n.leaf == leafRelation && n.rel == rel || slices.ContainsFunc(n.parts, func(p node) bool { return p.asks(rel) })
}

func recheckControl() evidence.Control {
	return evidence.Control{
		ID: "rbac.recheck", What: "Rights are read with each request, and again during long responses and streams: a revoked one ends at once.", State: evidence.InForce,
		Detail: fmt.Sprintf("at the latest after %v", maxAge), Verified: "fixed in the software", Citations: []string{"45 CFR 164.308(a)(3)(ii)(C)"},
	}
}

// separationControl states what keeps people from giving rights to themselves.
func (z *Authorizer) separationControl() evidence.Control {
	var names []string
	for _, x := range z.o.Grants.Exclusive {
		names = append(names, x.Name)
	}
	c := evidence.Control{
		ID: "rbac.separation", What: "Nobody grants roles to themselves or above their own, and some roles nobody holds together.", State: evidence.InForce,
		Detail: strings.Join(names, ", "), Verified: verifiedRules, Citations: []string{"45 CFR 164.308(a)(4)", "NIST SP 800-53, AC-5"},
	}
	switch {
	case z.o.Grants.SelfGrants:
		c.State, c.Warning = evidence.Partly, "People may grant roles to themselves, up to their own rank."
	case len(names) == 0:
		c.State, c.Warning = evidence.Partly, "There are no roles that nobody holds together."
	}
	return c
}

// holdings are the grants of a tenant that are in force.
type holdings struct {
	people  map[RoleName]map[audit.ActorID]bool
	all     map[audit.ActorID]bool
	grants  int
	endless int // of staff, without an end
	unknown int // of roles that the policy has not
}

func (z *Authorizer) holdings(ctx context.Context, t audit.Tenant, p *Policy) (holdings, error) {
	h := holdings{people: map[RoleName]map[audit.ActorID]bool{}, all: map[audit.ActorID]bool{}}
	now := z.now()
	suspended := map[audit.ActorID]bool{}
	var live []Grant
	for g, err := range z.store.List(ctx, t, "") {
		if err != nil {
			return h, err
		}
		if !g.InForce(now) {
			continue
		}
		live = append(live, g)
		if g.Role == Suspended {
			suspended[g.Person] = true
		}
	}
	for _, g := range live {
		if !suspended[g.Person] {
			h.add(p, g)
		}
	}
	return h, nil
}

func (h *holdings) add(p *Policy, g Grant) {
	h.grants++
	h.all[g.Person] = true
	if h.people[g.Role] == nil {
		h.people[g.Role] = map[audit.ActorID]bool{}
	}
	h.people[g.Role][g.Person] = true
	i, ok := p.byName[g.Role]
	switch {
	case !ok:
		h.unknown++
	case p.roles[i].Kind == audit.KindStaff && g.Until.IsZero():
		h.endless++
	}
}

// holders counts the people who hold one of the roles.
func (h *holdings) holders(roles []RoleName) int {
	found := map[audit.ActorID]bool{}
	for _, r := range roles {
		for id := range h.people[r] {
			found[id] = true
		}
	}
	return len(found)
}
