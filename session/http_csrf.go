package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
)

// ErrCSRF: an unsafe request with the cookie of a session, but without its identifier.
var ErrCSRF = errors.New("session: the request does not carry its session's identifier")

// Where a request carries the identifier that CSRF returns.
const (
	// CSRFField is the name of the form field. It is the first field of its form.
	CSRFField = "csrf"
	// CSRFHeader is the name of the header, for requests that scripts send.
	CSRFHeader = "X-Csrf-Token"
)

// csrfChars is the length of an identifier: base64url of 32 bytes.
const csrfChars = 43

// CSRF returns the identifier that proves that a request comes from a page of this session
// (NIST SP 800-63B-4, section 5.1; ASVS 5.0, 3.5.1): 43 characters of base64url, the same for
// the whole session, also across changes of its token, and another one for every other
// session. It is empty where none is asked for: for anonymous requests, bearer tokens and
// outside Handler. Put it first into every form that posts:
//
//	<form method="post"><input type="hidden" name="csrf" value="{{.CSRF}}">
//
// Handler refuses, with 403 and the code "csrf", every request with the cookie of a live or
// locked session and a method other than GET, HEAD and OPTIONS that does not carry it: in the
// header X-Csrf-Token, or in the first field of a form. It reads no further than that, and
// what it has read is still there for the handler, so a limit or a parser behind it sees the
// whole body. A request with a bearer token needs none: no browser adds one by itself.
func CSRF(ctx context.Context) string {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok || !v.browser || !v.stands() {
		return ""
	}
	id := csrf(v.key, &v.Session)
	return string(id[:])
}

// csrf derives the identifier from the random tag of the token, which its successors inherit
// and which only the client and the store know, and from which session it is.
func csrf(k Key, s *Session) (id [csrfChars]byte) {
	mac := hmac.New(sha256.New, k.Route[:])
	for _, part := range [3]string{"wardkit session csrf 1", string(s.Tenant), s.ID} {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	var sum [sha256.Size]byte
	base64.RawURLEncoding.Encode(id[:], mac.Sum(sum[:0]))
	return id
}

// forged reports whether an unsafe request of a browser lacks the identifier of its session.
func (m *Manager) forged(r *http.Request, v *visit) bool {
	if !v.browser || safeMethod(r.Method) || !v.stands() || m.cross.unmarked(r) {
		return false
	}
	want := csrf(v.key, &v.Session)
	return subtle.ConstantTimeCompare([]byte(presentedCSRF(r)), want[:]) != 1
}

// safeMethod reports whether a method changes nothing; http.CrossOriginProtection lets the
// same ones pass.
func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
