package rbac

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// staffRoles are the names of the roles of staff of which f is true, in the policy's order.
func (p *Policy) staffRoles(f func(*role) bool) (names []RoleName) {
	for i := range p.roles {
		if p.roles[i].Kind == audit.KindStaff && f(&p.roles[i]) {
			names = append(names, p.roles[i].Name)
		}
	}
	return names
}

// everythingControl states which roles may do, in the whole tenant, all that any role of staff may.
func everythingControl(p *Policy, on choices, h holdings) evidence.Control {
	var possible []int
	for i := range p.actions {
		if len(p.staffRoles(func(r *role) bool { return r.rules[i] != nil })) > 0 {
			possible = append(possible, i)
		}
	}
	roles := p.staffRoles(func(r *role) bool {
		return !slices.ContainsFunc(possible, func(i int) bool { return r.rules[i] == nil || !r.rules[i].everywhere(on) })
	})
	c := evidence.Control{
		ID: "rbac.no_superuser", What: "No role may do everything.", State: evidence.InForce,
		Verified: verifiedPolicy + ", " + verifiedGrants, Citations: []string{"45 CFR 164.502(b)", "NIST SP 800-53, AC-6"},
	}
	if len(roles) > 0 {
		c.State, c.Warning = evidence.Partly, fmt.Sprintf("Roles that may: %s; people who hold one: %d.", roleList(roles), h.holders(roles))
	}
	return c
}

// clinicalControl states which roles read clinical records of everybody.
func clinicalControl(p *Policy, on choices, h holdings) evidence.Control {
	roles := p.staffRoles(func(r *role) bool {
		for i, d := range p.actions {
			if d.category.Clinical() && d.verb == audit.Read && r.rules[i] != nil && r.rules[i].everywhere(on) {
				return true
			}
		}
		return false
	})
	c := evidence.Control{
		ID: "rbac.clinical_reach", What: "Clinical records of all patients are for roles that need them, and for few people.", State: evidence.InForce,
		Detail:   fmt.Sprintf("roles: %s; people: %d", orNone(roleList(roles)), h.holders(roles)),
		Verified: verifiedPolicy + ", " + verifiedGrants, Citations: []string{"45 CFR 164.502(b)", "45 CFR 164.514(d)(2)"},
	}
	if !slices.ContainsFunc(p.actions, func(d *definition) bool { return d.category.Clinical() }) {
		c.State = evidence.NotUsed
	}
	if n := h.holders(roles); n > 0 && 2*n > len(h.all) {
		c.State, c.Warning = evidence.Partly, "More than half of the people do."
	}
	return c
}

// adminControl states whether somebody is there who can administer.
func (z *Authorizer) adminControl(p *Policy, on choices, h holdings) evidence.Control {
	roles := z.administrators(p, on)
	n := h.holders(roles)
	c := evidence.Control{
		ID: "rbac.administrators", What: "Somebody can administer, and the last who can is never removed.", State: evidence.InForce,
		Detail: fmt.Sprintf("roles: %s; people: %d", orNone(roleList(roles)), n), Verified: verifiedPolicy + ", " + verifiedGrants,
		Citations: []string{"45 CFR 164.308(a)(2)", "45 CFR 164.308(a)(7)"},
	}
	switch n {
	case 0:
		c.State, c.Warning = evidence.Failing, "Nobody can."
	case 1:
		c.Warning = "One person alone can: should they be away, nobody revokes a right."
	}
	return c
}

// grantsControl states how roles are spread.
func grantsControl(p *Policy, h holdings) evidence.Control {
	var unused []RoleName
	for i := range p.roles {
		if len(h.people[p.roles[i].Name]) == 0 && p.roles[i].Name != Suspended {
			unused = append(unused, p.roles[i].Name)
		}
	}
	c := evidence.Control{
		ID: "rbac.grants", What: "Rights come from roles that somebody granted to a person, on record.", State: evidence.InForce,
		Detail:   fmt.Sprintf("people: %d, grants: %d, of staff without an end: %d; roles that nobody holds: %s", len(h.all), h.grants, h.endless, orNone(roleList(unused))),
		Verified: verifiedGrants, Citations: []string{"45 CFR 164.308(a)(4)(ii)(B)", "45 CFR 164.308(a)(4)(ii)(C)"},
	}
	if h.unknown > 0 {
		c.State, c.Warning = evidence.Partly, fmt.Sprintf("%d grants are of roles that the policy does not have. They give nothing; somebody should end them.", h.unknown)
	}
	return c
}

func roleList(roles []RoleName) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
