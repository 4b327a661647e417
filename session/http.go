package session

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

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
// OPTIONS, before anything is read; 503, a store that fails or does not answer. A response
// that lasts dies with its session, through audit.OnRecheck.
//
// A live session costs one read, and at most once per grain one write.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, cookie, err := m.visit(r)
		if err != nil {
			m.refuse(w, r, v, err)
			return
		}
		if cookie && v.state != StateLive && v.session.Reason != ReasonReplaced {
			m.ClearCookie(w) // one that was replaced may meet its successor on the way
		}
		if v.state == StateLive {
			if err := audit.OnRecheck(v.Context, v.recheck); err != nil && !errors.Is(err, audit.ErrNoTrail) {
				m.refuse(w, r, v, err)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(audit.WithActor(v, v.actor(m, r))))
	})
}

// Check is Handler as a function, for hosts whose framework wants to be asked: it applies
// the same rules, counts as activity, and returns the live session. An error that wraps
// ErrNoSession means anonymous: ErrExpired, ErrEnded and ErrInvalid say why. ErrCrossOrigin
// and ErrAmbiguous mean to refuse the request, ErrUnavailable and everything else to fail it.
// Check records nothing, clears no cookie and puts nothing into a context.
func (m *Manager) Check(r *http.Request) (Session, error) {
	v, _, err := m.visit(r)
	if err == nil {
		err = v.state.Err()
	}
	if err != nil {
		return Session{}, err
	}
	return v.session.Clone(), nil
}

// visit looks at a request: what it presents and what that is worth.
func (m *Manager) visit(r *http.Request) (v *visit, cookie bool, err error) {
	v = &visit{Context: r.Context(), manager: m, origin: m.client(r)}
	if m.cross.check(r) != nil {
		return v, false, ErrCrossOrigin
	}
	token, some, cookie, err := presented(r, m.opt.CookieName)
	if err != nil || !some {
		return v, cookie, err
	}
	k, ok := parseKey(token)
	if !ok {
		v.state = StateInvalid
		return v, cookie, nil
	}
	v.key = k
	v.session, v.state, err = m.use(r.Context(), k)
	return v, cookie, err
}

// visit is the context of one request.
type visit struct {
	context.Context
	manager *Manager
	origin  netip.Addr
	key     Key
	session Session
	state   State
}

type visitKey struct{}

// Value returns the visit itself, or what the request's context has.
func (v *visit) Value(key any) any {
	if key == (visitKey{}) {
		return v
	}
	return v.Context.Value(key)
}

func (v *visit) actor(m *Manager, r *http.Request) audit.Actor {
	if v.state == StateLive {
		return v.session.Actor(v.origin)
	}
	var t audit.Tenant
	if m.opt.Tenant != nil {
		t = m.opt.Tenant(r)
	}
	a := audit.Anonymous(t, v.origin)
	a.Device = DeviceLabel(r.UserAgent())
	return a
}

// recheck is asked again and again while a response lasts. It does not count as activity.
func (v *visit) recheck(ctx context.Context) error {
	_, _, _, state, err := v.manager.look(ctx, v.key)
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
	return v.session.Clone(), true
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
