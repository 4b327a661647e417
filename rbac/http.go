package rbac

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// HTTPOptions are the settings of a Mux; nil means all defaults.
type HTTPOptions struct {
	// Error answers a request that is not let through: 401, 403, 404, 405, 422 or 503, see
	// Mux. Headers are set already. DeniedFrom tells of which action and record, where the person
	// may know. Default: the status text as text/plain.
	Error func(w http.ResponseWriter, r *http.Request, status int, code Code)
	// SignIn answers who is not signed in, for example with a redirect to the sign-in page.
	// Default: Error with status 401.
	SignIn func(w http.ResponseWriter, r *http.Request)
	// Alarm is told why a request was answered with 503: a store or a recorder that failed, a
	// load function's own error, a context without an audit.Trail. It must not block. Default:
	// an error line in slog.Default() with method, route pattern and cause. Of an error that
	// is not this module's only the type is logged, because its text may name people.
	Alarm func(r *http.Request, cause error)
	// Reason returns the reason that the person gave, for actions that need one. It must not
	// come from the URL, which is logged in many places. Default: the field "reason" of a
	// form posted as application/x-www-form-urlencoded.
	Reason func(r *http.Request) string
	// Tenant is whose audit log takes what strangers tried, where their actor names no
	// tenant. Without either, such a request is refused unrecorded.
	Tenant audit.Tenant
}

// Mux routes requests, and has no route without a decision: For(mux, load).Handle takes an
// action, Public and SignedIn a reason. It is an http.Handler and belongs behind
// audithttp.Hold and the session's handler; without an audit.Trail in the context it answers
// everything with 503.
//
// What it answers, recorded before (but for strangers of an unknown tenant, see HTTPOptions):
//
//	401  not signed in, or not strongly or recently enough for the action (RFC 9470)
//	403  signed in, but not allowed: on lists and tenant-level actions, on resources that the
//	     actor may read, and where a second person has to approve
//	404  everything else that is not allowed, and what does not exist: the same answer
//	405  no such method
//	422  the action needs a reason and there was none
//	503  could not be decided or recorded
type Mux struct {
	z      *Authorizer
	o      HTTPOptions
	inner  *http.ServeMux
	routes []Route
	wrong  []error
}

// Route is one line of a Mux's table.
type Route struct {
	Method      string // "" for every method
	Path        string // with its wildcards, and the host where the pattern has one
	Guard       string // "action", "list", "signed_in" or "public"
	Action      audit.Action
	Verb        audit.Verb
	TenantLevel bool     // the action has no row
	Duties      []string // "phi", "destructive", "reason", "reveals:ssn" …
	Because     string   // why a public or signed_in route is one
}

// String returns the route as one line of a golden table.
func (r Route) String() string {
	method := r.Method
	if method == "" {
		method = "*"
	}
	what := []string{string(r.Action)}
	if r.TenantLevel {
		what = append(what, "tenant-level")
	}
	what = append(what, r.Duties...)
	if r.Because != "" {
		what = []string{strconv.Quote(r.Because)}
	}
	return fmt.Sprintf("%-6s %-40s %-9s %s", method, r.Path, r.Guard, strings.Join(what, " "))
}

// NewMux returns a Mux without routes. It panics if z is nil.
func NewMux(z *Authorizer, o *HTTPOptions) *Mux {
	if z == nil {
		panic("rbac: NewMux: nil Authorizer")
	}
	m := &Mux{z: z, inner: http.NewServeMux()}
	if o != nil {
		m.o = *o
	}
	if m.o.Reason == nil {
		m.o.Reason = postedReason
	}
	return m
}

// Authorizer returns what m decides with.
func (m *Mux) Authorizer() *Authorizer { return m.z }

