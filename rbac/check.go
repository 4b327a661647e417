package rbac

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Check reports whether the actor in ctx may do a to r, and why. It only asks: nothing is
// recorded, no sight is handed out, and duties (a reason) are not looked at. Use it to decide
// what to show; to do something, use Authorize.
//
// A denial is a Decision that is not Allowed and no error. An error wraps ErrUndecided: there
// is no answer, and the Decision denies.
func Check[R Resource](ctx context.Context, z *Authorizer, a Action[R], r R) (Decision, error) {
	now := z.now()
	s, err := z.subject(ctx, now)
	if err != nil {
		return Decision{Code: CodeUndecided, def: a.def}, err
	}
	attrs := r.RBAC()
	return s.decide(ctx, a.def, &attrs, now)
}

// decide answers for one resource.
func (s *subject) decide(ctx context.Context, d *definition, a *Attrs, now time.Time) (Decision, error) {
	q := s.question(now)
	return s.answer(ctx, d, a, &q)
}

// answer is decide with a question that may have been asked about other actions on the same
// resource: what relations said then is not asked again.
func (s *subject) answer(ctx context.Context, d *definition, a *Attrs, q *question) (Decision, error) {
	dec, i := s.open(d, q.now)
	if dec.Code != "" {
		return dec, nil
	}
	if a.Tenant == "" || a.Tenant != s.tenant {
		dec.Code = CodeOtherTenant
		return dec, nil
	}
	q.columns = &d.columns
	dec.Code = CodeNoPermission
	for h := range s.held {
		if err := s.held[h].decide(ctx, s, i, q, a, &dec); err != nil {
			return Decision{Code: CodeUndecided, policy: s.z.policy, def: d, held: dec.held},
				fmt.Errorf("%w: asking a relation: %w", ErrUndecided, err)
		}
	}
	return dec, nil
}

// open answers what does not depend on the resource: a Code that is not empty is final.
// i is the action's index.
func (s *subject) open(d *definition, now time.Time) (dec Decision, i int) {
	p := s.z.policy
	dec = Decision{policy: p, def: d, held: s.inForce(now)}
	if !s.known {
		dec.Code = CodeAnonymous
		return dec, 0
	}
	i, ok := p.index[d]
	switch {
	case !ok:
		dec.Code = CodeUnlisted
	case d.phi && s.assurance < s.z.phiAssurance(s.kind):
		dec.Code = CodeAssurance
	}
	return dec, i
}

// decide lets one grant speak: it may allow, and it may say that the resource is out of its
// scope. The first grant to allow, in order of rank, is the one that the decision names; the
// others still count for what may be seen.
func (h *held) decide(ctx context.Context, s *subject, action int, q *question, a *Attrs, dec *Decision) error {
	set := s.z.policy.roles[h.role].scopes[action]
	if set == 0 || !h.grant.InForce(q.now) || dec.roles.has(h.role) {
		return nil
	}
	for b := Tenant; b <= Self; b++ {
		if !set.has(b) {
			continue
		}
		n := node{b, h.practices}
		ok, err := n.match(ctx, q, a)
		if err != nil {
			return err
		}
		if ok {
			dec.allow(s.z.policy, h, b)
			return nil
		}
	}
	if !dec.Allowed {
		dec.Code = CodeOutOfScope
	}
	return nil
}

func (dec *Decision) allow(p *Policy, h *held, b Base) {
	dec.roles |= 1 << h.role
	if dec.Allowed {
		return
	}
	dec.Allowed, dec.Code = true, CodeAllowed
	dec.Scope, dec.Role, dec.Grant = b, p.roles[h.role].Name, h.grant.ID
}

func (s *subject) question(now time.Time) question {
	return question{
		relations: &s.z.policy.relations,
		tenant:    s.tenant,
		actor:     s.id,
		now:       now,
	}
}

// Holds reports whether the actor in ctx holds a anywhere: whether a link to the list is
// worth showing. Like Check it only asks.
func Holds[R Resource](ctx context.Context, z *Authorizer, a Action[R]) (bool, error) {
	now := z.now()
	s, err := z.subject(ctx, now)
	if err != nil {
		return false, err
	}
	return s.holds(a.def, now), nil
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
	now := z.now()
	s, err := z.subject(ctx, now)
	if err != nil {
		return Permitted{}, err
	}
	attrs := r.RBAC()
	q := s.question(now)
	out := Permitted{map[audit.Action]struct{}{}}
	for _, d := range candidates(z.policy, actions) {
		dec, err := s.answer(ctx, d, &attrs, &q)
		if err != nil {
			return Permitted{}, err
		}
		if dec.Allowed {
			out.names[d.name] = struct{}{}
		}
	}
	return out, nil
}
