package main

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session/sessiontest"
)

// TestHeaderGrades: every page of the clinic, over TLS, keeps every rule for headers.
func TestHeaderGrades(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	c := start(t, "-data", t.TempDir(), "-tls-cert", cert, "-tls-key", key)
	c.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}
	p := newPerson(t, c)
	perfect := func(at page) {
		t.Helper()
		require.NoError(t, sessiontest.CheckHeaders(t.Context(), sessiontest.Answer{Header: at.header}), at.path)
	}
	for _, path := range []string{"/sign-in", "/link/nobody", "/none", "/demo", "/sign-out"} {
		perfect(p.get(path))
	}
	perfect(p.signIn(alma, demoPassword))
	for _, path := range []string{"/patients", "/claims", "/team", "/audit", "/settings", "/security", "/patients/none"} {
		perfect(p.get(path))
	}
	first, second := p.get("/dashboard"), p.get("/dashboard")
	require.NotEqual(t, first.header.Get("Content-Security-Policy"), second.header.Get("Content-Security-Policy"), "a nonce is used once")
	out := p.send(p.request(http.MethodPost, "/sign-out", nil))
	require.NoError(t, sessiontest.CheckHeaders(t.Context(), sessiontest.Answer{Header: out.header, SignedOut: true}))
}
