package main

import (
	"context"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/session"
)

// phoneData is a page of the way to a second factor: first a proof, then the picture to scan.
type phoneData struct {
	On, Locked, Required bool
	Other                bool       // another second factor, which says who it is
	Passkey              bool       // one of which is a passkey
	Scan                 *enrolData // nil: the proof is still to come
	URI                  string     // goes along with the form, to show the same picture after a mistake
}

// fieldURI is the key in the page's own form. Like a password it is not kept when a screen is
// locked meanwhile.
const fieldURI = "proof-uri"

// phonePage is where somebody sets up codes from a phone, moves them to another, or ends them.
func (a *app) phonePage(w http.ResponseWriter, r *http.Request) {
	a.showPhone(w, r, http.StatusOK, "", "")
}

func (a *app) showPhone(w http.ResponseWriter, r *http.Request, status int, uri, problem string) {
	ctx := r.Context()
	s, _ := session.From(ctx)
	factor, err := a.factors.Status(ctx, tenant, s.Person)
	required, err2 := a.people.FactorRequired(ctx, tenant, s.Person)
	if errors.Join(err, err2) != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d := phoneData{On: hasApp(factor), Locked: factor.State == mfa.Locked, Required: required, URI: uri}
	d.Other, d.Passkey = !d.On && hasAny(factor), factor.Passkeys > 0
	d.Required = required && factor.Passkeys == 0 && factor.Text.State != mfa.On
	v := view{Title: "Codes from your phone", Problem: problem}
	if uri != "" {
		if d.Scan, err = picture(uri); err != nil {
			a.fail(w, r, http.StatusBadRequest)
			return
		}
	}
	v.Data = d
	a.render(w, r, status, "phone", v)
}

// picture is what a key looks like on a page. The address is one that mfa made, byte for byte in
// that form, or an error.
func picture(uri string) (*enrolData, error) {
	key, err := mfa.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	png, err := mfa.PNG(uri)
	if err != nil {
		return nil, err
	}
	return &enrolData{template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png)), key.Manual()}, nil //nolint:gosec // made here
}

// beginPhone shows the picture to who has proven to be themselves: with a code, if there is a
// phone already, with the password if there is none.
func (a *app) beginPhone(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	s, _ := session.From(ctx)
	name, err := a.accountName(ctx, s)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	factor, err := a.factors.Status(ctx, tenant, s.Person)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	again := func(problem string) { a.showPhone(w, r, http.StatusUnprocessableEntity, "", problem) }
	uri := ""
	switch {
	case hasApp(factor):
		code := r.PostForm.Get("code")
		err = a.guess(r, code, func(ctx context.Context) (ok bool, err error) {
			uri, _, ok, err = a.factors.Replace(ctx, tenant, s.Person, code, name)
			return ok, err
		})
	case hasAny(factor):
		uri, _, err = a.factors.Begin(ctx, tenant, s.Person, name)
	default:
		_, err = a.people.Prove(ctx, authn.Answer{Password: authn.NewPassword(r.PostForm.Get("password"))}, a.client(r))
		if problem := proofProblem(err); problem != "" {
			retryAfter(w, err)
			again(problem)
			return
		}
		if err == nil {
			uri, _, err = a.factors.Begin(ctx, tenant, s.Person, name)
		}
	}
	if err == nil && a.demo != nil {
		err = a.demo.scan(ctx, s.Person, name, uri)
	}
	if err != nil {
		a.unproven(w, r, err, again)
		return
	}
	a.showPhone(w, r, http.StatusOK, uri, "")
}

// confirmPhone takes the first code of a new phone. Moving to another one ends every session.
func (a *app) confirmPhone(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	s, _ := session.From(ctx)
	factor, err := a.factors.Status(ctx, tenant, s.Person)
	on := hasApp(factor)
	name, err2 := a.accountName(ctx, s)
	if errors.Join(err, err2) != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	uri, code := r.PostForm.Get(fieldURI), r.PostForm.Get("code")
	err = a.guess(r, code, func(ctx context.Context) (bool, error) {
		if on {
			return a.factors.ConfirmReplacement(ctx, tenant, s.Person, code)
		}
		return a.factors.Confirm(ctx, tenant, s.Person, code)
	})
	if err != nil && !errors.Is(err, mfa.ErrPending) {
		a.unproven(w, r, err, func(problem string) { a.showPhone(w, r, http.StatusUnprocessableEntity, uri, problem) })
		return
	}
	if a.demo != nil && a.demo.moved(ctx, s.Person, name) != nil {
		a.logger.Error("the demo's phone is out of order")
	}
	if on {
		http.Redirect(w, r, "/sign-in?done=phone-moved", http.StatusSeeOther)
		return
	}
	// A session that began with the password alone is not what the person wants any more.
	if err := a.sessions.EndOthers(ctx, tenant, s.Person, s.ID, "factor_enrolled"); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/security/codes?done=phone-on", http.StatusSeeOther)
}

// endPhone ends the second factor of somebody who need not have one.
func (a *app) endPhone(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	s, _ := session.From(r.Context())
	code := r.PostForm.Get("code")
	err := a.guess(r, code, func(ctx context.Context) (bool, error) { return a.factors.Disable(ctx, tenant, s.Person, code) })
	if err != nil && !errors.Is(err, mfa.ErrPending) {
		a.unproven(w, r, err, func(problem string) { a.showPhone(w, r, http.StatusUnprocessableEntity, "", problem) })
		return
	}
	http.Redirect(w, r, "/sign-in?done=phone-off", http.StatusSeeOther)
}
