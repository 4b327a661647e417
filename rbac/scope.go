package rbac

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Scope says which resources a permission reaches. The set is closed: each scope has one
// meaning in Go and one in SQL, both in this package, made from the same node.
type Scope interface {
	// String returns the scope's name as events carry it.
	String() string
	scope()
}

// Base is one of the basic scopes.
type Base uint8

// The basic scopes. The zero Base reaches nothing.
const (
	_ Base = iota
	// Tenant reaches every resource of the actor's tenant.
	Tenant
	// Practice reaches the resources of the practices that the grant lists.
	Practice
	// Own reaches the resources of the patients in the actor's care, as Relations.Own says.
	Own
	// Self reaches what belongs to the actor (Attrs.Owner) and, where Relations.Self is
	// declared, what is about the patient whose account it is.
	Self
)

// String returns "tenant", "practice", "own" or "self".
func (b Base) String() string {
	switch b {
	case Tenant:
		return "tenant"
	case Practice:
		return "practice"
	case Own:
		return "own"
	case Self:
		return "self"
	}
	return "nothing"
}

func (b Base) scope() {}

// node is one scope of one grant: the only place where a scope's meaning is written down,
// once in Go (match) and once in SQL (sql). Both assume that the tenant was compared before.
type node struct {
	base      Base
	practices []PracticeID // of the grant, sorted, none empty; for Practice only
}

// question is what nodes are asked about one resource, with the answers of relations kept, so
// that each is asked once.
type question struct {
	relations *Relations
	columns   *Columns
	tenant    audit.Tenant
	actor     audit.ActorID
	now       time.Time
	own, self answer
}

// answer is what a relation said.
type answer uint8

const (
	unasked answer = iota
	no
	yes
)

// match reports whether the resource lies in the node's scope.
func (n *node) match(ctx context.Context, q *question, a *Attrs) (bool, error) {
	switch n.base {
	case Tenant:
		return true, nil
	case Practice:
		return q.columns.Practice != "" && a.Practice != "" && slices.Contains(n.practices, a.Practice), nil
	case Own:
		return q.related(ctx, q.relations.Own, &q.own, a)
	case Self:
		if q.columns.Owner != "" && a.Owner != "" && a.Owner == q.actor {
			return true, nil
		}
		return q.related(ctx, q.relations.Self, &q.self, a)
	}
	return false, nil
}

func (q *question) related(ctx context.Context, r Relation, known *answer, a *Attrs) (bool, error) {
	if r == nil || q.columns.Patient == "" || a.Patient == "" {
		return false, nil
	}
	if *known == unasked {
		has, err := r.Has(ctx, q.tenant, q.actor, a.Patient, q.now)
		if err != nil {
			return false, err
		}
		*known = no
		if has {
			*known = yes
		}
	}
	return *known == yes, nil
}

// sql returns the same as a condition on the columns, "" if no row can match.
func (n *node) sql(q *question, args *Args, prefix string) string {
	switch n.base {
	case Tenant:
		return always
	case Practice:
		if q.columns.Practice == "" || len(n.practices) == 0 {
			return ""
		}
		return args.Among(prefix+q.columns.Practice, texts(n.practices))
	case Own:
		return q.relatedSQL(q.relations.Own, args, prefix)
	case Self:
		var any []string
		if q.columns.Owner != "" {
			any = append(any, prefix+q.columns.Owner+" = "+args.Add(string(q.actor)))
		}
		any = append(any, q.relatedSQL(q.relations.Self, args, prefix))
		return either(any)
	}
	return ""
}

func (q *question) relatedSQL(r Relation, args *Args, prefix string) string {
	if r == nil || q.columns.Patient == "" {
		return ""
	}
	column := prefix + q.columns.Patient
	return "(" + column + " <> '' AND " + r.SQL(args, column, q.tenant, q.actor, q.now) + ")"
}
