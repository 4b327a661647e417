package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
	"github.com/wardkit/wardkit/session"
)

// platformRoutes are the operators' own page and their entrance. Signing in is the clinic's, step by step, with an
// account of the platform's tenant.
func (a *app) platformRoutes(mux *rbac.Mux) {
	const signingIn = "nobody is signed in yet; authn records every try"
	mux.Public("GET /platform/sign-in", signingIn, http.HandlerFunc(a.platformSignInPage))
	mux.Public("POST /platform/sign-in", signingIn, http.HandlerFunc(a.platformSignIn))
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /platform", platformUse, a.platformPage)
	here.Handle("POST /platform/requests", platformUse, a.requestSupport)
	here.Handle("POST /platform/requests/{access}/withdraw", platformUse, a.withdrawSupport)
	here.Handle("POST /platform/enter", platformUse, a.enterClinic)
	here.Handle("POST /platform/leave/{access}", platformUse, a.leaveClinic)
}

func (a *app) platformSignInPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := session.From(r.Context()); ok {
		http.Redirect(w, r, "/platform", http.StatusSeeOther)
		return
	}
	d := signInData{}
	if a.demo != nil {
		d.Email, d.Password = demoOperators()[0].Email, demoPassword
	}
	a.showPlatformSignIn(w, r, http.StatusOK, d, "")
}

func (a *app) showPlatformSignIn(w http.ResponseWriter, r *http.Request, status int, d signInData, problem string) {
	a.render(w, r, status, "platformsignin", view{Title: "Sign in to the platform", Data: d, Problem: problem})
}

func (a *app) platformSignIn(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	email := strings.TrimSpace(r.PostForm.Get("email"))
	step, err := a.people.SignIn(r.Context(), platformTenant, email, authn.NewPassword(r.PostForm.Get("password")), a.client(r))
	if err != nil {
		retryAfter(w, err)
		a.showPlatformSignIn(w, r, authn.Status(err), a.typedSignIn(email), signInProblem(err))
		return
	}
	a.next(w, r, step)
}

type platformData struct {
	Reasons, Lengths []option
	Open, Over       []visitRow
	Typed            support.Ask
	Minutes          string
}

func (a *app) platformPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showPlatform(w, r, http.StatusOK, support.Ask{}, "")
}

func (a *app) showPlatform(w http.ResponseWriter, r *http.Request, status int, typed support.Ask, problem string) {
	d := platformData{Reasons: reasonWords(), Typed: typed, Minutes: strconv.Itoa(int(max(typed.Length, 2*time.Hour) / time.Minute))}
	for _, l := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour} {
		d.Lengths = append(d.Lengths, option{strconv.Itoa(int(l / time.Minute)), lengthText(l)})
	}
	for access, err := range a.support.Mine(r.Context(), "") {
		if err != nil {
			a.fail(w, r, supportStatus(err))
			return
		}
		if len(d.Over) == maxOver {
			break
		}
		row := a.visitRow(&access, nil)
		row.By = "" // who of the clinic answered is the clinic's
		if row.Waits || row.Stands {
			d.Open = append(d.Open, row)
		} else {
			d.Over = append(d.Over, row)
		}
	}
	a.render(w, r, status, "platform", view{Title: "Platform", Problem: problem, Data: d})
}

// platformDone goes on after a change, or says why there was none.
func (a *app) platformDone(w http.ResponseWriter, r *http.Request, err error, to string) {
	problem := supportProblem(err)
	switch {
	case err == nil:
		http.Redirect(w, r, to, http.StatusSeeOther)
	case problem != "":
		a.showPlatform(w, r, max(supportStatus(err), http.StatusForbidden), support.Ask{}, problem)
	case errors.Is(err, support.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	default:
		a.fail(w, r, supportStatus(err))
	}
}

func (a *app) requestSupport(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	minutes, err := strconv.Atoi(r.PostForm.Get("minutes"))
	if err != nil || minutes <= 0 || minutes > 24*60 {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	ask := support.Ask{
		Tenant: tenant, Role: roleOperator, Length: time.Duration(minutes) * time.Minute,
		Code: r.PostForm.Get("code"), Text: r.PostForm.Get("text"), Ticket: strings.TrimSpace(r.PostForm.Get("ticket")),
	}
	_, err = a.support.Request(r.Context(), ask)
	if problem := supportProblem(err); err != nil && problem != "" {
		a.showPlatform(w, r, max(supportStatus(err), http.StatusForbidden), ask, problem)
		return
	}
	a.platformDone(w, r, err, "/platform?done=support-asked")
}

func (a *app) withdrawSupport(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	_, err := a.support.Withdraw(r.Context(), tenant, r.PathValue("access"))
	a.platformDone(w, r, err, "/platform?done=support-withdrawn")
}

func (a *app) enterClinic(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	_, _, err := a.support.Enter(r.Context(), tenant)
	a.platformDone(w, r, err, "/settings")
}

func (a *app) leaveClinic(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	_, err := a.support.End(r.Context(), tenant, r.PathValue("access"), "")
	a.platformDone(w, r, err, "/platform?done=support-left")
}

// operatorNav is what people of the platform see of the navigation: their own page and, inside, what the role opens.
func (a *app) operatorNav(r *http.Request, actor audit.Actor) (*viewUser, rbac.Permitted, []navItem) {
	items := []navItem{{Href: "/platform", Text: "Platform"}}
	may, _ := rbac.MayAnywhere(r.Context(), a.access) // what cannot be decided is hidden
	if _, ok := insideOf(r.Context()); ok {
		if may.Allows(settingsRead) {
			items = append(items, navItem{Href: "/settings", Text: "Settings"})
		}
		if may.Allows(securityRead) {
			items = append(items, navItem{Href: "/audit/sign-ins", Text: "Sign-ins"})
		}
	}
	name, _, _ := strings.Cut(visitorName(actor.ID), ",")
	return &viewUser{name, "Platform support"}, may, marked(r, items)
}

// seedOperators makes the invented people of the platform, who take the way that everybody takes.
func (a *app) seedOperators(ctx context.Context) error {
	ctx = audit.WithActor(ctx, audit.System(platformTenant, "setup"))
	for _, o := range demoOperators() {
		if err := a.seedAccountOf(ctx, platformTenant, o, audit.KindStaff); err != nil {
			return err
		}
	}
	return nil
}
