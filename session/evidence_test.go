package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/session"
)

// TestControls: the limits in force, and what is longer than NIST recommends says so.
func TestControls(t *testing.T) {
	t.Parallel()
	m, err := session.New(session.NewMemory(), audittest.NewRecorder(), session.RemoteAddr, nil)
	require.NoError(t, err)
	var _ evidence.Source = m
	list, err := m.Controls(t.Context(), "clinic")
	require.NoError(t, err)
	require.Equal(t, evidence.InForce, list[0].State)
	require.Contains(t, list[0].Detail, "idle 15m0s, absolute 12h0m0s")
	require.Equal(t, evidence.NotUsed, list[1].State)

	p, err := m.Policy(t.Context(), "clinic")
	require.NoError(t, err)
	p.Kinds = map[audit.Kind]session.Limits{audit.KindPatient: {Idle: 2 * time.Hour, Absolute: 48 * time.Hour, InsecureLong: true}}
	p.HighRisk = map[audit.Action]session.Duty{"patient.delete": {}}
	ctx := audit.WithActor(t.Context(), audit.Actor{ID: "alma", Kind: audit.KindStaff, Tenant: "clinic"})
	require.NoError(t, m.SavePolicy(ctx, "clinic", p))
	list, err = m.Controls(t.Context(), "clinic")
	require.NoError(t, err)
	require.Equal(t, evidence.Partly, list[0].State)
	require.Contains(t, list[0].Detail, "patient: idle 2h0m0s")
	require.Equal(t, evidence.InForce, list[1].State)
}
