package rbac

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Explanation is why somebody may do something, or may not, as data: the decision by the same
// code that enforces it, and everything that was tried on the way to it. It names grants, roles
// and scopes, and no record.
type Explanation struct {
	At         time.Time     `json:"at"`
	Policy     string        `json:"policy"` // the digest of the policy that decided
	Person     audit.ActorID `json:"person"`
	Action     audit.Action  `json:"action"`
	Allowed    bool          `json:"allowed"`
	Code       Code          `json:"code"`
	Scope      string        `json:"scope,omitempty"`     // that allowed it
	Role       RoleName      `json:"role,omitempty"`      // that allowed it
	Grant      string        `json:"grant,omitempty"`     // that allowed it
	Forbid     string        `json:"forbid,omitempty"`    // that denied it
	Emergency  string        `json:"emergency,omitempty"` // the open emergency grant without which it would be denied
	Duties     []string      `json:"duties,omitempty"`    // owed with the action: see Route.Duties
	Suspended  bool          `json:"suspended,omitempty"`
	Exceptions []Exception   `json:"exceptions,omitempty"` // of a denial, see Code.Exceptions
	Clauses    []Clause      `json:"clauses"`              // in order of grant
}

// Clause is one permission of one grant and what became of it.
type Clause struct {
	Grant string   `json:"grant"`
	Role  RoleName `json:"role"`
	Scope string   `json:"scope,omitempty"`
	// what the grant lists, whether or not the scope is about it
	Practices []PracticeID  `json:"practices,omitempty"`
	Locations []LocationID  `json:"locations,omitempty"`
	Queues    []QueueID     `json:"queues,omitempty"`
	Verdict   Verdict       `json:"verdict"`
	Forbid    string        `json:"forbid,omitempty"` // that held the record back
	From      time.Time     `json:"from,omitzero"`
	Until     time.Time     `json:"until,omitzero"`
	By        audit.ActorID `json:"by,omitempty"`
	Why       string        `json:"why,omitempty"`
	Source    Source        `json:"source,omitempty"`
}

// Verdict says what one permission contributed. Verdicts are API; words are the host's.
type Verdict string

// The verdicts.
const (
	VerdictAllows    Verdict = "allows"        // it reaches the record; without a record: some records
	VerdictScope     Verdict = "out_of_scope"  // it does not reach the record, or nothing at all
	VerdictForbidden Verdict = "forbidden"     // it would, but for a Forbid
	VerdictOff       Verdict = "switched_off"  // the tenant has switched it off
	VerdictNotYet    Verdict = "not_yet"       // the grant begins later
	VerdictOver      Verdict = "over"          // the grant has ended by its time
	VerdictNone      Verdict = "no_permission" // the role has nothing to do with the action
	VerdictRole      Verdict = "unknown_role"  // the policy has no such role
	VerdictKind      Verdict = "other_kind"    // the role is for another kind of actor
	VerdictSuspended Verdict = "suspended"     // the grant that takes every other away
)

// Explainer is what can explain: an Authorizer, or what is Supposed of one.
type Explainer interface{ authorizer() *Authorizer }

func (z *Authorizer) authorizer() *Authorizer { return z }

// Explain says why who may do a to r, or may not, with every clause that was tried. who is
// somebody of the tenant of the actor in ctx: ID and Kind are used, of services and agents its Scopes
// and OnBehalfOf as well, and of somebody else than that actor the assurance is taken to be enough. Like Check it only asks; duties are listed
// and not looked at. Guard the page that shows it with an action of its own.
//
// A denial is an Explanation and no error. An error wraps ErrUndecided.
func Explain[R Resource](ctx context.Context, e Explainer, who audit.Actor, a Action[R], r R) (Explanation, error) {
	attrs := r.RBAC()
	return e.authorizer().explain(ctx, who, a.def, &attrs)
}

