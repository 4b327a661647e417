package support

import (
	"context"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// fit says why a role is no support role under the policy in force, nil if it is one. Permissions that a
// tenant may switch count as switched on.
func (d *Desk) fit(name rbac.RoleName) error {
	p := d.p.Authorizer.Policy()
	all, ok := p.Reach(name)
	i := slices.IndexFunc(p.Roles(), func(r rbac.Role) bool { return r.Name == name })
	switch {
	case !ok || i < 0 || name == rbac.Suspended:
		return fmt.Errorf("support: the policy has no role %q for it", name)
	case p.Roles()[i].Kind != audit.KindStaff:
		return fmt.Errorf("support: role %s is not for staff", name)
	case p.Roles()[i].Seat:
		return fmt.Errorf("support: role %s takes a seat", name)
	case slices.Contains(d.p.Authorizer.Admins(), name):
		return fmt.Errorf("support: role %s administers tenants", name)
	case len(all) == 0:
		return fmt.Errorf("support: role %s may do nothing", name)
	}
	for _, r := range all {
		if why := d.excess(r); why != "" {
			return fmt.Errorf("support: role %s, action %s: %s", name, r.Action, why)
		}
	}
	return nil
}

// excess says what makes a permission more than an operator may have, "" for nothing.
func (d *Desk) excess(r rbac.Reach) string {
	switch {
	case slices.ContainsFunc(d.o.Never, func(a rbac.AnyAction) bool { return a != nil && a.Name() == r.Action }):
		return "listed in Options.Never"
	case r.Destructive || r.Verb == audit.Delete:
		return "it deletes"
	case r.Category == rbac.Exports:
		return "it exports"
	case r.Category == rbac.Users && r.Verb != audit.Read:
		return "it manages people"
	case r.Category == rbac.Psychotherapy:
		return "psychotherapy notes are their authors'"
	case r.Reveals:
		return "it reveals"
	case !r.Listed:
		return "a relation decides, or a combination of scopes"
	case (r.PHI || r.Category.Clinical()) && r.Verb != audit.Read && !d.o.InsecureWritesPHI:
		return "it changes health information"
	}
	return ""
}

// scoped reports which lists the role's grants need.
func (d *Desk) scoped(name rbac.RoleName) (practices, locations, queues bool) {
	all, _ := d.p.Authorizer.Policy().Reach(name)
	for _, r := range all {
		practices = practices || r.Scope == rbac.Practice.String()
		locations = locations || r.Scope == rbac.Location.String()
		queues = queues || r.Scope == rbac.Queue.String()
	}
	return practices, locations, queues
}

// OperatorRoles are Operators who hold one of some roles in the platform's tenant and are not suspended. It
// knows no person by two accounts, and every tenant is a customer: a request to a tenant whose name is misspelt, or that
// does not exist, waits until it lapses. A host that has a list of its customers writes an Operators of its own that
// asks it first.
type OperatorRoles struct {
	desk  rbac.Store
	roles []rbac.RoleName
	o     Options
}

// NewOperatorRoles returns OperatorRoles over the grants of the platform. Of o only Now is used.
func NewOperatorRoles(grants rbac.Store, roles []rbac.RoleName, o *Options) (*OperatorRoles, error) {
	if grants == nil || len(roles) == 0 {
		return nil, fmt.Errorf("support: operators need a store of grants and roles")
	}
	var all Options
	if o != nil {
		all.Now = o.Now
	}
	if err := all.complete(); err != nil {
		return nil, err
	}
	return &OperatorRoles{grants, slices.Clone(roles), all}, nil
}

// May implements Operators.
func (s *OperatorRoles) May(ctx context.Context, operator Account, _ audit.Tenant) (bool, error) {
	grants, err := s.desk.Grants(ctx, operator.Tenant, operator.ID)
	if err != nil {
		return false, err
	}
	now, may := s.o.Now().UTC(), false
	for _, g := range grants {
		mine := g.Tenant == operator.Tenant && g.Person == operator.ID && g.InForce(now)
		if mine && g.Role == rbac.Suspended {
			return false, nil
		}
		may = may || mine && slices.Contains(s.roles, g.Role)
	}
	return may, nil
}

// Ours implements Operators: nothing is known.
func (s *OperatorRoles) Ours(context.Context, Account, Account) (bool, error) { return false, nil }
