package rbac

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// names checks the roles' names and ranks and gives each its index.
func (c *compiler) names(roles []Role) {
	if len(roles) > maxRoles {
		c.errorf("%d roles: a policy has at most %d", len(roles), maxRoles)
		return
	}
	ranks := map[int]RoleName{}
	for i, r := range roles {
		if _, ok := c.p.byName[r.Name]; ok {
			c.errorf("role %s: two roles have this name", r.Name)
		}
		if other, ok := ranks[r.Rank]; ok {
			c.errorf("role %s: same rank as %s, so that neither is the higher", r.Name, other)
		}
		ranks[r.Rank] = r.Name
		c.p.byName[r.Name] = i
	}
}

func (c *compiler) roles(roles []Role) {
	if len(roles) > maxRoles {
		return
	}
	for i, r := range roles {
		c.p.roles = append(c.p.roles, c.role(r))
		for action, rule := range c.p.roles[i].rules {
			if rule != nil {
				c.p.holders[action] |= 1 << i
				if rule.urgent() {
					c.p.urgent[action] |= 1 << i
				}
			}
		}
	}
}

// holdsRoles reports whether actors of a kind can hold roles.
func holdsRoles(k audit.Kind) bool {
	switch k {
	case audit.KindStaff, audit.KindPatient, audit.KindProxy, audit.KindService, audit.KindAgent:
		return true
	}
	return false
}

func (c *compiler) role(r Role) role {
	if !isWord(string(r.Name)) {
		c.errorf("role %q: a name is lower-case letters, digits and underscores", r.Name)
	}
	if r.Label == "" {
		c.errorf("role %s: no label", r.Name)
	}
	if r.Kind == "" {
		r.Kind = audit.KindStaff
	}
	if !holdsRoles(r.Kind) {
		c.errorf("role %s: actors of kind %q hold no roles", r.Name, r.Kind)
	}
	for class, level := range r.Sight {
		if class == "" || level > phi.Full {
			c.errorf("role %s: unknown class or level in its sight", r.Name)
		}
	}
	r.Allow, r.Sight = slices.Clone(r.Allow), maps.Clone(r.Sight)
	out := role{Role: r, rules: make([]*rule, len(c.p.actions))}
	clauses := make([][]clause, len(c.p.actions))
	for _, a := range r.Allow {
		c.allow(&r, a, clauses)
	}
	for i := range clauses {
		if len(clauses[i]) > 0 {
			out.rules[i] = c.rule(&r, c.p.actions[i], clauses[i])
		}
	}
	return out
}

// allow adds one group of permissions to a role's clauses.
func (c *compiler) allow(r *Role, a Allow, clauses [][]clause) {
	if why := c.malformed(a.scope); why != "" {
		c.errorf("role %s: permissions in scope %s: %s", r.Name, scopeText(a.scope), why)
		return
	}
	if (r.Kind == audit.KindPatient || r.Kind == audit.KindProxy) && !personal(a.scope) {
		c.errorf("role %s: a role of patients or proxies reaches no further than self, proxy, author and relations of its own", r.Name)
	}
	if r.Kind != audit.KindStaff && mentions(a.scope, Emergency) {
		c.errorf("role %s: emergency access is for staff", r.Name)
	}
	for _, action := range a.actions {
		if action == nil || action.definition() == nil {
			c.errorf("role %s: a zero action", r.Name)
			continue
		}
		d := action.definition()
		i, ok := c.p.index[d]
		if !ok {
			c.errorf("role %s: action %s is not in Rules.Actions", r.Name, d.name)
			continue
		}
		n, why := c.node(a.scope, d)
		if why != "" {
			c.errorf("role %s: action %s in scope %s: %s", r.Name, d.name, a.scope, why)
			continue
		}
		clauses[i] = append(clauses[i], clause{n, a.scope, c.choice(permission{r.Name, d.name}, a.choice)})
	}
}

// choice returns the index of a permission that is left to tenants, -1 for one that is not.
func (c *compiler) choice(key permission, kind choiceKind) int {
	if kind == fixed {
		return -1
	}
	i, known := c.p.choices[key]
	if !known {
		i = len(c.p.choices)
		if i == maxChoices {
			c.errorf("role %s: action %s: more than %d permissions are left to tenants", key.role, key.action, maxChoices)
			return -1
		}
		c.p.choices[key] = i
		if i>>6 == len(c.p.defaults) {
			c.p.defaults = append(c.p.defaults, 0)
		}
		c.p.defaults.set(i, kind == optOut)
	}
	if c.p.defaults.has(i) != (kind == optOut) {
		c.errorf("role %s: action %s: left to tenants as on and as off", key.role, key.action)
	}
	return i
}

// rule puts a permission together: its clauses in a fixed order, the cheapest first, and the
// forbids that hold it back. What means the same is kept once.
func (c *compiler) rule(r *Role, d *definition, clauses []clause) *rule {
	text := func(cl clause) string {
		return fmt.Sprintf("%v %v %s %d", !cl.node.everywhere(), cl.node.cost, cl.scope, cl.choice)
	}
	slices.SortFunc(clauses, func(a, b clause) int { return strings.Compare(text(a), text(b)) })
	clauses = slices.CompactFunc(clauses, func(a, b clause) bool { return text(a) == text(b) })
	out := &rule{clauses: clauses}
	var key strings.Builder
	for _, name := range d.columns.names() {
		key.WriteByte("01"[min(len(name), 1)])
	}
	for _, cl := range clauses {
		key.WriteString(" " + text(cl))
	}
	for _, f := range c.p.forbid {
		if b, ok := c.bar(f, r, d); ok {
			out.bars, out.labels = append(out.bars, b), out.labels|f.Labels
			key.WriteString(" !" + f.Name)
		}
	}
	if known, ok := c.rules[key.String()]; ok {
		return known
	}
	c.rules[key.String()] = out
	return out
}

// bar compiles a Forbid for one permission; false if it does not hold it back. An exception
// that the action's columns do not support is none.
func (c *compiler) bar(f Forbid, r *Role, d *definition) (bar, bool) {
	named := slices.ContainsFunc(f.Actions, func(a AnyAction) bool { return a != nil && a.definition() == d })
	if len(f.Actions) > 0 && !named || len(f.Kinds) > 0 && !slices.Contains(f.Kinds, r.Kind) || slices.Contains(f.ExceptRoles, r.Name) {
		return bar{}, false
	}
	b := bar{labels: f.Labels, name: f.Name}
	if f.Except != nil {
		if n, why := c.node(f.Except, d); why == "" {
			b.except = &n
		}
	}
	return b, true
}
