package rbac

import (
	"fmt"
	"slices"
)

// notices collects what is odd and no mistake.
func (c *compiler) notices() {
	p := c.p
	notice := func(format string, args ...any) { p.notices = append(p.notices, fmt.Sprintf(format, args...)) }
	for i := range p.roles {
		for j := range p.roles {
			if i != j && p.roles[i].Kind == p.roles[j].Kind && p.roles[j].contains(&p.roles[i]) {
				notice("role %s: %s may do everything that it may", p.roles[i].Name, p.roles[j].Name)
			}
		}
		if slices.IndexFunc(p.roles[i].rules, func(r *rule) bool { return r != nil }) < 0 {
			notice("role %s: it may do nothing", p.roles[i].Name)
		}
	}
	carried := false
	for _, d := range p.actions {
		carried = carried || d.columns.labelled() != ""
		if len(d.reveals) > 0 && !d.phi {
			notice("action %s: reveals data and is not marked PHI, so that the assurance for PHI is not asked for", d.name)
		}
		if d.destructive && d.stepUp == 0 && !d.twoPerson {
			notice("action %s: destructive, with neither a step-up nor a second person", d.name)
		}
	}
	for _, f := range p.forbid {
		if !carried {
			notice("forbid %s: no resource has labels", f.Name)
		}
	}
	slices.Sort(p.notices)
}

// contains reports whether r may do everywhere all that other may, with other's permissions
// one by one in scopes that r has too.
func (r *role) contains(other *role) bool {
	some := false
	for i, rule := range other.rules {
		if rule == nil {
			continue
		}
		some = true
		if r.rules[i] == nil || !r.rules[i].covers(rule) {
			return false
		}
	}
	return some
}

// covers reports whether r reaches what other does: it is held back by no forbid that other
// is not, and has each of its scopes or the whole tenant.
func (r *rule) covers(other *rule) bool {
	for _, b := range r.bars {
		if !slices.ContainsFunc(other.bars, func(o bar) bool { return o.name == b.name }) {
			return false
		}
	}
	for _, c := range other.clauses {
		has := slices.ContainsFunc(r.clauses, func(mine clause) bool {
			return (mine.node.everywhere() || mine.scope.String() == c.scope.String()) && mine.choice == -1
		})
		if !has {
			return false
		}
	}
	return true
}
