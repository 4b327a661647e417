package world

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Allowed answers as slowly and plainly as possible: is there a grant in force, of a role for
// this kind of actor, that grants the action in a scope in which the row lies, and does no
// forbid hold it back from that role?
func (w *World) Allowed(a audit.Actor, action int, r Row) bool {
	return w.allowed(a, action, r, true)
}

// Emergency returns by which emergency grant the row is allowed, "" if it is not or also without one.
func (w *World) Emergency(a audit.Actor, action int, r Row) string {
	if !w.allowed(a, action, r, true) || w.allowed(a, action, r, false) {
		return ""
	}
	return w.openTo(a.Tenant, a.ID, r.Patient)[0]
}

// openTo returns the ids of open emergency grants in order, for one patient or, without one, for all.
func (w *World) openTo(t audit.Tenant, person audit.ActorID, p audit.Patient) []string {
	ids := []string{}
	for i, l := range w.Links["emergency"] {
		if l.Tenant == t && l.Subject == person && l.holds(w.Now) && (p == "" || l.Object == string(p)) {
			ids = append(ids, LinkID(i))
		}
	}
	return ids
}

// LinkID is the id of a link by its place in Links.
func LinkID(i int) string { return fmt.Sprintf("link-%03d", i) }

func (w *World) allowed(a audit.Actor, action int, r Row, emergency bool) bool {
	if a.Kind == audit.KindAnonymous || a.ID == "" || a.Tenant == "" || r.Tenant != a.Tenant {
		return false
	}
	for _, name := range r.Labels.Names() {
		if _, known := rbac.LabelsOf(name); !known {
			return false
		}
	}
	if w.phi[action] && a.Kind == audit.KindStaff && a.Assurance < audit.AAL2 {
		return false
	}
	if a.Kind == audit.KindAgent && !slices.Contains(a.Scopes(), w.Actions[action].Name()) {
		return false
	}
	if a.OnBehalfOf != "" && !w.may(a.Tenant, a.OnBehalfOf, action, r, false, audit.KindStaff, audit.KindPatient, audit.KindProxy) {
		return false
	}
	return w.may(a.Tenant, a.ID, action, r, emergency && a.Kind == audit.KindStaff && a.OnBehalfOf == "", a.Kind)
}

// may reports whether a grant of a role for one of these kinds allows it.
func (w *World) may(t audit.Tenant, id audit.ActorID, action int, r Row, emergency bool, kinds ...audit.Kind) bool {
	for _, g := range w.Grants {
		if g.Tenant != t || g.Person != id || !w.counts(g) || !slices.Contains(kinds, w.kind(g.Role)) {
			continue
		}
		a := audit.Actor{ID: id, Tenant: t, Kind: w.kind(g.Role)}
		for _, p := range w.perms[g.Role][action] {
			k := ask{w, a, g, r, w.columns[action], emergency}
			if w.switched(a.Tenant, g.Role, action, p.choice) && k.value(p.in) == yes && !w.forbidden(k, action) {
				return true
			}
		}
	}
	return false
}

func (w *World) counts(g rbac.Grant) bool {
	begun := g.From.IsZero() || !g.From.After(w.Now)
	over := !g.Until.IsZero() && !g.Until.After(w.Now)
	return g.Ended.IsZero() && begun && !over
}

func (w *World) kind(name rbac.RoleName) audit.Kind {
	for _, r := range w.Roles {
		if r.Name == name {
			if r.Kind == "" {
				return audit.KindStaff
			}
			return r.Kind
		}
	}
	return "none"
}

// switched reports whether the tenant has a permission on.
func (w *World) switched(t audit.Tenant, role rbac.RoleName, action int, choice string) bool {
	if choice == "" {
		return true
	}
	for _, c := range w.Chosen[t].Choices {
		if c.Role == role && c.Action == w.Actions[action].Name() {
			return c.On
		}
	}
	return choice == "out"
}

func (w *World) forbidden(k ask, action int) bool {
	for _, f := range w.Forbids {
		switch {
		case k.row.Labels&f.rule.Labels == 0:
		case len(f.actions) > 0 && !slices.Contains(f.actions, action):
		case len(f.rule.Kinds) > 0 && !slices.Contains(f.rule.Kinds, k.actor.Kind):
		case slices.Contains(f.rule.ExceptRoles, k.grant.Role):
		case f.except != nil && f.except.supports(k.columns) && k.value(*f.except) == yes:
		default:
			return true
		}
	}
	return false
}

// truth has three values: what is not known is neither yes nor no.
type truth int

const (
	no truth = iota
	unknown
	yes
)

