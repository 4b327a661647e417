package session_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

const base = "https://clinic.example.com"

// overHTTP asks a service that requires HTTPS; through says whether the request came in.
func overHTTP(t *testing.T, secure session.SecureFunc, r *http.Request) (w *httptest.ResponseRecorder, through bool) {
	t.Helper()
	h, err := session.RequireHTTPS(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { through = true }), base, secure)
	require.NoError(t, err)
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, through
}

func TestHTTPSIsRequired(t *testing.T) {
	t.Parallel()
	w, through := overHTTP(t, session.DirectTLS, page(httpsPage))
	require.True(t, through)
	require.Empty(t, w.Header())

	for _, method := range []string{"GET", "HEAD"} {
		r := httptest.NewRequest(method, "http://clinic.example.com/patients%2Fx?page=2&q=a%20b", nil)
		w, through = overHTTP(t, session.DirectTLS, r)
		require.False(t, through)
		require.Equal(t, http.StatusPermanentRedirect, w.Code)
		require.Equal(t, base+"/patients%2Fx?page=2&q=a%20b", w.Header().Get("Location"))
		require.NotContains(t, w.Header(), "Strict-Transport-Security", "RFC 6797, section 7.2")
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"} {
		body := &unread{}
		w, through = overHTTP(t, session.DirectTLS, httptest.NewRequest(method, httpPage, body))
		require.False(t, through)
		require.Equal(t, http.StatusForbidden, w.Code, method)
		require.Empty(t, w.Header().Get("Location"), method)
		require.False(t, body.touched, "what was sent in clear is not even read")
	}
}

// Whoever sends a token in clear is refused, not redirected: the mistake would go unnoticed.
func TestTokenInClearIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	r := page(httpPage)
	r.Header.Set("Authorization", "Bearer "+d.start(t, staff(ann)))
	w, through := overHTTP(t, session.DirectTLS, r)
	require.False(t, through)
	require.Equal(t, http.StatusForbidden, w.Code)
}

type unread struct{ touched bool }

func (u *unread) Read([]byte) (int, error) { u.touched = true; return 0, io.EOF }

// The redirect goes to the configured address, whatever the request says.
func TestHostHeaderDoesNotRedirect(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*http.Request){
		"host":             func(r *http.Request) { r.Host = "evil.example" },
		"host with a port": func(r *http.Request) { r.Host = "evil.example:80" },
		"no host":          func(r *http.Request) { r.Host = "" },
		"forwarded host":   func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.example") },
		"forwarded":        func(r *http.Request) { r.Header.Set("Forwarded", "host=evil.example;proto=https") },
		"absolute address": func(r *http.Request) { r.URL.Scheme, r.URL.Host = "http", "evil.example" },
		"two slashes":      func(r *http.Request) { r.URL.Path = "//evil.example" },
		"at sign":          func(r *http.Request) { r.URL.Path = "@evil.example" },
		"dot":              func(r *http.Request) { r.URL.Path = ".evil.example" },
		"backslash":        func(r *http.Request) { r.URL.Path = `/\evil.example` },
		"line break":       func(r *http.Request) { r.URL.Path = "/x\r\nSet-Cookie: a=b" },
		"opaque":           func(r *http.Request) { r.URL.Path, r.URL.Opaque = "", "//evil.example" },
	} {
		r := page(httpPage)
		change(r)
		w, through := overHTTP(t, session.DirectTLS, r)
		require.False(t, through, name)
		require.Equal(t, http.StatusPermanentRedirect, w.Code, name)
		to := w.Header().Get("Location")
		require.True(t, strings.HasPrefix(to, base+"/"), "%s: %s", name, to)
		require.NotContains(t, to, "\n", name)
	}
}

// X-Forwarded-Proto counts only where a trusted proxy wrote it last.
func TestForwardedProtoCannotBeForged(t *testing.T) {
	t.Parallel()
	secure := session.ProxyTLS(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48"))
	for name, c := range map[string]struct {
		remote string
		proto  []string
		want   bool
	}{
		"proxy says https":            {"10.0.0.1:1", []string{"https"}, true},
		"in capitals":                 {"10.0.0.1:1", []string{"HTTPS"}, true},
		"version 6 proxy":             {"[2001:db8:ffff::1]:1", []string{"https"}, true},
		"version 4 written as 6":      {"[::ffff:10.0.0.1]:1", []string{"https"}, true},
		"proxy appends":               {"10.0.0.1:1", []string{"http, https"}, true},
		"proxy says http":             {"10.0.0.1:1", []string{"http"}, false},
		"proxy says nothing":          {"10.0.0.1:1", nil, false},
		"client wrote it":             {"192.0.2.7:1", []string{"https"}, false},
		"client wrote it, proxy last": {"10.0.0.1:1", []string{"https, http"}, false},
		"in two lines":                {"10.0.0.1:1", []string{"https", "http"}, false},
		"empty":                       {"10.0.0.1:1", []string{""}, false},
		"empty entry":                 {"10.0.0.1:1", []string{"https,"}, false},
		"something else":              {"10.0.0.1:1", []string{"httpsx"}, false},
		"unix socket":                 {"@", []string{"https"}, false},
	} {
		r := page(httpPage)
		r.RemoteAddr = c.remote
		if c.proto != nil {
			r.Header["X-Forwarded-Proto"] = c.proto
		}
		require.Equal(t, c.want, secure(r), name)
		require.False(t, session.DirectTLS(r), "no header is read")
		r.Header.Set("X-Forwarded-Ssl", "on")
		r.Header.Set("Front-End-Https", "on")
		r.Header.Set("Forwarded", "proto=https")
		require.Equal(t, c.want, secure(r), name)
		require.True(t, secure(page(httpsPage)), "TLS that ends here needs nobody's word")
	}
	for _, everybody := range []string{"0.0.0.0/0", "::/0"} {
		r := page(httpPage)
		r.Header.Set("X-Forwarded-Proto", "https")
		require.False(t, session.ProxyTLS(netip.MustParsePrefix(everybody))(r))
	}
}

func TestRequireHTTPSRefusesALooseBase(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "clinic.example.com", "http://clinic.example.com", "wss://clinic.example.com", "https://", "https://clinic.example.com/",
		"https://clinic.example.com/app", "https://u:p@clinic.example.com", "https://clinic.example.com?x", "https://*.example.com",
	} {
		_, err := session.RequireHTTPS(http.NotFoundHandler(), bad, session.DirectTLS)
		require.Error(t, err, bad)
	}
	_, err := session.RequireHTTPS(http.NotFoundHandler(), base, nil)
	require.Error(t, err)
	_, err = session.RequireHTTPS(nil, base, session.DirectTLS)
	require.Error(t, err)
	_, err = session.RequireHTTPS(http.NotFoundHandler(), "https://[2001:db8::1]:8443", session.DirectTLS)
	require.NoError(t, err)
}
