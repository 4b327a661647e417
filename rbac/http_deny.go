package rbac

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// enter is how every guarded route begins: it reads the actor's grants, once, turns strangers
// away, and takes the reason from the request of whoever is left.
func (m *Mux) enter(w http.ResponseWriter, r *http.Request, d *definition) (*http.Request, *subject, bool) {
	now := m.z.now()
	ctx, err := m.z.Load(r.Context())
	r = r.WithContext(ctx)
	if err != nil {
		m.undecided(w, r, Decision{Code: CodeUndecided, policy: m.z.Policy(), def: d}, err)
		return r, nil, false
	}
	s, err := m.z.subject(ctx, now)
	if err != nil {
		m.undecided(w, r, Decision{Code: CodeUndecided, policy: m.z.Policy(), def: d}, err)
		return r, nil, false
	}
	dec, _ := s.open(d, now)
	if dec.Code != "" {
		m.deny(w, r, dec, nil, d != nil && d.tenantLevel())
		return r, nil, false
	}
	if d.reason {
		r = r.WithContext(WithReason(ctx, m.o.Reason(r)))
	}
	return r, s, true
}

// signedIn is the guard of a SignedIn route.
func (m *Mux) signedIn(w http.ResponseWriter, r *http.Request, h http.Handler) {
	now, dec := m.z.now(), Decision{policy: m.z.Policy(), Code: CodeAnonymous}
	ctx, err := m.z.Load(r.Context())
	if s := m.z.loaded(ctx, now); err == nil && s != nil {
		dec.policy, dec.held = s.policy, s.inForce(now)
	} // without grants nobody is kept from signing out: what asks for them later fails itself
	if signedIn(actor(ctx)) {
		dec.Allowed, dec.Code = true, CodeAllowed
	}
	r = r.WithContext(ctx)
	e := dec.event(ctx, nil)
	e.Action = ActionSignedIn
	if !m.record(w, r, e) {
		return
	}
	if !dec.Allowed {
		m.refuse(w, r, dec, nil, http.StatusUnauthorized)
		return
	}
	if m.durable(w, r) {
		h.ServeHTTP(w, r)
	}
}

// mayKnow reports whether s holds d, or may read resources of the type, anywhere: otherwise
// the answer does not depend on the resource, and it is not loaded.
func (s *subject) mayKnow(d *definition) bool {
	now := s.z.now()
	return s.holds(d, now) || s.reads(d, func(read *definition) bool { return s.holds(read, now) })
}

// reads reports whether f holds for an action that reads d's type of resource.
func (s *subject) reads(d *definition, f func(*definition) bool) bool {
	for _, other := range s.policy.actions {
		if other.resource == d.resource && other.verb == audit.Read && other != d && f(other) {
			return true
		}
	}
	return false
}

// conclude records the decision about a loaded resource and answers if it is a denial.
func (m *Mux) conclude(w http.ResponseWriter, r *http.Request, s *subject, dec Decision, a *Attrs) (Decision, bool) {
	ctx := r.Context()
	out, err := m.z.conclude(ctx, dec, a)
	var denial *Denial
	switch {
	case err == nil:
		return out, m.durable(w, r)
	case errors.As(err, &denial):
		m.refuse(w, r, denial.Decision, a, m.status(ctx, s, denial.Decision, a))
	default:
		m.unavailable(w, r, err)
	}
	return Decision{}, false
}

// status is the answer to a denial: 403 tells only those who may read the resource, or where
// there is none, that it is there.
func (m *Mux) status(ctx context.Context, s *subject, dec Decision, a *Attrs) int {
	switch {
	case dec.Code == CodeReason:
		return http.StatusUnprocessableEntity
	case dec.Code == CodeSecondPerson:
		return http.StatusForbidden // who is told may do it, but not alone
	case dec.def.tenantLevel():
		return http.StatusForbidden
	}
	visible := s.reads(dec.def, func(read *definition) bool {
		d, err := s.decide(ctx, read, a, s.z.now())
		return err == nil && d.Allowed
	})
	if visible {
		return http.StatusForbidden
	}
	return http.StatusNotFound
}

// deny records a denial that does not depend on a resource and answers it.
func (m *Mux) deny(w http.ResponseWriter, r *http.Request, dec Decision, a *Attrs, tenantLevel bool) {
	if !m.record(w, r, dec.event(r.Context(), a)) {
		return
	}
	status := http.StatusNotFound
	switch {
	case dec.Code == CodeAnonymous, dec.Code == CodeAssurance:
		status = http.StatusUnauthorized
	case tenantLevel, dec.Code == CodeScopes: // a service knows its own scopes
		status = http.StatusForbidden
	}
	m.refuse(w, r, dec, a, status)
}

// notLoaded answers for a resource that is not there as for one that is denied.
func (m *Mux) notLoaded(w http.ResponseWriter, r *http.Request, s *subject, d *definition, err error) {
	dec := Decision{Code: CodeNotFound, policy: s.policy, masks: s.masks, def: d, held: s.inForce(m.z.now())}
	if !errors.Is(err, ErrNotFound) {
		dec.Code = CodeUndecided
		m.undecided(w, r, dec, err)
		return
	}
	m.deny(w, r, dec, nil, false)
}

