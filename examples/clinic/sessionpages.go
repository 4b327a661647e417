package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// sessionRow is a session as the pages show it.
type sessionRow struct {
	ID, Device, Place, Address, Since, Seen string
	Current, Locked                         bool
}

// sessionRows lists the live sessions of a person.
func (a *app) sessionRows(ctx context.Context, person audit.ActorID) ([]sessionRow, error) {
	var all []sessionRow
	for s, err := range a.sessions.List(ctx, tenant, person) {
		if err != nil {
			return nil, err
		}
		all = append(all, sessionRow{
			ID: s.ID, Device: s.Device, Place: place(s.Origin), Address: s.Origin.String(),
			Since: a.config.when(s.Created), Seen: a.config.when(s.LastSeen), Current: s.Current(ctx), Locked: !s.Locked.IsZero(),
		})
	}
	return all, nil
}

func (a *app) endOwnSession(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context())
	err := a.sessions.EndOne(r.Context(), tenant, s.Person, r.PathValue("session"), session.ReasonSignOut)
	a.ended(w, r, err, "session-ended")
}

// endOtherSessions ends all of one's own sessions but the one that asks for it.
func (a *app) endOtherSessions(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context())
	a.ended(w, r, a.sessions.EndOthers(r.Context(), tenant, s.Person, s.ID, session.ReasonSignOut), "others-ended")
}

func (a *app) ended(w http.ResponseWriter, r *http.Request, err error, done string) {
	switch {
	case errors.Is(err, session.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/security?done="+done, http.StatusSeeOther)
	}
}

// signOut ends what the clinic's rules say that signing out ends, every session of the person at
// first. It works for a locked screen too.
func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	ctx, done := r.Context(), "signed-out"
	policy, err := a.sessions.Policy(ctx, tenant)
	if err == nil {
		err = a.sessions.SignOut(ctx)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if policy.SignOut == session.ThisDevice {
		done = "signed-out-here"
	}
	a.sessions.SignedOut(w)
	http.Redirect(w, r, "/sign-in?done="+done, http.StatusSeeOther)
}
