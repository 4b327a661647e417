// Package world makes random worlds for rbac's tests: policies, people, grants, relations and
// records, with ids that try to be mistaken for each other, and a naive evaluator that is
// written straight from the meaning of the rules.
package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Row is a record of a world.
type Row struct {
	ID       string
	Tenant   audit.Tenant
	Practice rbac.PracticeID
	Patient  audit.Patient
	Owner    audit.ActorID
}

// RBAC returns where the record belongs.
func (r Row) RBAC() rbac.Attrs { return rbac.Attrs(r) }

// Link relates a person to a patient for a time, microseconds; 0 means open.
type Link struct {
	Tenant      audit.Tenant
	Subject     audit.ActorID
	Patient     audit.Patient
	From, Until int64
}

// holds reports whether the link counts at now.
func (l Link) holds(now time.Time) bool {
	us := now.UnixMicro()
	return l.From <= us && (l.Until == 0 || us < l.Until)
}

// World is a random world.
type World struct {
	Now       time.Time
	Actions   []rbac.Action[Row]
	Roles     []rbac.Role
	Grants    []rbac.Grant
	Own, Self []Link
	Rows      []Row
	Actors    []audit.Actor

	columns []rbac.Columns
	phi     []bool
	perms   map[rbac.RoleName][][]rbac.Base // by action
	rnd     *rand.Rand
}

func tenants() []audit.Tenant { return []audit.Tenant{"t", "t/x", "x", "T"} }

func people() []audit.ActorID {
	return []audit.ActorID{"a", "x/a", "b'); DROP TABLE care; --", `"`, "t", "A", "c%", "d_", `e\`, "ü"}
}

func practices() []rbac.PracticeID {
	return []rbac.PracticeID{"", "n", "n,s", `{"n"}`, "s", "[]", "null", `a\"b`, "<&>"}
}

func patients() []audit.Patient {
	return []audit.Patient{"", "p1", "p2", "p'3", "P1", "p1 ", "x/p1", "a", "t"}
}

// Columns are the columns of a table of rows: each action leaves out some of them.
func Columns() rbac.Columns {
	return rbac.Columns{ID: "id", Tenant: "tenant", Practice: "practice", Patient: "patient", Owner: "owner"}
}

// New returns the world of a seed with n rows.
func New(seed uint64, n int) *World {
	w := &World{
		Now:   time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC),
		perms: map[rbac.RoleName][][]rbac.Base{},
		rnd:   rand.New(rand.NewPCG(seed, 7)),
	}
	w.actions()
	w.roles()
	w.links()
	for i := range n {
		w.Rows = append(w.Rows, Row{
			fmt.Sprintf("r%d", i), pick(w, tenants()), pick(w, practices()), pick(w, patients()),
			pick(w, append(people(), "")),
		})
	}
	w.actors()
	w.grants()
	return w
}

func pick[T any](w *World, from []T) T { return from[w.rnd.IntN(len(from))] }

func (w *World) actions() {
	for i := range 6 {
		c := Columns()
		switch i {
		case 1:
			c.Practice = ""
		case 2:
			c.Owner = ""
		case 3:
			c.Patient = ""
		}
		opts := []rbac.Opt{rbac.Verb(audit.Read)}
		if i%2 == 0 {
			opts = append(opts, rbac.PHI())
		}
		w.columns, w.phi = append(w.columns, c), append(w.phi, i%2 == 0)
		w.Actions = append(w.Actions, rbac.Define[Row](fmt.Sprintf("row.act%d", i), c, opts...))
	}
}

// supports reports whether an action with these columns can be granted in a scope.
func supports(c rbac.Columns, b rbac.Base) bool {
	switch b {
	case rbac.Practice:
		return c.Practice != ""
	case rbac.Own:
		return c.Patient != ""
	case rbac.Self:
		return c.Owner != "" || c.Patient != ""
	}
	return true
}

