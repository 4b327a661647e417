package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/session"
)

// numberData is the way to codes by text message: a number, then the code that was sent to it.
type numberData struct {
	Number string
	Sent   bool
	On     bool
}

// numberPage is where somebody sets up codes by text message, if the clinic takes them.
func (a *app) numberPage(w http.ResponseWriter, r *http.Request) {
	a.showNumber(w, r, http.StatusOK, numberData{}, "")
}

func (a *app) showNumber(w http.ResponseWriter, r *http.Request, status int, d numberData, problem string) {
	s, _ := session.From(r.Context())
	text, err := a.factors.TextStatus(r.Context(), tenant, s.Person)
	p, err2 := a.people.Policy(r.Context(), tenant)
	if errors.Join(err, err2) != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if !p.Texts {
		http.Redirect(w, r, "/security", http.StatusSeeOther)
		return
	}
	d.On = text.State == mfa.On || text.State == mfa.Locked
	a.render(w, r, status, "number", view{Title: "Codes by text message", Problem: problem, Data: d})
}

// beginNumber sends a code to a number that somebody says is theirs.
func (a *app) beginNumber(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	s, _ := session.From(r.Context())
	d := numberData{Number: strings.TrimSpace(r.PostForm.Get("number"))}
	_, err := a.factors.BeginText(r.Context(), tenant, s.Person, dialled(d.Number))
	if problem := textProblem(err); problem != "" {
		a.showNumber(w, r, http.StatusUnprocessableEntity, d, problem)
		return
	}
	if err != nil {
		a.changedOwn(w, r, "", err)
		return
	}
	d.Sent = true
	a.showNumber(w, r, http.StatusOK, d, "")
}

// dialled writes a number as telephone networks do. People here type theirs without the country's code.
func dialled(typed string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, typed)
	switch {
	case strings.HasPrefix(typed, "+"):
		return "+" + digits
	case len(digits) == 10:
		return "+1" + digits
	case len(digits) == 11 && digits[0] == '1':
		return "+" + digits
	}
	return typed
}

// confirmNumber takes the code that came.
func (a *app) confirmNumber(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	s, _ := session.From(r.Context())
	before, err := a.factors.TextStatus(r.Context(), tenant, s.Person)
	ok := false
	if err == nil {
		ok, err = a.factors.ConfirmText(r.Context(), tenant, s.Person, r.PostForm.Get("code"))
	}
	problem := textProblem(err)
	if err == nil && !ok {
		problem = "That code is not right, or it is too old."
	}
	to := "/security?done=number-on"
	if before.State == mfa.On || before.State == mfa.Locked { // another number: every session ended
		to = "/sign-in?done=number-moved"
	}
	if problem != "" {
		a.showNumber(w, r, http.StatusUnprocessableEntity, numberData{Number: r.PostForm.Get("number"), Sent: true}, problem)
		return
	}
	a.changedOwn(w, r, to, err)
}

func (a *app) removeNumber(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context())
	a.changedOwn(w, r, "/sign-in?done=number-off", a.factors.RemoveText(r.Context(), tenant, s.Person))
}

// textProblem turns an error of text messages into plain words, "" for one that is another's.
func textProblem(err error) string {
	var limit *mfa.TextLimitError
	switch {
	case errors.Is(err, mfa.ErrNumber):
		return "Please type a phone number with its area code, such as (212) 555-0123."
	case errors.Is(err, mfa.ErrRegion):
		return "This clinic sends no messages to that country."
	case errors.As(err, &limit):
		return "A message was sent already, or too many were. The next one can be sent in " + spellWait(limit.RetryAfter()) + "."
	case errors.Is(err, mfa.ErrTextRisk):
		return "This number changed hands lately, so no code is sent to it. Use another way, or ask the clinic."
	case errors.Is(err, mfa.ErrTextNotSent):
		return "The message could not be sent. Please try again, or use another way."
	case errors.Is(err, mfa.ErrTextLocked):
		return "Codes by text message are locked after too many wrong tries. Remove the number in My security, or use another way."
	case errors.Is(err, mfa.ErrNoTexts):
		return "This clinic sends no text messages."
	}
	return ""
}
