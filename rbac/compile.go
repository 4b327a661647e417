package rbac

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Compile checks the rules and returns the policy. The error names everything that is wrong
// at once, one line each, so that a policy is mended in one go:
//
//   - actions: zero or listed twice, two with one name, a bad name, an unknown verb, missing
//     or malformed columns, destructive without a reason, a step-up of no or of too long a
//     time, nobody may do it;
//   - roles: two with one name or rank, no label, a kind that cannot hold roles, an action
//     that Rules.Actions does not list, a scope that the action's columns or the relations
//     do not support or that reaches nothing, a permission left to tenants as on and as off, a
//     patient's or a proxy's role that reaches beyond its own records;
//   - forbids: no name, no or unknown labels, an action or a role that is not there, an action
//     on a type without labels, for every action and one of a type whose columns say neither
//     where its labels are nor that it is Unlabelled, an exception that the action's columns do not support;
//   - relations: names that are no identifiers;
//   - scope Emergency where it could do more than let staff read: see there.
//
// What is odd and no mistake is in Policy.Notices.
func Compile(r Rules) (*Policy, error) {
	c := compiler{
		p: &Policy{
			index:   map[*definition]int{},
			byName:  map[RoleName]int{},
			choices: map[permission]int{},
		},
		rules: map[string]*rule{},
	}
	c.relations(r.Relations)
	c.actions(r.Actions)
	c.names(r.Roles)
	c.forbids(r.Forbid)
	c.roles(r.Roles)
	c.unheld()
	if len(c.wrong) > 0 {
		return nil, fmt.Errorf("rbac: policy refused:\n%w", errors.Join(c.wrong...))
	}
	c.notices()
	c.p.seal()
	return c.p, nil
}

// compiler collects what is wrong. Names of actions and roles in its errors are the
// program's own constants, not data.
type compiler struct {
	p     *Policy
	wrong []error
	rules map[string]*rule // that permissions of the same meaning share
}

func (c *compiler) errorf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf(format, args...))
}

func (c *compiler) relations(r Relations) {
	c.p.relations, c.p.related = r.list()
	c.p.emergency = r.Emergency
	if n := len(c.p.relations); n > maxRelations {
		c.errorf("%d relations: a policy has at most %d", n, maxRelations)
	}
	for i, rel := range c.p.relations {
		name := c.p.related[i]
		if i >= relOthers && (!isWord(name) || rel == nil || slices.Index(c.p.related, name) < i) {
			c.errorf("relation %q: a name of its own is lower-case letters, digits and underscores, for a relation that is there", name)
		}
		if v, ok := rel.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				c.errorf("relation %s: %w", name, err)
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
	c.p.holders, c.p.urgent = make([]roleSet, len(c.p.actions)), make([]roleSet, len(c.p.actions))
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
	if d.stepUp < 0 || d.stepUp > 24*time.Hour || d.stepUp%time.Second != 0 {
		c.errorf("action %s: a step-up within no time, a part of a second or more than a day", d.name)
	}
	c.columns(d)
}

func (c *compiler) columns(d *definition) {
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
	col.Labels = col.labelled()
	for _, name := range col.names() {
		if name != "" && !isIdentifier(name) {
			c.errorf("action %s: column %q is no identifier", d.name, name)
		}
	}
}

// forbids checks the forbids; rule compiles them for each permission.
func (c *compiler) forbids(forbids []Forbid) {
	names := map[string]bool{}
	for _, f := range forbids {
		if !isWord(f.Name) || names[f.Name] || f.Name == unknownLabel {
			c.errorf("forbid %q: a name of its own is lower-case letters, digits and underscores", f.Name)
		}
		names[f.Name] = true
		if f.Labels == 0 || !valid(f.Labels) {
			c.errorf("forbid %s: no labels, or unknown ones", f.Name)
		}
		if len(f.Why) > 200 {
			c.errorf("forbid %s: the source of the rule is longer than 200 bytes", f.Name)
		}
		for _, role := range f.ExceptRoles {
			if _, ok := c.p.byName[role]; !ok {
				c.errorf("forbid %s: there is no role %q", f.Name, role)
			}
		}
		for _, k := range f.Kinds {
			if !holdsRoles(k) {
				c.errorf("forbid %s: actors of kind %q hold no roles", f.Name, k)
			}
		}
		c.forbidden(f)
		f.Actions, f.Kinds, f.ExceptRoles = slices.Clone(f.Actions), slices.Clone(f.Kinds), slices.Clone(f.ExceptRoles)
		c.p.forbid = append(c.p.forbid, f)
	}
}

// forbidden checks the actions that a Forbid names and its exception: what it says of an action
// by name must be possible, what it says of all actions holds where it is.
func (c *compiler) forbidden(f Forbid) {
	for _, a := range f.Actions {
		if a == nil || a.definition() == nil {
			c.errorf("forbid %s: a zero action", f.Name)
			continue
		}
		d := a.definition()
		if _, ok := c.p.index[d]; !ok {
			c.errorf("forbid %s: action %s is not in Rules.Actions", f.Name, d.name)
			continue
		}
		if d.columns.labelled() == "" {
			c.errorf("forbid %s: action %s: the resource has no labels", f.Name, d.name)
		}
		if f.Except == nil {
			continue
		}
		if _, why := c.node(f.Except, d); why != "" {
			c.errorf("forbid %s: action %s in scope %s: %s", f.Name, d.name, scopeText(f.Except), why)
		}
	}
	for _, d := range c.p.actions {
		if len(f.Actions) == 0 && d.columns.Labels == "" && !d.tenantLevel() {
			c.errorf("forbid %s: action %s: its columns say neither Labels nor Unlabelled, so that lists could not obey", f.Name, d.name)
		}
	}
	if len(f.Actions) == 0 && mentions(f.Except, Emergency) {
		c.errorf("forbid %s: an exception in scope emergency names the actions, which read", f.Name)
	}
	if why := c.malformed(f.Except); f.Except != nil && why != "" {
		c.errorf("forbid %s: scope %s: %s", f.Name, scopeText(f.Except), why)
	}
}

// unheld reports actions that no role grants: a page that nobody can open is a mistake.
func (c *compiler) unheld() {
	for i, d := range c.p.actions {
		if c.p.holders[i] == 0 {
			c.errorf("action %s: no role grants it", d.name)
		}
	}
}

// tenantLevel reports whether the action has no row.
func (d *definition) tenantLevel() bool { return d.resource == reflect.TypeFor[InTenant]() }
