package rbac_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// TestWhatAPolicyOpensInAnEmergency: what a role has scope Emergency for, also as the exception of a Forbid,
// and nothing else.
func TestWhatAPolicyOpensInAnEmergency(t *testing.T) {
	t.Parallel()
	h, g := urgent(t)
	require.Equal(t, rbac.EmergencyRelation(g), h.policy.Emergencies())
	require.True(t, h.policy.InEmergency(h.PatientRead))
	require.True(t, h.policy.InEmergency(h.NoteRead))
	require.False(t, h.policy.InEmergency(h.PatientUpdate))
	require.False(t, h.policy.InEmergency(rbac.Define[patient]("patient.read", rbac.Columns{}, rbac.Verb(audit.Read))), "of the same name")
	require.False(t, h.policy.InEmergency(rbac.Action[patient]{}))
	require.False(t, h.policy.InEmergency(nil))
	var none *rbac.Policy
	require.False(t, none.InEmergency(h.PatientRead))
	require.Nil(t, none.Emergencies())
	require.Nil(t, newHouse(t).policy.Emergencies())
	require.True(t, h.PatientRead.Reads())
	require.False(t, h.PatientUpdate.Reads())
	require.False(t, rbac.Action[patient]{}.Reads())
}
