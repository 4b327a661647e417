package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

// headers asks for a page behind SecurityHeaders.
func headers(t *testing.T, o *session.HeaderOptions, r *http.Request) (http.Header, string) {
	t.Helper()
	var nonce string
	h, err := session.SecurityHeaders(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		nonce = session.Nonce(r.Context())
	}), o)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Header(), nonce
}

func page(url string) *http.Request { return httptest.NewRequest(http.MethodGet, url, nil) }

const (
	httpsPage = "https://clinic.example.com/"
	httpPage  = "http://clinic.example.com/"
)

// directives takes a policy apart.
func directives(t *testing.T, policy string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for part := range strings.SplitSeq(policy, "; ") {
		name, value, _ := strings.Cut(part, " ")
		require.NotContains(t, all, name, "only the first of two counts")
		all[name] = value
	}
	return all
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	h, nonce := headers(t, nil, page(httpsPage))
	require.GreaterOrEqual(t, len(nonce), 26, "128 bits in base32")
	require.Contains(t, h.Get("Permissions-Policy"), "camera=()")
	h.Del("Permissions-Policy")
	h.Del("Content-Security-Policy")
	require.Equal(t, http.Header{
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
		"Referrer-Policy":              {"same-origin"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Cross-Origin-Embedder-Policy": {"require-corp"},
		"Cache-Control":                {"no-store"},
		"Strict-Transport-Security":    {"max-age=63072000; includeSubDomains"},
	}, h)
	_, again := headers(t, nil, page(httpsPage))
	require.NotEqual(t, nonce, again)
	require.Empty(t, session.Nonce(context.Background()))
	_, err := session.SecurityHeaders(nil, nil)
	require.Error(t, err)
}

func TestPolicyAllowsNoInlineCode(t *testing.T) {
	t.Parallel()
	o := &session.HeaderOptions{Public: func(r *http.Request) bool { return r.URL.Path == "/hours" }}
	want := map[string]string{
		"default-src": "'none'", "style-src": "'self' 'nonce-N'", "script-src": "'nonce-N'",
		"img-src": "'self' data:", "font-src": "'self'", "media-src": "'self'", "manifest-src": "'self'",
		"connect-src": "'self'", "form-action": "'self'",
		"frame-ancestors": "'none'", "base-uri": "'none'", "object-src": "'none'",
	}
	h, nonce := headers(t, o, page(httpsPage+"hours"))
	policy := strings.ReplaceAll(h.Get("Content-Security-Policy"), nonce, "N")
	require.Equal(t, want, directives(t, policy))
	require.Equal(t, "credentialless", h.Get("Cross-Origin-Embedder-Policy"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))

	want["require-trusted-types-for"] = "'script'"
	h, nonce = headers(t, o, page(httpsPage+"patients"))
	policy = strings.ReplaceAll(h.Get("Content-Security-Policy"), nonce, "N")
	require.Equal(t, want, directives(t, policy))
}

func TestPolicySources(t *testing.T) {
	t.Parallel()
	o := &session.HeaderOptions{Report: "/csp", Sources: session.Sources{
		Connect: []string{"wss://live.example.com"}, Images: []string{"https://media.example.com:8443"},
		Frames: []string{"https://video.example.com"}, Forms: []string{"https://idp.example.com"},
	}}
	h, _ := headers(t, o, page(httpsPage))
	got := directives(t, h.Get("Content-Security-Policy"))
	require.Equal(t, "'self' wss://live.example.com", got["connect-src"])
	require.Equal(t, "'self' data: https://media.example.com:8443", got["img-src"])
	require.Equal(t, "https://video.example.com", got["frame-src"])
	require.Equal(t, "'self' https://idp.example.com", got["form-action"])
	require.Equal(t, "/csp", got["report-uri"])
	require.Equal(t, "csp", got["report-to"])
	require.Equal(t, `csp="/csp"`, h.Get("Reporting-Endpoints"))
}

// What could end a directive, widen a source or leave HTTPS is refused before the first request.
func TestPolicyRefusesLooseSources(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		"", "*", "https:", "https://*", "https://*.example.com", "http://media.example.com", "media.example.com",
		"'unsafe-inline'", "'self'", "https://a.example.com; script-src *", "https://a.example.com/path",
		"https://a.example.com https://b.example.com", "https://u@a.example.com", "https://a.example.com\r\nX: y",
		"https://:443", "data:", "HTTPS://a.example.com", "https://a.example.com?x", "https://a.example.com#x", "https://a,b",
	} {
		for name, s := range map[string]session.Sources{
			"connect": {Connect: []string{source}}, "images": {Images: []string{source}},
			"frames": {Frames: []string{source}}, "forms": {Forms: []string{source}},
		} {
			_, err := session.SecurityHeaders(http.NotFoundHandler(), &session.HeaderOptions{Sources: s})
			require.Error(t, err, "%s %q", name, source)
		}
	}
	for _, report := range []string{"csp", "//evil.example/csp", "http://a.example.com/csp", "/csp; script-src *", `/c"sp`, "/c\r\nX: y", "https://a.example.com", "https://*/csp"} {
		_, err := session.SecurityHeaders(http.NotFoundHandler(), &session.HeaderOptions{Report: report})
		require.Error(t, err, report)
	}
	_, err := session.SecurityHeaders(http.NotFoundHandler(), &session.HeaderOptions{Report: "https://reports.example.com/csp?app=1"})
	require.NoError(t, err)
}

func TestHSTSOnlyOverTLS(t *testing.T) {
	t.Parallel()
	h, _ := headers(t, nil, page(httpPage))
	require.NotContains(t, h, "Strict-Transport-Security")
	behind := &session.HeaderOptions{Secure: session.ProxyTLS(netip.MustParsePrefix("10.0.0.0/8"))}
	r := page(httpPage)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.RemoteAddr = "10.0.0.1:1"
	h, _ = headers(t, behind, r)
	require.Contains(t, h, "Strict-Transport-Security")
	r.RemoteAddr = "192.0.2.7:1"
	h, _ = headers(t, behind, r)
	require.NotContains(t, h, "Strict-Transport-Security")
}

// A handler that knows better replaces a header; it does not get two.
func TestHandlerReplacesAHeader(t *testing.T) {
	t.Parallel()
	h, err := session.SecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
	}), nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, page(httpsPage))
	require.Equal(t, []string{"public, max-age=3600"}, w.Header()["Cache-Control"])
}
