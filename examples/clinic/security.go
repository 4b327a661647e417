package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

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

// securityData is what somebody sees about their own account: everything they sign in with, and
// everywhere they did.
type securityData struct {
	Sessions             []sessionRow
	Everywhere           bool
	Idle, Absolute       string
	Passkeys             []passkeyRow
	MayAdd               bool   // passkeys are taken here
	NoPasskeys           string // why browsers make none
	Alone                bool   // a passkey signs in by itself
	On, Locked, Required bool   // codes from an app; a second factor
	Since, Used          string
	Any                  bool // some second factor
	Codes                int  // recovery codes left
	Few                  bool // fewer than a person should have
	Text                 *numberRow
	Browsers             []browserRow
	Recovered            *recovered
}

// numberRow is somebody's number for codes by text message.
type numberRow struct {
	Hint, Since, Used   string
	On, Locked, Allowed bool
}

// fewCodes is how many recovery codes are few: somebody who has used most of them should make new ones.
const fewCodes = 3

func (a *app) security(w http.ResponseWriter, r *http.Request) {
	a.showSecurity(w, r, http.StatusOK, "")
}

func (a *app) showSecurity(w http.ResponseWriter, r *http.Request, status int, problem string) {
	ctx := r.Context()
	s, _ := session.From(ctx)
	rows, err := a.sessionRows(ctx, s.Person)
	rules, err2 := a.sessions.Policy(ctx, tenant)
	lost, err3 := a.recoveredHere(ctx)
	browsers, err4 := a.browserRows(ctx, s, a.client(r))
	d := securityData{
		Sessions: rows, Everywhere: rules.SignOut == session.Everywhere,
		Idle: spell(rules.For(s.Kind).Idle), Absolute: spell(rules.For(s.Kind).Absolute), Recovered: lost, Browsers: browsers,
	}
	if err := errors.Join(err, err2, err3, err4, a.fillFactors(ctx, s, &d)); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, status, "security", view{Title: "My security", Problem: problem, Data: d})
}

// fillFactors fills in what somebody signs in with beside the password.
func (a *app) fillFactors(ctx context.Context, s session.Session, d *securityData) error {
	factor, err := a.factors.Status(ctx, tenant, s.Person)
	keys, err2 := a.passkeyRows(ctx, s.Person)
	p, err3 := a.people.Policy(ctx, tenant)
	required, err4 := a.people.FactorRequired(ctx, tenant, s.Person)
	any, err5 := a.factors.Enrolled(ctx, tenant, s.Person)
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		return err
	}
	d.On, d.Locked = factor.State == mfa.On || factor.State == mfa.Locked, factor.State == mfa.Locked
	d.Required, d.Any, d.Codes, d.Few = required, any, factor.Codes, factor.Codes <= fewCodes
	d.Passkeys, d.NoPasskeys = keys, a.noPasskeys()
	d.MayAdd, d.Alone = a.passkeys && p.Passkeys != authn.PasskeysOff, p.Passkeys == authn.PasskeysAlone
	if d.On {
		d.Since, d.Used = a.config.when(factor.Since), a.ever(factor.LastUsed)
	}
	if t := factor.Text; t.State == mfa.On || t.State == mfa.Locked || p.Texts && a.demo != nil {
		d.Text = &numberRow{Hint: t.Hint, Used: a.ever(t.LastUsed), Locked: t.State == mfa.Locked, Allowed: p.Texts && a.demo != nil}
		if d.Text.On = t.State == mfa.On || t.State == mfa.Locked; d.Text.On {
			d.Text.Since = a.config.when(t.Since)
		}
	}
	return nil
}

// ever tells a time, "" for never.
func (a *app) ever(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return a.config.when(t)
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
	Left    int
	New     []string
	App     bool // there is an app whose code proves who asks
	Passkey bool // or a passkey
}

func (a *app) showCodes(w http.ResponseWriter, r *http.Request, status int, d codesData, problem string) {
	s, _ := session.From(r.Context())
	factor, err := a.factors.Status(r.Context(), tenant, s.Person)
	switch {
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	case !hasAny(factor):
		http.Redirect(w, r, "/security", http.StatusSeeOther)
		return
	}
	d.Left, d.App, d.Passkey = factor.Codes, hasApp(factor) || factor.Codes > 0, factor.Passkeys > 0 || !hasApp(factor)
	a.render(w, r, status, "codes", view{Title: "Recovery codes", Problem: problem, Data: d})
}

func (a *app) issueCodes(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	s, _ := session.From(r.Context())
	code := r.PostForm.Get("code")
	var codes mfa.RecoveryCodes
	err := a.guess(r, code, func(ctx context.Context) (ok bool, err error) {
		codes, ok, err = a.factors.IssueCodes(ctx, tenant, s.Person, code)
		return ok, err
	})
	if err != nil {
		a.unproven(w, r, err, func(problem string) {
			a.showCodes(w, r, http.StatusUnprocessableEntity, codesData{}, problem)
		})
		return
	}
	a.showCodes(w, r, http.StatusOK, codesData{New: codes.Reveal()}, "")
}

// hasApp reports whether somebody has an authenticator app, hasAny whether some second factor.
func hasApp(s mfa.Status) bool { return s.State == mfa.On || s.State == mfa.Locked }

func hasAny(s mfa.Status) bool {
	return hasApp(s) || s.Passkeys > 0 || s.Text.State == mfa.On || s.Text.State == mfa.Locked
}

// guess lets somebody try a code, at the same price as when they sign in. Without one, what they have
// proven already has to do.
func (a *app) guess(r *http.Request, code string, try func(ctx context.Context) (ok bool, err error)) error {
	if code != "" {
		return a.people.Guess(r.Context(), a.client(r), try)
	}
	ok, err := try(r.Context())
	if err == nil && !ok {
		return authn.ErrWrongCode
	}
	return err
}

// unproven answers a proof of the second factor that was not right.
func (a *app) unproven(w http.ResponseWriter, r *http.Request, err error, ask func(problem string)) {
	switch {
	case errors.Is(err, authn.ErrWrongCode), errors.Is(err, authn.ErrThrottled):
		retryAfter(w, err)
		ask(signInProblem(err))
	case errors.Is(err, mfa.ErrLocked):
		ask("Codes of the app are locked after too many wrong tries. Use a recovery code, or ask the clinic to reset it.")
	case errors.Is(err, mfa.ErrUnproven):
		a.askOwn(w, r, interrupted(r))
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
