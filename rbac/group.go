package rbac

import (
	"context"
	"slices"
)

// group is the part of a filter that the same forbids hold back: rows in any of its parts, and
// behind no bar. Several scopes that say the same are one part.
type group struct {
	bars  []bar
	lists *lists // of the grant, for the exceptions of bars
	parts []part
}

// part is one scope of a filter with the lists of the grant that it came with.
type part struct {
	node  *node
	lists lists
}

// sameBars reports whether a rule is held back exactly as the group is.
func (g *group) sameBars(r *rule, l *lists) bool {
	if !slices.EqualFunc(g.bars, r.bars, func(a, b bar) bool { return a.name == b.name && (a.except == nil) == (b.except == nil) }) {
		return false
	}
	return g.lists.equal(l) || !slices.ContainsFunc(g.bars, func(b bar) bool { return b.except != nil && b.except.usesLists() })
}

func (l *lists) equal(other *lists) bool {
	for i := range l {
		if !slices.Equal(l[i], other[i]) {
			return false
		}
	}
	return true
}

// add takes a scope, unless its rows are in already.
func (g *group) add(n *node, l *lists) {
	if g.everything() {
		return
	}
	if n.everywhere() {
		g.parts = []part{{node: n}}
		return
	}
	for i := range g.parts {
		p := &g.parts[i]
		switch {
		case !same(p.node, n):
		case n.listed():
			at := n.leaf - leafPractice
			p.lists[at] = union(p.lists[at], l[at])
			return
		case !n.usesLists():
			return
		}
	}
	g.parts = append(g.parts, part{n, *l})
}

// listed reports whether the scope is just a list of the grant.
func (n *node) listed() bool { return n.op == "" && n.leaf.listed() && !n.not }

// same reports whether two nodes mean the same, given the same lists.
func same(a, b *node) bool {
	return a.op == b.op && a.leaf == b.leaf && a.rel == b.rel && a.not == b.not &&
		slices.EqualFunc(a.parts, b.parts, func(x, y node) bool { return same(&x, &y) })
}

// everything reports whether the group is the whole tenant, but for its bars.
func (g *group) everything() bool { return len(g.parts) == 1 && g.parts[0].node.everywhere() }

// match reports whether the group lets a resource through.
func (g *group) match(ctx context.Context, q *question, a *Attrs) (bool, error) {
	for i := range g.parts {
		ok, err := g.parts[i].node.match(ctx, q, &g.parts[i].lists, a)
		if err != nil {
			return false, err
		}
		if ok {
			return g.free(ctx, q, a)
		}
	}
	return false, nil
}

// free reports whether no bar holds a resource back.
func (g *group) free(ctx context.Context, q *question, a *Attrs) (bool, error) {
	for i := range g.bars {
		if held, err := g.bars[i].blocks(ctx, q, g.lists, a); err != nil || held {
			return false, err
		}
	}
	return true, nil
}

// sql returns the group as a condition.
func (g *group) sql(q *question, args *Args, prefix string) string {
	parts := make([]string, 0, 4)
	for i := range g.parts {
		parts = append(parts, g.parts[i].node.sql(q, &g.parts[i].lists, args, prefix))
	}
	condition := either(parts)
	if condition == never {
		return never
	}
	if len(g.bars) == 0 {
		return condition
	}
	all := []string{condition}
	if g.everything() {
		all = nil
	}
	for i := range g.bars {
		if free := g.bars[i].sql(q, g.lists, args, prefix); free != always {
			all = append(all, free)
		}
	}
	if len(all) == 0 {
		return always
	}
	return join(" AND ", all)
}

// covers reports whether every role that contributed to was still does, with every list. What
// was begun under another policy is not covered.
func (f *filter) covers(was *filter) bool {
	if was.person != nil && (f.person == nil || !f.person.covers(was.person)) {
		return false
	}
	if f.s.policy != was.s.policy || was.list.somewhere&^f.list.somewhere != 0 || was.list.everywhere&^f.list.everywhere != 0 {
		return false
	}
	for i := range was.groups {
		if !slices.ContainsFunc(f.groups, func(g group) bool { return g.covers(&was.groups[i]) }) {
			return false
		}
	}
	return true
}

// covers reports whether g reaches all that other does.
func (g *group) covers(other *group) bool {
	if len(g.bars) > 0 && !g.sameBars(&rule{bars: other.bars}, other.lists) {
		return false
	}
	return g.everything() || !slices.ContainsFunc(other.parts, func(p part) bool {
		return !slices.ContainsFunc(g.parts, func(mine part) bool { return mine.covers(&p) })
	})
}

// covers reports whether p reaches all that other does.
func (p *part) covers(other *part) bool {
	if !same(p.node, other.node) {
		return false
	}
	for i := range p.lists {
		more := slices.Equal(p.lists[i], other.lists[i]) || !p.node.usesLists() ||
			p.node.listed() && len(union(p.lists[i], other.lists[i])) == len(p.lists[i])
		if !more {
			return false
		}
	}
	return true
}
