package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// Browsers keep the titles of pages in their history, no-store or not.
func TestTitlesNameNoPatient(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080", "-demo=false"})
	require.NoError(t, err)
	a, err := open(ctx, c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	setup := audit.WithActor(ctx, audit.System(tenant, "setup"))
	administrator(t, a)
	p := demoPatient(0)
	require.NoError(t, a.staff.put(ctx, member{p.Therapist, "Tomas Berg", tom}))
	id, err := a.patients.register(setup, p)
	require.NoError(t, err)
	token, err := a.sessions.Start(ctx, audit.Actor{ID: firstAdminID, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost:8080/patients/"+id, nil)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	require.Contains(t, w.Body.String(), p.Name)
	title := regexp.MustCompile(`<title>(.*)</title>`).FindStringSubmatch(w.Body.String())
	require.NotNil(t, title)
	require.NotContains(t, title[1], p.Name)
}
