package machine

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// ClientAddr returns the address of the client that sent a request, or the zero Addr if it cannot
// tell: session.RemoteAddr, or session.TrustedProxy behind a proxy.
type ClientAddr func(r *http.Request) netip.Addr

// HTTPOptions are the settings of Handler and TokenHandler; nil means all defaults.
type HTTPOptions struct {
	// Cookies are the names of cookies that may come along, of a load balancer for example. Every
	// other cookie on a program's request refuses it: a request has one way to say who acts.
	Cookies []string
	// Refuse answers a request that is not let through: 400, 401, 429 or 503; headers are set
	// already. Default: the status text as text/plain.
	Refuse func(w http.ResponseWriter, r *http.Request, status int)
}

// Handler lets programs in: it puts the principal of the key or access token in the header
// Authorization: Bearer (RFC 6750, section 2.1) into the context as the audit.Actor. Put it inside
// audithttp.Hold and around an rbac.Mux. Nobody else gets as far as next:
//
//	400  credentials in two places, in the address, or beside a cookie: which of two would act
//	     must not be a guess, and addresses are logged in many places
//	401  none, or one that is not valid (WWW-Authenticate, RFC 6750, section 3)
//	429  too many requests of the principal, or too many failures from the address
//	503  a part failed
//
// All are recorded, without the credential. There is no CORS: no browser of another site gets an
// answer. A response that lasts dies with the key, through audit.OnRecheck. Handler panics if addr
// or next is nil.
func (m *Manager) Handler(addr ClientAddr, next http.Handler, o *HTTPOptions) http.Handler {
	if addr == nil || next == nil {
		panic("machine: Handler: no address or no handler")
	}
	d := door{m: m, addr: addr}
	if o != nil {
		d.o = *o
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		from := d.client(r)
		secret, err := d.bearer(r)
		if err != nil {
			d.turnAway(w, r, from, err)
			return
		}
		a, err := m.Enter(r.Context(), secret, from)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		err = audit.OnRecheck(r.Context(), func(ctx context.Context) error { return m.still(ctx, secret, from) })
		if err != nil && !errors.Is(err, audit.ErrNoTrail) {
			d.refuse(w, r, unavailable("watching a response", err))
			return
		}
		next.ServeHTTP(w, r.WithContext(audit.WithActor(r.Context(), a)))
	})
}

// door is what both handlers share.
type door struct {
	m    *Manager
	addr ClientAddr
	o    HTTPOptions
}

func (d door) client(r *http.Request) Client { return Client{Addr: d.addr(r), Device: r.UserAgent()} }

// What a request without one usable credential is.
var (
	errMissing   = errors.New("machine: no credential")
	errAmbiguous = errors.New("machine: more than one way to say who acts")
)

// bearer returns the one credential of a request. What a bearer token looks like is judged later:
// parseCredential takes less than the b64token of RFC 6750.
func (d door) bearer(r *http.Request) (authn.Secret, error) {
	if d.elsewhere(r) {
		return authn.Secret{}, errAmbiguous
	}
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return authn.Secret{}, errMissing
	}
	scheme, token, ok := strings.Cut(lines[0], " ")
	if len(lines) > 1 {
		return authn.Secret{}, errAmbiguous
	}
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return authn.Secret{}, errMissing
	}
	return authn.NewSecret(token), nil
}

// elsewhere reports whether a request says, or may say, who acts in another place than its header.
func (d door) elsewhere(r *http.Request) bool {
	if len(r.Header["Cookie"]) > 0 {
		cookies := r.Cookies()
		if len(cookies) == 0 || slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return !slices.Contains(d.o.Cookies, c.Name) }) {
			return true
		}
	}
	q := r.URL.Query()
	return q.Has("access_token") || q.Has("client_secret") || len(r.Header["Proxy-Authorization"]) > 0
}

// turnAway answers a request that carries nothing to look up.
func (d door) turnAway(w http.ResponseWriter, r *http.Request, from Client, err error) {
	code := CodeMissing
	if errors.Is(err, errAmbiguous) {
		code = CodeAmbiguous
	}
	if answer := d.m.turnedAway(r.Context(), ActionEnter, Found{}, from, code); !errors.Is(answer, ErrInvalid) {
		err = answer
	}
	d.refuse(w, r, err)
}

// refuse answers with the status of an error.
func (d door) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, h := http.StatusServiceUnavailable, w.Header()
	switch {
	case errors.Is(err, errAmbiguous):
		status = http.StatusBadRequest
		h.Set("WWW-Authenticate", `Bearer error="invalid_request"`)
	case errors.Is(err, errMissing): // RFC 6750, section 3.1: no error code for who did not try
		status = http.StatusUnauthorized
		h.Set("WWW-Authenticate", "Bearer")
	case errors.Is(err, ErrInvalid):
		status = http.StatusUnauthorized
		h.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	case errors.Is(err, ErrLimited):
		status = http.StatusTooManyRequests
		h.Set("Retry-After", waiting(err))
	default:
		h.Set("Retry-After", "5")
	}
	h.Set("Cache-Control", "no-store")
	if d.o.Refuse != nil {
		d.o.Refuse(w, r, status)
		return
	}
	http.Error(w, http.StatusText(status), status)
}

// waiting is how long a LimitedError asks to wait, in whole seconds.
func waiting(err error) string {
	var l *LimitedError
	if errors.As(err, &l) {
		return strconv.FormatInt(int64(l.RetryAfter/time.Second), 10)
	}
	return "60"
}
