package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// TestOperatorsAnswerNobody: who works for the platform approves neither themselves nor a colleague, by whatever account.
func TestOperatorsAnswerNobody(t *testing.T) {
	t.Parallel()
	a := openHere(t)
	account := func(t1 audit.Tenant, id audit.ActorID, address string, role rbac.RoleName) support.Account {
		t.Helper()
		ctx := audit.WithActor(t.Context(), audit.System(t1, "setup"))
		_, err := a.people.Invite(ctx, t1, authn.Newcomer{ID: id, Kind: audit.KindStaff, Identifier: address, Role: string(role)})
		require.NoError(t, err)
		return support.Account{Tenant: t1, ID: id}
	}
	asking := account(platformTenant, "o-1", "one.operator@example.com", roleOperator)
	account(platformTenant, "o-2", "two.operator@example.com", roleOperator)
	for address, want := range map[string]bool{"one.operator@example.com": true, "two.operator@example.com": true, "somebody.else@example.com": false} {
		other := account(tenant, audit.ActorID("u-"+address[:3]), address, rbac.Therapist)
		ours, err := operators{a}.Ours(t.Context(), asking, other)
		require.NoError(t, err)
		require.Equal(t, want, ours, address)
	}
	_, err := operators{a}.Ours(t.Context(), asking, support.Account{Tenant: tenant, ID: "nobody"})
	require.Error(t, err, "who is not known is not found out")
}

// TestWhoHearsOfSupport: all who answer for it, once each; where nobody is there, the notice waits.
func TestWhoHearsOfSupport(t *testing.T) {
	t.Parallel()
	a := openHere(t)
	notice := support.Notice{ID: "n-1", Tenant: tenant, Kind: support.NoticeRequested, To: support.ToTenant}
	require.ErrorIs(t, supportNotices{a}.Tell(t.Context(), notice), errNobodyTold)
	require.Contains(t, answerers(), rbac.ClinicAdminFull)
	require.Contains(t, answerers(), rbac.PrivacyOfficer)
	system := audit.WithActor(t.Context(), audit.System(tenant, "setup"))
	_, err := a.people.Invite(system, tenant, authn.Newcomer{ID: "u-full", Kind: audit.KindStaff, Identifier: "full@example.com", Role: string(rbac.ClinicAdminFull)})
	require.NoError(t, err)
	_, err = a.access.Grant(system, rbac.Grant{Person: "u-full", Role: rbac.ClinicAdminFull, Until: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.NoError(t, supportNotices{a}.Tell(t.Context(), notice))
}
