package sessiontest_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessiontest"
)

const base = "https://clinic.example.com"

func required(t *testing.T, secure session.SecureFunc) http.Handler {
	t.Helper()
	h, err := session.RequireHTTPS(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), base, secure)
	require.NoError(t, err)
	return h
}

func TestHTTPSOfThisPackage(t *testing.T) {
	t.Parallel()
	sessiontest.TestHTTPS(t, sessiontest.Service{Handler: required(t, session.DirectTLS), Base: base})
	behind := required(t, session.ProxyTLS(netip.MustParsePrefix("10.0.0.0/8")))
	require.NoError(t, sessiontest.CheckHTTPS(t.Context(), sessiontest.Service{Handler: behind, Base: base}))
	require.Error(t, sessiontest.CheckHTTPS(t.Context(), sessiontest.Service{
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Base: base,
	}), "no protection at all")
}

// For each rule a handler that is careless in one place, where this rule sees it and no other.
func TestHTTPSMutants(t *testing.T) {
	t.Parallel()
	good := required(t, session.DirectTLS)
	mutant := func(careless func(w http.ResponseWriter, r *http.Request) bool) func() sessiontest.Service {
		return func() sessiontest.Service {
			return sessiontest.Service{Base: base, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !careless(w, r) {
					good.ServeHTTP(w, r)
				}
			})}
		}
	}
	redirect := func(w http.ResponseWriter, to string) bool {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusPermanentRedirect)
		return true
	}
	ordinary := func(r *http.Request) bool { return r.Method == http.MethodGet && len(r.Header) == 0 }
	conform.Mutants(t, sessiontest.HTTPSRules(), map[string]func() sessiontest.Service{
		"pages_redirect": mutant(func(w http.ResponseWriter, r *http.Request) bool {
			return ordinary(r) && r.Host != "evil.example" && redirect(w, base+"/")
		}),
		"host_is_not_believed": mutant(func(w http.ResponseWriter, r *http.Request) bool {
			return ordinary(r) && redirect(w, "https://"+r.Host+r.URL.String())
		}),
		"proto_is_not_believed": mutant(func(_ http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("X-Forwarded-Proto") == "https" // served
		}),
		"writes_are_refused": mutant(func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPost && redirect(w, base+r.URL.String())
		}),
		"credentials_are_refused": mutant(func(w http.ResponseWriter, r *http.Request) bool {
			return r.Header.Get("Authorization") != "" && redirect(w, base+r.URL.String())
		}),
		"nothing_is_set": mutant(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Set-Cookie", "seen=1")
			return false
		}),
	})
}
