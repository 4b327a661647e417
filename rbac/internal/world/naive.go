package world

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Allowed answers as slowly and plainly as possible: is there a grant in force, of a role for
// this kind of actor, that grants the action in a scope in which the row lies?
func (w *World) Allowed(a audit.Actor, action int, r Row) bool {
	if a.Kind == audit.KindAnonymous || a.ID == "" || a.Tenant == "" || r.Tenant != a.Tenant {
		return false
	}
	if w.phi[action] && a.Kind == audit.KindStaff && a.Assurance < audit.AAL2 {
		return false
	}
	for _, g := range w.Grants {
		if g.Tenant != a.Tenant || g.Person != a.ID || !w.counts(g) || w.kind(g.Role) != a.Kind {
			continue
		}
		for _, b := range w.perms[g.Role][action] {
			if w.lies(r, b, g, a, w.columns[action]) {
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

func (w *World) lies(r Row, b rbac.Base, g rbac.Grant, a audit.Actor, c rbac.Columns) bool {
	switch b {
	case rbac.Tenant:
		return true
	case rbac.Practice:
		for _, p := range g.Practices {
			if p != "" && p == r.Practice {
				return true
			}
		}
	case rbac.Own:
		return related(w.Own, w.Now, a, r.Patient)
	case rbac.Self:
		return c.Owner != "" && r.Owner == a.ID || c.Patient != "" && related(w.Self, w.Now, a, r.Patient)
	}
	return false
}

func related(links []Link, now time.Time, a audit.Actor, p audit.Patient) bool {
	for _, l := range links {
		if p != "" && l.Tenant == a.Tenant && l.Subject == a.ID && l.Patient == p && l.holds(now) {
			return true
		}
	}
	return false
}

// Relation is a list of links as an rbac.Relation without an SQL reading.
type Relation []Link

// Has reports whether the pair is in the list at now.
func (r Relation) Has(_ context.Context, t audit.Tenant, subject audit.ActorID, p audit.Patient, now time.Time) (bool, error) {
	return related(r, now, audit.Actor{Tenant: t, ID: subject}, p), nil
}

// SQL returns a condition that is never met.
func (Relation) SQL(*rbac.Args, string, audit.Tenant, audit.ActorID, time.Time) string {
	return "1 = 0"
}

// Digest returns "links".
func (Relation) Digest() string { return "links" }
