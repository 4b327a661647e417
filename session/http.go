package session

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// TenantFunc says which tenant a request is for before anybody is signed in; "" is unknown.
type TenantFunc func(r *http.Request) audit.Tenant

// RefuseFunc writes the whole answer to a request that is not let through, with the status
// and for the reason given; see Options.Refuse.
type RefuseFunc func(w http.ResponseWriter, r *http.Request, status int, code string)

// Handler puts who acts into the context of each request: audit.ActorFrom, From, Status.
// Put it inside audithttp.Hold and around everything that asks who acts:
//
//	audithttp.Hold(rec, sessions.Handler(mux), nil)
//
// The token comes from the cookie or from the header Authorization: Bearer. Without one the
// actor is anonymous; with one that is dead, malformed or unknown too, its cookie is cleared,
// and Status tells the difference. Not let through, and audited, are: 400, more than one
// token; 403, a cross-origin request of a browser with a method other than GET, HEAD and
// OPTIONS, before anything is read, and one with the session's cookie but without its
// identifier, see CSRF; 503, a store that fails or does not answer. A response that lasts
// dies with its session, through audit.OnRecheck.
//
// A live session costs one read, and at most once per grain one write. Its responses say in
// LeftHeader how long it lasts. What is below Options.Path Handler answers itself.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.serve(w, r) {
			return
		}
		v, err := m.visit(r, true)
		if err != nil {
			m.refuse(w, r, v, err)
			return
		}
		if v.browser && v.dead() {
			m.ClearCookie(w)
		}
		if v.state == StateLive {
			if err := audit.OnRecheck(v.Context, v.recheck); err != nil && !errors.Is(err, audit.ErrNoTrail) {
				m.refuse(w, r, v, err)
				return
			}
			v.tell(w)
		}
		next.ServeHTTP(w, r.WithContext(audit.WithActor(v, v.actor(m, r))))
	})
}

// Check is Handler as a function, for hosts whose framework wants to be asked: it applies
// the same rules, counts as activity, and returns the live session. An error that wraps
// ErrNoSession means anonymous: ErrExpired, ErrEnded and ErrInvalid say why. ErrCrossOrigin,
// ErrCSRF and ErrAmbiguous mean to refuse the request, ErrUnavailable and everything else to
// fail it. Check records nothing, clears no cookie, sets no header and puts nothing into a
// context; what lies below Options.Path, Handler has to answer.
func (m *Manager) Check(r *http.Request) (Session, error) {
	v, err := m.visit(r, true)
	if err == nil {
		err = v.state.Err()
	}
	if err != nil {
		return Session{}, err
	}
	return v.Session.Clone(), nil
}

// visit looks at a request: what it presents and what that is worth. With used it counts as
// activity, unless it is refused.
func (m *Manager) visit(r *http.Request, used bool) (v *visit, err error) {
	v = &visit{Context: r.Context(), manager: m, origin: m.client(r)}
	if m.cross.check(r) != nil {
		return v, ErrCrossOrigin
	}
	token, some, browser, err := presented(r, m.opt.CookieName)
	v.browser = browser
	if err != nil || !some {
		return v, err
	}
	k, ok := parseKey(token)
	if !ok {
		v.state = StateInvalid
		return v, nil
	}
	v.key = k
	v.Found, v.now, v.state, err = m.look(v.Context, k, v.origin)
	switch {
	case err != nil:
		return v, err
	case m.forged(r, v):
		return v, ErrCSRF
	case used:
		v.Found, v.state, err = m.active(v.Context, k, v.origin, v.Found, v.now, v.state)
	}
	return v, err
}

// visit is the context of one request.
type visit struct {
	context.Context
	manager *Manager
	origin  netip.Addr
	key     Key
	Found
	state   State
	now     time.Time // when state was judged
	browser bool      // the token came in a cookie
	line    [1]string // of LeftHeader
}

type visitKey struct{}

// Value returns the visit itself, or what the request's context has.
func (v *visit) Value(key any) any {
	if key == (visitKey{}) {
		return v
	}
	return v.Context.Value(key)
}

// stands reports whether the token belongs to a session that goes on, whether or not it acts
// for anybody now.
func (v *visit) stands() bool {
	switch v.state {
	case StateNone, StateExpired, StateEnded, StateInvalid:
		return false
	}
	return true
}

// dead reports whether the browser should forget its cookie. One that was replaced may meet
// its successor on the way, and would take it along.
func (v *visit) dead() bool {
	s := &v.Session
	return !v.stands() && !s.Superseded && s.Reason != ReasonReplaced && s.Reason != ReasonSwitched
}

func (v *visit) actor(m *Manager, r *http.Request) audit.Actor {
	if v.state == StateLive {
		return v.Session.Actor(v.origin)
	}
	t := v.Session.Tenant
	if !v.stands() {
		t = ""
		if m.opt.Tenant != nil {
			t = m.opt.Tenant(r)
		}
	}
	a := audit.Anonymous(t, v.origin)
	a.Device = DeviceLabel(r.UserAgent())
	return a
}

// recheck is asked again and again while a response lasts. It does not count as activity.
func (v *visit) recheck(ctx context.Context) error {
	_, _, state, err := v.manager.look(ctx, v.key, v.origin)
	if err != nil {
		return err
	}
	return state.Err()
}

// From returns the live session of the request that ctx belongs to. It reports false for an
// anonymous one and outside Handler.
func From(ctx context.Context) (Session, bool) {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok || v.state != StateLive {
		return Session{}, false
	}
	return v.Session.Clone(), true
}

// Status returns what became of the token that the request presented; StateNone outside
// Handler. A sign-in page uses it to say "you were signed out after 15 minutes".
func Status(ctx context.Context) State {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v.state
	}
	return StateNone
}

// refuse answers a request that is not let through, and sees to it that this is recorded.
func (m *Manager) refuse(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	status, code, outcome := http.StatusServiceUnavailable, "unavailable", audit.MajorFailure
	switch {
	case errors.Is(err, ErrCrossOrigin):
		status, code, outcome = http.StatusForbidden, "cross_origin", audit.Failure
	case errors.Is(err, ErrCSRF):
		status, code, outcome = http.StatusForbidden, "csrf", audit.Failure
	case errors.Is(err, ErrAmbiguous):
		status, code, outcome = http.StatusBadRequest, "two_tokens", audit.Failure
	}
	ctx := audit.WithActor(v, v.actor(m, r))
	m.recordRefusal(ctx, code, outcome)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	if m.opt.Refuse != nil {
		m.opt.Refuse(w, r.WithContext(ctx), status, code)
		return
	}
	http.Error(w, http.StatusText(status), status)
}

// recordRefusal opens the event of the refused request. Outside audithttp.Hold it records
// at once; the answer is a refusal either way.
func (m *Manager) recordRefusal(ctx context.Context, code string, outcome audit.Outcome) {
	a, _ := audit.ActorFrom(ctx)
	m.opt.Logger.WarnContext(ctx, "session: request refused", "code", code)
	if a.Tenant == "" { // no log to keep it in
		_ = audit.Exempt(ctx, "session: refused before anybody could act, and the tenant is unknown")
		return
	}
	e := audit.Event{Action: "session.check", Verb: audit.Execute, Outcome: outcome, Code: code, Actor: a, Tenant: a.Tenant}
	err := audit.Decide(ctx, e)
	if errors.Is(err, audit.ErrNoTrail) {
		err = m.record(ctx, e)
	}
	if err != nil {
		m.opt.Logger.ErrorContext(ctx, "session: a refused request could not be recorded")
	}
}
