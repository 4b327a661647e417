package session

import (
	"net/http"
	"slices"
	"strings"
)

const (
	hostPrefix = "__Host-"
	attributes = "; Path=/; Secure; HttpOnly; SameSite=Lax"
)

// SetCookie gives the browser its token: a "__Host-" cookie, Secure, HttpOnly, SameSite=Lax,
// Path=/, without Domain (RFC 6265bis), in place of any other session cookie of this
// response. It has no expiry: the browser forgets it when it closes, and the session's
// limits are the server's business (NIST SP 800-63B-4, section 5.1.1). What is not a token
// clears the cookie instead.
func (m *Manager) SetCookie(w http.ResponseWriter, token string) {
	if _, ok := parseKey(token); !ok {
		m.ClearCookie(w)
		return
	}
	m.setCookie(w, m.opt.CookieName+"="+token+attributes)
}

// SignedOut tells the browser that the person has left: to forget its token, as ClearCookie,
// and with Clear-Site-Data to forget what this origin cached and stored (W3C Clear Site Data;
// ASVS 5.0, 14.3.1): pages, drafts, what scripts keep. Call it for the answer to signing out,
// a redirect as well. It ends no session.
//
// It does not ask for all cookies to be cleared. That reaches every host of the registrable
// domain, so other applications would be signed out and known devices forgotten, and it would
// take along the cookie of somebody who signs in meanwhile. Browsers heed the field over
// HTTPS only, and not all of them clear their cache.
func (m *Manager) SignedOut(w http.ResponseWriter) {
	m.ClearCookie(w)
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
}

// ClearCookie tells the browser to forget its token. It ends no session.
func (m *Manager) ClearCookie(w http.ResponseWriter) {
	m.setCookie(w, m.opt.CookieName+"="+attributes+"; Max-Age=0")
}

func (m *Manager) setCookie(w http.ResponseWriter, line string) {
	h := w.Header()
	delete(h, LeftHeader) // it spoke of the token that is replaced
	const field = "Set-Cookie"
	h[field] = append(slices.DeleteFunc(h[field], func(have string) bool {
		return strings.HasPrefix(have, m.opt.CookieName+"=")
	}), line)
}

// presented returns the one token of the request, whether it presented any, and whether in
// a cookie. More than one is ErrAmbiguous: which of them counts must not be a guess.
func presented(r *http.Request, cookieName string) (token string, some, cookie bool, err error) {
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if name != cookieName {
				continue
			}
			if cookie {
				return "", true, true, ErrAmbiguous
			}
			token, some, cookie = value, true, true
		}
	}
	for _, line := range r.Header["Authorization"] {
		scheme, value, _ := strings.Cut(strings.Trim(line, " \t"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if some {
			return "", true, cookie, ErrAmbiguous
		}
		token, some = strings.Trim(value, " \t"), true
	}
	return token, some, cookie, nil
}

// validCookieName reports whether s is "__Host-" and at least one letter, digit, dash or
// underscore.
func validCookieName(s string) bool {
	rest, ok := strings.CutPrefix(s, hostPrefix)
	return ok && code(strings.ToLower(rest), 64) && !strings.Contains(rest, ".")
}
