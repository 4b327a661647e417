package session

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// SecureFunc says whether a request reached the client's end of this service over HTTPS:
// DirectTLS, or ProxyTLS where a proxy ends TLS.
type SecureFunc func(r *http.Request) bool

// DirectTLS says so if this server itself ended TLS. It reads no header.
func DirectTLS(r *http.Request) bool { return r.TLS != nil }

// ProxyTLS says so if this server ended TLS itself, or if the connection comes from one of
// the trusted addresses and the last X-Forwarded-Proto there is says "https". What a client
// writes into the header itself counts for nothing: the proxies must set or append it. A
// prefix of zero bits trusts everybody, so nobody: it matches nothing.
func ProxyTLS(trusted ...netip.Prefix) SecureFunc {
	trusted = slices.Clone(trusted)
	return func(r *http.Request) bool {
		if r.TLS != nil {
			return true
		}
		lines := r.Header["X-Forwarded-Proto"]
		if len(lines) == 0 || !within(trusted, RemoteAddr(r)) {
			return false
		}
		_, last, _ := cutLast(lines[len(lines)-1])
		return strings.EqualFold(strings.Trim(last, " \t"), "https")
	}
}

// within reports whether a lies in one of the prefixes; one of zero bits holds nobody.
func within(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Bits() > 0 && p.Contains(a) })
}

// RequireHTTPS lets only requests through that came over HTTPS (ASVS 5.0, 12.2.1). A page
// that was asked for over plain HTTP, with GET or HEAD, is redirected to the same path below
// base, the address of the service as "https://clinic.example.com": never to what the Host
// header says. Everything else is refused with 403, and so is a request with credentials: who
// sends a token in clear has to notice, not to be helped on (ASVS 5.0, 4.1.2). Neither answer
// reads a body or a cookie.
//
// It stands outermost, around SecurityHeaders.
func RequireHTTPS(next http.Handler, base string, secure SecureFunc) (http.Handler, error) {
	u, err := url.Parse(base)
	switch {
	case next == nil:
		return nil, errors.New("session: no handler behind RequireHTTPS")
	case secure == nil:
		return nil, errors.New("session: RequireHTTPS cannot tell HTTPS from HTTP")
	case err != nil || u.Scheme != "https" || !exactOrigin(base):
		return nil, errors.New("session: the base address must be https:// and a host")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if secure(r) {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'")
		if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header["Authorization"] != nil {
			h.Set("Connection", "close")
			http.Error(w, "This service is reached over HTTPS only.", http.StatusForbidden)
			return
		}
		h.Set("Location", base+target(r.URL))
		w.WriteHeader(http.StatusPermanentRedirect)
	}), nil
}

// target is the path and the query of an address, beginning with a slash.
func target(u *url.URL) string {
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path
}
