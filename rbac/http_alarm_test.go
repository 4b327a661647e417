package rbac_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// A 503 is never mute: the host hears why.
func TestAlarmTellsWhy(t *testing.T) {
	t.Parallel()
	var causes []error
	s := newSite(t, &rbac.HTTPOptions{Alarm: func(r *http.Request, cause error) {
		require.NotEmpty(t, r.Pattern)
		causes = append(causes, cause)
	}})
	s.broken = errors.New("connection refused")
	w := s.ask(t, ptr(staff("ana")), "GET", "/patients/p1", nil)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Len(t, causes, 1)
	require.ErrorIs(t, causes[0], s.broken)

	causes = nil
	bare := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/patients/p1", nil)
	s.mux.ServeHTTP(bare, r.WithContext(audit.WithActor(r.Context(), staff("ana"))))
	require.Equal(t, http.StatusServiceUnavailable, bare.Code)
	require.Len(t, causes, 1)
	require.ErrorIs(t, causes[0], audit.ErrNoTrail, "audithttp.Hold is missing")
}
