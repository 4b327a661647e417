package sessiontest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session/sessiontest"
)

// A host that serves everything over plain HTTP passes TestHTTPS if it has no page at /records/17.
func TestHTTPSOfAHostWithoutAny(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		w.Write([]byte("patients"))
	})
	mux.HandleFunc("POST /sign-in", func(http.ResponseWriter, *http.Request) {})
	require.Error(t, sessiontest.CheckHTTPS(t.Context(), sessiontest.Service{Handler: mux, Base: base}))
}

// One whose pages all ask to sign in answers 401 in clear, and passes too.
func TestHTTPSOfAHostThatAsksToSignIn(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`<form method=post action=/sign-in><input name=password type=password></form>`))
	})
	require.Error(t, sessiontest.CheckHTTPS(t.Context(), sessiontest.Service{Handler: h, Base: base}))
}

// What browsers read otherwise than it looks is not graded as it looks.
func TestHeadersThatOnlyLookRight(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(http.Header){
		"permissions: a comma at the end, browsers drop the field": func(h http.Header) {
			h.Set("Permissions-Policy", h.Get("Permissions-Policy")+",")
		},
		"permissions: a member that is no structured field": func(h http.Header) {
			h.Set("Permissions-Policy", h.Get("Permissions-Policy")+", Fullscreen 'none'")
		},
		"hsts: includeSubDomains has no value": func(h http.Header) { h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains=false") },
		"hsts: max-age twice": func(h http.Header) {
			h.Set("Strict-Transport-Security", "max-age=0; max-age=63072000; includeSubDomains")
		},
		"hsts: a sign": func(h http.Header) { h.Set("Strict-Transport-Security", "max-age=+63072000; includeSubDomains") },
		"sharing: another origin, with cookies": func(h http.Header) {
			h.Set("Access-Control-Allow-Origin", "https://evil.example")
			h.Set("Access-Control-Allow-Credentials", "true")
		},
		"sharing: not canonical": func(h http.Header) { h["access-control-allow-origin"] = []string{"*"} },
		"cookies: not canonical": func(h http.Header) { h["set-cookie"] = []string{"session=1"} },
		"server: not canonical":  func(h http.Header) { h["server"] = []string{"Apache/2.4"} },
	} {
		t.Run(name, func(t *testing.T) {
			a := careful(t, nil, "https://clinic.example.com/")
			spoil(a.Header)
			require.Error(t, sessiontest.CheckHeaders(t.Context(), a))
		})
	}
}
