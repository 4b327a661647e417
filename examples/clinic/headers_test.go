package main

import (
	"crypto/tls"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// check is one thing that a page's headers have to say, as graders of headers count them.
type check struct {
	name string
	ok   func(h http.Header, csp map[string]string) bool
}

func is(name, want string) check {
	return check{name, func(h http.Header, _ map[string]string) bool { return h.Get(name) == want }}
}

func headerChecks() []check {
	return []check{
		{"Strict-Transport-Security for two years", func(h http.Header, _ map[string]string) bool {
			m := regexp.MustCompile(`^max-age=(\d+); includeSubDomains`).FindStringSubmatch(h.Get("Strict-Transport-Security"))
			if m == nil {
				return false
			}
			age, err := strconv.Atoi(m[1])
			return err == nil && age >= 2*365*24*3600
		}},
		{"no script but by nonce", func(_ http.Header, csp map[string]string) bool {
			return regexp.MustCompile(`^'nonce-[A-Z0-9]{26}'$`).MatchString(csp["script-src"]) && csp["default-src"] == "'none'"
		}},
		{"nothing unsafe", func(h http.Header, _ map[string]string) bool {
			return !regexp.MustCompile(`unsafe|\*|https?:`).MatchString(h.Get("Content-Security-Policy"))
		}},
		{"no frames, bases, plug-ins, foreign forms", func(_ http.Header, csp map[string]string) bool {
			return csp["frame-ancestors"] == "'none'" && csp["base-uri"] == "'none'" && csp["object-src"] == "'none'" && csp["form-action"] == "'self'"
		}},
		{"Trusted Types", func(_ http.Header, csp map[string]string) bool { return csp["require-trusted-types-for"] == "'script'" }},
		is("X-Content-Type-Options", "nosniff"),
		is("X-Frame-Options", "DENY"),
		is("Referrer-Policy", "same-origin"),
		is("Cross-Origin-Opener-Policy", "same-origin"),
		is("Cross-Origin-Resource-Policy", "same-origin"),
		is("Cross-Origin-Embedder-Policy", "require-corp"),
		is("Cache-Control", "no-store"),
		{"Permissions-Policy", func(h http.Header, _ map[string]string) bool {
			return strings.Contains(h.Get("Permissions-Policy"), "camera=()") && strings.Contains(h.Get("Permissions-Policy"), "geolocation=()")
		}},
		{"no server named", func(h http.Header, _ map[string]string) bool {
			return h.Get("Server") == "" && h.Get("X-Powered-By") == ""
		}},
		{"cookies for this host over TLS only", func(h http.Header, _ map[string]string) bool {
			for _, c := range h.Values("Set-Cookie") {
				if !regexp.MustCompile(`^__Host-.*; Path=/`).MatchString(c) || !strings.Contains(c, "; Secure") || !strings.Contains(c, "; HttpOnly") || !strings.Contains(c, "; SameSite=") {
					return false
				}
			}
			return true
		}},
	}
}

// grade counts what a page's headers say: A+ for everything, one letter less for each thing that
// is missing.
func grade(h http.Header) (letter string, missing []string) {
	csp := map[string]string{}
	for _, part := range strings.Split(h.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		csp[name] = value
	}
	for _, c := range headerChecks() {
		if !c.ok(h, csp) {
			missing = append(missing, c.name)
		}
	}
	return []string{"A+", "A", "B", "C", "D", "E", "F"}[min(len(missing), 6)], missing
}

// TestHeaderGrades: every page of the clinic, over TLS, has the best grade; and the grader knows
// a bad one.
func TestHeaderGrades(t *testing.T) {
	t.Parallel()
	letter, missing := grade(http.Header{"Set-Cookie": {"session=1"}})
	require.Equal(t, "F", letter)
	require.Len(t, missing, len(headerChecks())-2, "but for what no header can get wrong by being absent")
	cert, key, roots := certificate(t)
	c := start(t, "-data", t.TempDir(), "-tls-cert", cert, "-tls-key", key)
	c.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}
	p := newPerson(t, c)
	perfect := func(at page) {
		t.Helper()
		letter, missing := grade(at.header)
		require.Equal(t, "A+", letter, "%s lacks %v", at.path, missing)
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
	require.Contains(t, out.header.Get("Clear-Site-Data"), `"cache"`)
	require.Contains(t, out.header.Get("Clear-Site-Data"), `"storage"`)
}
