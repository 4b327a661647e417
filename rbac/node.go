package rbac

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// node is a scope compiled for one type of resource: the only place where a scope's meaning is
// written down, once in Go (match) and once in SQL (sql). Both assume that the tenant was
// compared before. Not has been pushed down to the leaves, so that a leaf is met only if the
// record has the attribute it is about: what is unknown is never reached.
type node struct {
	op    op     // "" for a leaf
	parts []node // of an op
	leaf  leaf
	rel   int // of a leafRelation: its index in Policy.relations
	not   bool
	cost  int // 1 if a relation must be asked, else 0
}

// leaf is what a leaf compares.
type leaf uint8

const (
	leafNothing leaf = iota
	leafTenant
	leafPractice // these three: with a list of the grant
	leafLocation
	leafQueue
	leafOwner
	leafAuthor
	leafRelation
)

// lists are the practices, locations and queues of a grant, each sorted and without empty
// ids: by leaf, from leafPractice on.
type lists [3][]string

func (l *lists) of(f leaf) []string { return l[f-leafPractice] }

// question is what nodes are asked about one resource, with the answers of relations kept, so
// that each is asked once.
type question struct {
	s          *subject // who asks
	us         int64    // now, in microseconds
	columns    *Columns
	asked, yes relationSet // the relations that were asked, and those that said yes
	emergency  bool        // whether open emergency access counts
	opened     string      // the emergency grant that was found, once it was asked for
}

func (q *question) now() time.Time { return time.UnixMicro(q.us).UTC() }

// relationSet is a set of relations by their index in the policy, at most maxRelations.
type relationSet uint16

// heard keeps what a relation said.
func (q *question) heard(rel int, has bool) {
	q.asked |= 1 << rel
	q.yes &^= 1 << rel
	if has {
		q.yes |= 1 << rel
	}
}

// match reports whether the resource lies in the scope.
func (n *node) match(ctx context.Context, q *question, l *lists, a *Attrs) (bool, error) {
	switch {
	case n.op != "":
		return n.combine(ctx, q, l, a)
	case n.leaf == leafRelation:
		return q.related(ctx, n, a)
	}
	return n.compare(q, l, a), nil
}

// combine is match for all or any of several parts.
func (n *node) combine(ctx context.Context, q *question, l *lists, a *Attrs) (bool, error) {
	for i := range n.parts {
		if ok, err := n.parts[i].match(ctx, q, l, a); err != nil || ok != (n.op == opAll) {
			return ok && err == nil, err
		}
	}
	return n.op == opAll, nil
}

// compare is match for leaves that need no relation.
func (n *node) compare(q *question, l *lists, a *Attrs) bool {
	switch n.leaf {
	case leafTenant:
		return !n.not
	case leafPractice, leafLocation, leafQueue:
		value, list := a.listed(n.leaf), l.of(n.leaf)
		return value != "" && len(list) > 0 && among(list, value) != n.not
	case leafOwner:
		return a.Owner != "" && (a.Owner == q.s.id) != n.not
	case leafAuthor:
		return a.Author != "" && (a.Author == q.s.id) != n.not
	}
	return false
}

// listed is the attribute that a leaf looks up in a list of the grant.
func (a *Attrs) listed(f leaf) string {
	switch f {
	case leafPractice:
		return string(a.Practice)
	case leafLocation:
		return string(a.Location)
	}
	return string(a.Queue)
}

// among reports whether v is in a sorted list.
func among(list []string, v string) bool {
	if len(list) <= 8 {
		return slices.Contains(list, v)
	}
	_, ok := slices.BinarySearch(list, v)
	return ok
}

func (q *question) related(ctx context.Context, n *node, a *Attrs) (bool, error) {
	if a.Patient == "" || n.rel == relEmergency && !q.emergency {
		return false, nil
	}
	if q.asked&(1<<n.rel) == 0 {
		var has bool
		var err error
		if n.rel == relEmergency {
			has, err = q.urgent(ctx, a.Patient)
		} else {
			has, err = q.s.policy.relations[n.rel].Has(ctx, q.s.tenant, q.s.id, a.Patient, q.now())
		}
		if err != nil {
			return false, err
		}
		q.heard(n.rel, has)
	}
	return (q.yes&(1<<n.rel) != 0) != n.not, nil
}

