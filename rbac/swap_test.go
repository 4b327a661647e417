package rbac_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/rbac"
)

// changed compiles the house's rules over its own actions after a change.
func (h *house) changed(t *testing.T, change func(*rbac.Rules)) *rbac.Policy {
	t.Helper()
	rules, err := rbac.ReadPolicy(h.policy.JSON(), h.actions(), rbac.Relations{Own: h.own, Self: h.self})
	require.NoError(t, err)
	r := rbac.Rules{Actions: h.actions(), Roles: rules.Roles(), Relations: rbac.Relations{Own: h.own, Self: h.self}}
	change(&r)
	p, err := rbac.Compile(r)
	require.NoError(t, err)
	return p
}

func (h *house) actions() []rbac.AnyAction {
	return []rbac.AnyAction{h.PatientRead, h.PatientUpdate, h.PatientReveal, h.PatientPurge, h.NoteRead, h.NoteWrite, h.TeamManage}
}

func TestSwapIsInForceWithTheNextRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "bill", "biller", "north")
	h.grant(t, "adam", "admin")
	h.rec.take()
	next := h.changed(t, func(r *rbac.Rules) { r.Roles[2].Allow = []rbac.Allow{rbac.In(rbac.Tenant, h.NoteRead)} })
	old, err := h.z.Load(h.as(t, staff("bill")))
	require.NoError(t, err)
	require.ErrorIs(t, h.z.Swap(t.Context(), next), rbac.ErrUndecided, "unless somebody answers for it")
	require.Same(t, h.policy, h.z.Policy())
	admin := h.as(t, staff("adam"))
	require.NoError(t, h.z.Swap(admin, next, clinic))
	require.Same(t, next, h.z.Policy())

	p := patient{"p1", clinic, "north"}
	d, err := rbac.Check(old, h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.True(t, d.Allowed, "a request ends by the policy it began with")
	require.Equal(t, h.policy.Digest(), d.Policy())
	d, err = rbac.Check(h.as(t, staff("bill")), h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.False(t, d.Allowed)
	require.Equal(t, next.Digest(), d.Policy())

	events := h.rec.take()
	require.Len(t, events, 1)
	require.Equal(t, rbac.ActionSwap, events[0].Action)
	require.Equal(t, next.Digest(), events[0].Objects[0].ID)
	require.Equal(t, h.policy.Digest(), events[0].Decision.Policy)
}

func TestSwapLocksNobodyOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	ctx := h.as(t, staff("adam"))
	for name, change := range map[string]func(*rbac.Rules){
		"the administrator's role has another name": func(r *rbac.Rules) { r.Roles[0].Name = "boss" },
		"the role may not manage the team": func(r *rbac.Rules) {
			r.Roles[0].Allow = []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead, h.PatientPurge)}
			r.Roles[1].Allow = append(r.Roles[1].Allow, rbac.In(rbac.Tenant, h.TeamManage))
		},
		"tenants could switch it off": func(r *rbac.Rules) {
			r.Roles[0].Allow = []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead, h.PatientPurge), rbac.In(rbac.Tenant, h.TeamManage).OptOut()}
		},
		"a new role is above it, which nobody holds": func(r *rbac.Rules) {
			r.Roles = append(r.Roles, rbac.Role{Name: "boss", Label: "Boss", Rank: 200, Allow: []rbac.Allow{rbac.In(rbac.Tenant, h.TeamManage)}})
		},
	} {
		require.ErrorIs(t, h.z.Swap(ctx, h.changed(t, change), clinic), rbac.ErrLockout, name)
		require.Same(t, h.policy, h.z.Policy(), name)
	}
	require.ErrorIs(t, h.z.Swap(ctx, nil), rbac.ErrUndecided)

	same := h.changed(t, func(*rbac.Rules) {})
	h.rec.fail(errors.New("the log is down"))
	require.ErrorIs(t, h.z.Swap(ctx, same), rbac.ErrUndecided)
	require.Same(t, h.policy, h.z.Policy(), "what cannot be recorded does not happen")
}
