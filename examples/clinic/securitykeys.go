package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/session"
)

// ownSecurity names, for the page that asks who is there, a change of one's own second factors. It
// takes all factors from whoever has a second one.
const ownSecurity audit.Action = "security.change"

// passkeyRow is a passkey as its owner and the team's administrators see it.
type passkeyRow struct {
	ID, Label, Since, Used string
	Synced, BackedUp       bool
	Disabled               string
}

func (a *app) passkeyRows(ctx context.Context, person audit.ActorID) (rows []passkeyRow, err error) {
	all, err := a.factors.ListPasskeys(ctx, tenant, person)
	for _, k := range all {
		row := passkeyRow{ID: k.ID, Label: k.Label, Since: a.config.when(k.Created), Synced: k.Synced, BackedUp: k.BackedUp}
		if !k.Used.IsZero() {
			row.Used = a.config.when(k.Used)
		}
		if !k.Disabled.IsZero() {
			row.Disabled = a.config.when(k.Disabled)
		}
		rows = append(rows, row)
	}
	return rows, err
}

// passkeyPage is where somebody makes a passkey on the device that they sit at. Who they are was
// proven a moment ago, or is asked again.
func (a *app) passkeyPage(w http.ResponseWriter, r *http.Request) {
	a.showNewPasskey(w, r, http.StatusOK, "", "")
}

func (a *app) showNewPasskey(w http.ResponseWriter, r *http.Request, status int, label, problem string) {
	step, err := a.people.BeginPasskey(r.Context(), a.client(r))
	switch {
	case errors.Is(err, authn.ErrProof), errors.Is(err, mfa.ErrUnproven):
		a.askOwn(w, r, again{To: "/security/passkeys/new", Method: http.MethodGet})
		return
	case errors.Is(err, authn.ErrNoPasskeys):
		m := message{Text: "This clinic takes no passkeys now. Your other ways to sign in go on working.", Href: "/security", Link: "My security"}
		if words := a.noPasskeys(); words != "" {
			m.Text = words
		}
		a.render(w, r, http.StatusConflict, "message", view{Title: "No passkeys here", Data: m})
		return
	case errors.Is(err, mfa.ErrTooMany):
		m := message{Text: "You have as many passkeys as the clinic keeps. Remove one that you do not use any more.", Href: "/security", Link: "My security"}
		a.render(w, r, http.StatusConflict, "message", view{Title: "Too many passkeys", Data: m})
		return
	case err != nil:
		retryAfter(w, err)
		a.fail(w, r, authn.Status(err))
		return
	}
	authn.SetTicket(w, step)
	form := a.passkeyAt(r, passkeyForm{Ceremony: "create", Action: "/security/passkeys", Options: step.Passkey, Text: "Make the passkey", Label: true})
	a.render(w, r, status, "passkey", view{Title: "New passkey", Problem: problem, Data: struct {
		Passkey *passkeyForm
		Label   string
	}{form, label}})
}

// addPasskey keeps a passkey that the browser has made.
func (a *app) addPasskey(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	answer := factorAnswer(r)
	err := a.people.AddPasskey(r.Context(), authn.TicketFrom(r), answer, a.client(r))
	switch {
	case errors.Is(err, authn.ErrProof), errors.Is(err, mfa.ErrUnproven):
		a.askOwn(w, r, again{To: "/security/passkeys/new", Method: http.MethodGet})
	case errors.Is(err, authn.ErrPasskey), errors.Is(err, authn.ErrTicket):
		a.showNewPasskey(w, r, http.StatusUnprocessableEntity, answer.Label, "That passkey was not accepted. Please try again.")
	case errors.Is(err, mfa.ErrName):
		a.showNewPasskey(w, r, http.StatusUnprocessableEntity, "", "Please choose another name for it.")
	case err != nil:
		retryAfter(w, err)
		a.fail(w, r, authn.Status(err))
	default:
		authn.SetTicket(w, authn.Step{})
		http.Redirect(w, r, "/security?done=passkey-added", http.StatusSeeOther)
	}
}

func (a *app) renamePasskey(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	s, _ := session.From(r.Context())
	err := a.factors.RenamePasskey(r.Context(), tenant, s.Person, r.PathValue("passkey"), r.PostForm.Get(fieldLabel))
	a.changedOwn(w, r, "/security?done=passkey-renamed", err)
}

// removePasskey ends a passkey, and every session with it.
func (a *app) removePasskey(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context())
	err := a.factors.RemovePasskey(r.Context(), tenant, s.Person, r.PathValue("passkey"))
	a.changedOwn(w, r, "/sign-in?done=passkey-removed", err)
}

// changedOwn answers a change of one's own second factors.
func (a *app) changedOwn(w http.ResponseWriter, r *http.Request, to string, err error) {
	switch {
	case err == nil, errors.Is(err, mfa.ErrPending):
		http.Redirect(w, r, to, http.StatusSeeOther)
	case errors.Is(err, mfa.ErrUnproven):
		a.askOwn(w, r, interrupted(r))
	case errors.Is(err, mfa.ErrRequired):
		a.showSecurity(w, r, http.StatusConflict, "It is your last one, and this clinic asks for a second factor. Set up another one first.")
	case errors.Is(err, mfa.ErrName):
		a.showSecurity(w, r, http.StatusUnprocessableEntity, "Please choose a name of 1 to 64 letters, digits and spaces.")
	case errors.Is(err, mfa.ErrNotFound), errors.Is(err, mfa.ErrNotEnrolled), errors.Is(err, authn.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	case errors.Is(err, mfa.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// askOwn asks who is there before a change of one's own second factors goes on.
func (a *app) askOwn(w http.ResponseWriter, r *http.Request, d again) {
	d.Action = ownSecurity
	a.askAgain(w, r, http.StatusUnauthorized, d, "")
}
