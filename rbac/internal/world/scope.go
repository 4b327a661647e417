package world

import (
	"slices"

	"github.com/wardkit/wardkit/rbac"
)

// Expr is a scope as the naive evaluator reads it: a word, or op of parts.
type Expr struct {
	Word  string // "tenant", "practice" …, "full" for Related("full")
	Op    string // "and", "or", "not"
	Parts []Expr
}

func bases() map[string]rbac.Scope {
	return map[string]rbac.Scope{
		"tenant": rbac.Tenant, "practice": rbac.Practice, "location": rbac.Location, "queue": rbac.Queue,
		"own": rbac.Own, "supervisees": rbac.Supervisees, "self": rbac.Self, "proxy": rbac.Proxy,
		"author": rbac.Author, "consented": rbac.Consented, "emergency": rbac.Emergency, "full": rbac.Related("full"),
	}
}

// Scope returns the same for rbac.
func (x Expr) Scope() rbac.Scope {
	var parts []rbac.Scope
	for _, p := range x.Parts {
		parts = append(parts, p.Scope())
	}
	switch x.Op {
	case "and":
		return rbac.And(parts...)
	case "or":
		return rbac.Or(parts...)
	case "not":
		return rbac.Not(parts[0])
	}
	return bases()[x.Word]
}

// supports reports whether an action with these columns can be granted in a scope.
func (x Expr) supports(c rbac.Columns) bool {
	for _, p := range x.Parts {
		if !p.supports(c) {
			return false
		}
	}
	switch x.Word {
	case "practice":
		return c.Practice != ""
	case "location":
		return c.Location != ""
	case "queue":
		return c.Queue != ""
	case "author":
		return c.Author != ""
	case "self":
		return c.Owner != "" || c.Patient != ""
	case "own", "supervisees", "proxy", "consented", "emergency", "full":
		return c.Patient != ""
	}
	return true
}

// uses reports whether the word occurs.
func (x Expr) uses(word string) bool {
	return x.Word == word || slices.ContainsFunc(x.Parts, func(p Expr) bool { return p.uses(word) })
}

// negates reports whether a word occurs inside a Not.
func (x Expr) negates(word string) bool {
	return x.Op == "not" && x.uses(word) || slices.ContainsFunc(x.Parts, func(p Expr) bool { return p.negates(word) })
}

// expr makes a random scope from words.
func (w *World) expr(words []string, depth int) Expr {
	if depth == 0 || w.rnd.IntN(2) == 0 {
		return Expr{Word: pick(w, words)}
	}
	switch w.rnd.IntN(5) {
	case 0, 1:
		return Expr{Op: "and", Parts: []Expr{w.expr(words, depth-1), w.expr(words, depth-1)}}
	case 2, 3:
		return Expr{Op: "or", Parts: []Expr{w.expr(words, depth-1), w.expr(words, depth-1)}}
	}
	return Expr{Op: "not", Parts: []Expr{w.expr(words, depth-1)}}
}

// nothing reports whether a scope is Not(Tenant) however written, which Compile refuses.
func (x Expr) nothing() bool { return x.uses("tenant") && x.Word == "" }
