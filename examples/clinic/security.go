package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// recovered is said to somebody who signed in with a recovery code, until there are new ones.
type recovered struct{ Left int }

// recoveredHere returns it for the session of ctx, nil for one that began otherwise.
func (a *app) recoveredHere(ctx context.Context) (*recovered, error) {
	s, _ := session.From(ctx)
	if !slices.Contains(s.Methods, mfa.MethodRecovery) {
		return nil, nil
	}
	factor, err := a.factors.Status(ctx, tenant, s.Person)
	if err != nil || factor.Codes == allCodes {
		return nil, err
	}
	return &recovered{factor.Codes}, nil
}

// allCodes is how many recovery codes are made at a time.
const allCodes = 10

// securityData is what somebody sees about their own account.
type securityData struct {
	Sessions             []sessionRow
	Everywhere           bool
	Idle, Absolute       string
	On, Locked, Required bool // the second factor
	Since                string
	Codes                int  // recovery codes left
	Few                  bool // fewer than a person should have
	Recovered            *recovered
}

// fewCodes is how many recovery codes are few: somebody who has used most of them should make new ones.
const fewCodes = 3

func (a *app) security(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	s, _ := session.From(ctx)
	rows, err := a.sessionRows(ctx, s.Person)
	factor, err2 := a.factors.Status(ctx, tenant, s.Person)
	policy, err3 := a.sessions.Policy(ctx, tenant)
	required, err4 := a.people.FactorRequired(ctx, tenant, s.Person)
	lost, err5 := a.recoveredHere(ctx)
	if errors.Join(err, err2, err3, err4, err5) != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d := securityData{
		Sessions: rows, Everywhere: policy.SignOut == session.Everywhere,
		Idle: spell(policy.For(s.Kind).Idle), Absolute: spell(policy.For(s.Kind).Absolute),
		On: factor.State == mfa.On || factor.State == mfa.Locked, Locked: factor.State == mfa.Locked,
		Required: required, Codes: factor.Codes, Few: factor.Codes <= fewCodes, Recovered: lost,
	}
	if d.On {
		d.Since = a.config.when(factor.Since)
	}
	a.render(w, r, http.StatusOK, "security", view{Title: "My security", Data: d})
}

// passwordPage is where somebody changes their own password.
func (a *app) passwordPage(w http.ResponseWriter, r *http.Request) {
	a.showPassword(w, r, http.StatusOK, "")
}

func (a *app) showPassword(w http.ResponseWriter, r *http.Request, status int, problem string) {
	s, _ := session.From(r.Context())
	shortest, err := a.people.MinPassword(r.Context(), tenant, s.Kind)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, status, "mypassword", view{Title: "Change my password", Problem: problem, Data: struct{ Min int }{shortest}})
}

// changePassword ends every session of the person, this one too, and goes on like a sign-in: with
// the code, if there is a second factor.
func (a *app) changePassword(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	old, new := authn.NewPassword(r.PostForm.Get(fieldPassword)), authn.NewPassword(r.PostForm.Get("password"))
	step, err := a.people.ChangePassword(r.Context(), old, new, a.client(r))
	switch {
	case errors.Is(err, authn.ErrDenied):
		a.showPassword(w, r, http.StatusUnprocessableEntity, "The password you have now is not right. Nothing was changed.")
	case errors.Is(err, authn.ErrPassword), errors.Is(err, authn.ErrThrottled), errors.Is(err, authn.ErrBusy):
		retryAfter(w, err)
		a.showPassword(w, r, http.StatusUnprocessableEntity, signInProblem(err))
	case err != nil:
		a.fail(w, r, authn.Status(err))
	default:
		a.next(w, r, step)
	}
}

// codesPage asks for a proof before recovery codes are made; codes makes and shows them, once.
func (a *app) codesPage(w http.ResponseWriter, r *http.Request) {
	a.showCodes(w, r, http.StatusOK, codesData{}, "")
}

type codesData struct {
	Left int
	New  []string
}

func (a *app) showCodes(w http.ResponseWriter, r *http.Request, status int, d codesData, problem string) {
	s, _ := session.From(r.Context())
	factor, err := a.factors.Status(r.Context(), tenant, s.Person)
	switch {
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	case factor.State != mfa.On && factor.State != mfa.Locked:
		http.Redirect(w, r, "/security", http.StatusSeeOther)
		return
	}
	d.Left = factor.Codes
	a.render(w, r, status, "codes", view{Title: "Recovery codes", Problem: problem, Data: d})
}

func (a *app) issueCodes(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	s, _ := session.From(r.Context())
	codes, ok, err := a.factors.IssueCodes(r.Context(), tenant, s.Person, r.PostForm.Get("code"))
	if !ok || err != nil {
		a.unproven(w, r, err, func(problem string) {
			a.showCodes(w, r, http.StatusUnprocessableEntity, codesData{}, problem)
		})
		return
	}
	a.showCodes(w, r, http.StatusOK, codesData{New: codes.Reveal()}, "")
}

// unproven answers a proof of the second factor that was not right; a nil err is a wrong code.
func (a *app) unproven(w http.ResponseWriter, r *http.Request, err error, ask func(problem string)) {
	switch {
	case err == nil:
		ask(signInProblem(authn.ErrWrongCode))
	case errors.Is(err, mfa.ErrLocked):
		ask("Codes of the app are locked after too many wrong tries. Use a recovery code, or ask the clinic to reset it.")
	case errors.Is(err, mfa.ErrNotEnrolled):
		http.Redirect(w, r, "/security?done=start-again", http.StatusSeeOther)
	case errors.Is(err, mfa.ErrRequired):
		a.fail(w, r, http.StatusForbidden)
	case errors.Is(err, mfa.ErrEnrolled), errors.Is(err, mfa.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// accountName is how an authenticator app labels the account.
func (a *app) accountName(ctx context.Context, s session.Session) (string, error) {
	if s.Kind == audit.KindPatient {
		p, err := a.ownPatient(ctx, nil)
		if err != nil {
			return "", err
		}
		return a.mailOf(ctx, p)
	}
	m, err := a.staff.get(ctx, s.Person)
	if errors.Is(err, rbac.ErrNotFound) {
		return "my account", nil
	}
	return strings.TrimSpace(m.Email), err
}

// factorRequired tells mfa whether somebody must have a second factor. The two need each other:
// mfa is made first.
func (a *app) factorRequired(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error) {
	return a.people.FactorRequired(ctx, t, person)
}
