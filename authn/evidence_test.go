package authn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/authn"
)

// TestControls: what the policy asks is what the packet says, and every weakness has a warning.
func TestControls(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	var _ evidence.Source = h.m
	state := func(id string) evidence.Control {
		list, err := h.m.Controls(t.Context(), clinic)
		require.NoError(t, err)
		p := evidence.Collect(t.Context(), clinic, h.clock.Now(), []evidence.Section{{Name: "Sign-in", From: h.m}}, nil)
		require.Len(t, p.Sections[0].Controls, len(list))
		for i, c := range list {
			require.Equal(t, c, p.Sections[0].Controls[i], "a packet takes it as it is")
			if c.ID == id {
				return c
			}
		}
		t.Fatal("no such control")
		return evidence.Control{}
	}
	require.Equal(t, evidence.Partly, state("authn.second_factor").State, "patients choose by default")
	h.rule(func(p *authn.Policy) { p.Patients = authn.Required })
	require.Equal(t, evidence.InForce, state("authn.second_factor").State)
	require.Equal(t, evidence.NotUsed, state("authn.texts").State)
	require.Equal(t, evidence.InForce, state("authn.passkeys").State)
	require.Equal(t, evidence.NotUsed, state("authn.network").State)
	require.Contains(t, state("authn.inactivity").Detail, "90 days")

	h.rule(func(p *authn.Policy) { p.Texts, p.Passkeys, p.Patients = true, authn.PasskeysOff, authn.Optional })
	require.Equal(t, evidence.Partly, state("authn.texts").State)
	require.Contains(t, state("authn.texts").Warning, "restricted authenticator")
	require.NotEmpty(t, state("authn.passkeys").Warning)
	require.Equal(t, evidence.Partly, state("authn.second_factor").State)
	h.rule(func(p *authn.Policy) { p.Staff = authn.Optional })
	require.Equal(t, evidence.NotUsed, state("authn.second_factor").State)
	require.NotEmpty(t, state("authn.second_factor").Warning)
	require.Equal(t, evidence.Failing, state("authn.passwords").State, "tests hash quickly")
}
