package sessiontest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessiontest"
)

// careful is an answer that session.SecurityHeaders sent, with a cookie, to signing out.
func careful(t *testing.T, o *session.HeaderOptions, address string) sessiontest.Answer {
	t.Helper()
	h, err := session.SecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
		w.Header().Set("Set-Cookie", "__Host-session=x; Path=/; Secure; HttpOnly; SameSite=Lax")
	}), o)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
	return sessiontest.Answer{Header: w.Header(), SignedOut: true, Plain: strings.HasPrefix(address, "http:")}
}

// For each rule an answer that is spoiled in one place, where this rule sees it and no other.
func TestHeaderMutants(t *testing.T) {
	t.Parallel()
	good := careful(t, nil, "https://clinic.example.com/")
	csp := func(old, replacement string) func(http.Header) {
		return func(h http.Header) {
			is := h.Get("Content-Security-Policy")
			spoiled := strings.ReplaceAll(is, old, replacement)
			require.NotEqual(t, is, spoiled, old)
			h.Set("Content-Security-Policy", spoiled)
		}
	}
	set := func(field, value string) func(http.Header) { return func(h http.Header) { h.Set(field, value) } }
	mutants := map[string]func() sessiontest.Answer{}
	for name, spoil := range map[string]func(http.Header){
		"policy_is_one":        func(h http.Header) { h.Add("Content-Security-Policy", "default-src 'self'") },
		"policy_default":       csp("default-src 'none'", "default-src 'self'"),
		"policy_scripts":       csp("script-src ", "script-src 'self' "),
		"policy_nonce":         csp("'nonce-", "'nonce-short' 'nonce-"),
		"policy_styles":        csp("style-src ", "style-src 'unsafe-inline' "),
		"policy_sources":       csp("connect-src 'self'", "connect-src https:"),
		"policy_forms":         csp("form-action 'self'; ", ""),
		"policy_frames":        csp("frame-ancestors 'none'", "frame-ancestors 'self'"),
		"policy_base":          csp("base-uri 'none'", "base-uri 'self'"),
		"policy_objects":       csp("object-src 'none'", "object-src 'self'"),
		"policy_trusted_types": csp("; require-trusted-types-for 'script'", ""),
		"x_frame_options":      set("X-Frame-Options", "SAMEORIGIN"),
		"nosniff":              func(h http.Header) { h.Del("X-Content-Type-Options") },
		"referrer_policy":      set("Referrer-Policy", "unsafe-url"),
		"opener_policy":        set("Cross-Origin-Opener-Policy", "unsafe-none"),
		"resource_policy":      set("Cross-Origin-Resource-Policy", "cross-origin"),
		"embedder_policy":      set("Cross-Origin-Embedder-Policy", "credentialless"),
		"no_store":             set("Cache-Control", "private"),
		"permissions_policy":   set("Permissions-Policy", "camera=()"),
		"hsts":                 set("Strict-Transport-Security", "max-age=3600; includeSubDomains"),
		"cookies":              func(h http.Header) { h.Add("Set-Cookie", "session=1") },
		"no_sharing":           set("Access-Control-Allow-Origin", "*"),
		"no_server_named":      set("Server", "Apache/2.4"),
		"clear_site_data":      set("Clear-Site-Data", `"cookies"`),
	} {
		mutants[name] = func() sessiontest.Answer {
			a := good
			a.Header = good.Header.Clone()
			spoil(a.Header)
			return a
		}
	}
	mutants["no_hsts_over_http"] = func() sessiontest.Answer {
		a := good
		a.Plain = true
		return a
	}
	conform.Mutants(t, sessiontest.HeaderRules(), mutants)
}

// What session.SecurityHeaders sends keeps every rule, whatever its options.
func TestHeadersOfThisPackage(t *testing.T) {
	t.Parallel()
	sessiontest.TestHeaders(t, careful(t, nil, "https://clinic.example.com/"))
	wide := &session.HeaderOptions{Report: "/csp", Sources: session.Sources{
		Connect: []string{"wss://live.example.com"}, Images: []string{"https://media.example.com:8443"},
		Frames: []string{"https://video.example.com"}, Forms: []string{"https://idp.example.com"},
	}}
	require.NoError(t, sessiontest.CheckHeaders(t.Context(), careful(t, wide, "https://clinic.example.com/")))
	require.NoError(t, sessiontest.CheckHeaders(t.Context(), careful(t, nil, "http://localhost/")))
	open := careful(t, &session.HeaderOptions{Public: func(*http.Request) bool { return true }}, "https://clinic.example.com/")
	open.Profile = session.PublicProfile
	require.NoError(t, sessiontest.CheckHeaders(t.Context(), open))
	open.Profile = session.AppProfile
	require.ErrorContains(t, sessiontest.CheckHeaders(t.Context(), open), "policy_trusted_types")
}

// Each of these is a way around one of the rules.
func TestHeadersThatPretend(t *testing.T) {
	t.Parallel()
	for rule, spoil := range map[string]func(http.Header){
		"policy_scripts: script-src allows 'unsafe-eval'": func(h http.Header) {
			h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "script-src", "script-src 'unsafe-eval'", 1))
		},
		"policy_scripts: script-src-elem allows *": func(h http.Header) {
			h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+"; script-src-elem *")
		},
		"policy_is_one: frame-ancestors is there twice": func(h http.Header) {
			h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+"; FRAME-ANCESTORS *")
		},
		"policy_default": func(h http.Header) { // reports only
			h["Content-Security-Policy-Report-Only"] = h["Content-Security-Policy"]
			h.Del("Content-Security-Policy")
		},
		"policy_sources: img-src allows https://*.example.com": func(h http.Header) {
			h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "img-src", "img-src https://*.example.com", 1))
		},
		"policy_sources: connect-src allows data:": func(h http.Header) {
			h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "connect-src", "connect-src data:", 1))
		},
		"policy_forms: form-action allows http://idp.example.com": func(h http.Header) {
			h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "form-action", "form-action http://idp.example.com", 1))
		},
		"hsts: max-age is no number": func(h http.Header) { h.Set("Strict-Transport-Security", "max-age=long; includeSubDomains") },
		"hsts: 63072000":             func(h http.Header) { h.Set("Strict-Transport-Security", "max-age=63072000") },
		"hsts: more than one":        func(h http.Header) { h.Add("Strict-Transport-Security", "max-age=0") },
		"cookies: __Host-a": func(h http.Header) {
			h.Set("Set-Cookie", "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=None")
		},
		"cookies: __Host-b": func(h http.Header) {
			h.Set("Set-Cookie", "__Host-b=1; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax")
		},
		"permissions_policy": func(h http.Header) {
			h.Set("Permissions-Policy", strings.Replace(h.Get("Permissions-Policy"), "usb=()", "usb=*", 1))
		},
		"no_sharing": func(h http.Header) { h.Set("Access-Control-Allow-Origin", "null") },
	} {
		a := careful(t, nil, "https://clinic.example.com/")
		spoil(a.Header)
		require.ErrorContains(t, sessiontest.CheckHeaders(t.Context(), a), rule)
	}
	require.Error(t, sessiontest.CheckHeaders(t.Context(), sessiontest.Answer{}))
}
