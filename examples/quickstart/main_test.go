package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

func TestQuickstart(t *testing.T) {
	t.Parallel()
	handler, token, events := host(t.Context())
	ask := func(path, token string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, row := range []struct {
		name, path, token string
		status            int
		says              string
	}{
		{"patient_in_care_is_shown_with_masked_number", "/patients/p-1", token, http.StatusOK, "Ana Example, •••-••-••••\n"},
		{"patient_of_somebody_else_is_404", "/patients/p-2", token, http.StatusNotFound, "Not Found\n"},
		{"patient_of_nobody_is_404", "/patients/p-3", token, http.StatusNotFound, "Not Found\n"},
		{"stranger_is_401", "/patients/p-1", "", http.StatusUnauthorized, "Unauthorized\n"},
		{"made_up_token_is_401", "/patients/p-1", token[:len(token)-4] + "AAAA", http.StatusUnauthorized, "Unauthorized\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, says := ask(row.path, row.token)
			require.Equal(t, row.status, status)
			require.Equal(t, row.says, says)
		})
	}
	t.Run("every_look_is_on_record", func(t *testing.T) {
		page, err := events.Query(t.Context(), audit.Query{Tenant: clinic, Actors: []audit.ActorID{"tomas"}, Actions: []audit.Action{"patient.read"}})
		require.NoError(t, err)
		require.Len(t, page.Events, 3)
		seen := page.Events[2].Event
		require.Equal(t, []audit.Patient{"p-1"}, seen.Patients)
		require.Equal(t, []string{"name"}, seen.Objects[0].Fields, "the masked number was not seen")
		require.Equal(t, audit.Success, seen.Outcome)
		for _, denied := range page.Events[:2] {
			require.Equal(t, audit.Failure, denied.Outcome)
		}
	})
}

func TestQuickstartIsSmall(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(text), "\n"), 120)
	require.NotContains(t, string(text), "wardkit/internal", "a host has no access to it")
}
