package rbac_test

import (
	"bytes"
	"errors"
	"log/slog"
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

// What a host's error says may name people: the default log line tells its type only.
func TestDefaultAlarmQuotesNoHostError(t *testing.T) { // not parallel: it replaces slog's default
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	s := newSite(t, nil)
	s.broken = errors.New("no row for Ana Example")
	w := s.ask(t, ptr(staff("ana")), "GET", "/patients/p1", nil)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, out.String(), "GET /patients/{id}")
	require.Contains(t, out.String(), "errors.errorString")
	require.NotContains(t, out.String(), "Ana Example")

	out.Reset()
	z, err := rbac.New(s.policy, &faulty{Store: s.store, err: errors.New("no grants of Ana Example")}, s.rec, nil)
	require.NoError(t, err)
	s.mux = rbac.NewMux(z, nil)
	rbac.For(s.mux, s.load).Handle("GET /patients/{id}", s.PatientRead, func(http.ResponseWriter, *http.Request, rbac.Granted[patient]) {})
	require.Equal(t, http.StatusServiceUnavailable, s.ask(t, ptr(staff("ana")), "GET", "/patients/p1", nil).Code)
	require.NotEmpty(t, out.String())
	require.NotContains(t, out.String(), "Ana Example")
}
