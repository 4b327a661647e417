package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/wardkit/wardkit/authn"
)

// factorData is the page that asks for a second factor: whatever somebody has, best first.
type factorData struct {
	Passkey *passkeyForm
	App     bool
	Text    *textForm
	None    bool // their only passkey was turned off
}

// textForm asks for a code by text message: to send one, then to type it.
type textForm struct {
	Hint  string // how the number ends
	Sent  bool
	Again string // when the next can be sent
}

func (a *app) factorsOf(r *http.Request, step authn.Step) factorData {
	d := factorData{App: slices.Contains(step.Factors, authn.FactorApp), None: len(step.Factors) == 0}
	if slices.Contains(step.Factors, authn.FactorPasskey) {
		d.Passkey = a.passkeyAt(r, passkeyForm{Ceremony: "get", Action: "/sign-in/code", Options: step.Passkey, Text: "Use your passkey"})
	}
	if slices.Contains(step.Factors, authn.FactorText) {
		d.Text = a.textOf(step.Text)
	}
	return d
}

func (a *app) textOf(t authn.Text) *textForm {
	f := &textForm{Hint: t.Hint, Sent: !t.Again.IsZero()}
	if f.Sent && t.Again.After(time.Now()) {
		f.Again = t.Again.In(a.config.zone).Format("15:04")
	}
	return f
}

// setUpFactorData is guided set-up: a passkey first, an app beside it.
type setUpFactorData struct {
	Passkey *passkeyForm
	Why     string // there is no passkey to be made
	Scan    *enrolData
}

// showEnrolment shows what can be set up.
func (a *app) showEnrolment(w http.ResponseWriter, r *http.Request, status int, step authn.Step, v view) {
	d := setUpFactorData{Why: a.noPasskeys()}
	if slices.Contains(step.Factors, authn.FactorPasskey) {
		d.Passkey = a.passkeyAt(r, passkeyForm{Ceremony: "create", Action: "/sign-in/enrol", Options: step.Passkey, Text: "Make a passkey"})
	}
	if uri := step.Enrolment.URI.Reveal(); uri != "" {
		var err error
		if d.Scan, err = picture(uri); err != nil {
			a.fail(w, r, http.StatusInternalServerError)
			return
		}
	}
	v.Title, v.Data = "Protect your account", d
	a.render(w, r, status, "enrol", v)
}

// factorAnswer reads the answer to a step from its form.
func factorAnswer(r *http.Request) authn.Answer {
	form := r.PostForm
	return authn.Answer{
		Factor: authn.Factor(form.Get("factor")), Code: form.Get("code"), Send: form.Get("send") == "yes",
		Passkey: form.Get(fieldPasskey), Label: form.Get(fieldLabel),
		Password: authn.NewPassword(form.Get("password")), Banner: form.Get("banner"),
	}
}
