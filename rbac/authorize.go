package rbac

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// MaxReason is the length in bytes up to which a reason is accepted.
const MaxReason = 1000

// Granted is the proof that an actor may do something to a resource: only Authorize and the
// guards of a Mux make one that holds anything. A store method that takes a Granted[Note]
// cannot be called without a decision. The zero Granted allows nothing.
type Granted[R Resource] struct {
	resource R
	decision Decision
	by       audit.ActorID
	at       time.Time
}

// Resource returns the resource, the zero R for a zero Granted.
func (g Granted[R]) Resource() R { return g.resource }

// Allows reports whether the proof is about action a.
func (g Granted[R]) Allows(a Action[R]) bool {
	return g.decision.Allowed && a.def != nil && a.def == g.decision.def
}

// Decided returns for whom it was granted, and when: for who takes a proof that may have been kept. Of a
// zero Granted nobody, and the zero time.
func (g Granted[R]) Decided() (by audit.ActorID, at time.Time) { return g.by, g.at }

// Decision returns why it was granted.
func (g Granted[R]) Decision() Decision { return g.decision }

// Context returns ctx with the decision's sight: what phi reveals under it goes as far as the
// roles let the actor see. Guards do it for their handlers.
func (g Granted[R]) Context(ctx context.Context) context.Context {
	return phi.WithSight(ctx, g.decision.Sight())
}

type reasonKey struct{}

// WithReason returns a context with the reason that the person gave, for actions that need
// one. Guards take it from the request.
func WithReason(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonKey{}, strings.TrimSpace(reason))
}

func reasonFrom(ctx context.Context) string {
	s, _ := ctx.Value(reasonKey{}).(string)
	if len(s) > MaxReason || !utf8.ValidString(s) {
		return ""
	}
	return s
}

// Authorize decides whether the actor in ctx may do a to r, records the decision, allowed or
// denied, in the request's trail, and returns the proof. Before an effect outside the
// response call audit.Flush; guards do it for unsafe methods.
//
// It returns a *Denial, which is an ErrDenied (ErrReason, ErrStepUp or ErrSecondPerson if only
// that is missing), or an error that wraps ErrUndecided.
func Authorize[R Resource](ctx context.Context, z *Authorizer, a Action[R], r R) (Granted[R], error) {
	now := z.now()
	s, err := z.subject(ctx, now)
	if err != nil {
		return Granted[R]{}, err
	}
	attrs := r.RBAC()
	dec, err := s.decide(ctx, a.def, &attrs, now)
	if err != nil {
		return Granted[R]{}, err
	}
	if dec, err = z.conclude(ctx, dec, &attrs); err != nil {
		return Granted[R]{}, err
	}
	return Granted[R]{r, dec, s.id, now}, nil
}

// conclude looks at the duties, records the decision and turns a denial into an error. a is nil
// for a list, which is recorded as a query.
func (z *Authorizer) conclude(ctx context.Context, dec Decision, a *Attrs) (Decision, error) {
	dec, undecided := z.duties(ctx, dec, a)
	e := dec.event(ctx, a)
	if a == nil {
		e.Verb = audit.Execute
	}
	if undecided != nil {
		e.Outcome = audit.MajorFailure
	}
	if err := audit.Decide(ctx, e); err != nil {
		return Decision{}, fmt.Errorf("%w: recording: %w", ErrUndecided, err)
	}
	switch {
	case undecided != nil:
		return Decision{}, undecided
	case !dec.Allowed:
		return dec, &Denial{dec}
	}
	return dec, nil
}

// object is the resource as events and other packages name it: without its id if it is
// another tenant's, of which this tenant's log says nothing.
func (d Decision) object(a *Attrs) audit.Object {
	o := audit.Object{Type: d.def.object, Category: string(d.def.category)}
	if a != nil && d.Code != CodeOtherTenant {
		o.ID, o.Labels = a.ID, a.Labels.Names()
	}
	return o
}

// event is the evidence of a decision. It names the resource and its patient, unless they are
// another tenant's.
func (d Decision) event(ctx context.Context, a *Attrs) audit.Event {
	e := audit.Event{Code: string(d.Code), Outcome: audit.Failure}
	e.Action, e.Verb = "rbac.unlisted", audit.Execute
	if d.def != nil {
		e.Action, e.Verb = d.def.name, d.def.verb
		e.Objects = []audit.Object{d.object(a)}
		if a != nil && d.Code != CodeOtherTenant && a.Patient != "" {
			e.Patients = []audit.Patient{a.Patient}
		}
	}
	e.Decision = audit.Decision{Rule: string(d.Role), Grant: d.Grant}
	if d.Forbid != "" {
		e.Decision.Rule = "forbid." + d.Forbid
	}
	if d.Allowed {
		d.allowedEvent(ctx, &e)
	}
	if d.policy != nil {
		e.Decision.Policy, e.Decision.Mask = d.policy.digest, d.mask()
		d.held.each(func(i int) { e.Actor.Roles = append(e.Actor.Roles, string(d.policy.roles[i].Name)) })
	}
	return e
}

// allowedEvent adds what only an event of something allowed has.
func (d Decision) allowedEvent(ctx context.Context, e *audit.Event) {
	e.Code, e.Outcome = "", audit.Success
	if d.def != nil && d.def.reason {
		e.Why = audit.NewPrivate(reasonFrom(ctx))
	}
	if d.Scope != nil {
		e.Decision.Scope = d.Scope.String()
	}
	d.emergencyEvent(e)
	if d.Approver != "" {
		e.Objects = append(e.Objects, audit.Object{Type: "approver", ID: string(d.Approver)})
	}
}
