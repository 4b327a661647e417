package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

// TestCasesHold: a case holds the audit once, however often it is asked for, and again after people
// released the hold and the case was opened anew.
func TestCasesHold(t *testing.T) {
	t.Parallel()
	a := opened(t, "-data", t.TempDir())
	ctx := audit.WithActor(t.Context(), audit.System(tenant, "incident"))
	inForce := func() (live []purge.Hold) {
		all, err := a.keeper.Holds(ctx, tenant)
		require.NoError(t, err)
		for _, h := range all {
			if h.Released.IsZero() {
				live = append(live, h)
			}
		}
		return live
	}
	h := caseHolds{a}
	for range 3 {
		require.NoError(t, h.Place(ctx, tenant, "incident:1/2"))
	}
	first := inForce()
	require.Len(t, first, 1)
	require.True(t, first[0].All)
	person := audit.WithActor(t.Context(), audit.Actor{ID: almaID, Kind: audit.KindStaff, Tenant: tenant})
	_, err := a.keeper.Release(person, tenant, first[0].ID, "closed for good")
	require.NoError(t, err)
	require.Empty(t, inForce())
	require.NoError(t, h.Place(ctx, tenant, "incident:1/2"))
	again := inForce()
	require.Len(t, again, 1)
	require.NotEqual(t, first[0].ID, again[0].ID)
}