// Routes returns the table of routes in order of path and method.
func (m *Mux) Routes() []Route {
	out := slices.Clone(m.routes)
	slices.SortFunc(out, func(a, b Route) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return out
}

// Err returns everything that is wrong with the routes: an action that the policy does not
// list, a destructive or writing action on a method that must be safe, a public route without
// a reason. Such a route serves nobody; a host asks before it listens.
func (m *Mux) Err() error { return errors.Join(m.wrong...) }

// Public serves pattern to everybody, undecided on purpose: the request counts as exempt from
// the audit trail, for the reason given here. A sign-in page, a style sheet, a health probe.
// Like http.ServeMux it panics on a bad or a second pattern.
func (m *Mux) Public(pattern, because string, h http.Handler) {
	if h == nil {
		panic("rbac: nil handler")
	}
	m.add(Route{Guard: "public", Because: because}, pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := audit.Exempt(r.Context(), because); err != nil {
			m.unavailable(w, r, err)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ActionSignedIn is the action under which requests to SignedIn routes are recorded.
const ActionSignedIn audit.Action = "rbac.signed_in"

// SignedIn serves pattern to everybody who is signed in, whatever their roles: one's own
// sessions, locking the screen. Behind a locked screen nobody is signed in, so unlocking and
// signing out are Public. It shows no PHI: there is no sight in its context. Like
// http.ServeMux it panics on a bad or a second pattern.
func (m *Mux) SignedIn(pattern, because string, h http.Handler) {
	if h == nil {
		panic("rbac: nil handler")
	}
	m.add(Route{Guard: "signed_in", Action: ActionSignedIn, Because: because}, pattern, func(w http.ResponseWriter, r *http.Request) {
		m.signedIn(w, r, h)
	})
}

// Guard holds what all routes of one resource type share.
type Guard[R Resource] struct {
	mux  *Mux
	load func(ctx context.Context, r *http.Request) (R, error)
}

// For returns a Guard for routes whose resource load finds, from the path or the posted form.
// load returns an error that wraps ErrNotFound for a resource that is not there; every other
// error is a failure, answered with 503, so what is wrong with a form is for the handler to
// say. It is called only for who holds the action somewhere (or may read such resources), and
// its context carries the actor.
//
// For an action that creates, load returns the resource as it would be: its tenant from the
// actor, the rest from the form. A patient named there must be looked up where the action is
// granted in scope Tenant; scope Own does that by its relation.
func For[R Resource](m *Mux, load func(ctx context.Context, r *http.Request) (R, error)) Guard[R] {
	return Guard[R]{m, load}
}

// TenantOf is the load function of tenant-level actions: the tenant of the actor.
func TenantOf(ctx context.Context, _ *http.Request) (InTenant, error) {
	return InTenant{actor(ctx).Tenant}, nil
}

// Handle serves pattern with h to who may do a to the resource. Before h runs, the decision
// is in the trail, and durable if the method is unsafe (RFC 9110, section 9.2.1); the context
// carries the decision's sight. Like http.ServeMux it panics on a bad or a second pattern.
//
// The event says that the action was allowed, not that it succeeded. Where h fails to do it,
// audit.Decide with the same action, a failure and a code adds an event that says so.
func (g Guard[R]) Handle(pattern string, a Action[R], h func(http.ResponseWriter, *http.Request, Granted[R])) {
	m := g.mux
	if h == nil || g.load == nil {
		panic("rbac: nil handler or load function")
	}
	m.add(m.describe("action", a.def), pattern, func(w http.ResponseWriter, r *http.Request) {
		if granted, r, ok := admit(g, w, r, a); ok {
			h(w, r, granted)
		}
	})
}

// HandleList serves pattern with h to who may do a to some rows, which the Filter tells; no
// row at all is 403. Context and recording are as with Guard.Handle, with verb Execute.
//
// phi adds to the event whose values it revealed. A row that the page shows without revealing
// anything is not in it, unless h says so with audit.Seen.
func HandleList[R Resource](m *Mux, pattern string, a Action[R], h func(http.ResponseWriter, *http.Request, Filter[R])) {
	if h == nil {
		panic("rbac: nil handler")
	}
	m.add(m.describe("list", a.def), pattern, func(w http.ResponseWriter, r *http.Request) {
		if f, r, ok := m.admitList(w, r, a.def); ok {
			h(w, r, Filter[R]{f})
		}
	})
}
