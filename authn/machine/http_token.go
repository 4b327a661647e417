package machine

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// maxTokenRequest is the largest body of a request for a token, in bytes.
const maxTokenRequest = 16 << 10

// TokenHandler is the token endpoint of RFC 6749, section 3.2, for client credentials (section
// 4.4) and nothing else: POST, grant_type=client_credentials, optionally scope. The client's ID is
// the principal's and its secret one of its keys, in the header Authorization: Basic, form-encoded
// first (section 2.3.1), or as client_id and client_secret in the body; both at once are refused,
// as are parameters in the address, parameters given twice, and cookies.
//
// Answers are JSON and never stored: the token with its lifetime in seconds and its scopes, or the
// error of section 5.2; 429 and 503 as Handler, with the error temporarily_unavailable. Put it
// inside audithttp.Hold. It panics if addr is nil.
func (m *Manager) TokenHandler(addr ClientAddr, o *HTTPOptions) http.Handler {
	if addr == nil {
		panic("machine: TokenHandler: no address")
	}
	d := door{m: m, addr: addr}
	if o != nil {
		d.o = *o
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := d.client(r)
		q, oauth := d.tokenRequest(w, r)
		if oauth != "" {
			if err := m.turnedAway(r.Context(), ActionToken, Found{}, from, CodeRequest); !errors.Is(err, ErrInvalid) {
				d.tokenError(w, q.basic, err)
				return
			}
			answer(w, oauthStatus(w, oauth, q.basic), map[string]any{"error": oauth})
			return
		}
		access, err := m.Grant(r.Context(), q.client, q.secret, q.scopes, from)
		if err != nil {
			d.tokenError(w, q.basic, err)
			return
		}
		answer(w, http.StatusOK, map[string]any{
			"access_token": access.Token.Reveal(), "token_type": "Bearer",
			"expires_in": int64(access.Expires.Sub(m.now()) / time.Second), "scope": scopeText(access.Scopes),
		})
	})
}

// tokenRequest is what a client asks for.
type tokenRequest struct {
	client string
	secret authn.Secret
	scopes []audit.Action
	basic  bool // it tried the header Authorization
}

// The errors of RFC 6749, section 5.2.
const (
	oauthRequest = "invalid_request"
	oauthClient  = "invalid_client"
	oauthScope   = "invalid_scope"
	oauthGrant   = "unsupported_grant_type"
)

// tokenRequest reads a request for a token; oauth is what is wrong with it, "" if nothing is.
func (d door) tokenRequest(w http.ResponseWriter, r *http.Request) (q tokenRequest, oauth string) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || err != nil || media != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" || d.elsewhere(r) {
		return q, oauthRequest
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenRequest)
	if err := r.ParseForm(); err != nil {
		return q, oauthRequest
	}
	for _, values := range r.PostForm {
		if len(values) != 1 {
			return q, oauthRequest
		}
	}
	if oauth := q.authenticate(r); oauth != "" {
		return q, oauth
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
	case "":
		return q, oauthRequest
	default:
		return q, oauthGrant
	}
	for _, s := range strings.Fields(r.PostForm.Get("scope")) {
		q.scopes = append(q.scopes, audit.Action(s))
	}
	return q, ""
}

// authenticate finds the client's credentials, in one place.
func (q *tokenRequest) authenticate(r *http.Request) (oauth string) {
	lines := r.Header["Authorization"]
	posted := r.PostForm.Has("client_id") || r.PostForm.Has("client_secret")
	if len(lines) == 0 {
		if !r.PostForm.Has("client_id") || !r.PostForm.Has("client_secret") {
			return oauthClient
		}
		q.client, q.secret = r.PostForm.Get("client_id"), authn.NewSecret(r.PostForm.Get("client_secret"))
		return ""
	}
	q.basic = true
	if posted || len(lines) > 1 {
		return oauthRequest
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		return oauthClient
	}
	id, err := url.QueryUnescape(user)
	if err != nil {
		return oauthClient
	}
	secret, err := url.QueryUnescape(password)
	if err != nil {
		return oauthClient
	}
	q.client, q.secret = id, authn.NewSecret(secret)
	return ""
}

// oauthStatus is the status of an error of RFC 6749, section 5.2.
func oauthStatus(w http.ResponseWriter, oauth string, basic bool) int {
	if oauth != oauthClient {
		return http.StatusBadRequest
	}
	if basic {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
	}
	return http.StatusUnauthorized
}

// tokenError answers where no token is handed out.
func (d door) tokenError(w http.ResponseWriter, basic bool, err error) {
	status, oauth := http.StatusServiceUnavailable, "temporarily_unavailable"
	switch {
	case errors.Is(err, ErrUnavailable):
		w.Header().Set("Retry-After", "5")
	case errors.Is(err, ErrScope):
		oauth = oauthScope
		status = http.StatusBadRequest
	case errors.Is(err, ErrInvalid):
		oauth = oauthClient
		status = oauthStatus(w, oauth, basic)
	case errors.Is(err, ErrLimited):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", waiting(err))
	default:
		w.Header().Set("Retry-After", strconv.Itoa(5))
	}
	answer(w, status, map[string]any{"error": oauth})
}

// answer writes JSON that nobody stores (RFC 6749, section 5.1).
func answer(w http.ResponseWriter, status int, v map[string]any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	body, err := json.Marshal(v)
	if err != nil { // not reached: strings and numbers
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
