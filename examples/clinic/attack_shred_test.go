package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// TestNoTermsAfterShredding: what somebody writes about a patient while the data is destroyed leaves nothing
// that the patient is found by.
func TestNoTermsAfterShredding(t *testing.T) {
	t.Parallel()
	a := opened(t, "-data", t.TempDir())
	ctx := audit.WithActor(t.Context(), audit.System(tenant, "setup"))
	require.NoError(t, a.greet(ctx, io.Discard))
	ids, err := a.patients.find(ctx, demoPatient(3).Email)
	require.NoError(t, err)
	require.Len(t, ids, 1)
	terms := func() (n int) {
		require.NoError(t, a.db.pool.QueryRow(`SELECT COUNT(*) FROM phi_term WHERE row_id = ?`, ids[0]).Scan(&n))
		return n
	}
	require.NotZero(t, terms())
	// A writer that had the row before it was deleted, and was done in between.
	_, err = a.db.pool.Exec(`CREATE TRIGGER late BEFORE DELETE ON clinic_patient BEGIN
		INSERT INTO phi_term (tenant, entity, field, term, row_id) VALUES (OLD.tenant, 'patient', 'late', x'01', OLD.id); END`)
	require.NoError(t, err)
	require.NoError(t, a.forget(ctx, tenant, audit.Patient(ids[0])))
	require.Zero(t, terms())
}
