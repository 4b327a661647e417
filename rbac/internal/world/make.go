package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

func tenants() []audit.Tenant { return []audit.Tenant{"t", "t/x", "x", "T"} }

func people() []audit.ActorID {
	return []audit.ActorID{"a", "x/a", "b'); DROP TABLE care; --", `"`, "t", "A", "c%", "d_", `e\`, "ü"}
}

func practices() []rbac.PracticeID {
	return []rbac.PracticeID{"", "n", "n,s", `{"n"}`, "s", "[]", "null", `a\"b`, "<&>"}
}

func places() []string { return []string{"", "l", "l ", "L", "{l,m}"} }

func patients() []audit.Patient {
	return []audit.Patient{"", "p1", "p2", "p'3", "P1", "p1 ", "x/p1", "a", "t"}
}

// tenant is half of the time the same, so that there is something to see.
func (w *World) tenant() audit.Tenant {
	if w.rnd.IntN(2) == 0 {
		return "t"
	}
	return pick(w, tenants())
}

func pick[T any](w *World, from []T) T { return from[w.rnd.IntN(len(from))] }

// Row makes a random record.
func (w *World) Row(i int) Row {
	r := Row{
		ID: fmt.Sprintf("r%d", i), Tenant: w.tenant(), Practice: pick(w, practices()),
		Location: rbac.LocationID(pick(w, places())), Queue: rbac.QueueID(pick(w, places())),
		Patient: pick(w, patients()), Owner: pick(w, append(people(), "")), Author: pick(w, append(people(), "")),
	}
	if w.rnd.IntN(2) == 0 {
		r.Labels = w.labels()
	}
	if w.rnd.IntN(16) == 0 {
		r.Labels |= pick(w, []rbac.Labels{1 << 20, 1 << 63})
	}
	return r
}

// labels are random ones of four, the last of which no forbid names.
func (w *World) labels() rbac.Labels {
	all := []rbac.Labels{rbac.LabelPsychotherapy, rbac.LabelVIP, rbac.HostLabel(30), rbac.LabelHIV}
	first := pick(w, all)
	return first | pick(w, all)
}

func (w *World) actions() {
	for i := range 6 {
		c := Columns()
		switch i {
		case 1:
			c.Practice, c.Author = "", ""
		case 2:
			c.Owner, c.Location = "", ""
		case 3:
			c.Patient, c.Queue = "", ""
		}
		opts := []rbac.Opt{rbac.Verb(audit.Read)}
		if i == 5 {
			opts[0] = rbac.Verb(audit.Update)
		}
		if i%2 == 0 {
			opts = append(opts, rbac.PHI())
		}
		w.columns, w.phi, w.reads = append(w.columns, c), append(w.phi, i%2 == 0), append(w.reads, i != 5)
		w.Actions = append(w.Actions, rbac.Define[Row](fmt.Sprintf("row.act%d", i), c, opts...))
	}
}

func (w *World) roles() {
	all := []string{"practice", "location", "queue", "own", "supervisees", "self", "proxy", "author", "consented", "emergency", "full", "tenant"}
	for i := range 10 {
		r := rbac.Role{Name: rbac.RoleName(fmt.Sprintf("role%d", i)), Label: "Role", Rank: i}
		words, depth := all, 2
		switch i {
		case 0: // so that every action is somebody's
			words, depth = []string{"tenant"}, 0
		case 1:
			r.Kind, words, depth = audit.KindPatient, []string{"self", "proxy", "author", "full"}, 0
		case 8: // wide, so that mostly the person whom an agent acts for narrows it
			r.Kind, words, depth = audit.KindAgent, []string{"tenant"}, 0
		case 9:
			r.Kind = audit.KindAgent
		}
		w.perms[r.Name] = make([][]perm, len(w.Actions))
		for a := range w.Actions {
			choice := pick(w, []string{"", "", "in", "out"})
			for range 4 {
				if i == 0 || i == 8 {
					choice = ""
				} else if w.rnd.IntN(3) != 0 {
					continue
				}
				w.permit(&r, a, perm{w.expr(words, depth), choice})
			}
		}
		w.Roles = append(w.Roles, r)
	}
}

func (w *World) permit(r *rbac.Role, action int, p perm) {
	if !p.in.supports(w.columns[action]) || p.in.nothing() || w.refusesEmergency(p.in, r.Kind, action) {
		return
	}
	allow := rbac.In(p.in.Scope(), w.Actions[action])
	switch p.choice {
	case "in":
		allow = allow.OptIn()
	case "out":
		allow = allow.OptOut()
	}
	w.perms[r.Name][action] = append(w.perms[r.Name][action], p)
	r.Allow = append(r.Allow, allow)
}

// refusesEmergency reports whether Compile refuses a scope because of the emergency access in it.
func (w *World) refusesEmergency(x Expr, k audit.Kind, actions ...int) bool {
	if !x.uses("emergency") {
		return false
	}
	writes := len(actions) == 0 || slices.ContainsFunc(actions, func(a int) bool { return !w.reads[a] })
	return x.negates("emergency") || writes || k != "" && k != audit.KindStaff
}

func (w *World) forbids() {
	words := []string{"author", "own", "practice", "emergency", "consented", "self"}
	for i := range 3 {
		f := Forbid{rule: rbac.Forbid{Name: fmt.Sprintf("forbid%d", i), Labels: w.labels() &^ rbac.LabelHIV, Why: "a rule"}}
		if f.rule.Labels == 0 {
			continue
		}
		if w.rnd.IntN(3) != 0 {
			if x := w.expr(words, 1); !x.nothing() {
				f.except, f.rule.Except = &x, x.Scope()
			}
		}
		for a := range w.Actions {
			if i == 1 && w.rnd.IntN(2) == 0 && (f.except == nil || f.except.supports(w.columns[a])) {
				f.actions, f.rule.Actions = append(f.actions, a), append(f.rule.Actions, w.Actions[a])
			}
		}
		if f.except != nil && w.refusesEmergency(*f.except, "", f.actions...) {
			f.except, f.rule.Except = nil, nil
		}
		f.rule.Kinds = pick(w, [][]audit.Kind{nil, nil, {audit.KindStaff}, {audit.KindPatient, audit.KindProxy}})
		if w.rnd.IntN(2) == 0 {
			f.rule.ExceptRoles = []rbac.RoleName{pick(w, w.Roles).Name}
		}
		w.Forbids = append(w.Forbids, f)
	}
}

func (w *World) links() {
	at := func(hours int) int64 { return w.Now.Add(time.Duration(hours) * time.Hour).UnixMicro() }
	spans := [][2]int64{{0, 0}, {at(-2), 0}, {at(1), 0}, {0, at(-1)}, {at(-2), at(1)}, {0, at(0)}, {at(0), 0}}
	for _, table := range Tables() {
		for range 60 {
			span := pick(w, spans)
			l := Link{w.tenant(), pick(w, people()), string(pick(w, patients())), pick(w, []string{"full", "part", ""}), span[0], span[1]}
			if table == "supervision" {
				l.Object = string(pick(w, people()))
			}
			w.Links[table] = append(w.Links[table], l)
		}
	}
}

func (w *World) actors() {
	for range 40 {
		a := audit.Actor{
			ID: pick(w, people()), Tenant: w.tenant(),
			Kind:      pick(w, []audit.Kind{audit.KindStaff, audit.KindStaff, audit.KindPatient, audit.KindAgent, audit.KindAgent}),
			Assurance: pick(w, []audit.Assurance{audit.AAL1, audit.AAL2, audit.AAL3}),
		}
		if a.Kind == audit.KindAgent {
			w.task(&a)
		}
		w.Actors = append(w.Actors, a)
	}
	w.Actors = append(w.Actors, audit.Actor{Kind: audit.KindAnonymous, Tenant: "t"})
}

// task gives an agent scopes, mostly all but one, and somebody to act for, or nobody.
func (w *World) task(a *audit.Actor) {
	missing := w.rnd.IntN(2 * len(w.Actions))
	var scopes []audit.Action
	for i, action := range w.Actions {
		if i != missing {
			scopes = append(scopes, action.Name())
		}
	}
	*a = a.Within(scopes...)
	if w.rnd.IntN(2) == 0 {
		a.OnBehalfOf = pick(w, people())
	}
}

func (w *World) grants() {
	for i := range 160 {
		g := rbac.Grant{
			ID: fmt.Sprintf("g%03d", i), Tenant: w.tenant(), Person: pick(w, people()),
			Role: pick(w, append(slices.Clone(w.Roles[1:]), rbac.Role{Name: "unknown"}, w.Roles[0])).Name,
			By:   "admin", Created: w.Now, Source: rbac.SourceDirect,
		}
		for range w.rnd.IntN(4) {
			g.Practices = append(g.Practices, pick(w, practices()))
		}
		for range w.rnd.IntN(3) {
			g.Locations = append(g.Locations, rbac.LocationID(pick(w, places())))
			g.Queues = append(g.Queues, rbac.QueueID(pick(w, places())))
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

// choose lets tenants switch some of what the policy leaves to them.
func (w *World) choose() {
	for _, t := range tenants()[:3] {
		var chosen rbac.Toggles
		for _, r := range w.Roles {
			for a, perms := range w.perms[r.Name] {
				if len(perms) > 0 && perms[0].choice != "" && w.rnd.IntN(2) == 0 {
					chosen.Choices = append(chosen.Choices, rbac.Choice{Role: r.Name, Action: w.Actions[a].Name(), On: w.rnd.IntN(2) == 0})
				}
			}
		}
		w.Chosen[t] = chosen
	}
}
