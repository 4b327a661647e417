package rbac

import (
	"context"

	"github.com/wardkit/wardkit/audit"
)

// Forbid takes records away from whoever would reach them otherwise: it wins over every
// permission that it holds back, in checks and in lists. A permission that it does not hold
// back must reach the record itself; what an exempt role does not reach stays forbidden.
//
//	rbac.Forbid{Name: "psychotherapy_notes", Labels: rbac.LabelPsychotherapy,
//		Except: rbac.Author, Why: "45 CFR 164.508(a)(2)"}
type Forbid struct {
	Name        string       // stable: events of denials carry it; lower-case letters, digits, underscores
	Labels      Labels       // which records: those that carry any of these; required
	Actions     []AnyAction  // what is forbidden on them; empty: everything
	Kinds       []audit.Kind // whose roles are held back; empty: every role
	Except      Scope        // records reached in this scope are not held back; nil: no exception
	ExceptRoles []RoleName   // permissions of these roles are not held back
	Why         string       // the source of the rule, for people; at most 200 bytes
}

// bar is a Forbid compiled for one permission.
type bar struct {
	labels Labels
	except *node // nil: no exception
	name   string
}

// blocks reports whether the resource is held back.
func (b *bar) blocks(ctx context.Context, q *question, l *lists, a *Attrs) (bool, error) {
	if a.Labels&b.labels == 0 {
		return false, nil
	}
	if b.except == nil {
		return true, nil
	}
	excepted, err := b.except.match(ctx, q, l, a)
	return !excepted, err
}

// sql returns the condition that a row is not held back, always if the type has no labels.
func (b *bar) sql(q *question, l *lists, args *Args, prefix string) string {
	if q.columns.labelled() == "" {
		return always
	}
	free := withoutLabels(q, b.labels, args, prefix)
	if b.except == nil {
		return free
	}
	return either([]string{free, b.except.sql(q, l, args, prefix)})
}

// withoutLabels is the condition that a row carries none of the labels.
func withoutLabels(q *question, l Labels, args *Args, prefix string) string {
	return "(COALESCE(" + prefix + q.columns.labelled() + ", 0) & CAST(" + args.Add(int64(l)) + " AS BIGINT)) = 0"
}

// rule is what one role may do with one action: in any of the clauses, unless a bar holds the
// record back. Permissions that mean the same share one rule.
type rule struct {
	clauses []clause
	bars    []bar
	labels  Labels // of all bars
}

// clause is one scope of a rule.
type clause struct {
	node   node
	scope  Scope // as declared
	choice int   // the tenant's choice that switches it, -1 for none
}

// verdict is what one grant says about a resource.
type verdict uint8

const (
	silent  verdict = iota // no permission of it counts
	outside                // the resource lies in none of its scopes
	barred                 // a Forbid holds the resource back
	allowed
)

// ask lets a rule speak about a resource: by is the clause that allowed it, or would have, and forbid
// the name of what holds it back.
func (r *rule) ask(ctx context.Context, q *question, l *lists, a *Attrs) (v verdict, by *clause, forbid string, err error) {
	for i := range r.clauses {
		c := &r.clauses[i]
		if !q.s.on.has(c.choice) {
			continue
		}
		ok, err := c.node.match(ctx, q, l, a)
		switch {
		case err != nil:
			return silent, nil, "", err
		case !ok:
			v = outside
			continue
		}
		if a.Labels != 0 { // nothing holds back what carries none
			forbid, err = r.blocked(ctx, q, l, a)
		}
		if forbid != "" || err != nil {
			return barred, c, forbid, err
		}
		return allowed, c, "", nil
	}
	return v, nil, "", nil
}

// blocked returns the name of the first Forbid that holds the resource back, "" for none.
func (r *rule) blocked(ctx context.Context, q *question, l *lists, a *Attrs) (string, error) {
	if !valid(a.Labels) {
		return unknownLabel, nil
	}
	if a.Labels&r.labels == 0 {
		return "", nil
	}
	for i := range r.bars {
		if held, err := r.bars[i].blocks(ctx, q, l, a); err != nil || held {
			return r.bars[i].name, err
		}
	}
	return "", nil
}
