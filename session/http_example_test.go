package session_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/wardkit/wardkit/session"
)

func ExampleSecurityHeaders() {
	page, err := session.SecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<script nonce=%q>…</script>`, session.Nonce(r.Context()))
	}), nil)
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://clinic.example.com/", nil))
	fmt.Println(w.Header().Get("Strict-Transport-Security"))
	fmt.Println(w.Header().Get("Cache-Control"), w.Header().Get("X-Frame-Options"))
	// Output:
	// max-age=63072000; includeSubDomains
	// no-store DENY
}

// A proxy ends TLS. Whoever types the address without https:// is led to the configured one.
func ExampleRequireHTTPS() {
	secure := session.ProxyTLS(netip.MustParsePrefix("10.0.0.0/8"))
	handler, err := session.RequireHTTPS(http.NotFoundHandler(), "https://clinic.example.com", secure)
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://evil.example/patients", nil))
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 308 https://clinic.example.com/patients
}

// A host checks its own configuration when it starts.
func ExampleCheckTLS() {
	c := session.TLSConfig()
	fmt.Println(session.CheckTLS(c))
	c.MinVersion = tls.VersionTLS10
	fmt.Println(session.CheckTLS(c))
	// Output:
	// <nil>
	// session: the TLS configuration is too weak: MinVersion
}
