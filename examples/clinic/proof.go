package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// again is a page that asks somebody to prove once more who they are, with the password or with
// a code, before something goes on: a high-risk action, the settings, a locked screen. What was
// typed into the form that led here is kept in it.
type again struct {
	To, Method string // what goes on afterwards
	Action     audit.Action
	Object     audit.Object
	Kept       []field
	Title      string
	Name       string // whose screen is locked
	Asked      authn.Proof
	Passkey    *passkeyForm
	Text       *textForm
}

type field struct{ Name, Value string }

// The fields of the page's own form; everything else in it is kept.
const (
	fieldPassword = "proof-password"
	fieldCode     = "proof-code"
	fieldTexted   = "proof-texted"
	fieldSend     = "proof-send"
	fieldKey      = "proof-passkey"
	fieldTo       = "proof-to"
	fieldMethod   = "proof-method"
	fieldAction   = "proof-action"
	fieldType     = "proof-type"
	fieldID       = "proof-id"
)

// askedAgain reads back the form of the page.
func askedAgain(r *http.Request) again {
	form := r.PostForm
	return again{
		To: within(form.Get(fieldTo)), Method: form.Get(fieldMethod), Action: audit.Action(form.Get(fieldAction)),
		Object: audit.Object{Type: form.Get(fieldType), ID: form.Get(fieldID)}, Kept: kept(form),
	}
}

// interrupted is the page for a request that cannot go on before.
func interrupted(r *http.Request) again {
	_ = r.ParseForm() // what is not a form has nothing to keep
	return again{To: within(r.URL.RequestURI()), Method: r.Method, Kept: kept(r.PostForm)}
}

// Fields are the form of the page but for what proves anything.
func (d again) Fields() []field {
	own := []field{{fieldTo, d.To}, {fieldMethod, d.Method}, {fieldAction, string(d.Action)}, {fieldType, d.Object.Type}, {fieldID, d.Object.ID}}
	return append(own, d.Kept...)
}

