package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/rbac"
)

// wireMachines makes programs principals of their own.
func (a *app) wireMachines(s *stores) (err error) {
	a.machines, err = machine.New(machine.Parts{
		Store: s.machine, Rights: a.access, People: a.people, Windows: s.authn, Recorder: a.log,
	}, &machine.Options{Prefix: "harbor", Network: allowed{a}, Tenant: tenant, Logger: a.logger})
	return err
}

// programs stop with who answers for them. The two managers need each other: people are made first.
type programs struct{ *app }

// EndAll satisfies authn.Ender.
func (p programs) EndAll(ctx context.Context, t audit.Tenant, person audit.ActorID, reason string) error {
	return p.machines.EndAll(ctx, t, person, reason)
}

func (a *app) machineRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /programs", machineRead, a.machinesPage)
	here.Handle("POST /programs", machineManage, a.createMachine)
	here.Handle("GET /programs/{program}", machineRead, a.machinePage)
	here.Handle("POST /programs/{program}/rotate", machineManage, a.rotateMachine)
	here.Handle("POST /programs/{program}/resume", machineManage, a.resumeMachine)
	here.Handle("POST /programs/{program}/suspend", machineStop, a.suspendMachine)
	here.Handle("POST /programs/{program}/remove", machineStop, a.removeMachine)
	here.Handle("POST /programs/{program}/keys/{key}/revoke", machineStop, a.revokeKey)
}

// machineRow is a program in the list.
type machineRow struct {
	ID, Name, Kind, For, Owner, Used, Ends string
	State, Tag                             string
}

type machinesData struct {
	Rows      []machineRow
	MayManage bool
	People    []member
	Scopes    []option
	// what was typed, when it is asked again
	Typed typedMachine
}

// typedMachine is the form of a new program.
type typedMachine struct {
	Name, Kind, For, Days string
	Scopes                []string
}

// Has reports whether a scope is ticked.
func (t typedMachine) Has(scope string) bool { return slices.Contains(t.Scopes, scope) }

func (a *app) machinesPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showMachines(w, r, http.StatusOK, typedMachine{Kind: string(audit.KindService), Days: "90"}, "")
}

func (a *app) showMachines(w http.ResponseWriter, r *http.Request, status int, typed typedMachine, problem string) {
	ctx := r.Context()
	d := machinesData{MayManage: holds(ctx, a, machineManage), Typed: typed}
	team, err := a.staff.all(ctx)
	if err == nil {
		d.People = byName(team)
		d.Rows, err = a.machineRows(ctx, team)
	}
	if err == nil && d.MayManage {
		d.Scopes, err = a.grantableScopes(ctx)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, status, "machines", view{Title: "API keys and agents", Problem: problem, Data: d})
}

func (a *app) machineRows(ctx context.Context, team map[audit.ActorID]member) (rows []machineRow, err error) {
	for p, err := range a.machines.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if p.State != machine.Removed {
			rows = append(rows, a.machineRow(p, team))
		}
	}
	slices.SortFunc(rows, func(a, b machineRow) int { return strings.Compare(a.Name, b.Name) })
	return rows, nil
}

func (a *app) machineRow(p machine.Principal, team map[audit.ActorID]member) machineRow {
	row := machineRow{
		ID: string(p.ID), Name: p.Name, Kind: machineKind(p.Kind), Owner: nameOf(p.Owner, team), For: "nobody", Used: "never",
		Ends: a.config.when(p.Expires), State: "Active", Tag: "tag-good",
	}
	if p.OnBehalfOf != "" {
		row.For = nameOf(p.OnBehalfOf, team)
	}
	if !p.Used.IsZero() {
		row.Used = a.config.when(p.Used)
	}
	now := time.Now()
	switch {
	case p.State == machine.Removed:
		row.State, row.Tag = "Removed", "tag-bad"
	case p.State == machine.Suspended:
		row.State, row.Tag = "Suspended", "tag-bad"
	case !now.Before(p.Expires):
		row.State, row.Tag = "Expired", "tag-bad"
	case p.Unused(now):
		row.State, row.Tag = "Unused for 90 days", "tag-warn"
	}
	return row
}

func machineKind(k audit.Kind) string {
	if k == audit.KindAgent {
		return "AI agent"
	}
	return "Program"
}

