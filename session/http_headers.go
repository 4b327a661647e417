package session

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
)

// hsts is two years for the host and everything below it (RFC 6797; ASVS 5.0, 3.4.1).
const hsts = "max-age=63072000; includeSubDomains"

// noFeatures turns off the device features that no page of a clinic asks for unasked
// (W3C Permissions Policy). Passkeys stay with this origin.
const noFeatures = "accelerometer=(), bluetooth=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), " +
	"hid=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-create=(self), " +
	"publickey-credentials-get=(self), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"

// HeaderOptions are what may be left out of SecurityHeaders. Nil and the zero value are the
// safe defaults.
type HeaderOptions struct {
	// Secure says whether a request came over HTTPS; nil is DirectTLS.
	Secure SecureFunc
	// Public says which requests are for pages that show nobody's data, such as the page
	// with the opening hours; they get PublicProfile. Nil is none: AppProfile for all.
	Public func(r *http.Request) bool
	// Sources are the other origins that pages may use.
	Sources Sources
	// Report is where browsers report violations of the policy: a path of this origin, as
	// "/csp", or an origin and a path (ASVS 5.0, 3.4.7). Empty is nowhere. Reports hold
	// addresses of pages; a path of this origin belongs into Options.InsecureNoCSRF.
	Report string
}

type nonceKey struct{}

// Nonce returns the nonce of this response, for <script nonce="…"> and <style nonce="…">. It
// is different for each request, and empty outside SecurityHeaders.
func Nonce(ctx context.Context) string {
	n, _ := ctx.Value(nonceKey{}).(string)
	return n
}

// SecurityHeaders sets what tells a browser to be careful, before next runs. A handler that
// knows better replaces a header, for example Cache-Control on a style sheet or
// Permissions-Policy on the page of a video call. It does not wrap the response; put it
// around audithttp.Hold, so that the answers Hold gives itself carry the headers too:
//
//	handler, err := session.SecurityHeaders(hold, nil)
//
// The headers, each with where it is asked for:
//
//   - Content-Security-Policy of the page's Profile, with a nonce of 128 bits or more (W3C
//     CSP level 3; ASVS 5.0, 3.4.3, 3.4.6 and 3.4.7).
//   - X-Frame-Options: DENY, for browsers that do not know frame-ancestors.
//   - X-Content-Type-Options: nosniff (ASVS 5.0, 3.4.4).
//   - Referrer-Policy: same-origin (ASVS 5.0, 3.4.5). Not no-referrer: it makes browsers post
//     forms with "Origin: null", which looks like another site to those that do not send
//     Sec-Fetch-Site.
//   - Permissions-Policy: no device features.
//   - Cross-Origin-Opener-Policy and Cross-Origin-Resource-Policy: same-origin (ASVS 5.0,
//     3.4.8), Cross-Origin-Embedder-Policy: require-corp, or credentialless for
//     PublicProfile. No other site shares a process, a window handle or a resource.
//   - Cache-Control: no-store (ASVS 5.0, 14.3.2), on public pages too: whose cache a page of
//     a clinic is found in tells something about them.
//   - Strict-Transport-Security: two years, with subdomains (ASVS 5.0, 3.4.1), where the
//     request came over HTTPS: over plain HTTP it must not be sent (RFC 6797, section 7.2).
//
// Sources and Report that are not exact origins and paths are refused.
func SecurityHeaders(next http.Handler, o *HeaderOptions) (http.Handler, error) {
	var opt HeaderOptions
	if o != nil {
		opt = *o
	}
	if opt.Secure == nil {
		opt.Secure = DirectTLS
	}
	if next == nil {
		return nil, errors.New("session: no handler behind the security headers")
	}
	app, err := newCSP(AppProfile, opt)
	if err != nil {
		return nil, err
	}
	public, err := newCSP(PublicProfile, opt)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := app
		if opt.Public != nil && opt.Public(r) {
			p = public
		}
		nonce := rand.Text()
		p.set(w.Header(), nonce, opt.Secure(r))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
	}), nil
}

// set writes the headers of one response.
func (p csp) set(h http.Header, nonce string, secure bool) {
	h.Set("Content-Security-Policy", p.header(nonce))
	if p.report != "" {
		h.Set("Reporting-Endpoints", `csp="`+p.report+`"`)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", noFeatures)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", p.embedder)
	h.Set("Cache-Control", "no-store")
	if secure {
		h.Set("Strict-Transport-Security", hsts)
	}
}
