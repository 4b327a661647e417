package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/rbac"
)

// keyRow is a key as the pages show it: never the secret.
type keyRow struct {
	ID, Since, By, Ends, Used, State, Tag string
	Live                                  bool
}

type machineData struct {
	machineRow
	Scopes                     []string
	By                         string
	Keys                       []keyRow
	MayManage, MayStop         bool
	Active, Suspended, Removed bool
	Audit                      string
}

func (a *app) machinePage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showMachine(w, r, http.StatusOK, "")
}

func (a *app) showMachine(w http.ResponseWriter, r *http.Request, status int, problem string) {
	ctx := r.Context()
	p, err := a.machines.Get(ctx, audit.ActorID(r.PathValue("program")))
	if err != nil {
		a.fail(w, r, machineStatus(err))
		return
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d := machineData{
		machineRow: a.machineRow(p, team), By: nameOf(p.CreatedBy, team), MayManage: holds(ctx, a, machineManage), MayStop: holds(ctx, a, machineStop),
		Active: p.State == machine.Active, Suspended: p.State == machine.Suspended, Removed: p.State == machine.Removed,
	}
	if holds(ctx, a, auditRead) {
		d.Audit = "/audit?" + url.Values{"who": {string(p.ID)}}.Encode()
	}
	for _, s := range p.Scopes {
		d.Scopes = append(d.Scopes, actionText(s))
	}
	for _, k := range p.Keys {
		d.Keys = append(d.Keys, a.keyRow(k, team))
	}
	a.render(w, r, status, "machine", view{Title: p.Name, Problem: problem, Data: d})
}

func (a *app) keyRow(k machine.Key, team map[audit.ActorID]member) keyRow {
	row := keyRow{
		ID: k.ID, Since: a.config.when(k.Created), By: nameOf(k.CreatedBy, team), Ends: a.config.when(k.Expires), Used: "never",
		State: "Active", Tag: "tag-good", Live: k.Live(time.Now()),
	}
	if !k.Used.IsZero() {
		row.Used = a.config.when(k.Used)
	}
	switch {
	case !k.Revoked.IsZero():
		row.State, row.Tag, row.Ends = "Revoked", "tag-bad", a.config.when(k.Revoked)
	case !row.Live:
		row.State, row.Tag = "Expired", "tag-bad"
	}
	return row
}

// rotateMachine makes a new key and has the others end, a day later or at once.
func (a *app) rotateMachine(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx, id := r.Context(), audit.ActorID(r.PathValue("program"))
	overlap := 24 * time.Hour
	if r.PostForm.Get("at-once") == "yes" {
		overlap = 0
	}
	_, key, err := a.machines.Rotate(ctx, id, overlap)
	if err != nil {
		a.unmade(w, r, err, func(problem string) { a.showMachine(w, r, http.StatusUnprocessableEntity, problem) })
		return
	}
	p, err := a.machines.Get(ctx, id)
	if err != nil {
		a.fail(w, r, machineStatus(err))
		return
	}
	a.showKey(w, r, p, key.Reveal())
}

func (a *app) revokeKey(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.changeMachine(w, r, "key-revoked", func(ctx context.Context, id audit.ActorID, why string) error {
		return a.machines.Revoke(ctx, id, r.PathValue("key"), why)
	})
}

func (a *app) suspendMachine(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.changeMachine(w, r, "program-suspended", a.machines.Suspend)
}

func (a *app) resumeMachine(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.changeMachine(w, r, "program-resumed", a.machines.Resume)
}

// removeMachine ends a program for good, and then its role, without which it may do nothing anyway.
func (a *app) removeMachine(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.changeMachine(w, r, "program-removed", func(ctx context.Context, id audit.ActorID, why string) error {
		if err := a.machines.Remove(ctx, id, why); err != nil {
			return err
		}
		all, err := a.grants.Grants(ctx, tenant, id)
		if err != nil {
			return err
		}
		var d rbac.Draft
		for _, g := range all {
			if g.Live(time.Now()) {
				d.Revoke = append(d.Revoke, rbac.Ref{Person: id, ID: g.ID})
			}
		}
		if len(d.Revoke) > 0 {
			_, err = a.access.Change(ctx, d)
		}
		return err
	})
}

// changeMachine carries out a change of one program and leads back to its page.
func (a *app) changeMachine(w http.ResponseWriter, r *http.Request, done string, change func(ctx context.Context, id audit.ActorID, why string) error) {
	if !a.form(w, r) {
		return
	}
	id := audit.ActorID(r.PathValue("program"))
	if err := change(r.Context(), id, r.PostForm.Get("reason")); err != nil {
		a.unmade(w, r, err, func(problem string) { a.showMachine(w, r, http.StatusUnprocessableEntity, problem) })
		return
	}
	http.Redirect(w, r, "/programs/"+url.PathEscape(string(id))+"?done="+done, http.StatusSeeOther)
}
