package support_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// Nobody comes in by a clock that says that nobody has approved yet.
func TestNobodyEntersBeforeTheApproval(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.approved()
	h.pass(-time.Second)
	_, _, err := h.desk.Enter(h.op(noor), clinic)
	require.ErrorIs(t, err, support.ErrClosed)
	h.pass(time.Second)
	_, _, err = h.desk.Enter(h.op(noor), clinic)
	require.NoError(t, err)
}

// Somebody of another tenant ends nothing here, and learns nothing.
func TestOtherTenantsEndNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	stranger := audit.WithActor(t.Context(), audit.Actor{ID: adam, Kind: audit.KindStaff, Tenant: "other-clinic", Assurance: audit.AAL2})
	_, err := h.desk.End(stranger, clinic, a.ID, "")
	require.ErrorIs(t, err, support.ErrNotFound)
	require.True(t, h.in(noor))
}

// The platform's log says of a step of the tenant's that it was one, and never that the operator took it.
func TestThePlatformsLogNamesNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	_, err := h.desk.End(h.as(dana), clinic, a.ID, "")
	require.NoError(t, err)
	for _, action := range []audit.Action{support.ActionApprove, support.ActionEnd} {
		for _, e := range h.log.of(platform, action) {
			require.Equal(t, audit.KindSystem, e.Actor.Kind)
		}
	}
	for _, action := range []audit.Action{support.ActionRequest, support.ActionEnter} {
		for _, e := range h.log.of(platform, action) {
			require.Equal(t, noor, e.Actor.ID)
			require.Equal(t, platform, e.Actor.Tenant)
			require.Empty(t, e.Actor.Organization)
		}
	}
}

// A role that administers is none for support, also without a seat.
func TestAdministratorsAreNoSupport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rules := h.rules()
	rules.Roles[2].Rank = 200
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	parts := h.parts()
	parts.Authorizer, err = rbac.New(p, h.grants, h.log, nil)
	require.NoError(t, err)
	_, err = support.New(parts, nil)
	require.ErrorContains(t, err, "role support administers tenants")
}

// Who is suspended at the platform is, whatever was granted before and after.
func TestSuspendedOperatorsMayNot(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	crew, err := support.NewOperatorRoles(h.grants, []rbac.RoleName{"support"}, &support.Options{Now: h.now})
	require.NoError(t, err)
	system := audit.WithActor(t.Context(), audit.System(platform, "setup"))
	for _, role := range []rbac.RoleName{"support", rbac.Suspended, "support"} {
		_, err := h.z.Grant(system, rbac.Grant{Person: noor, Role: role})
		require.NoError(t, err)
	}
	ok, err := crew.May(t.Context(), support.Account{Tenant: platform, ID: noor}, clinic)
	require.NoError(t, err)
	require.False(t, ok)
}

// Two operators are never one visitor.
func TestVisitorsAreApart(t *testing.T) {
	t.Parallel()
	seen := map[audit.ActorID]bool{}
	for _, a := range []support.Account{{"a/b", "c"}, {"a", "b/c"}, {"a%2Fb", "c"}, {"a", "b%2Fc"}, {"a", "b"}, {"a:b", "c"}} {
		id := support.Person(a)
		require.False(t, seen[id], id)
		require.True(t, rbac.IsVisitor(id))
		seen[id] = true
	}
}

// hooked does something just before a grant is written.
type hooked struct {
	rbac.Store
	before func()
}

func (s *hooked) Apply(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
	if f := s.before; f != nil {
		s.before = nil
		f()
	}
	return s.Store.Apply(ctx, t, v, c)
}

// An access that is ended between its approval and its grant leaves no grant behind.
func TestEndedBeforeItIsGranted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	store := &hooked{Store: h.grants}
	var err error
	h.z, err = rbac.New(h.policy, store, h.log, &rbac.Options{Now: h.now})
	require.NoError(t, err)
	h.desk = h.server(nil)
	a := h.requested()
	store.before = func() {
		_, err := h.other.End(h.as(dana), clinic, a.ID, "")
		require.NoError(t, err)
	}
	_, err = h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
	require.ErrorIs(t, err, support.ErrState)
	require.Empty(t, h.held())
	require.Equal(t, support.Ended, h.stored(a).State)
}

// A grant of somebody else's hand under the id of the access is not the one that was approved.
func TestTheGrantIsTheApproversOwn(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*rbac.Grant){
		func(g *rbac.Grant) { g.By = "p-eve" },
		func(g *rbac.Grant) { g.Role = "desk" },
		func(g *rbac.Grant) { g.Until = g.Until.Add(time.Hour) },
		func(g *rbac.Grant) { g.Practices = []rbac.PracticeID{"north"} },
	} {
		h := newHouse(t)
		h.entered()
		g := h.held()[0]
		change(&g)
		forged := rbac.NewMemory()
		require.NoError(t, forged.Apply(t.Context(), clinic, 0, rbac.Change{Add: []rbac.Grant{g}}))
		h.grants = forged
		h.desk = h.server(nil)
		_, _, err := h.desk.Guard(h.op(noor), clinic)
		require.ErrorIs(t, err, support.ErrClosed)
	}
}