// grantableScopes are those of the offered scopes that the person has themselves.
func (a *app) grantableScopes(ctx context.Context) (all []option, err error) {
	for _, action := range offered() {
		may, err := a.access.MayGrant(ctx, action.Name(), true)
		if err != nil {
			return nil, err
		}
		if may {
			all = append(all, option{string(action.Name()), actionText(action.Name())})
		}
	}
	return all, nil
}

// createMachine makes a program with its role, and shows its key, once. Without the role it could do
// nothing, so it is removed again where that cannot be given.
func (a *app) createMachine(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	typed := typedMachine{
		Name: strings.TrimSpace(r.PostForm.Get("name")), Kind: r.PostForm.Get("kind"), For: r.PostForm.Get("for"),
		Days: strings.TrimSpace(r.PostForm.Get("days")), Scopes: r.PostForm["scope"],
	}
	spec := machine.Spec{Kind: audit.Kind(typed.Kind), Name: typed.Name, OnBehalfOf: audit.ActorID(typed.For)}
	for _, s := range typed.Scopes {
		spec.Scopes = append(spec.Scopes, audit.Action(s))
	}
	if days, err := strconv.Atoi(typed.Days); err == nil && days > 0 && days <= 365 {
		spec.Expires = time.Now().Add(min(time.Duration(days)*24*time.Hour, 365*24*time.Hour-time.Minute))
	}
	if !possibleFor(spec.Kind, spec.Scopes) {
		a.showMachines(w, r, http.StatusUnprocessableEntity, typed, "Programs cannot read notes, and agents cannot read claims. Please choose again.")
		return
	}
	p, key, err := a.machines.Create(r.Context(), spec)
	if err != nil {
		a.unmade(w, r, err, func(problem string) { a.showMachines(w, r, http.StatusUnprocessableEntity, typed, problem) })
		return
	}
	_, err = a.access.Change(r.Context(), rbac.Draft{Grant: []rbac.Grant{{Person: p.ID, Role: roleOf(p.Kind), Until: p.Expires, Why: "program"}}})
	if err != nil {
		a.fail(w, r, statusOf(errors.Join(err, a.machines.Remove(r.Context(), p.ID, "its role could not be given"))))
		return
	}
	a.showKey(w, r, p, key.Reveal())
}

// showKey is the one page that has a key on it.
func (a *app) showKey(w http.ResponseWriter, r *http.Request, p machine.Principal, key string) {
	d := struct{ ID, Name, Key, Ends string }{string(p.ID), p.Name, key, a.config.when(p.Expires)}
	a.render(w, r, http.StatusOK, "machinekey", view{Title: "Key of " + p.Name, Data: d})
}

// unmade answers why a program or a key was not made.
func (a *app) unmade(w http.ResponseWriter, r *http.Request, err error, ask func(problem string)) {
	var spec *machine.SpecError
	switch {
	case errors.As(err, &spec):
		ask(specProblem(spec.Reason))
	case errors.Is(err, machine.ErrScope):
		ask("You can give away only what you may do yourself.")
	case errors.Is(err, machine.ErrKeys):
		ask("It has three keys already. Revoke one that is not in use, or end the old ones at once.")
	default:
		a.fail(w, r, machineStatus(err))
	}
}

func specProblem(why machine.Reason) string {
	switch why {
	case machine.BadName:
		return "Please give it a name of up to 100 characters."
	case machine.BadKind:
		return "Please choose what it is."
	case machine.BadPerson:
		return "Please choose for whom the agent acts: somebody of the team who can sign in."
	case machine.BadScopes:
		return "Please choose at least one thing that it may do."
	case machine.BadExpiry:
		return "Please say in how many days it ends: 1 to 365 for a program, 1 to 90 for an agent."
	}
	return "Please check what you typed."
}

// machineStatus is the HTTP status of an error of package machine.
func machineStatus(err error) int {
	switch {
	case errors.Is(err, machine.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, machine.ErrConflict), errors.Is(err, machine.ErrState):
		return http.StatusConflict
	case errors.Is(err, machine.ErrNoActor), errors.Is(err, machine.ErrAssurance), errors.Is(err, machine.ErrScope):
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable
}