// Rights explains, for every action that the policy lists, in order of the list, where who
// may do it: which grants reach some record, which none, and why. Of tenant-level actions it
// is the decision. For the rest see Explain.
func Rights(ctx context.Context, e Explainer, who audit.Actor) ([]Explanation, error) {
	z := e.authorizer()
	if z.Policy() == nil {
		return nil, fmt.Errorf("%w: no authorizer", ErrUndecided)
	}
	var out []Explanation
	for _, d := range z.Policy().actions {
		x, err := z.explain(ctx, who, d, d.anywhere(actor(ctx).Tenant))
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// explain answers about a resource, or without one about any.
func (z *Authorizer) explain(ctx context.Context, who audit.Actor, d *definition, a *Attrs) (Explanation, error) {
	now, ctx := z.now(), asking(ctx, who)
	s, err := z.read(ctx, now)
	if err != nil {
		return Explanation{Code: CodeUndecided}, err
	}
	dec, err := s.decideAny(ctx, d, a, now)
	x := Explanation{
		At: now, Policy: s.policy.digest, Person: s.id, Allowed: dec.Allowed && err == nil, Code: dec.Code,
		Role: dec.Role, Grant: dec.Grant, Forbid: dec.Forbid, Emergency: dec.Emergency, Suspended: s.suspended,
	}
	if err != nil {
		return x, err
	}
	if d != nil {
		x.Action, x.Duties = d.name, d.duties()
	}
	if dec.Allowed {
		x.Scope = scopeText(dec.Scope)
	} else {
		x.Exceptions = dec.Code.Exceptions()
	}
	if s.known && d != nil {
		x.Clauses, err = s.clauses(ctx, d, a, now)
	}
	return x, err
}

// asking returns a context in which who asks, in the tenant of the actor in ctx.
func asking(ctx context.Context, who audit.Actor) context.Context {
	me := actor(ctx)
	who.Tenant = me.Tenant
	if who.ID != me.ID || who.Kind != me.Kind {
		who.Assurance = audit.AAL3
	} else {
		who.Assurance = me.Assurance
	}
	return audit.WithActor(ctx, who)
}

// decideAny is decide, and without a resource what a list would be decided as.
func (s *subject) decideAny(ctx context.Context, d *definition, a *Attrs, now time.Time) (Decision, error) {
	if a != nil {
		return s.decide(ctx, d, a, now)
	}
	f, _ := s.reach(d, now)
	err := f.licensed(ctx)
	return f.allow, err
}

// clauses tries every permission of every grant that was not revoked.
func (s *subject) clauses(ctx context.Context, d *definition, a *Attrs, now time.Time) ([]Clause, error) {
	grants, err := s.z.store.Grants(ctx, s.tenant, s.id)
	if err != nil {
		return nil, fmt.Errorf("%w: reading grants: %w", ErrUndecided, err)
	}
	out := []Clause{}
	q := question{s: s, us: now.UnixMicro(), columns: &d.columns, emergency: s.mayOpen()}
	for _, g := range grants {
		c := clauseOf(g)
		if c.Verdict = s.standing(g, d, now); c.Verdict != "" {
			out = append(out, c)
			continue
		}
		tried, err := s.try(ctx, c, g, d, &q, a)
		if err != nil {
			return nil, fmt.Errorf("%w: asking a relation: %w", ErrUndecided, err)
		}
		out = append(out, tried...)
	}
	return out, nil
}

func clauseOf(g Grant) Clause {
	return Clause{
		Grant: g.ID, Role: g.Role, Practices: g.Practices, Locations: g.Locations, Queues: g.Queues,
		From: g.From, Until: g.Until, By: g.By, Why: g.Why, Source: g.Source,
	}
}

// reach is the clause's scope with what its grant lists.
func (c Clause) reach() string {
	text := c.Scope
	for _, list := range []struct {
		name string
		ids  []string
	}{{"practice", tidy(c.Practices)}, {"location", tidy(c.Locations)}, {"queue", tidy(c.Queues)}} {
		if len(list.ids) > 0 && strings.Contains(c.Scope, list.name) {
			text += fmt.Sprintf(" %q", list.ids)
		}
	}
	return text
}

// standing says why a grant has nothing to say about an action, "" if it has.
func (s *subject) standing(g Grant, d *definition, now time.Time) Verdict {
	i, ok := s.policy.byName[g.Role]
	switch {
	case !g.Until.IsZero() && !now.Before(g.Until):
		return VerdictOver
	case !g.InForce(now):
		return VerdictNotYet
	case g.Role == Suspended:
		return VerdictSuspended
	case !ok || g.Tenant != s.tenant || g.Person != s.id:
		return VerdictRole
	case s.policy.roles[i].Kind != s.kind || !g.visitable():
		return VerdictKind
	}
	if at, ok := s.policy.index[d]; !ok || s.policy.roles[i].rules[at] == nil {
		return VerdictNone
	}
	return ""
}

// try asks every clause of a grant's rule as rule.ask does, and does not stop at the first.
func (s *subject) try(ctx context.Context, c Clause, g Grant, d *definition, q *question, a *Attrs) ([]Clause, error) {
	r := s.policy.roles[s.policy.byName[g.Role]].rules[s.policy.index[d]]
	l := lists{tidy(g.Practices), tidy(g.Locations), tidy(g.Queues)}
	var out []Clause
	for i := range r.clauses {
		c.Scope, c.Forbid = scopeText(r.clauses[i].scope), ""
		verdict, forbid, err := s.verdict(ctx, r, &r.clauses[i], q, &l, a)
		if err != nil {
			return nil, err
		}
		c.Verdict, c.Forbid = verdict, forbid
		out = append(out, c)
	}
	return out, nil
}

func (s *subject) verdict(ctx context.Context, r *rule, c *clause, q *question, l *lists, a *Attrs) (Verdict, string, error) {
	switch {
	case !s.on.has(c.choice):
		return VerdictOff, "", nil
	case a == nil && c.node.reachable(l):
		return VerdictAllows, "", nil
	case a == nil, a.Tenant == "", a.Tenant != s.tenant:
		return VerdictScope, "", nil
	}
	ok, err := c.node.match(ctx, q, l, a)
	if err != nil || !ok {
		return VerdictScope, "", err
	}
	name, err := r.blocked(ctx, q, l, a)
	if name != "" {
		return VerdictForbidden, name, err
	}
	return VerdictAllows, "", err
}
