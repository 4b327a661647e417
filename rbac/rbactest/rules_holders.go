package rbactest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// role returns a grant of a role.
func role(id string, t audit.Tenant, person audit.ActorID, name rbac.RoleName) rbac.Grant {
	g := grant(id, t, person)
	g.Role = name
	return g
}

func holdersOfRoles(ctx context.Context, s rbac.Store) error {
	want := role("g1", clinic, ana, "admin")
	err := add(ctx, s, want, role("g2", clinic, ben, "desk"), role("g3", clinic, ben, "admin_of_nothing"), role("g4", clinic, ben, "therapist"))
	if err != nil {
		return err
	}
	got, err := s.Holders(ctx, clinic, []rbac.RoleName{"admin", "desk", "nobodys"})
	if err := errors.Join(err, same("holders of two roles", got, "g1", "g2")); err != nil {
		return err
	}
	return equal(got[slices.IndexFunc(got, func(g rbac.Grant) bool { return g.ID == "g1" })], want)
}

func holdersOfTenant(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, role("g1", clinic, ana, "admin"), role("g2", other, ana, "admin")); err != nil {
		return err
	}
	got, err := s.Holders(ctx, clinic, []rbac.RoleName{"admin"})
	return errors.Join(err, same("holders in one tenant", got, "g1"))
}

func holdersInOrder(ctx context.Context, s rbac.Store) error {
	roles := []rbac.RoleName{"desk", "admin"}
	for i, id := range []string{"g-2", "g10", "G3", "g1"} {
		if err := add(ctx, s, role(id, clinic, ana, roles[i%2])); err != nil {
			return err
		}
	}
	got, err := s.Holders(ctx, clinic, roles)
	if !slices.IsSorted(ids(got)) || len(got) != 4 {
		return fmt.Errorf("%v, sorted: %v", ids(got), slices.IsSorted(ids(got)))
	}
	return err
}

func holdersAfterAChange(ctx context.Context, s rbac.Store) error {
	roles := []rbac.RoleName{"admin"}
	if err := add(ctx, s, role("g1", clinic, ana, "admin")); err != nil {
		return err
	}
	got, err := s.Holders(ctx, clinic, roles)
	if err := errors.Join(err, same("after granting", got, "g1")); err != nil {
		return err
	}
	if err := add(ctx, s, role("g2", clinic, ben, "admin")); err != nil {
		return err
	}
	got, err = s.Holders(ctx, clinic, roles)
	if err := errors.Join(err, same("after granting more", got, "g1", "g2")); err != nil {
		return err
	}
	if err := end(ctx, s, clinic, "g1"); err != nil {
		return err
	}
	got, err = s.Holders(ctx, clinic, roles)
	return errors.Join(err, same("after revoking", got, "g2"))
}

func holdersOfNothing(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, role("g1", clinic, ana, "admin")); err != nil {
		return err
	}
	for _, roles := range [][]rbac.RoleName{nil, {}, {"desk"}, {""}} {
		got, err := s.Holders(ctx, clinic, roles)
		if err := errors.Join(err, same(fmt.Sprintf("holders of %d roles", len(roles)), got)); err != nil {
			return err
		}
	}
	return nil
}
