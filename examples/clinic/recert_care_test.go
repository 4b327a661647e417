package main

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// TestWhoIsTheOnlyTherapist: a colleague who may not care for patients any more is no cover.
func TestWhoIsTheOnlyTherapist(t *testing.T) {
	t.Parallel()
	c, err := parseConfig([]string{"-data", oldFolder(t, filepath.Join("testdata", "release-0.5")), "-url", "http://localhost:8080"})
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	only := func() bool {
		yes, err := onlyTherapist{a}.OnlyOne(t.Context(), tenant, recert.Access{Subject: tomID, Role: string(rbac.Therapist)})
		require.NoError(t, err)
		return yes
	}
	require.True(t, only(), "nobody shares all patients")
	_, err = a.db.pool.ExecContext(t.Context(), `INSERT INTO clinic_care (tenant, therapist, patient, since, until)
		SELECT tenant, ?, patient, since, 0 FROM clinic_care c WHERE therapist = ? AND until = 0 AND NOT EXISTS
		(SELECT 1 FROM clinic_care x WHERE x.patient = c.patient AND x.therapist = ? AND x.until = 0)`, nadiaID, tomID, nadiaID)
	require.NoError(t, err)
	require.False(t, only())
	_, err = a.access.Grant(audit.WithActor(t.Context(), audit.System(tenant, "test")), rbac.Grant{Person: nadiaID, Role: rbac.Suspended, Until: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.True(t, only())
}
