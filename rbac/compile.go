package rbac

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Compile checks the rules and returns the policy. The error names everything that is wrong
// at once, one line each, so that a policy is mended in one go:
//
//   - actions: zero or listed twice, two with one name, a bad name, an unknown verb, missing
//     or malformed columns, destructive without a reason, nobody may do it;
//   - roles: two with one name or rank, no label, a kind that cannot hold roles, an action
//     that Rules.Actions does not list, a scope that the action's columns or the relations
//     do not support, a patient's or a proxy's role that reaches beyond its own record;
//   - relations: names that are no identifiers.
func Compile(r Rules) (*Policy, error) {
	c := compiler{p: &Policy{
		index:     map[*definition]int{},
		byName:    map[RoleName]int{},
		relations: r.Relations,
	}}
	c.relations(r.Relations)
	c.actions(r.Actions)
	c.roles(r.Roles)
	c.unheld()
	if len(c.wrong) > 0 {
		return nil, fmt.Errorf("rbac: policy refused:\n%w", errors.Join(c.wrong...))
	}
	c.p.digest, c.p.mask = digests(c.p)
	return c.p, nil
}

// compiler collects what is wrong. Names of actions and roles in its errors are the
// program's own constants, not data.
type compiler struct {
	p     *Policy
	wrong []error
}

func (c *compiler) errorf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf(format, args...))
}

func (c *compiler) relations(r Relations) {
	for i, rel := range []Relation{r.Own, r.Self} {
		if v, ok := rel.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				c.errorf("relation %s: %w", []string{"own", "self"}[i], err)
			}
		}
	}
}

func (c *compiler) actions(actions []AnyAction) {
	names := map[audit.Action]bool{}
	for i, a := range actions {
		if a == nil || a.definition() == nil {
			c.errorf("action %d of the list is a zero action", i+1)
			continue
		}
		d := a.definition()
		if _, ok := c.p.index[d]; ok {
			c.errorf("action %s: listed twice", d.name)
			continue
		}
		if names[d.name] {
			c.errorf("action %s: two actions have this name", d.name)
		}
		names[d.name] = true
		c.action(d)
		c.p.index[d] = len(c.p.actions)
		c.p.actions = append(c.p.actions, d)
	}
}

func (c *compiler) action(d *definition) {
	if !isActionName(string(d.name)) {
		c.errorf("action %q: a name is dotted lower-case words", d.name)
	}
	switch d.verb {
	case audit.Create, audit.Read, audit.Update, audit.Delete, audit.Execute:
	default:
		c.errorf("action %s: unknown verb %q", d.name, d.verb)
	}
	if d.object == "" {
		c.errorf("action %s: no object type", d.name)
	}
	if slices.Contains(d.reveals, phi.Unclassified) {
		c.errorf("action %s: reveals no class", d.name)
	}
	if d.destructive && !d.reason {
		c.errorf("action %s: destructive without a reason", d.name)
	}
	col := d.columns
	if d.tenantLevel() {
		if col != (Columns{}) {
			c.errorf("action %s: a tenant-level action has no columns", d.name)
		}
		return
	}
	if col.ID == "" || col.Tenant == "" {
		c.errorf("action %s: columns ID and Tenant are required", d.name)
	}
	for _, name := range []string{col.ID, col.Tenant, col.Practice, col.Patient, col.Owner} {
		if name != "" && !isIdentifier(name) {
			c.errorf("action %s: column %q is no identifier", d.name, name)
		}
	}
}

func (c *compiler) roles(roles []Role) {
	if len(roles) > maxRoles {
		c.errorf("%d roles: a policy has at most %d", len(roles), maxRoles)
		return
	}
	ranks := map[int]RoleName{}
	for _, r := range roles {
		if _, ok := c.p.byName[r.Name]; ok {
			c.errorf("role %s: two roles have this name", r.Name)
		}
		if other, ok := ranks[r.Rank]; ok {
			c.errorf("role %s: same rank as %s, so that neither is the higher", r.Name, other)
		}
		ranks[r.Rank] = r.Name
		c.p.byName[r.Name] = len(c.p.roles)
		c.p.roles = append(c.p.roles, c.role(r))
	}
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
	switch r.Kind {
	case audit.KindStaff, audit.KindPatient, audit.KindProxy, audit.KindService, audit.KindAgent:
	default:
		c.errorf("role %s: actors of kind %q hold no roles", r.Name, r.Kind)
	}
	for class, level := range r.Sight {
		if class == "" || level > phi.Full {
			c.errorf("role %s: unknown class or level in its sight", r.Name)
		}
	}
	r.Allow, r.Sight = slices.Clone(r.Allow), maps.Clone(r.Sight)
	out := role{Role: r, scopes: make([]scopeSet, len(c.p.actions)), sight: phi.NewSight(r.Sight)}
	for _, a := range r.Allow {
		c.allow(&out, a)
	}
	return out
}

// allow adds one group of permissions to a role.
func (c *compiler) allow(r *role, a Allow) {
	base, ok := a.scope.(Base)
	if !ok || base.String() == "nothing" {
		c.errorf("role %s: permissions without a scope", r.Name)
		return
	}
	if (r.Kind == audit.KindPatient || r.Kind == audit.KindProxy) && base != Self {
		c.errorf("role %s: a role of patients or proxies reaches no further than self", r.Name)
	}
	if base == Own && c.p.relations.Own == nil {
		c.errorf("role %s: scope own without Relations.Own", r.Name)
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
		if why := d.unsupported(base, c.p.relations); why != "" {
			c.errorf("role %s: action %s in scope %s: %s", r.Name, d.name, base, why)
		}
		r.scopes[i] |= 1 << base
	}
}

// unheld reports actions that no role grants: a page that nobody can open is a mistake.
func (c *compiler) unheld() {
	for i, d := range c.p.actions {
		held := slices.ContainsFunc(c.p.roles, func(r role) bool { return r.scopes[i] != 0 })
		if !held {
			c.errorf("action %s: no role grants it", d.name)
		}
	}
}

// tenantLevel reports whether the action has no row.
func (d *definition) tenantLevel() bool { return d.resource == reflect.TypeFor[InTenant]() }

// unsupported says why a scope cannot mean anything for the action, "" if it can.
func (d *definition) unsupported(b Base, r Relations) string {
	switch b {
	case Practice:
		if d.columns.Practice == "" {
			return "the resource has no practice"
		}
	case Own:
		if d.columns.Patient == "" {
			return "the resource has no patient"
		}
	case Self:
		if d.columns.Owner == "" && (r.Self == nil || d.columns.Patient == "") {
			return "the resource has no owner, and no relation tells whose patient it is"
		}
	}
	return ""
}