// urgent asks for an emergency grant. It is the id that is asked for, so that nothing is allowed by a
// grant that cannot be named.
func (q *question) urgent(ctx context.Context, patient audit.Patient) (has bool, err error) {
	q.opened, err = q.s.policy.emergency.Grant(ctx, q.s.tenant, q.s.id, patient, q.now())
	if err == nil && q.opened != "" && !validID(q.opened) {
		err = errEmergencyID
	}
	return q.opened != "", err
}

// reachable reports whether any resource can lie in the scope, given the lists of a grant.
func (n *node) reachable(l *lists) bool {
	part := func(p node) bool { return p.reachable(l) }
	switch {
	case n.op == opAll:
		return !slices.ContainsFunc(n.parts, func(p node) bool { return !part(p) })
	case n.op == opAny:
		return slices.ContainsFunc(n.parts, part)
	case n.leaf.listed():
		return len(l.of(n.leaf)) > 0
	}
	return n.leaf != leafNothing
}

// listed reports whether the leaf is about a list of the grant.
func (f leaf) listed() bool { return f >= leafPractice && f <= leafQueue }

// everywhere reports whether the scope is the whole tenant.
func (n *node) everywhere() bool { return n.op == "" && n.leaf == leafTenant && !n.not }

// uses reports whether a leaf of the scope is about f.
func (n *node) uses(f leaf) bool {
	return n.op == "" && n.leaf == f || slices.ContainsFunc(n.parts, func(p node) bool { return p.uses(f) })
}

// usesLists reports whether the scope depends on a list of the grant.
func (n *node) usesLists() bool {
	return n.uses(leafPractice) || n.uses(leafLocation) || n.uses(leafQueue)
}

// sql returns the same as a condition on the columns, never if no row can match. The order of
// its arguments is that of their placeholders.
func (n *node) sql(q *question, l *lists, args *Args, prefix string) string {
	switch n.op {
	case opAll:
		return join(" AND ", n.conditions(q, l, args, prefix))
	case opAny:
		return either(n.conditions(q, l, args, prefix))
	}
	switch n.leaf {
	case leafTenant:
		if n.not {
			return never
		}
		return always
	case leafPractice, leafLocation, leafQueue:
		return n.listSQL(l.of(n.leaf), args, prefix+q.columns.listed(n.leaf))
	case leafOwner:
		return n.actorSQL(q, args, prefix+q.columns.Owner)
	case leafAuthor:
		return n.actorSQL(q, args, prefix+q.columns.Author)
	case leafRelation:
		return n.relatedSQL(q, args, prefix+q.columns.Patient)
	}
	return never
}

func (n *node) conditions(q *question, l *lists, args *Args, prefix string) []string {
	out := make([]string, len(n.parts))
	for i := range n.parts {
		out[i] = n.parts[i].sql(q, l, args, prefix)
	}
	return out
}

func (c *Columns) listed(f leaf) string {
	switch f {
	case leafPractice:
		return c.Practice
	case leafLocation:
		return c.Location
	}
	return c.Queue
}

func (n *node) listSQL(list []string, args *Args, column string) string {
	switch {
	case len(list) == 0:
		return never
	case n.not:
		return "(" + column + " <> '' AND NOT (" + args.Among(column, list) + "))"
	}
	return args.Among(column, list)
}

func (n *node) actorSQL(q *question, args *Args, column string) string {
	if n.not {
		return "(" + column + " <> '' AND " + column + " <> " + args.Add(string(q.s.id)) + ")"
	}
	return column + " = " + args.Add(string(q.s.id))
}

// relatedSQL asks the relation. IS NOT TRUE, because a relation's table may hold NULLs, of
// which IN and NOT IN make neither yes nor no.
func (n *node) relatedSQL(q *question, args *Args, column string) string {
	if n.rel == relEmergency && !q.emergency {
		return never
	}
	has := q.s.policy.relations[n.rel].SQL(args, column, q.s.tenant, q.s.id, q.now())
	if n.not {
		return "(" + column + " <> '' AND (" + has + ") IS NOT TRUE)"
	}
	return "(" + column + " <> '' AND " + has + ")"
}
