package rbac_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/rbac"
)

// TestGrantsAgeWithoutAClock: Check looks at no clock, and what was read is not used for longer
// than 30 seconds all the same: by one context after the other, and after a pause in which nobody
// asked.
func TestGrantsAgeWithoutAClock(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		h := newHouse(t)
		z, err := rbac.New(h.policy, h.store, audit.Discard{}, nil)
		require.NoError(t, err)
		for round := range 3 {
			g := h.grant(t, "adam", "admin")
			ctx, err := z.Load(h.as(t, staff("adam")))
			require.NoError(t, err)
			asks := func(want bool, why string) {
				t.Helper()
				d, err := rbac.Check(ctx, z, h.TeamManage, rbac.InTenant{Tenant: clinic})
				require.NoError(t, err)
				require.Equal(t, want, d.Allowed, "round %d: %s", round, why)
				may, err := rbac.May(ctx, z, rbac.InTenant{Tenant: clinic}, h.TeamManage)
				require.NoError(t, err)
				require.Equal(t, want, may.Allows(h.TeamManage), why)
			}
			require.NoError(t, h.z.Revoke(audit.WithActor(t.Context(), audit.System(clinic, "setup")), "adam", g.ID))
			asks(true, "the request under way has read its grants")
			time.Sleep(28 * time.Second)
			asks(true, "and is still the same request")
			time.Sleep(2*time.Second + time.Millisecond)
			asks(false, "a context that outlived its request")
			time.Sleep(time.Duration(round) * time.Hour)
			asks(false, "long after the last beat")
		}
	})
}

// TestWhoActsIsAskedByTheClock: what only asks answers as of the reading of the grants; what
// acts or lists does not go by a grant that has ended meanwhile.
func TestWhoActsIsAskedByTheClock(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grantIn(t, clinic, rbac.Grant{Person: "adam", Role: "admin", Until: h.now.Add(time.Second)})
	ctx, err := h.z.Load(h.as(t, staff("adam")))
	require.NoError(t, err)
	h.now = h.now.Add(time.Second)
	d, err := rbac.Check(ctx, h.z, h.TeamManage, rbac.InTenant{Tenant: clinic})
	require.NoError(t, err)
	require.True(t, d.Allowed)
	_, err = rbac.Authorize(ctx, h.z, h.TeamManage, rbac.InTenant{Tenant: clinic})
	require.ErrorIs(t, err, rbac.ErrDenied)
	_, err = rbac.Visible(ctx, h.z, h.PatientRead)
	require.ErrorIs(t, err, rbac.ErrNothing)
}
