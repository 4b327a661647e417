package session_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

func headers(o *session.HeaderOptions, secure bool) (http.Header, string) {
	var nonce string
	h := session.SecurityHeaders(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		nonce = session.Nonce(r.Context())
	}), o)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Header(), nonce
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	h, nonce := headers(nil, true)
	require.GreaterOrEqual(t, len(nonce), 26, "128 bits in base32")
	require.Equal(t, http.Header{
		"Content-Security-Policy":      {session.DefaultPolicy(nonce)},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
		"Referrer-Policy":              {"same-origin"},
		"Permissions-Policy":           {"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Cache-Control":                {"no-store"},
		"Strict-Transport-Security":    {"max-age=63072000; includeSubDomains"},
	}, h)
	_, again := headers(nil, true)
	require.NotEqual(t, nonce, again)
	require.Empty(t, session.Nonce(context.Background()))
}

func TestPolicyAllowsNoInlineCode(t *testing.T) {
	t.Parallel()
	policy := session.DefaultPolicy("N0NCE")
	for _, weak := range []string{"unsafe-inline", "unsafe-eval", "*", "http:", "strict-dynamic"} {
		require.NotContains(t, policy, weak)
	}
	for _, directive := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
		require.Contains(t, strings.Split(policy, "; "), directive)
	}
	require.Equal(t, 2, strings.Count(policy, "'nonce-N0NCE'"), "scripts and styles")
}

func TestHSTSOnlyOverTLS(t *testing.T) {
	t.Parallel()
	h, _ := headers(nil, false)
	require.NotContains(t, h, "Strict-Transport-Security")
	h, _ = headers(&session.HeaderOptions{BehindTLS: true}, false)
	require.Contains(t, h, "Strict-Transport-Security")
}

func TestOwnPolicy(t *testing.T) {
	t.Parallel()
	h, nonce := headers(&session.HeaderOptions{Policy: func(n string) string { return "script-src 'nonce-" + n + "'" }}, true)
	require.Equal(t, "script-src 'nonce-"+nonce+"'", h.Get("Content-Security-Policy"))
}