// kept are the fields of a form but for secrets and those of the page.
func kept(form url.Values) (all []field) {
	for name, values := range form {
		if name == session.CSRFField || name == "password" || name == "code" || strings.HasPrefix(name, "proof-") {
			continue
		}
		for _, v := range values {
			all = append(all, field{name, v})
		}
	}
	slices.SortStableFunc(all, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// within makes sure that a way on stays within the clinic.
func within(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
		return "/dashboard"
	}
	return to
}

// goOn continues what was interrupted. 307 has the browser send the form once more, with what was
// kept in it, to where it was meant for.
func (d again) goOn(w http.ResponseWriter, r *http.Request) {
	if d.Method == http.MethodPost {
		http.Redirect(w, r, d.To, http.StatusTemporaryRedirect)
		return
	}
	http.Redirect(w, r, d.To, http.StatusSeeOther)
}

// prove checks the password, the code or both that the person of s gave.
func (a *app) prove(r *http.Request, s session.Session) (audit.Actor, error) {
	form := r.PostForm
	answer := authn.Answer{
		Password: authn.NewPassword(form.Get(fieldPassword)), Code: strings.TrimSpace(form.Get(fieldCode)),
		Passkey: form.Get(fieldKey), Ticket: authn.TicketFrom(r),
	}
	if texted := strings.TrimSpace(form.Get(fieldTexted)); texted != "" {
		answer.Factor, answer.Code = authn.FactorText, texted
	}
	return a.people.Prove(a.actingIn(r, s), answer, a.client(r))
}

// actingIn is the context of a request with the person of s in it: behind a locked screen nobody acts.
func (a *app) actingIn(r *http.Request, s session.Session) context.Context {
	return audit.WithActor(r.Context(), s.Actor(a.addr(r)))
}

// fillProof fills in what the person of s can prove who they are with. A passkey is asked for, and a
// message sent if that was wished, with a ticket in the browser.
func (a *app) fillProof(w http.ResponseWriter, r *http.Request, s session.Session, to string, d *again) (problem string, err error) {
	ctx, send := a.actingIn(r, s), r.PostForm.Get(fieldSend) == "yes"
	d.Asked, err = a.people.Asked(ctx)
	if d.Action == ownSecurity { // see bySecond
		d.Asked.Both = d.Asked.Passkey || d.Asked.Code || d.Asked.Text
	}
	if err != nil || !d.Asked.Passkey && !d.Asked.Text {
		return "", err
	}
	answer := authn.Answer{}
	if send && d.Asked.Text {
		answer = authn.Answer{Factor: authn.FactorText, Send: true}
	}
	step, err := a.people.BeginProof(ctx, answer, a.client(r))
	if errors.Is(err, authn.ErrThrottled) { // the password and codes go on being taken
		d.Asked.Passkey, d.Asked.Text = false, false
		return "", nil
	}
	if err != nil {
		return "", err
	}
	authn.SetTicket(w, step)
	if step.Problem != nil {
		problem = signInProblem(step.Problem)
	}
	if d.Asked.Text {
		d.Text = a.textOf(step.Text)
		d.Text.Sent = d.Text.Sent || r.PostForm.Get(fieldTexted) != ""
	}
	if d.Asked.Passkey {
		d.Passkey = a.passkeyAt(r, passkeyForm{Ceremony: "get", Action: to, Options: step.Passkey, Name: fieldKey, Text: "Use your passkey", Kept: d.Fields()})
	}
	return problem, nil
}

// proofProblem turns an error of prove into plain words, "" for one that is the clinic's own.
func proofProblem(err error) string {
	var throttled *authn.ThrottledError
	switch {
	case errors.As(err, &throttled) && throttled.Disabled:
		return "Locked after too many wrong tries. Ask an administrator to unlock you or to reset the second factor."
	case errors.Is(err, authn.ErrThrottled), errors.Is(err, authn.ErrWrongCode), errors.Is(err, authn.ErrBusy):
		return signInProblem(err)
	case errors.Is(err, authn.ErrPasskeyDisabled), errors.Is(err, authn.ErrPasskey):
		return passkeyProblem(err)
	case errors.Is(err, authn.ErrTicket):
		return "That took too long. Please try again."
	case errors.Is(err, errSecond):
		return "One of them alone is not enough for this: use your passkey, or your password and a code."
	case errors.Is(err, authn.ErrDenied):
		return "That password is not right."
	case errors.Is(err, authn.ErrNoFactor):
		return "No phone is set up for codes. Use your password."
	case errors.Is(err, authn.ErrProof):
		return "Please give your password or a code; if both are asked for, both."
	}
	return ""
}

// owes asks for a proof before what rbac does not let through without one.
func (a *app) owes(w http.ResponseWriter, r *http.Request) {
	d := interrupted(r)
	if denied, ok := rbac.DeniedFrom(r.Context()); ok {
		d.Action, d.Object = denied.Action, denied.Object
	}
	a.askAgain(w, r, http.StatusUnauthorized, d, "")
}

func (a *app) askAgain(w http.ResponseWriter, r *http.Request, status int, d again, problem string) {
	d.Title = deedText(d.Action)
	s, _ := session.From(r.Context())
	more, err := a.fillProof(w, r, s, "/confirm", &d)
	if err != nil {
		a.fail(w, r, authn.Status(err))
		return
	}
	problem = cmp.Or(problem, more)
	a.render(w, r, status, "confirm", view{Title: "Is it you?", Problem: problem, Data: d})
}

// confirm takes the proof, and lets what was interrupted go on.
func (a *app) confirm(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	ctx, d := r.Context(), askedAgain(r)
	s, _ := session.From(ctx)
	if d.Action == "" {
		a.fail(w, r, http.StatusBadRequest)
		return
	}
	if r.PostForm.Get(fieldSend) == "yes" {
		a.askAgain(w, r, http.StatusOK, d, "")
		return
	}
	actor, err := a.prove(r, s)
	if err == nil && d.Action == ownSecurity {
		err = a.bySecond(ctx, actor)
	}
	var token string
	if err == nil {
		var purposes []session.Purpose
		if d.Action != ownSecurity { // there the time of the proof itself counts
			purposes = append(purposes, a.sessions.PurposeOf(ctx, d.Action, d.Object))
		}
		token, err = a.sessions.Reauthenticated(ctx, actor, purposes...)
	}
	if err != nil {
		a.unproved(w, r, err, func(status int, problem string) { a.askAgain(w, r, status, d, problem) })
		return
	}
	a.sessions.SetCookie(w, token)
	d.goOn(w, r)
}

// errSecond: one factor was given where two have to be.
var errSecond = errors.New("a second factor is needed")

// bySecond refuses a proof by one factor of whoever has two: who has found a screen and a password
// must not make a passkey of their own with them. It would lead nowhere either: session says of one
// factor that it proves nothing of what a session of two does.
func (a *app) bySecond(ctx context.Context, proven audit.Actor) error {
	has, err := a.factors.Enrolled(ctx, tenant, proven.ID)
	if err == nil && has && proven.Assurance < audit.AAL2 {
		return errSecond
	}
	return err
}

// unproved asks once more after a mistake.
func (a *app) unproved(w http.ResponseWriter, r *http.Request, err error, ask func(status int, problem string)) {
	problem := proofProblem(err)
	switch {
	case problem != "":
		retryAfter(w, err)
		ask(http.StatusUnprocessableEntity, problem)
	case errors.Is(err, session.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}