// undecided records that there was no answer, as well as that goes, and says 503.
func (m *Mux) undecided(w http.ResponseWriter, r *http.Request, dec Decision, cause error) {
	e := dec.event(r.Context(), nil)
	e.Outcome = audit.MajorFailure
	if m.record(w, r, e) {
		m.unavailable(w, r, cause)
	}
}

// plainly says what a cause is without quoting it: only texts of this module are known to
// name nobody, those of a host's store, relation, recorder or load function are not.
func plainly(cause error) string {
	for _, ours := range []error{audit.ErrNoTrail, audit.ErrNoActor, audit.ErrInvalid, audit.ErrUnavailable, audit.ErrBusy, audit.ErrUnconfirmed, errRoute} {
		if errors.Is(cause, ours) {
			return ours.Error()
		}
	}
	root := cause
	for next := errors.Unwrap(root); next != nil; next = errors.Unwrap(root) {
		root = next
	}
	return fmt.Sprintf("a %T; set HTTPOptions.Alarm to see it", root)
}

// errRoute is the cause where a route cannot be served; Mux.Err says which and why.
var errRoute = errors.New("rbac: a route that cannot be served, see Mux.Err")

// unavailable tells the host why there is no answer, and says 503.
func (m *Mux) unavailable(w http.ResponseWriter, r *http.Request, cause error) {
	if m.o.Alarm != nil {
		m.o.Alarm(r, cause)
	} else {
		slog.ErrorContext(r.Context(), "rbac: request answered with 503", "method", r.Method, "route", r.Pattern, "cause", plainly(cause))
	}
	m.fail(w, r, http.StatusServiceUnavailable, CodeUndecided)
}

// record puts a denial into the trail. A stranger of no tenant goes to the log of
// HTTPOptions.Tenant, or there is no log that could take it.
func (m *Mux) record(w http.ResponseWriter, r *http.Request, e audit.Event) bool {
	ctx := r.Context()
	a, ok := audit.ActorFrom(ctx)
	if !ok {
		a = audit.Actor{Kind: audit.KindAnonymous}
	}
	var err error
	switch {
	case a.Tenant != "":
	case m.o.Tenant != "":
		a.Tenant = m.o.Tenant
	default:
		err = audit.Exempt(ctx, "a stranger of no tenant, turned away")
	}
	if err == nil && a.Tenant != "" {
		err = audit.Decide(audit.WithActor(ctx, a), e)
	}
	if err != nil {
		m.unavailable(w, r, err)
		return false
	}
	return true
}

// durable makes the decision durable before the handler of an unsafe method runs.
func (m *Mux) durable(w http.ResponseWriter, r *http.Request) bool {
	if safe(r.Method) {
		return true
	}
	if err := audit.Flush(r.Context()); err != nil {
		m.unavailable(w, r, err)
		return false
	}
	return true
}

// recheck has long responses ask again, from the store, whether what they were begun with
// still holds.
func (m *Mux) recheck(ctx context.Context, still func(ctx context.Context, s *subject, now time.Time) (bool, error)) error {
	who := actor(ctx) // whoever asks again has not passed the session's handler
	return audit.OnRecheck(ctx, func(ctx context.Context) error {
		now := m.z.now()
		s, err := m.z.read(audit.WithActor(ctx, who), now)
		if err != nil {
			return err
		}
		ok, err := still(ctx, s, now)
		if err == nil && !ok {
			err = ErrDenied
		}
		return err
	})
}

// refuse answers a recorded denial about a, nil where there is no resource.
func (m *Mux) refuse(w http.ResponseWriter, r *http.Request, dec Decision, a *Attrs, status int) {
	if dec.Code == CodeAnonymous {
		if m.o.SignIn != nil {
			w.Header().Set("Cache-Control", "no-store")
			m.o.SignIn(w, r)
			return
		}
		status = http.StatusUnauthorized
	}
	if challenge, ok := dec.Challenge(); ok {
		w.Header().Set("WWW-Authenticate", challenge.String())
		status = http.StatusUnauthorized
	}
	if dec.Code == CodeScopes && dec.def != nil {
		w.Header().Set("WWW-Authenticate", insufficientScope(dec.def))
	}
	m.fail(w, dec.told(r, a, status), status, dec.Code)
}

// fail answers with a status. A denial of a resource and a resource that is not there must
// look the same, so the code of a 404 is always the same.
func (m *Mux) fail(w http.ResponseWriter, r *http.Request, status int, code Code) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case status == http.StatusNotFound:
		code = CodeNotFound
	case status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	if m.o.Error != nil {
		m.o.Error(w, r, status, code)
		return
	}
	http.Error(w, http.StatusText(status), status)
}

// postedReason is the field "reason" of a posted form.
func postedReason(r *http.Request) string {
	if safe(r.Method) || r.ParseForm() != nil {
		return ""
	}
	return r.PostForm.Get("reason")
}
