package rbac

import (
	"slices"
	"strings"
)

// Scope says which resources a permission reaches: a Base, a relation of the host by Related,
// or And, Or and Not of scopes. The set is closed: each scope has one meaning in Go and one in
// SQL, both in this package, made from the same node.
//
// A scope never crosses tenants. What a scope would have to know and the record does not say
// (an empty attribute, a grant without a list) is not reached, by the scope nor by its Not.
type Scope interface {
	// String returns the scope as events carry it: "own", "all(own,not(author))".
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
	// Location reaches the resources of the locations that the grant lists.
	Location
	// Queue reaches the resources that are in a queue or step of a workflow that the grant
	// lists: a prescreening answer that waits for licensed staff.
	Queue
	// Own reaches the resources of the patients in the actor's care, as Relations.Own says.
	Own
	// Supervisees reaches the resources of the patients in the care of the people whom the
	// actor supervises, as Relations.Supervisees says.
	Supervisees
	// Self reaches what belongs to the actor (Attrs.Owner) and, where Relations.Self is
	// declared, what is about the patient whose account it is.
	Self
	// Proxy reaches the resources of the patients for whom the actor may act, as
	// Relations.Proxy says: a parent, a guardian, an agent under a power of attorney.
	Proxy
	// Author reaches what the actor wrote (Attrs.Author).
	Author
	// Consented reaches the resources of the patients whose consent in force names the actor,
	// as Relations.Consent says.
	Consented
	// Emergency reaches the resources of the patients for whom the actor, a member of staff who
	// acts for nobody else, holds an open emergency grant, as Relations.Emergency says. It only
	// widens: Compile refuses it inside Not, in a role that is not for staff, and for every action
	// that does not just read (another verb, destructive, in category Exports).
	Emergency
)

// lastBase is the greatest Base.
const lastBase = Emergency

// String returns the name: "tenant", "practice" and so on, "nothing" for the zero Base.
func (b Base) String() string {
	if b > lastBase {
		b = 0
	}
	return [lastBase + 1]string{
		"nothing", "tenant", "practice", "location", "queue", "own", "supervisees", "self",
		"proxy", "author", "consented", "emergency",
	}[b]
}

func (Base) scope() {}

// related is a relation of the host by name.
type related string

func (r related) String() string { return "related(" + string(r) + ")" }
func (related) scope()           {}

// Related reaches the resources of the patients to whom the actor has the relation of this
// name in Relations.Others: an authority of a proxy, a study, an on-call roster.
func Related(name string) Scope { return related(name) }

// op is how a combined scope combines.
type op string

const (
	opAll op = "all"
	opAny op = "any"
	opNot op = "not"
)

// combined is a scope made of scopes. It is used by pointer, so that scopes can be compared.
type combined struct {
	op    op
	parts []Scope
}

func (c *combined) scope() {}

func (c *combined) String() string {
	parts := make([]string, len(c.parts))
	for i, p := range c.parts {
		parts[i] = scopeText(p)
	}
	return string(c.op) + "(" + strings.Join(parts, ",") + ")"
}

// And reaches what every one of the scopes reaches.
func And(scopes ...Scope) Scope { return &combined{opAll, slices.Clone(scopes)} }

// Or reaches what any of the scopes reaches. A role that is given two scopes for an action
// has their Or.
func Or(scopes ...Scope) Scope { return &combined{opAny, slices.Clone(scopes)} }

// Not reaches what s could reach and does not. Not(Author) is everything that somebody else
// wrote, and nothing of which the author is not known.
func Not(s Scope) Scope { return &combined{opNot, []Scope{s}} }

func scopeText(s Scope) string {
	if s == nil {
		return Base(0).String()
	}
	return s.String()
}
