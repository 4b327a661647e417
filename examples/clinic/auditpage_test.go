package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// Whoever opens an event reads an address and what somebody typed: the audit says which
// event that was, not only that the audit was read.
func TestOpenedEventIsOnRecord(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, err := parseConfig([]string{"-data", t.TempDir(), "-url", "http://localhost:8080", "-demo=false"})
	require.NoError(t, err)
	a, err := open(ctx, c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	administrator(t, a)
	id := audit.NewID(time.Now())
	require.NoError(t, a.log.Record(ctx, audit.Event{
		ID: id, Tenant: tenant, Action: "patient.reveal_ssn", Verb: audit.Read, Why: audit.NewPrivate("the insurer asked"),
		Actor: audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: tenant},
	}))
	token, err := a.sessions.Start(ctx, audit.Actor{ID: firstAdminID, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost:8080/audit/"+id, nil)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), "the insurer asked")

	page, err := a.log.Query(ctx, audit.Query{Tenant: tenant, ResourceType: "audit_event", ResourceID: id})
	require.NoError(t, err)
	require.Len(t, page.Events, 1)
	require.Equal(t, firstAdminID, page.Events[0].Actor.ID)
	require.Equal(t, auditOpen.Name(), page.Events[0].Action)
}

// identifier is what a page puts into the forms of a session.
func identifier(t *testing.T, a *app, token string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8080/dashboard", nil)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	m := hiddenField.FindStringSubmatch(w.Body.String())
	require.Len(t, m, 2, w.Body.String())
	return m[1]
}

// Who asks the audit whose number or address that is learns it from the answer, also without
// following it: the audit says about whom.
func TestFoundPatientIsOnRecord(t *testing.T) {
	t.Parallel()
	a := inside(t, "-data", t.TempDir())
	ctx := as(t.Context(), firstAdminID)
	administrator(t, a)
	id, err := a.patients.register(ctx, demoPatient(8))
	require.NoError(t, err)
	token, err := a.sessions.Start(ctx, audit.Actor{ID: firstAdminID, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2})
	require.NoError(t, err)
	for _, typed := range []string{demoPatient(8).Email, demoPatient(8).Phone, id} {
		before, err := a.log.Count(ctx, audit.Query{Tenant: tenant, Patient: audit.Patient(id)})
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080/audit/find",
			strings.NewReader(url.Values{"q": {typed}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set(session.CSRFHeader, identifier(t, a, token))
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		require.Equal(t, http.StatusSeeOther, w.Code, w.Body.String())
		require.Contains(t, w.Header().Get("Location"), id)
		page, err := a.log.Query(ctx, audit.Query{Tenant: tenant, Patient: audit.Patient(id)})
		require.NoError(t, err)
		require.Len(t, page.Events, before.N+1, "told whose that is")
		require.Equal(t, firstAdminID, page.Events[0].Actor.ID)
		require.Equal(t, auditRead.Name(), page.Events[0].Action)
	}
}
