package rbac_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

const visitor = audit.ActorID("support:platform/noor")

// visit is the actor of an operator inside the clinic.
func visit() audit.Actor {
	a := staff(visitor)
	a.Organization = "platform"
	return a
}

func TestVisitorsHoldWhatEndsAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	soon := h.now.Add(2 * time.Hour)
	for name, g := range map[string]rbac.Grant{
		"no end":               {Person: visitor, Role: "admin", Source: rbac.SourceSupport},
		"too long":             {Person: visitor, Role: "admin", Source: rbac.SourceSupport, Until: h.now.Add(rbac.MaxVisit + time.Microsecond)},
		"another source":       {Person: visitor, Role: "admin", Until: soon},
		"somebody's own":       {Person: "adam", Role: "admin", Source: rbac.SourceSupport, Until: soon},
		"suspended by a grant": {Person: visitor, Role: rbac.Suspended},
	} {
		_, err := h.z.Grant(system, g)
		require.ErrorIs(t, err, rbac.ErrBadGrant, name)
	}
	g, err := h.z.Grant(system, rbac.Grant{Person: visitor, Role: "admin", Source: rbac.SourceSupport, Until: soon})
	require.NoError(t, err)

	p := patient{id: "p1", tenant: clinic}
	ctx := h.as(t, visit())
	d, err := rbac.Check(ctx, h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.True(t, d.Allowed)
	for name, organization := range map[string]string{"none": "", "the tenant": string(clinic)} {
		a := visit()
		a.Organization = organization
		d, err = rbac.Check(h.as(t, a), h.z, h.PatientRead, p)
		require.NoError(t, err)
		require.False(t, d.Allowed, name)
	}
	h.now = soon
	d, err = rbac.Check(h.as(t, visit()), h.z, h.PatientRead, p)
	require.NoError(t, err)
	require.False(t, d.Allowed, "over")
	require.Equal(t, g.Until, soon)
}

// TestForgedVisitsGiveNothing: rows that no rule let in count for nothing.
func TestForgedVisitsGiveNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	add := func(g rbac.Grant) {
		v, err := h.store.Version(t.Context(), clinic)
		require.NoError(t, err)
		g.Tenant, g.By, g.Created = clinic, "forged", h.now
		require.NoError(t, h.store.Apply(t.Context(), clinic, v, rbac.Change{Add: []rbac.Grant{g}}))
	}
	add(rbac.Grant{ID: "f1", Person: visitor, Role: "admin", Source: rbac.SourceDirect})
	add(rbac.Grant{ID: "f2", Person: visitor, Role: "admin", Source: rbac.SourceSupport})
	add(rbac.Grant{ID: "f3", Person: "mallory", Role: "admin", Source: rbac.SourceSupport, Until: h.now.Add(time.Hour)})
	p := patient{id: "p1", tenant: clinic}
	for _, a := range []audit.Actor{visit(), staff("mallory")} {
		d, err := rbac.Check(h.as(t, a), h.z, h.PatientRead, p)
		require.NoError(t, err)
		require.False(t, d.Allowed)
		x, err := rbac.Explain(h.as(t, a), h.z, a, h.PatientRead, p)
		require.NoError(t, err)
		require.False(t, x.Allowed)
		for _, c := range x.Clauses {
			require.Equal(t, rbac.VerdictKind, c.Verdict)
		}
	}
}

func TestVisitorsGrantNothing(t *testing.T) {
	t.Parallel()
	store := rbac.NewMemory()
	h := chosenHouse(t, store)
	system := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	_, err := h.z.Grant(system, rbac.Grant{Person: visitor, Role: "admin", Source: rbac.SourceSupport, Until: h.now.Add(time.Hour)})
	require.NoError(t, err)
	old := h.grant(t, "tess", "therapist")
	_, err = h.z.Grant(h.as(t, visit()), rbac.Grant{Person: "eve", Role: "therapist"})
	require.ErrorIs(t, err, rbac.ErrDenied)
	require.ErrorIs(t, h.z.Revoke(h.as(t, visit()), "tess", old.ID), rbac.ErrDenied)
	_, err = h.z.Choose(h.as(t, visit()), rbac.Toggles{})
	require.ErrorIs(t, err, rbac.ErrDenied)
}

func TestReachOfARole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	all, ok := h.policy.Reach("therapist")
	require.True(t, ok)
	require.Len(t, all, 5)
	require.Equal(t, rbac.Reach{Action: "patient.read", Verb: audit.Read, Category: rbac.Demographics, Scope: "own", PHI: true}, all[0])
	all, ok = h.policy.Reach("admin")
	require.True(t, ok)
	require.Equal(t, rbac.Reach{Action: "patient.purge", Verb: audit.Delete, Scope: "tenant", Destructive: true, Listed: true}, all[1])
	_, ok = h.policy.Reach("nobody")
	require.False(t, ok)
	require.Equal(t, []rbac.RoleName{"admin"}, h.z.Admins())
	require.Empty(t, (*rbac.Authorizer)(nil).Admins())
}
