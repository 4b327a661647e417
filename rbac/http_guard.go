package rbac

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// route is a handler of ours: what it serves is decided in it.
type route struct{ serve http.HandlerFunc }

func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) { rt.serve(w, r) }

// add registers a route and notes what is wrong with it.
func (m *Mux) add(rt Route, pattern string, serve http.HandlerFunc) {
	method, path, ok := strings.Cut(strings.TrimSpace(pattern), " ")
	if !ok {
		method, path = "", method
	}
	rt.Method, rt.Path = method, strings.TrimSpace(path)
	if what := rt.problem(); what != "" {
		m.wrong = append(m.wrong, fmt.Errorf("rbac: route %s: %s", pattern, what))
		serve = m.refuseRoute
	}
	m.inner.Handle(pattern, &route{serve})
	m.routes = append(m.routes, rt)
}

// problem says what is wrong with a route, "" if nothing is.
func (rt Route) problem() string {
	switch guarded := rt.Guard == "action" || rt.Guard == "list"; {
	case guarded && rt.Verb == "":
		return "the policy does not list its action"
	case guarded && rt.writes() && (rt.Method == "" || safe(rt.Method)):
		return "its action writes, but the method may be a safe one"
	case !guarded && rt.Because == "":
		return "no reason why it is " + rt.Guard
	}
	return ""
}

// refuseRoute serves a route with a problem: not at all.
func (m *Mux) refuseRoute(w http.ResponseWriter, r *http.Request) {
	_ = audit.Exempt(r.Context(), "a route that cannot be served")
	m.unavailable(w, r, errRoute)
}

// writes reports whether the route's action changes stored data, or something for good.
func (rt Route) writes() bool {
	return rt.Guard == "action" && (rt.Verb == audit.Create || rt.Verb == audit.Update || rt.Verb == audit.Delete ||
		slices.Contains(rt.Duties, dutyDestructive))
}

// safe reports whether a method is safe (RFC 9110, section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// describe returns the route of an action; an unlisted one has no verb.
func (m *Mux) describe(guard string, d *definition) Route {
	if _, ok := m.z.Policy().index[d]; !ok {
		return Route{Guard: guard}
	}
	return Route{Guard: guard, Action: d.name, Verb: d.verb, TenantLevel: d.tenantLevel(), Duties: d.duties()}
}

// ServeHTTP loads the actor's grants once and serves the route. What is no route of its own
// (404, 405, a redirect to the clean path) is exempt from the trail.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, _ := m.inner.Handler(r)
	if _, ours := h.(*route); ours && r.RequestURI != "*" {
		m.inner.ServeHTTP(w, r)
		return
	}
	if err := audit.Exempt(r.Context(), "no route"); err != nil {
		m.unavailable(w, r, err)
		return
	}
	m.unrouted(w, r, h)
}

// unrouted answers what no route takes: as http.ServeMux would, in the host's words.
func (m *Mux) unrouted(w http.ResponseWriter, r *http.Request, h http.Handler) {
	probe := &probe{header: http.Header{}}
	if r.RequestURI == "*" {
		m.fail(w, r, http.StatusNotFound, CodeNotFound)
		return
	}
	h.ServeHTTP(probe, r)
	switch probe.status {
	case http.StatusNotFound:
		m.fail(w, r, http.StatusNotFound, CodeNotFound)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", probe.header.Get("Allow"))
		m.fail(w, r, http.StatusMethodNotAllowed, CodeNoMethod)
	default:
		h.ServeHTTP(w, r)
	}
}

// probe sees what http.ServeMux would answer.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header { return p.header }

func (p *probe) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return len(b), nil
}

func (p *probe) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
}

// admit is the guard of a resource route: the request it returns carries the decision.
func admit[R Resource](g Guard[R], w http.ResponseWriter, r *http.Request, a Action[R]) (Granted[R], *http.Request, bool) {
	m := g.mux
	r, s, ok := m.enter(w, r, a.def)
	if !ok {
		return Granted[R]{}, r, false
	}
	ctx := r.Context()
	if !s.mayKnow(a.def) {
		m.deny(w, r, Decision{Code: CodeNoPermission, policy: s.policy, masks: s.masks, def: a.def, held: s.inForce(m.z.now())}, nil, a.def.tenantLevel())
		return Granted[R]{}, r, false
	}
	res, err := g.load(ctx, r)
	if err != nil {
		m.notLoaded(w, r, s, a.def, err)
		return Granted[R]{}, r, false
	}
	attrs, now := res.RBAC(), m.z.now()
	dec, err := s.decide(ctx, a.def, &attrs, now)
	if err != nil {
		m.undecided(w, r, dec, err)
		return Granted[R]{}, r, false
	}
	if dec, ok = m.conclude(w, r, s, dec, &attrs); !ok {
		return Granted[R]{}, r, false
	}
	ctx = phi.WithSight(ctx, dec.Sight())
	err = m.recheck(ctx, func(ctx context.Context, s *subject, now time.Time) (bool, error) {
		again, err := s.decide(ctx, a.def, &attrs, now)
		// fewer roles, or another policy, may see less
		return again.Allowed && again.policy == dec.policy && dec.roles&^again.roles == 0 && dec.person&^again.person == 0, err
	})
	if err != nil {
		m.unavailable(w, r, err)
		return Granted[R]{}, r, false
	}
	return Granted[R]{res, dec, s.id, now}, r.WithContext(ctx), true
}

// admitList is the guard of a list route.
func (m *Mux) admitList(w http.ResponseWriter, r *http.Request, d *definition) (*filter, *http.Request, bool) {
	r, _, ok := m.enter(w, r, d)
	if !ok {
		return nil, r, false
	}
	ctx := r.Context()
	f, err := m.z.visible(ctx, d)
	var denial *Denial
	switch {
	case errors.As(err, &denial) && denial.Decision.Code == CodeReason:
		m.refuse(w, r, denial.Decision, nil, http.StatusUnprocessableEntity)
		return nil, r, false
	case errors.As(err, &denial):
		m.refuse(w, r, denial.Decision, nil, http.StatusForbidden)
		return nil, r, false
	case err != nil:
		m.unavailable(w, r, err)
		return nil, r, false
	}
	if !m.durable(w, r) {
		return nil, r, false
	}
	err = m.recheck(ctx, func(ctx context.Context, s *subject, now time.Time) (bool, error) {
		again, _ := s.reach(d, now)
		err := again.licensed(ctx)
		if err == nil && len(f.allow.opened()) > 0 {
			err = again.emergencies(ctx)
		}
		return again.allow.Allowed && again.covers(f) && again.keeps(f), err
	})
	if err != nil {
		m.unavailable(w, r, err)
		return nil, r, false
	}
	return f, r.WithContext(phi.WithSight(ctx, f.sight())), true
}
