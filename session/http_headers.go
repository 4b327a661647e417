package session

import (
	"context"
	"crypto/rand"
	"net/http"
)

// hsts is two years for the host and everything below it (RFC 6797; ASVS 5.0, 3.4.1).
const hsts = "max-age=63072000; includeSubDomains"

// HeaderOptions are what may be left out of SecurityHeaders. Nil and the zero value are the
// safe defaults.
type HeaderOptions struct {
	// BehindTLS says that a proxy in front of this server ends TLS, so that clients use
	// HTTPS although no request here does.
	BehindTLS bool
	// Policy returns the Content-Security-Policy for one response; nil is DefaultPolicy.
	Policy func(nonce string) string
}

// DefaultPolicy is a Content-Security-Policy (W3C CSP level 3) for pages rendered on the
// server: everything from this origin, inline scripts and styles only with the nonce, data:
// for images, nothing in frames, no plug-ins, forms only to this origin.
func DefaultPolicy(nonce string) string {
	return "default-src 'self'; script-src 'self' 'nonce-" + nonce + "'; style-src 'self' 'nonce-" + nonce +
		"'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

type nonceKey struct{}

// Nonce returns the nonce of this response, for <script nonce="…"> and <style nonce="…">. It
// is different for each request, and empty outside SecurityHeaders.
func Nonce(ctx context.Context) string {
	n, _ := ctx.Value(nonceKey{}).(string)
	return n
}

// SecurityHeaders sets what tells a browser to be careful, before next runs: a
// Content-Security-Policy with a nonce of 128 bits, nosniff, no framing, no referrer to
// other sites, no device features, isolation from other origins, no-store, and over TLS
// Strict-Transport-Security. A handler that knows better replaces a header, for example
// Cache-Control on a style sheet. It does not wrap the response; put it around
// audithttp.Hold, so that the answers Hold gives itself carry the headers too:
//
//	session.SecurityHeaders(hold, nil)
func SecurityHeaders(next http.Handler, o *HeaderOptions) http.Handler {
	policy, behindTLS := DefaultPolicy, false
	if o != nil {
		behindTLS = o.BehindTLS
		if o.Policy != nil {
			policy = o.Policy
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce := rand.Text()
		h := w.Header()
		h.Set("Content-Security-Policy", policy(nonce))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: it makes browsers post forms with "Origin: null", which looks like
		// another site to browsers that do not send Sec-Fetch-Site.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil || behindTLS { // over plain HTTP it must not be sent (RFC 6797, section 7.2)
			h.Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
	})
}
