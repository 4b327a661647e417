package main

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/session"
)

// stepPath is the page of a step of a sign-in.
func stepPath(n authn.Need) string {
	switch n {
	case authn.NeedSecondFactor:
		return "/sign-in/code"
	case authn.NeedEnrolment:
		return "/sign-in/enrol"
	case authn.NeedPassword:
		return "/sign-in/password"
	case authn.NeedBanner:
		return "/sign-in/banner"
	}
	return "/dashboard"
}

// signInData fills the form again; Password is told in the demo only.
type signInData struct {
	Email, Password string
	Passkey         *passkeyForm
}

func (a *app) client(r *http.Request) authn.Client {
	return authn.Client{Addr: a.addr(r), Device: session.DeviceLabel(r.UserAgent()), Known: authn.KnownFrom(r)}
}

func (a *app) signInPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := session.From(r.Context()); ok {
		http.Redirect(w, r, "/dashboard", http.StatusSeeOther)
		return
	}
	a.showSignIn(w, r, http.StatusOK, a.demoSignIn(r), whyOut(r.URL.Query().Get("out")))
}

func (a *app) showSignIn(w http.ResponseWriter, r *http.Request, status int, d signInData, problem string) {
	d.Passkey = a.offeredPasskey(r)
	a.render(w, r, status, "signin", view{Title: "Sign in", Data: d, Problem: problem})
}

// whyOut says why somebody is asked to sign in; the words never come from the address itself.
func whyOut(code string) string {
	switch code {
	case session.StateExpired.String():
		return "You were signed out because nothing happened for a while. Nothing was lost that you had saved."
	case session.StateBlocked.String():
		return "You cannot work from this network. Nothing was changed."
	case session.StateEnded.String():
		return "This session was ended. Please sign in again."
	case "over":
		return "That took too long or was opened twice. Please start again."
	}
	return ""
}

// demoSignIn fills in the account that was picked on the demo page.
func (a *app) demoSignIn(r *http.Request) signInData {
	if a.demo == nil {
		return signInData{}
	}
	for _, account := range append(demoAccounts(), demoOutsider()) {
		if string(account.ID) == r.URL.Query().Get("as") {
			return signInData{Email: account.Email, Password: demoPassword}
		}
	}
	return signInData{Password: demoPassword}
}

// typedSignIn fills the form again after a mistake.
func (a *app) typedSignIn(email string) signInData {
	d := signInData{Email: email}
	if a.demo != nil {
		d.Password = demoPassword
	}
	return d
}

func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	email := strings.TrimSpace(r.PostForm.Get("email"))
	step, err := a.people.SignIn(r.Context(), tenant, email, authn.NewPassword(r.PostForm.Get("password")), a.client(r))
	if err != nil {
		retryAfter(w, err)
		a.showSignIn(w, r, authn.Status(err), a.typedSignIn(email), signInProblem(err))
		return
	}
	a.next(w, r, step)
}

// next keeps the step in the browser and goes to its page; the last step is signed in.
func (a *app) next(w http.ResponseWriter, r *http.Request, step authn.Step) {
	authn.SetTicket(w, step)
	if step.Need == authn.NeedApproval {
		m := message{Text: signInProblem(authn.ErrApproval), Hint: "A mail tells you as soon as that is done.", Href: "/sign-in", Link: "Go to sign in"}
		a.render(w, r, http.StatusOK, "message", view{Title: "Almost there", Plain: true, Data: m})
		return
	}
	if step.Need == authn.Done {
		a.sessions.SetCookie(w, step.Token.Reveal())
	}
	http.Redirect(w, r, stepPath(step.Need), http.StatusSeeOther)
}

// stepPage shows where the sign-in stands, for a page that is loaded or loaded again.
func (a *app) stepPage(w http.ResponseWriter, r *http.Request) {
	step, err := a.people.Show(r.Context(), authn.TicketFrom(r))
	switch {
	case errors.Is(err, authn.ErrTicket):
		http.Redirect(w, r, "/sign-in?out=over", http.StatusSeeOther)
	case err != nil:
		a.fail(w, r, authn.Status(err))
	case stepPath(step.Need) != r.URL.Path:
		http.Redirect(w, r, stepPath(step.Need), http.StatusSeeOther)
	default:
		a.showStep(w, r, http.StatusOK, step)
	}
}

// continueSignIn takes the answer to a step.
func (a *app) continueSignIn(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	answer, words := factorAnswer(r), signInProblem
	if answer.Passkey != "" {
		words = passkeyProblem
	}
	step, err := a.people.Continue(r.Context(), authn.TicketFrom(r), answer, a.client(r))
	switch {
	case errors.Is(err, authn.ErrTicket):
		http.Redirect(w, r, "/sign-in?out=over", http.StatusSeeOther)
	case errors.Is(err, authn.ErrDenied), errors.Is(err, authn.ErrThrottled), errors.Is(err, authn.ErrNetwork), errors.Is(err, authn.ErrInactive), errors.Is(err, authn.ErrApproval):
		authn.SetTicket(w, authn.Step{})
		retryAfter(w, err)
		a.showSignIn(w, r, authn.Status(err), signInData{}, words(err))
	case err != nil:
		a.fail(w, r, authn.Status(err))
	case step.Problem != nil:
		authn.SetTicket(w, step)
		retryAfter(w, step.Problem)
		a.showStep(w, r, http.StatusUnprocessableEntity, step)
	default:
		a.next(w, r, step)
	}
}

