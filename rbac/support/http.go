package support

import (
	"context"
	"errors"
	"net/http"

	"github.com/wardkit/wardkit/audit"
)

// ActionTurnedAway is what Handler records where it refuses: an operator asked for something of a tenant that has
// not let them in, or not any more. It is in the platform's log, under the operator's own name; Objects[0] is the
// tenant, and Code is CodeClosed or CodeUndecided.
const ActionTurnedAway audit.Action = "support.turned_away"

// Codes of ActionTurnedAway.
const (
	CodeClosed    = "closed"    // nobody has let the operator in there
	CodeUndecided = "undecided" // it could not be found out
)

// HTTPOptions are the settings of Handler; nil means all defaults.
type HTTPOptions struct {
	// Reach reports whether visitors may ask for this at all. It is for what no action of rbac guards, such as
	// routes for everybody who is signed in. Default: everything, and rbac decides.
	Reach func(r *http.Request) bool
	// Refused answers who is not let in; it is on record already. status is 401, 403 or 503, and err one of those
	// that Guard returns. Default: the status text as text/plain.
	Refused func(w http.ResponseWriter, r *http.Request, status int, err error)
}

// Handler returns next wrapped so that the platform's people reach a tenant as its visitors, and only while they are
// let in: Guard is called with each request of theirs, and its actor is in the context of next. A refusal
// is recorded as ActionTurnedAway. A long response is questioned again, every audithttp.RecheckEvery.
//
// It belongs between the session's handler and the routes, inside audithttp.Hold; without an audit.Trail it answers the
// platform's people with 503. Requests of everybody else pass as they are. tenant says of which tenant a request asks
// something, and "" of what the platform's people have as themselves, such as their own page and the
// sign-in. It must not return "" for anything of a tenant. A nil argument is an error.
func (d *Desk) Handler(tenant func(r *http.Request) audit.Tenant, next http.Handler, o *HTTPOptions) (http.Handler, error) {
	if tenant == nil || next == nil {
		return nil, errors.New("support: a handler needs a tenant and what it stands before")
	}
	h := &gate{d: d, tenant: tenant, next: next}
	if o != nil {
		h.o = *o
	}
	return h, nil
}

// gate is the handler that Handler returns.
type gate struct {
	d      *Desk
	tenant func(*http.Request) audit.Tenant
	next   http.Handler
	o      HTTPOptions
}

// insideKey is the key of the access under which a request is served.
type insideKey struct{}

// From returns the access under which an operator's request is served, for the banner on the page; false for
// everybody else. Handler puts it into the context.
func From(ctx context.Context) (Access, bool) {
	a, ok := ctx.Value(insideKey{}).(Access)
	return a, ok
}

// ServeHTTP lets the request through as it is, as a visitor's, or not.
func (h *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	operator, ok := audit.ActorFrom(ctx)
	if !ok || operator.Tenant != h.d.p.Platform {
		h.next.ServeHTTP(w, r)
		return
	}
	t := h.tenant(r)
	if t == "" || t == h.d.p.Platform {
		h.next.ServeHTTP(w, r)
		return
	}
	visitor, access, err := h.d.Guard(ctx, t)
	if err == nil && h.o.Reach != nil && !h.o.Reach(r) {
		err = ErrClosed
	}
	if err == nil {
		err = audit.OnRecheck(ctx, func(ctx context.Context) error {
			_, _, err := h.d.Guard(audit.WithActor(ctx, operator), t)
			return err
		})
	}
	if err != nil {
		h.refuse(w, r, t, err)
		return
	}
	h.next.ServeHTTP(w, r.WithContext(context.WithValue(audit.WithActor(ctx, visitor), insideKey{}, access)))
}

// refuse records that an operator was turned away, and answers.
func (h *gate) refuse(w http.ResponseWriter, r *http.Request, t audit.Tenant, err error) {
	status := statusOf(err)
	e := audit.Event{
		Action: ActionTurnedAway, Verb: audit.Execute, Outcome: audit.Failure, Code: CodeClosed,
		Objects: []audit.Object{{Type: "tenant", ID: audit.FitID(string(t))}},
	}
	if status == http.StatusServiceUnavailable {
		e.Outcome, e.Code = audit.MajorFailure, CodeUndecided
	}
	if derr := audit.Decide(r.Context(), e); derr != nil {
		status, err = http.StatusServiceUnavailable, unavailable("recording", derr)
	}
	if h.o.Refused != nil {
		h.o.Refused(w, r, status, err)
		return
	}
	http.Error(w, http.StatusText(status), status)
}

// statusOf is the HTTP status of an error of this package; what is none of its refusals is 503.
func statusOf(err error) int {
	var r refusal
	if errors.As(err, &r) && !errors.Is(err, ErrUnavailable) {
		return int(r)
	}
	return http.StatusServiceUnavailable
}