// ask is one grant asked about one row.
type ask struct {
	w       *World
	actor   audit.Actor
	grant   rbac.Grant
	row     Row
	columns rbac.Columns
	urgent  bool // emergency access counts
}

// value reads a scope in Kleene's logic.
func (k ask) value(x Expr) truth {
	switch x.Op {
	case "and":
		return min(k.value(x.Parts[0]), k.value(x.Parts[1]))
	case "or":
		return max(k.value(x.Parts[0]), k.value(x.Parts[1]))
	case "not":
		return yes - k.value(x.Parts[0])
	}
	return k.word(x.Word)
}

func (k ask) word(word string) truth {
	switch word {
	case "tenant":
		return yes
	case "practice":
		return listed(k.grant.Practices, k.row.Practice)
	case "location":
		return listed(k.grant.Locations, k.row.Location)
	case "queue":
		return listed(k.grant.Queues, k.row.Queue)
	case "author":
		return equal(k.row.Author, k.actor.ID)
	case "self":
		self := no
		if k.columns.Owner != "" {
			self = max(self, equal(k.row.Owner, k.actor.ID))
		}
		if k.columns.Patient != "" {
			self = max(self, k.related("self"))
		}
		return self
	}
	return k.related(word)
}

func (k ask) related(name string) truth {
	switch {
	case k.row.Patient == "":
		return unknown
	case name == "emergency" && !k.urgent:
		return no
	case k.w.Has(name, k.actor.Tenant, k.actor.ID, k.row.Patient):
		return yes
	}
	return no
}

func equal(id, actor audit.ActorID) truth {
	switch id {
	case "":
		return unknown
	case actor:
		return yes
	}
	return no
}

func listed[T ~string](list []T, id T) truth {
	real := slices.DeleteFunc(slices.Clone(list), func(v T) bool { return v == "" })
	switch {
	case id == "" || len(real) == 0:
		return unknown
	case slices.Contains(real, id):
		return yes
	}
	return no
}

// Has answers for a relation by its word.
func (w *World) Has(name string, t audit.Tenant, person audit.ActorID, p audit.Patient) bool {
	if name == "supervisees" {
		for _, l := range w.Links["supervision"] {
			if l.Tenant == t && l.Subject == person && l.holds(w.Now) && w.Has("own", t, audit.ActorID(l.Object), p) {
				return true
			}
		}
		return false
	}
	table := name
	if name == "full" {
		table = "proxy"
	}
	for _, l := range w.Links[table] {
		if p != "" && l.Tenant == t && l.Subject == person && l.Object == string(p) && l.holds(w.Now) && (name != "full" || l.Kind == "full") {
			return true
		}
	}
	return false
}

// relation is a world's relation as an rbac.Relation without an SQL reading.
type relation struct {
	w    *World
	name string
}

// Relations returns the world's relations, without an SQL reading.
func (w *World) Relations() rbac.Relations {
	return Relations(func(name string) rbac.Relation { return relation{w, name} }, emergency{relation{w, "emergency"}})
}

// Relations makes rbac.Relations from a function that knows each by its word.
func Relations(of func(name string) rbac.Relation, emergency rbac.EmergencyRelation) rbac.Relations {
	return rbac.Relations{
		Own: of("own"), Supervisees: of("supervisees"), Self: of("self"), Proxy: of("proxy"),
		Consent: of("consented"), Emergency: emergency, Others: map[string]rbac.Relation{"full": of("full")},
	}
}

// Has reports whether the pair is in the world.
func (r relation) Has(_ context.Context, t audit.Tenant, subject audit.ActorID, p audit.Patient, _ time.Time) (bool, error) {
	return r.w.Has(r.name, t, subject, p), nil
}

// emergency is the world's emergency access as an rbac.EmergencyRelation.
type emergency struct{ relation }

// Grant returns the first grant of the pair.
func (e emergency) Grant(_ context.Context, t audit.Tenant, subject audit.ActorID, p audit.Patient, _ time.Time) (string, error) {
	if ids := e.w.openTo(t, subject, p); p != "" && len(ids) > 0 {
		return ids[0], nil
	}
	return "", nil
}

// Open returns the grants of a person.
func (e emergency) Open(_ context.Context, t audit.Tenant, subject audit.ActorID, _ time.Time) ([]string, error) {
	return e.w.openTo(t, subject, ""), nil
}

// SQL returns a condition that is never met.
func (relation) SQL(*rbac.Args, string, audit.Tenant, audit.ActorID, time.Time) string {
	return "1 = 0"
}

// Digest returns the name.
func (r relation) Digest() string { return r.name }
