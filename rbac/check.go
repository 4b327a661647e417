package rbac

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Check reports whether the actor in ctx may do a to r, and why. It only asks: nothing is
// recorded, and duties (a reason, a step-up, a second person) are not looked at. Use it to decide
// what to show; to do something, use Authorize.
//
// It answers as of the instant at which the request's grants were read, at most 30 seconds ago,
// as May and Holds do, so that what one page asks fits together. What acts or lists (Authorize,
// Visible, the guards of a Mux) looks at the clock itself.
//
// A denial is a Decision that is not Allowed and no error. An error wraps ErrUndecided: there
// is no answer, and the Decision denies.
func Check[R Resource](ctx context.Context, z *Authorizer, a Action[R], r R) (dec Decision, err error) {
	attrs := r.RBAC()
	err = z.check(ctx, a.def, &attrs, &dec)
	return dec, err
}

// check is Check into the zero dec.
func (z *Authorizer) check(ctx context.Context, d *definition, a *Attrs, dec *Decision) error {
	s, err := z.asked(ctx)
	if err != nil {
		dec.Code, dec.Scope, dec.def = CodeUndecided, Base(0), d
		return err
	}
	q := question{s: s, us: s.us}
	return s.answer(ctx, d, a, &q, dec)
}

func undecided(d *definition) Decision {
	return Decision{Code: CodeUndecided, Scope: Base(0), def: d}
}

// decide answers for one resource.
func (s *subject) decide(ctx context.Context, d *definition, a *Attrs, now time.Time) (Decision, error) {
	q := question{s: s, us: now.UnixMicro()}
	var dec Decision
	err := s.answer(ctx, d, a, &q, &dec)
	return dec, err
}

// answer is decide, into the zero dec, with a question that may have been asked about other
// actions on the same resource: what relations said then is not asked again.
func (s *subject) answer(ctx context.Context, d *definition, a *Attrs, q *question, dec *Decision) error {
	i := s.begin(d, q.us, dec)
	if dec.Code != "" {
		return nil
	}
	if a.Tenant == "" || a.Tenant != s.tenant {
		dec.Code = CodeOtherTenant
		return nil
	}
	dec.Code = CodeNoPermission
	able := s.policy.holders[i] & dec.held
	if able == 0 {
		return nil
	}
	q.emergency = false
	if err := s.poll(ctx, i, able, q, a, dec); err != nil {
		return err
	}
	if !dec.Allowed && able&s.policy.urgent[i] != 0 && s.mayOpen() {
		if err := s.emergency(ctx, i, able&s.policy.urgent[i], q, a, dec); err != nil {
			return err
		}
	}
	if err := s.licensed(ctx, dec, q.us); err != nil || s.task == nil {
		return err
	}
	return s.task.answer(ctx, d, a, q.us, dec)
}

// poll asks every grant of the able roles about one resource.
func (s *subject) poll(ctx context.Context, action int, able roleSet, q *question, a *Attrs, dec *Decision) error {
	for i := range s.held {
		h := &s.held[i]
		if able&h.in == 0 || dec.roles&h.in != 0 || !h.inForce(q.us) {
			continue
		}
		v, by, forbid, err := h.role.rules[action].ask(ctx, q, &h.lists, a)
		if err != nil {
			return dec.unanswered(err)
		}
		dec.hear(h, v, by, forbid)
	}
	return nil
}

// unanswered makes dec a denial because a relation did not answer.
func (dec *Decision) unanswered(err error) error {
	dec.withdraw(CodeUndecided)
	return fmt.Errorf("%w: asking a relation: %w", ErrUndecided, err)
}

// open answers what does not depend on the resource: a Code that is not empty is final. i is
// the action's index.
func (s *subject) open(d *definition, now time.Time) (dec Decision, i int) {
	i = s.begin(d, now.UnixMicro(), &dec)
	return dec, i
}

// begin is open into the zero dec.
func (s *subject) begin(d *definition, us int64, dec *Decision) int {
	dec.Scope, dec.policy, dec.masks, dec.def, dec.held = Base(0), s.policy, s.masks, d, s.among(us)
	if !s.known {
		dec.Code = CodeAnonymous
		return 0
	}
	i, ok := s.policy.find(d)
	if !ok {
		dec.Code = CodeUnlisted
		return 0
	}
	if s.task != nil && !s.task.names(d) {
		dec.Code = CodeScopes
		return i
	}
	if d.phi {
		if dec.assurance = s.needs; s.assurance < s.needs || s.task != nil && s.needs > audit.AAL1 {
			dec.Code = CodeAssurance
		}
	}
	return i
}

// hear takes what a grant says. The first grant to allow, in order of rank, is the one that
// the decision names; the others still count for what may be seen. Of denials the one that
// came closest to allowing is named.
func (dec *Decision) hear(h *held, v verdict, by *clause, forbid string) {
	switch {
	case v == allowed:
		dec.allow(h, by.scope)
	case v == silent || dec.Allowed || dec.Code == CodeForbidden:
	case v == barred:
		dec.Code, dec.Forbid = CodeForbidden, forbid
	default:
		dec.Code, dec.Forbid = CodeOutOfScope, ""
	}
}

func (dec *Decision) allow(h *held, scope Scope) {
	dec.roles |= h.in
	if dec.Allowed {
		return
	}
	dec.Allowed, dec.Code, dec.Forbid = true, CodeAllowed, ""
	dec.Scope, dec.Role, dec.Grant = scope, h.role.Name, h.id
}

// Holds reports whether the actor in ctx holds a anywhere: whether a link to the list is
// worth showing. Like Check it only asks.
func Holds[R Resource](ctx context.Context, z *Authorizer, a Action[R]) (bool, error) {
	s, err := z.asked(ctx)
	if err != nil {
		return false, err
	}
	return s.holds(a.def, s.at()), nil
}

// Permitted is a set of actions.
type Permitted struct{ names map[audit.Action]struct{} }

// Has reports whether the action of this name is permitted. It is for templates:
// {{if .May.Has "patient.update"}}.
func (p Permitted) Has(name audit.Action) bool {
	_, ok := p.names[name]
	return ok
}

// Allows reports whether a is permitted.
func (p Permitted) Allows(a AnyAction) bool { return a != nil && p.Has(a.Name()) }

// May returns which of the actions the actor in ctx may do to r: what a page shows. Without
// actions it asks about every action that the policy lists for type R. Like Check it only
// asks; an error wraps ErrUndecided and comes with the empty set.
func May[R Resource](ctx context.Context, z *Authorizer, r R, actions ...Action[R]) (Permitted, error) {
	s, err := z.asked(ctx)
	if err != nil {
		return Permitted{}, err
	}
	attrs := r.RBAC()
	q := question{s: s, us: s.us}
	out := Permitted{map[audit.Action]struct{}{}}
	for _, d := range candidates(s.policy, actions) {
		var dec Decision
		if err := s.answer(ctx, d, &attrs, &q, &dec); err != nil {
			return Permitted{}, err
		}
		if dec.Allowed {
			out.names[d.name] = struct{}{}
		}
	}
	return out, nil
}