type enrolData struct {
	QR     template.URL // data: address of the PNG that this server made
	Manual string
}

func (a *app) showStep(w http.ResponseWriter, r *http.Request, status int, step authn.Step) {
	v := view{}
	if step.Problem != nil {
		v.Problem = signInProblem(step.Problem)
	}
	switch step.Need {
	case authn.NeedSecondFactor:
		v.Title, v.Data = "Second step", a.factorsOf(r, step)
		a.render(w, r, status, "code", v)
	case authn.NeedEnrolment:
		a.showEnrolment(w, r, status, step, v)
	case authn.NeedPassword:
		v.Title = "Choose a new password"
		v.Data = struct {
			Why string
			Min int
		}{"Your password has to be changed before you go on.", step.MinPassword}
		a.render(w, r, status, "newpassword", v)
	case authn.NeedBanner:
		words, err := a.banners.words(r.Context(), step.Banner)
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		v.Title, v.Data = "Before you go on", struct{ Words, Version string }{words, step.Banner}
		a.render(w, r, status, "banner", v)
	default:
		http.Redirect(w, r, stepPath(step.Need), http.StatusSeeOther)
	}
}

// signInProblem turns an error into plain words.
func signInProblem(err error) string {
	var policy *authn.PolicyError
	var throttled *authn.ThrottledError
	switch {
	case errors.As(err, &policy):
		return passwordProblem(policy)
	case errors.As(err, &throttled) && throttled.Disabled:
		return "This account is locked after too many tries. The clinic can unlock it."
	case errors.As(err, &throttled):
		return "Too many tries. Please wait " + strconv.Itoa(int(throttled.RetryAfter.Seconds())) + " seconds and try again."
	case errors.Is(err, authn.ErrThrottled):
		return "Too many tries. Please wait a moment and try again."
	case errors.Is(err, authn.ErrPasskeyDisabled), errors.Is(err, authn.ErrPasswordFirst), errors.Is(err, authn.ErrPasskey):
		return passkeyProblem(err)
	case errors.Is(err, authn.ErrNoFactor):
		return "This way is not open to you any more. Please choose another one."
	case errors.Is(err, authn.ErrDenied):
		return "That e-mail address and password do not go together, or the account is not active."
	case errors.Is(err, authn.ErrNetwork):
		return "You cannot sign in from this network. Try again from the clinic, or ask an administrator."
	case errors.Is(err, authn.ErrApproval):
		return "Your password is set. Somebody at the clinic has to approve your account before you can sign in."
	case errors.Is(err, authn.ErrInactive):
		return "This account is locked, because nobody signed in with it for a long time. The clinic can unlock it."
	case errors.Is(err, authn.ErrBanner):
		return "Please confirm that you have read this. The words may have changed meanwhile."
	case errors.Is(err, authn.ErrWrongCode):
		return "That code is not right, or it was used already. Wait for the next one and type it again."
	case errors.Is(err, authn.ErrIdentifier), errors.Is(err, errInput):
		return "Please fill in your name and a valid e-mail address."
	case errors.Is(err, authn.ErrBusy):
		return "The clinic is busy. Please try again in a few seconds."
	}
	return "Signing in does not work right now. Please try again in a moment."
}

func passwordProblem(p *authn.PolicyError) string {
	switch p.Reason {
	case authn.TooShort:
		return "The password is too short: use at least " + strconv.Itoa(p.Min) + " characters."
	case authn.TooLong:
		return "The password is too long: use at most " + strconv.Itoa(p.Max) + " characters."
	case authn.Common:
		return "Many people use this password, so it is easily guessed. Choose another one."
	case authn.Context:
		return "The password is too close to your name, your address or the clinic's name. Choose another one."
	case authn.Same:
		return "This is the password you had before. Choose another one."
	case authn.Breached:
		return "This password was stolen somewhere and is on lists that attackers try. Choose another one."
	}
	return "This password cannot be used. Choose another one."
}

// retryAfter tells the browser when to come back, where the error knows.
func retryAfter(w http.ResponseWriter, err error) {
	var throttled *authn.ThrottledError
	var busy *authn.BusyError
	switch {
	case errors.As(err, &throttled) && !throttled.Disabled:
		w.Header().Set("Retry-After", strconv.Itoa(int(throttled.RetryAfter.Seconds())))
	case errors.As(err, &busy):
		w.Header().Set("Retry-After", strconv.Itoa(int(busy.RetryAfter.Seconds())))
	}
}
