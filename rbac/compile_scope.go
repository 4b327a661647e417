package rbac

import (
	"cmp"
	"slices"
)

// maxParts is how many basic scopes a scope may be made of.
const maxParts = 32

// malformed says what is wrong with a scope whatever it is used for, "" if nothing is.
func (c *compiler) malformed(s Scope) string {
	parts, why := 0, ""
	var walk func(Scope)
	walk = func(s Scope) {
		switch s := s.(type) {
		case Base:
			if parts++; s == 0 || s > lastBase {
				why = "no such scope"
			}
		case related:
			if parts++; !slices.Contains(c.p.related[relOthers:], string(s)) {
				why = "no such relation in Relations.Others"
			}
		case *combined:
			if s == nil || len(s.parts) == 0 {
				why = "a combination of nothing"
				return
			}
			for _, p := range s.parts {
				walk(p)
			}
		default:
			why = "permissions without a scope"
		}
	}
	walk(s)
	if parts > maxParts {
		why = "too many parts"
	}
	return why
}

// personal reports whether a scope is bound to the actor's own records, as that of a patient
// or proxy must be.
func personal(s Scope) bool {
	switch s := s.(type) {
	case Base:
		return s == Self || s == Proxy || s == Author
	case related:
		return true
	case *combined:
		switch s.op {
		case opAll:
			return slices.ContainsFunc(s.parts, personal)
		case opAny:
			return !slices.ContainsFunc(s.parts, func(p Scope) bool { return !personal(p) })
		}
	}
	return false
}

// node compiles a scope for an action. why says why it cannot mean anything there.
func (c *compiler) node(s Scope, d *definition) (n node, why string) {
	if why := c.malformed(s); why != "" {
		return node{}, why
	}
	if n, why = c.build(s, d, false); why == "" && n.op == "" && n.leaf == leafTenant && n.not {
		why = "it reaches nothing"
	}
	return n, why
}

// build compiles a well-formed scope, negated if not is set.
func (c *compiler) build(s Scope, d *definition, not bool) (node, string) {
	switch s := s.(type) {
	case Base:
		return c.base(s, d, not)
	case related:
		return c.relation(relOthers+slices.Index(c.p.related[relOthers:], string(s)), d, not)
	case *combined:
		if s.op == opNot {
			return c.build(s.parts[0], d, !not)
		}
		parts := make([]node, len(s.parts))
		for i, p := range s.parts {
			n, why := c.build(p, d, not)
			if why != "" {
				return node{}, why
			}
			parts[i] = n
		}
		if (s.op == opAll) != not {
			return all(parts), ""
		}
		return anyOf(parts), ""
	}
	return node{}, "permissions without a scope"
}

// base compiles a basic scope.
func (c *compiler) base(b Base, d *definition, not bool) (node, string) {
	attribute := func(f leaf, column, why string) (node, string) {
		if column != "" {
			why = ""
		}
		return node{leaf: f, not: not}, why
	}
	col := d.columns
	switch b {
	case Tenant:
		return node{leaf: leafTenant, not: not}, ""
	case Practice:
		return attribute(leafPractice, col.Practice, "the resource has no practice")
	case Location:
		return attribute(leafLocation, col.Location, "the resource has no location")
	case Queue:
		return attribute(leafQueue, col.Queue, "the resource has no queue")
	case Author:
		return attribute(leafAuthor, col.Author, "the resource has no author")
	case Self:
		return c.self(d, not)
	case Own:
		return c.relation(relOwn, d, not)
	case Supervisees:
		return c.relation(relSupervisees, d, not)
	case Proxy:
		return c.relation(relProxy, d, not)
	case Consented:
		return c.relation(relConsent, d, not)
	case Emergency:
		return c.emergency(d, not)
	}
	return node{}, "no such scope"
}

// self is the owner or the patient whose account it is, as far as the type and the relations
// can tell.
func (c *compiler) self(d *definition, not bool) (node, string) {
	var parts []node
	if d.columns.Owner != "" {
		parts = append(parts, node{leaf: leafOwner, not: not})
	}
	if d.columns.Patient != "" && c.p.relations[relSelf] != nil {
		parts = append(parts, node{leaf: leafRelation, rel: relSelf, not: not, cost: 1})
	}
	switch {
	case len(parts) == 0:
		return node{}, "the resource has no owner, and no relation tells whose patient it is"
	case not:
		return all(parts), ""
	}
	return anyOf(parts), ""
}

func (c *compiler) relation(i int, d *definition, not bool) (node, string) {
	switch {
	case c.p.relations[i] == nil:
		return node{}, "Relations has no relation " + c.p.related[i]
	case d.columns.Patient == "":
		return node{}, "the resource has no patient"
	}
	return node{leaf: leafRelation, rel: i, not: not, cost: 1}, ""
}

// all and anyOf combine nodes, the cheapest first, and leave out what changes nothing.
func all(parts []node) node {
	return combine(opAll, parts, func(n node) bool { return n.everywhere() }, nowhere)
}

func anyOf(parts []node) node {
	return combine(opAny, parts, nowhere, func(n node) bool { return n.everywhere() })
}

// nowhere reports whether a node is Not(Tenant).
func nowhere(n node) bool { return n.op == "" && n.leaf == leafTenant && n.not }

// combine drops parts that are neutral, and is the part that decides alone where there is one.
func combine(o op, parts []node, neutral, decides func(node) bool) node {
	if i := slices.IndexFunc(parts, decides); i >= 0 {
		return parts[i]
	}
	kept := slices.DeleteFunc(slices.Clone(parts), neutral)
	switch len(kept) {
	case 0:
		return parts[0]
	case 1:
		return kept[0]
	}
	slices.SortStableFunc(kept, func(a, b node) int { return cmp.Compare(a.cost, b.cost) })
	out := node{op: o, parts: kept}
	for _, n := range kept {
		out.cost = max(out.cost, n.cost)
	}
	return out
}
