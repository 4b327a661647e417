package main

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// lock covers the screen of a workstation that others use too.
func (a *app) lock(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.Lock(r.Context()); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/locked", http.StatusSeeOther)
}

// lockedPage is what a locked screen shows: whose it is, and the two ways on.
func (a *app) lockedPage(w http.ResponseWriter, r *http.Request) {
	a.showLocked(w, r, http.StatusOK, again{To: within(r.URL.Query().Get("to")), Method: http.MethodGet}, "")
}

func (a *app) showLocked(w http.ResponseWriter, r *http.Request, status int, d again, problem string) {
	s, ok := session.Locked(r.Context())
	if !ok {
		http.Redirect(w, r, "/dashboard", http.StatusSeeOther)
		return
	}
	who, err := a.staff.get(r.Context(), s.Person)
	if err != nil && !errors.Is(err, rbac.ErrNotFound) {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.Name = who.Name
	more, err := a.fillProof(w, r, s, "/unlock", &d)
	if err != nil {
		a.fail(w, r, authn.Status(err))
		return
	}
	problem = cmp.Or(problem, more)
	a.render(w, r, status, "locked", view{Title: "Locked", Problem: problem, Plain: true, Data: d})
}

// unlock takes the proof of the person whose screen it is. Nobody else gets in here: who wants to
// use the workstation instead signs in, which ends the locked session.
func (a *app) unlock(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	ctx, d := r.Context(), askedAgain(r)
	s, ok := session.Locked(ctx)
	if !ok {
		http.Redirect(w, r, "/dashboard", http.StatusSeeOther)
		return
	}
	if r.PostForm.Get(fieldSend) == "yes" {
		a.showLocked(w, r, http.StatusOK, d, "")
		return
	}
	actor, err := a.prove(r, s)
	var token string
	if err == nil {
		token, err = a.sessions.Unlock(ctx, actor)
	}
	if err != nil {
		a.unproved(w, r, err, func(status int, problem string) { a.showLocked(w, r, status, d, problem) })
		return
	}
	a.sessions.SetCookie(w, token)
	d.goOn(w, r)
}