func (w *World) roles() {
	for i := range 8 {
		r := rbac.Role{Name: rbac.RoleName(fmt.Sprintf("role%d", i)), Label: "Role", Rank: i}
		bases := []rbac.Base{rbac.Tenant, rbac.Practice, rbac.Own, rbac.Self}
		if i == 0 { // so that every action is somebody's
			bases = []rbac.Base{rbac.Tenant}
		}
		if i == 1 {
			r.Kind, bases = audit.KindPatient, []rbac.Base{rbac.Self}
		}
		w.perms[r.Name] = make([][]rbac.Base, len(w.Actions))
		for a, action := range w.Actions {
			for _, b := range bases {
				if i != 0 && (w.rnd.IntN(4) != 0 || !supports(w.columns[a], b)) {
					continue
				}
				w.perms[r.Name][a] = append(w.perms[r.Name][a], b)
				r.Allow = append(r.Allow, rbac.In(b, action))
			}
		}
		w.Roles = append(w.Roles, r)
	}
}

func (w *World) links() {
	at := func(hours int) int64 { return w.Now.Add(time.Duration(hours) * time.Hour).UnixMicro() }
	spans := [][2]int64{{0, 0}, {at(-2), 0}, {at(1), 0}, {0, at(-1)}, {at(-2), at(1)}, {0, at(0)}, {at(0), 0}}
	for range 60 {
		for _, list := range []*[]Link{&w.Own, &w.Self} {
			span := pick(w, spans)
			*list = append(*list, Link{pick(w, tenants()), pick(w, people()), pick(w, patients()), span[0], span[1]})
		}
	}
}

func (w *World) actors() {
	for range 40 {
		w.Actors = append(w.Actors, audit.Actor{
			ID: pick(w, people()), Tenant: pick(w, tenants()),
			Kind:      pick(w, []audit.Kind{audit.KindStaff, audit.KindStaff, audit.KindStaff, audit.KindPatient, audit.KindAgent}),
			Assurance: pick(w, []audit.Assurance{audit.AAL1, audit.AAL2, audit.AAL3}),
		})
	}
	w.Actors = append(w.Actors, audit.Actor{Kind: audit.KindAnonymous, Tenant: "t"})
}

func (w *World) grants() {
	for i := range 90 {
		g := rbac.Grant{
			ID: fmt.Sprintf("g%03d", i), Tenant: pick(w, tenants()), Person: pick(w, people()),
			Role: pick(w, append(w.Roles[1:], rbac.Role{Name: "unknown"}, w.Roles[0])).Name,
			By:   "admin", Created: w.Now,
		}
		for range w.rnd.IntN(4) {
			g.Practices = append(g.Practices, pick(w, practices()))
		}
		hours := func() time.Time { return w.Now.Add(time.Duration(w.rnd.IntN(7)-3) * time.Hour) }
		if w.rnd.IntN(3) == 0 {
			g.From = hours()
		}
		if w.rnd.IntN(3) == 0 {
			g.Until = hours()
		}
		if w.rnd.IntN(6) == 0 {
			g.Ended, g.EndedBy = w.Now.Add(-time.Minute), "admin"
		}
		w.Grants = append(w.Grants, g)
	}
}

// Rules returns the world's policy over relations.
func (w *World) Rules(own, self rbac.Relation) rbac.Rules {
	r := rbac.Rules{Roles: w.Roles, Relations: rbac.Relations{Own: own, Self: self}}
	for _, a := range w.Actions {
		r.Actions = append(r.Actions, a)
	}
	return r
}

// Fill writes the world's grants into a store.
func (w *World) Fill(ctx context.Context, s rbac.Store) error {
	for _, g := range w.Grants {
		v, err := s.Version(ctx, g.Tenant)
		if err == nil {
			err = s.Apply(ctx, g.Tenant, v, rbac.Change{Add: []rbac.Grant{g}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
