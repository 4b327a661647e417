package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
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
		audit.Query{Tenant: tenant, Actions: signInActions()}, a.ofPatient(r.Context()))
}

// ofPatient returns what says of a line whether a patient did it, or it was done to a patient's account: when somebody
// uses the portal is nobody's business who looks after the team.
func (a *app) ofPatient(ctx context.Context) func(*line) (bool, error) {
	known := map[string]bool{}
	return func(l *line) (bool, error) {
		if l.Actor.Kind == audit.KindPatient {
			return true, nil
		}
		for _, o := range l.Objects {
			patient, asked := known[o.ID]
			if o.Type == "person" && !asked {
				account, err := a.people.Account(ctx, tenant, audit.ActorID(o.ID))
				if err != nil && !errors.Is(err, authn.ErrNotFound) {
					return false, err
				}
				patient = err == nil && account.Person.Kind == audit.KindPatient
				known[o.ID] = patient
			}
			if patient {
				return true, nil
			}
		}
		return false, nil
	}
}

// ownLogPage is what somebody did themselves.
func (a *app) ownLogPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Member]) {
	a.showLog(w, r, logData{Heading: "What I did", Lead: "Everything that is on record under your name, newest first."},
		audit.Query{Tenant: tenant, Actors: []audit.ActorID{g.Resource().ID}}, func(*line) (bool, error) { return false, nil })
}

func (a *app) showLog(w http.ResponseWriter, r *http.Request, d logData, q audit.Query, leave func(*line) (bool, error)) {
	form := r.URL.Query()
	q.Cursor = form.Get("page")
	next, err := a.momentsBut(r.Context(), &d.Moments, q, leave)
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
