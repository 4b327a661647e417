package main

import (
	"errors"
	"net/http"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// signInActions are what the team does to get in, and what is done to their accounts: nothing of it
// is about a patient.
func signInActions() (all []audit.Action) {
	for _, o := range slices.Concat(signInWords(), factorWords()) {
		if !slices.Contains([]string{string(rbac.ActionSignedIn), "session.check", "session.rotate"}, o.ID) {
			all = append(all, audit.Action(o.ID))
		}
	}
	return append(all, rbac.ActionGrant, rbac.ActionRevoke)
}

type logData struct {
	Heading, Lead, Next string
	Moments             []moment
}

// signInsPage is the security log: who signed in, failed to, or was given a role.
func (a *app) signInsPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showLog(w, r, logData{Heading: "Sign-ins of the team", Lead: "Who signed in, or tried to, and what was done to accounts. No patients."},
		audit.Query{Tenant: tenant, Actions: signInActions()})
}

// ownLogPage is what somebody did themselves.
func (a *app) ownLogPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Member]) {
	a.showLog(w, r, logData{Heading: "What I did", Lead: "Everything that is on record under your name, newest first."},
		audit.Query{Tenant: tenant, Actors: []audit.ActorID{g.Resource().ID}})
}

func (a *app) showLog(w http.ResponseWriter, r *http.Request, d logData, q audit.Query) {
	form := r.URL.Query()
	q.Cursor = form.Get("page")
	next, err := a.moments(r.Context(), &d.Moments, q)
	switch {
	case errors.Is(err, audit.ErrBadCursor):
		a.fail(w, r, http.StatusBadRequest)
		return
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if next != "" {
		form.Set("page", next)
		d.Next = r.URL.Path + "?" + form.Encode()
	}
	a.render(w, r, http.StatusOK, "log", view{Title: d.Heading, Data: d})
}
