package main

import (
	"net/http"
	"strings"

	"github.com/wardkit/wardkit/authn"
)

// forgotPage is for somebody who does not know the password any more.
func (a *app) forgotPage(w http.ResponseWriter, r *http.Request) {
	a.render(w, r, http.StatusOK, "forgot", view{Title: "New password", Data: forgotData{}})
}

type forgotData struct {
	Email string
	Sent  bool
}

// forgot answers the same for every address, whether or not anybody signs in with it: the
// message that tells them apart goes to the mailbox.
func (a *app) forgot(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	d := forgotData{Email: strings.TrimSpace(r.PostForm.Get("email"))}
	if err := a.people.RequestReset(r.Context(), tenant, d.Email, a.client(r)); err != nil {
		retryAfter(w, err)
		a.render(w, r, authn.Status(err), "forgot", view{Title: "New password", Problem: signInProblem(err), Data: d})
		return
	}
	d.Sent = true
	a.render(w, r, http.StatusOK, "forgot", view{Title: "Look into your mailbox", Data: d})
}
