package machine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/authn/machine"
)

var _ evidence.Source = (*machine.Manager)(nil)

// stated returns the controls by ID, as a packet has them.
func (h *house) stated(m *machine.Manager) map[string]evidence.Control {
	h.t.Helper()
	list, err := m.Controls(h.t.Context(), clinic)
	require.NoError(h.t, err)
	p := evidence.Collect(h.t.Context(), clinic, h.clock.Now(), []evidence.Section{{Name: "Programs", From: m}}, nil)
	require.Equal(h.t, list, p.Sections[0].Controls, "a packet takes them as they are")
	all := map[string]evidence.Control{}
	for _, c := range list {
		all[c.ID] = c
	}
	return all
}

// TestControls: what the rows and the options say is what the packet says.
func TestControls(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	c := h.stated(h.m)
	require.Equal(t, evidence.InForce, c["machine.expiry"].State)
	require.Contains(t, c["machine.expiry"].Detail, "keys: 0; at most 365 days for services, 90 days for agents")
	require.Equal(t, evidence.NotUsed, c["machine.agents"].State)
	require.Equal(t, evidence.InForce, c["machine.network"].State)
	require.Contains(t, c["machine.rates"].Detail, "services 600, agents 120; wrong keys in 10 minutes: 30")
	require.Contains(t, c["machine.secrets"].Detail, "wk_")

	h.make(h.service())
	agent, _ := h.make(h.agent())
	h.clock.Add(3 * 24 * time.Hour)
	c = h.stated(h.m)
	require.Contains(t, c["machine.expiry"].Detail, "keys: 2")
	require.Contains(t, c["machine.expiry"].Detail, "the oldest is from 2026-05-04, 3 days ago")
	require.Equal(t, "services: 1, agents: 1", c["machine.owners"].Detail)
	require.Empty(t, c["machine.owners"].Warning)
	require.Equal(t, evidence.InForce, c["machine.agents"].State)
	require.Equal(t, evidence.InForce, c["machine.unused"].State)

	h.world.leave(ada)
	require.Contains(t, h.stated(h.m)["machine.owners"].Warning, "2 stand still")
	h.world.leave()

	strict := h.o
	strict.MaxService, strict.Network, strict.ServiceRate = 30*24*time.Hour, nil, 7
	m, err := machine.New(h.parts, &strict)
	require.NoError(t, err)
	c = h.stated(m)
	require.Equal(t, evidence.Failing, c["machine.expiry"].State, "made under a rule that allowed more")
	require.Contains(t, c["machine.expiry"].Warning, "1 keys")
	require.Equal(t, evidence.NotUsed, c["machine.network"].State)
	require.NotEmpty(t, c["machine.network"].Warning)
	require.Contains(t, c["machine.rates"].Detail, "services 7,")

	unbound := agent
	unbound.ID, unbound.OnBehalfOf, unbound.Keys = "m-loose", "", nil
	require.NoError(t, h.store.Apply(t.Context(), machine.Change{Put: unbound}))
	require.Equal(t, evidence.Failing, h.stated(h.m)["machine.agents"].State)

	h.clock.Add(91 * 24 * time.Hour)
	c = h.stated(h.m)
	require.Equal(t, evidence.Partly, c["machine.unused"].State, "the service, which nobody has used")
	require.Contains(t, c["machine.unused"].Detail, "90 days: 1")
	require.Equal(t, "services: 1, agents: 0", c["machine.owners"].Detail, "agents have ended")
	require.Equal(t, evidence.NotUsed, c["machine.agents"].State)
}

// TestControlsOfAnotherTenant: only the tenant's own programs count.
func TestControlsOfAnotherTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.make(h.service())
	list, err := h.m.Controls(t.Context(), audit.Tenant("other"))
	require.NoError(t, err)
	for _, c := range list {
		if c.ID == "machine.owners" {
			require.Equal(t, "services: 0, agents: 0", c.Detail)
		}
	}
}

// TestControlsThatCannotBeAsked: whichever part does not answer, what it would have said is unknown
// and the rest is there.
func TestControlsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.make(h.service())
	h.make(h.agent())
	for at := 1; ; at++ {
		h.wire.arm(at, "fails")
		p := evidence.Collect(t.Context(), clinic, h.clock.Now(), []evidence.Section{{Name: "Programs", From: h.m}}, nil)
		if !h.wire.hit() {
			require.Equal(t, 4, at, "the list, and who answers for each of two")
			break
		}
		list := p.Sections[0].Controls
		require.Len(t, list, 4)
		require.Equal(t, evidence.Unknown, list[3].State)
	}
}
