package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
)

type setUpData struct {
	Heading, Lead, Action string
	Min                   int // length of the password
	AskIdentity           bool
	Name, Email           string
	For                   member // whose account it is
}

// linkPage shows what a link is for. It changes nothing: mail scanners follow links.
func (a *app) linkPage(w http.ResponseWriter, r *http.Request) {
	link, err := a.people.PeekLink(r.Context(), r.PathValue("token"))
	if err != nil {
		a.deadLink(w, r, link, err)
		return
	}
	a.showLink(w, r, http.StatusOK, link, view{}, setUpData{})
}

func (a *app) showLink(w http.ResponseWriter, r *http.Request, status int, link authn.Link, v view, d setUpData) {
	d.Action = r.URL.Path
	v.Title = "Set up your account"
	found, err := a.people.Account(r.Context(), tenant, link.Person)
	if err == nil {
		d.Min, err = a.people.MinPassword(r.Context(), tenant, found.Person.Kind)
	}
	if err != nil {
		a.fail(w, r, authn.Status(err))
		return
	}
	d.Heading, d.Lead = "Welcome", "Choose a password for your new account."
	switch link.Purpose {
	case authn.PurposeSetUp:
		d.AskIdentity = true
		d.Heading, d.Lead = "Set up the clinic", "You are the first administrator. Choose how you sign in."
	case authn.PurposeReset:
		v.Title = "New password"
		d.Heading, d.Lead = "New password", "Choose a new password. Every session of your account ends."
	}
	if link.Purpose != authn.PurposeSetUp {
		if d.For, err = a.staff.get(r.Context(), link.Person); err != nil && !errors.Is(err, rbac.ErrNotFound) {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
	}
	v.Data, v.Plain = d, true
	a.render(w, r, status, "setup", v)
}

// useLink consumes a link: the person gets a password and goes on signing in.
func (a *app) useLink(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	ctx, token := r.Context(), r.PathValue("token")
	link, err := a.people.PeekLink(ctx, token)
	if err != nil {
		a.deadLink(w, r, link, err)
		return
	}
	d := setUpData{Name: strings.TrimSpace(r.PostForm.Get("name")), Email: strings.TrimSpace(r.PostForm.Get("email"))}
	password := authn.NewPassword(r.PostForm.Get("password"))
	var step authn.Step
	switch link.Purpose {
	case authn.PurposeReset:
		step, err = a.people.ResetPassword(ctx, token, password, a.client(r))
	case authn.PurposeSetUp:
		if err = checkMember(d.Name, d.Email); err == nil {
			step, err = a.people.CompleteSetUp(ctx, token, authn.Answer{Password: password, Identifier: d.Email}, a.client(r))
		}
		if err == nil { // the link is used up: of two who try, only one gets here
			err = a.staff.put(ctx, member{link.Person, d.Name, d.Email})
		}
	default:
		step, err = a.people.CompleteSetUp(ctx, token, authn.Answer{Password: password}, a.client(r))
	}
	switch {
	case errors.Is(err, authn.ErrPassword), errors.Is(err, authn.ErrIdentifier), errors.Is(err, errInput), errors.Is(err, authn.ErrBusy), errors.Is(err, authn.ErrThrottled):
		retryAfter(w, err)
		a.showLink(w, r, statusOf(err), link, view{Problem: signInProblem(err)}, d)
	case errors.Is(err, authn.ErrLink):
		a.deadLink(w, r, link, err)
	case errors.Is(err, authn.ErrNetwork):
		a.showLink(w, r, http.StatusForbidden, link, view{Problem: signInProblem(err)}, d)
	case err != nil:
		a.fail(w, r, authn.Status(err))
	default:
		a.next(w, r, step)
	}
}

// deadLink says what is wrong with a link, and how to start anew.
func (a *app) deadLink(w http.ResponseWriter, r *http.Request, link authn.Link, err error) {
	m := message{Text: "This link is not valid. Perhaps the mail program cut it in two.", Href: "/sign-in", Link: "Go to sign in"}
	m.Hint = "Were you invited? Ask the clinic to send a new invitation; it takes them one click."
	switch link.Purpose {
	case authn.PurposeReset:
		m.Hint, m.Href, m.Link = "A new one comes by mail at once.", "/forgot", "Send me a new link"
	case authn.PurposeSetUp:
		m.Hint = "Start the clinic’s server again: until there is an administrator, it prints a new link."
	case authn.PurposeInvitation:
		if errors.Is(err, authn.ErrLinkExpired) {
			m.Hint, m.Post, m.Link = "A new one goes to the address that was invited.", r.URL.Path+"/again", "Send me a new invitation"
		}
	}
	switch {
	case errors.Is(err, authn.ErrLinkExpired):
		m.Text = "This link is too old. Links work for a limited time only."
	case errors.Is(err, authn.ErrLinkUsed):
		m.Text = "This link was used already. If that was you, sign in."
	case !errors.Is(err, authn.ErrLink):
		a.fail(w, r, authn.Status(err))
		return
	}
	a.render(w, r, authn.Status(err), "message", view{Title: "This link does not work", Data: m})
}

// inviteAgain mails a new invitation in place of one that is too old, to the address that was invited
// and nowhere else. The answer is the same whatever comes of it.
func (a *app) inviteAgain(w http.ResponseWriter, r *http.Request) {
	ctx := audit.WithActor(r.Context(), audit.System(tenant, "invitation"))
	link, err := a.people.PeekLink(r.Context(), r.PathValue("token"))
	if errors.Is(err, authn.ErrLinkExpired) && link.Purpose == authn.PurposeInvitation {
		err = a.renewInvitation(ctx, link.Person)
	}
	if err != nil && !errors.Is(err, authn.ErrLink) {
		a.fail(w, r, authn.Status(err))
		return
	}
	m := message{
		Text: "If the invitation still stands, a new link is on its way to the address that was invited. It works once, for seven days.",
		Hint: "Nothing came? Look into the spam folder, or ask the clinic.", Href: "/sign-in", Link: "Go to sign in",
	}
	a.render(w, r, http.StatusOK, "message", view{Title: "Look into your mailbox", Data: m})
}

// renewInvitation sends one where none is live: an old link gets nobody more than one mail.
func (a *app) renewInvitation(ctx context.Context, id audit.ActorID) error {
	found, err := a.people.Account(ctx, tenant, id)
	if errors.Is(err, authn.ErrNotFound) || err == nil && (found.Person.State != authn.Invited || time.Since(found.Person.Changed) < invitationLife) {
		return nil
	}
	if err == nil {
		err = a.people.Resend(ctx, tenant, id)
	}
	if errors.Is(err, authn.ErrPending) || errors.Is(err, authn.ErrState) || errors.Is(err, authn.ErrConflict) || errors.Is(err, authn.ErrNoSeat) {
		return nil // refusals are on record
	}
	return err
}
