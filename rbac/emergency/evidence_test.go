package emergency_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// TestControls: in force while Run runs and reviews come in time, and it says so where not.
func TestControls(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	stated := func() evidence.Control {
		all, err := h.desks[0].Controls(t.Context(), clinic)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.NotContains(t, all[0].Detail, "ana")
		return all[0]
	}
	require.Equal(t, evidence.Failing, stated().State, "nobody calls Run")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = h.desks[0].Run(ctx) }()
	require.Eventually(t, func() bool { return h.desks[0].Health(ctx) == nil }, time.Minute, time.Millisecond)
	require.Equal(t, evidence.InForce, stated().State)
	g := h.opens("ana", "p1")
	require.Contains(t, stated().Detail, "opened so far: 1, open now: 1, not reviewed: 1")
	h.pass(73 * time.Hour)
	require.Equal(t, evidence.Partly, stated().State)
	_, err := h.desks[0].Review(h.by("officer"), g.ID, h.stored(g.ID).Version, emergency.Justified, "fine")
	require.NoError(t, err)
	require.Equal(t, evidence.InForce, stated().State)
	h.wire.arm(1, "fails")
	_, err = h.desks[0].Controls(t.Context(), clinic)
	require.ErrorIs(t, err, emergency.ErrUnavailable)
}
