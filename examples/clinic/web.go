package main

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// routes builds the whole handler, outermost first: headers, the audit's hold on every
// response, the guard, the session, the routes.
func (a *app) routes() (http.Handler, error) {
	mux := a.mux()
	if err := mux.Err(); err != nil {
		return nil, err
	}
	api, err := a.api()
	if err != nil {
		return nil, err
	}
	hold, err := audithttp.Hold(a.log, a.guard(split(api, a.sessions.Handler(a.visitors(mux)))), &audithttp.Options{Logger: a.logger})
	if err != nil {
		return nil, err
	}
	return session.SecurityHeaders(hold, nil)
}

func (a *app) mux() *rbac.Mux {
	mux := rbac.NewMux(a.access, &rbac.HTTPOptions{
		Tenant: tenant,
		Reason: reason,
		SignIn: func(w http.ResponseWriter, r *http.Request) { a.toSignIn(w, r) },
		Error:  func(w http.ResponseWriter, r *http.Request, status int, code rbac.Code) { a.refuse(w, r, status, code) },
	})
	a.publicRoutes(mux)
	a.personalRoutes(mux)
	a.patientRoutes(mux)
	a.claimRoutes(mux)
	a.adminRoutes(mux)
	a.roleRoutes(mux)
	a.paperRoutes(mux)
	a.machineRoutes(mux)
	a.incidentRoutes(mux)
	a.campaignRoutes(mux)
	a.supportRoutes(mux)
	a.controlRoutes(mux)
	a.proofRoutes(mux)
	a.retentionRoutes(mux)
	a.shredRoutes(mux)
	a.reviewRoutes(mux)
	a.emergencyRoutes(mux)
	a.maskRoutes(mux)
	return mux
}

func (a *app) publicRoutes(mux *rbac.Mux) {
	const signingIn = "nobody is signed in yet; authn records every try"
	static, _ := fs.Sub(files, "static")
	mux.Public("GET /static/{file}", "style sheet and icon hold no data", cached(http.StripPrefix("/static/", http.FileServerFS(static))))
	mux.Public("GET /healthz", "says that the process runs", http.HandlerFunc(a.healthz))
	mux.Public("GET /readyz", "says whether the parts answer", http.HandlerFunc(a.readyz))
	mux.Public("GET /{$}", "leads to the dashboard or to signing in", http.RedirectHandler("/dashboard", http.StatusSeeOther))
	mux.Public("GET /sign-in", signingIn, http.HandlerFunc(a.signInPage))
	mux.Public("GET /forgot", signingIn, http.HandlerFunc(a.forgotPage))
	mux.Public("POST /forgot", signingIn, http.HandlerFunc(a.forgot))
	mux.Public("POST /sign-in", signingIn, http.HandlerFunc(a.signIn))
	mux.Public("POST /sign-in/offer", signingIn, http.HandlerFunc(a.offerPasskey))
	mux.Public("POST /sign-in/passkey", signingIn, http.HandlerFunc(a.continueSignIn))
	for _, step := range []string{"code", "enrol", "password", "banner"} {
		mux.Public("GET /sign-in/"+step, signingIn, http.HandlerFunc(a.stepPage))
		mux.Public("POST /sign-in/"+step, signingIn, http.HandlerFunc(a.continueSignIn))
	}
	mux.Public("GET /link/{token}", signingIn, http.HandlerFunc(a.linkPage))
	mux.Public("POST /link/{token}", signingIn, http.HandlerFunc(a.useLink))
	mux.Public("POST /link/{token}/again", signingIn, http.HandlerFunc(a.inviteAgain))
	if a.demo != nil {
		mux.Public("GET /demo", "invented people only, on loopback only", http.HandlerFunc(a.demoPage))
	}
}

func (a *app) personalRoutes(mux *rbac.Mux) {
	mux.SignedIn("GET /dashboard", "the first page of everybody", http.HandlerFunc(a.dashboard))
	mux.Public("POST /sign-out", "everybody may leave, a locked screen too; session records it", http.HandlerFunc(a.signOut))
	mux.SignedIn("POST /confirm", "proves who is there; authn, mfa and session record it", http.HandlerFunc(a.confirm))
	mux.SignedIn("POST /lock", "everybody may cover their screen; session records it", http.HandlerFunc(a.lock))
	mux.Public("GET /locked", "tells only whose screen it is", http.HandlerFunc(a.lockedPage))
	mux.Public("POST /unlock", "nobody acts from a locked screen; authn, mfa and session record it", http.HandlerFunc(a.unlock))
	mux.SignedIn("GET /security", "one's own sessions", http.HandlerFunc(a.security))
	for _, own := range []struct {
		pattern string
		page    http.HandlerFunc
	}{
		{"GET /security/password", a.passwordPage},
		{"POST /security/password", a.changePassword},
		{"GET /security/codes", a.codesPage},
		{"POST /security/codes", a.issueCodes},
		{"GET /security/phone", a.phonePage},
		{"POST /security/phone", a.beginPhone},
		{"POST /security/phone/confirm", a.confirmPhone},
		{"POST /security/phone/end", a.endPhone},
		{"GET /security/passkeys/new", a.passkeyPage},
		{"POST /security/passkeys", a.addPasskey},
		{"POST /security/passkeys/{passkey}/rename", a.renamePasskey},
		{"POST /security/passkeys/{passkey}/remove", a.removePasskey},
		{"GET /security/number", a.numberPage},
		{"POST /security/number", a.beginNumber},
		{"POST /security/number/confirm", a.confirmNumber},
		{"POST /security/number/remove", a.removeNumber},
		{"POST /security/browsers/forget-all", a.forgetBrowsers},
		{"POST /security/browsers/{browser}/forget", a.forgetBrowser},
	} {
		mux.SignedIn(own.pattern, "one's own password and second factor; authn and mfa record it", own.page)
	}
	mux.SignedIn("POST /security/sessions/end-others", "one's own sessions", http.HandlerFunc(a.endOtherSessions))
	mux.SignedIn("POST /security/sessions/{session}/end", "one's own sessions", http.HandlerFunc(a.endOwnSession))
}

func (a *app) patientRoutes(mux *rbac.Mux) {
	rbac.HandleList(mux, "GET /patients", patientRead, a.patientList)
	rbac.HandleList(mux, "POST /patients/find", patientRead, a.findPatient)
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /patients/new", registerOpen, a.registerPage)
	here.Handle("POST /patients", registerSubmit, a.register)
	one := rbac.For(mux, func(ctx context.Context, r *http.Request) (Patient, error) {
		return a.patients.get(ctx, r.PathValue("patient"))
	})
	one.Handle("POST /patients/{patient}/reveal", patientReveal, a.reveal)
	one.Handle("GET /patients/{patient}/note", noteRead, a.notePage)
	one.Handle("POST /patients/{patient}/note", noteWrite, a.saveNote)
	one.Handle("POST /patients/{patient}/note/lock", noteDraft, a.lockNote)
	one.Handle("POST /patients/{patient}/note/discard", noteDraft, a.discardDraft)
	one.Handle("GET /patients/{patient}/note/history", historyRead, a.noteHistory)
	one.Handle("POST /patients/{patient}/claims", claimSubmit, a.submitClaim)
	one.Handle("POST /patients/{patient}/care", careJoin, a.joinCare)
	one.Handle("POST /patients/{patient}/care/end", careEnd, a.endCare)
	one.Handle("GET /patients/{patient}/portal", portalRead, a.portalPage)
	one.Handle("POST /patients/{patient}/portal", portalManage, a.invitePatient)
	one.Handle("POST /patients/{patient}/portal/reset-factor", portalReset, a.resetPatientFactor)
	one.Handle("POST /patients/{patient}/portal/{change}", portalManage, a.changePortal)
	mine := rbac.For(mux, a.ownPatient)
	mine.Handle("GET /me", patientRead, a.myRecordPage)
}

func (a *app) claimRoutes(mux *rbac.Mux) {
	rbac.HandleList(mux, "GET /claims", claimRead, a.claimList)
	one := rbac.For(mux, func(ctx context.Context, r *http.Request) (Claim, error) {
		return a.claims.get(ctx, r.PathValue("claim"))
	})
	one.Handle("GET /claims/{claim}", claimRead, a.claimPage)
	one.Handle("POST /claims/{claim}/{step}", claimChange, a.changeClaim)
}

func (a *app) adminRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /team", teamRead, a.teamPage)
	here.Handle("GET /team/{member}", teamRead, a.memberPage)
	here.Handle("POST /team/invite", teamManage, a.inviteMember)
	here.Handle("POST /team/{member}/sessions/{session}/end", teamManage, a.endMemberSession)
	here.Handle("POST /team/{member}/{change}", teamManage, a.changeMember)
	rbac.For(mux, a.member).Handle("POST /team/{member}/reset-factor", memberReset, a.resetMemberFactor)
	here.Handle("GET /settings", settingsRead, a.settingsPage)
	here.Handle("GET /settings/sign-in", settingsRead, a.rulesPage)
	here.Handle("POST /settings/sign-in", settingsChange, a.saveRules)
	here.Handle("GET /settings/accounts", settingsRead, a.accountRulesPage)
	here.Handle("POST /settings/accounts", settingsChange, a.saveAccountRules)
	here.Handle("GET /settings/network", settingsRead, a.networkPage)
	here.Handle("POST /settings/network", settingsChange, a.saveNetwork)
	here.Handle("GET /settings/banner", settingsRead, a.bannerPage)
	here.Handle("POST /settings/banner", settingsChange, a.saveBanner)
	here.Handle("GET /settings/keys", settingsRead, a.keysPage)
	here.Handle("POST /settings/keys/renew", keysRenew, a.renewKeys)
	here.Handle("GET /audit", auditRead, a.auditPage)
	here.Handle("POST /audit/find", auditRead, a.auditFind)
	here.Handle("GET /audit/health", auditHealth, a.auditHealthPage)
	here.Handle("GET /audit/{event}", auditOpen, a.auditEvent)
}

// toSignIn leads a page to the sign-in page and tells everything else 401. The dead cookie is
// cleared on the way, so the address says why the session is over.
func (a *app) toSignIn(w http.ResponseWriter, r *http.Request) {
	state := session.Status(r.Context())
	if state == session.StateLocked {
		a.showLocked(w, r, http.StatusUnauthorized, interrupted(r), "")
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		to := "/sign-in"
		if strings.HasPrefix(r.URL.Path, "/platform") {
			to = "/platform/sign-in"
		}
		if state == session.StateExpired || state == session.StateEnded || state == session.StateBlocked {
			to += "?out=" + state.String()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	a.fail(w, r, http.StatusUnauthorized)
}

// refuse answers what rbac does not let through. A missing reason is asked for again.
func (a *app) refuse(w http.ResponseWriter, r *http.Request, status int, code rbac.Code) {
	if code == rbac.CodeStepUp {
		a.owes(w, r)
		return
	}
	if code == rbac.CodeReason {
		http.Redirect(w, r, reasonPage(r), http.StatusSeeOther)
		return
	}
	a.fail(w, r, status)
}

// reasonPage is where a reason that is missing is asked for again.
func reasonPage(r *http.Request) string {
	switch {
	case r.PathValue("patient") != "" && strings.HasSuffix(r.URL.Path, "/destroy"):
		return r.URL.Path + "?reason=missing"
	case r.PathValue("patient") != "":
		return "/patients/" + r.PathValue("patient") + "?reason=missing#reveal"
	case r.PathValue("member") != "":
		return "/team/" + url.PathEscape(r.PathValue("member")) + "/rights?reason=missing"
	case r.PathValue("letter")+r.PathValue("form") != "":
		return strings.TrimSuffix(r.URL.Path, "/purge") + "?reason=missing"
	case strings.HasPrefix(r.URL.Path, "/roles/"):
		return "/roles/deleting?reason=missing"
	case strings.HasPrefix(r.URL.Path, "/audit/exports"):
		return "/audit/exports?reason=missing"
	case r.URL.Path == maskHome, r.URL.Path == deidHome:
		return r.URL.Path + "?reason=missing"
	case strings.HasPrefix(r.URL.Path, retentionHome):
		return retentionHome + "?reason=missing"
	}
	return "/settings/keys?reason=missing#renew"
}

// fail is a page for everything that did not work, in plain words.
func (a *app) fail(w http.ResponseWriter, r *http.Request, status int) {
	title, text := "That did not work", "Something went wrong on our side. Nothing was changed. Please try again in a moment."
	switch status {
	case http.StatusUnauthorized:
		title, text = "Please sign in again", "You are not signed in any more, so nothing was changed."
	case http.StatusForbidden:
		title, text = "Not for your role", "Your role does not include this page. An administrator can change that."
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		title, text = "Not found", "There is no such page, or it is not yours to see."
	case http.StatusConflict:
		title, text = "Somebody was faster", "This was changed meanwhile, so nothing was saved. Go back, reload and try again."
	case http.StatusRequestEntityTooLarge:
		title, text = "Too large", "What you sent is larger than this clinic accepts."
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		title, text = "Not understood", "The form did not arrive complete. Nothing was changed."
	}
	m := message{Text: text, Href: "/", Link: "Back to the dashboard"}
	a.render(w, r, status, "message", view{Title: title, Data: m})
}

// refused answers what the session's handler does not let through, most often a form that was opened
// before somebody signed in here anew.
func (a *app) refused(w http.ResponseWriter, r *http.Request, status int, code string) {
	if code != "csrf" {
		a.fail(w, r, status)
		return
	}
	m := message{Text: "This page is from an earlier sign-in, so nothing was changed. Open it again and try once more.", Href: "/", Link: "Back to the dashboard"}
	a.render(w, r, status, "message", view{Title: "Please open the page again", Data: m})
}

// form parses a posted form; what is too large or malformed is answered here.
func (a *app) form(w http.ResponseWriter, r *http.Request) bool {
	err := r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		a.fail(w, r, http.StatusRequestEntityTooLarge)
	case err != nil:
		a.fail(w, r, http.StatusBadRequest)
	}
	return err == nil
}

// cached lets browsers keep what holds no data.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		next.ServeHTTP(w, r)
	})
}

func (a *app) healthz(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

// readyz asks every part that a request needs.
func (a *app) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	people := a.people.Health(ctx)
	if errors.Is(people, authn.ErrPending) {
		people = nil // a mail that cannot be delivered is for the log, not for the load balancer
	}
	if !a.log.Health(ctx).OK || a.sessions.Health(ctx) != nil || a.vault.Health(ctx) != nil || people != nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// whoami returns whom the page greets, and what they may do, with the navigation: only what the
// person may open.
func (a *app) whoami(r *http.Request) (*viewUser, rbac.Permitted, []navItem) {
	ctx := r.Context()
	actor, ok := audit.ActorFrom(ctx)
	if !ok || actor.ID == "" {
		return nil, rbac.Permitted{}, nil
	}
	if actor.Kind == audit.KindPatient {
		may, _ := rbac.MayAnywhere(ctx, a.access)
		return &viewUser{"Patient portal", ""}, may, marked(r, []navItem{
			{Href: "/me", Text: "My record"}, {Href: "/security", Text: "My security"},
		})
	}
	if actor.Tenant != tenant || rbac.IsVisitor(actor.ID) {
		return a.operatorNav(r, actor)
	}
	label, err := a.access.Label(ctx)
	if err != nil {
		return nil, rbac.Permitted{}, nil
	}
	m, err := a.staff.get(ctx, actor.ID)
	if err != nil {
		m.Name = "colleague"
	}
	may, _ := rbac.MayAnywhere(ctx, a.access) // what cannot be decided is hidden
	items := []navItem{{Href: "/dashboard", Text: "Dashboard"}}
	for _, item := range []struct {
		navItem
		action rbac.AnyAction
	}{
		{navItem{Href: "/patients", Text: "Patients"}, patientRead},
		{navItem{Href: "/claims", Text: "Claims"}, claimRead},
		{navItem{Href: "/team", Text: "Team"}, teamRead},
		{navItem{Href: "/audit", Text: "Audit"}, auditRead},
		{navItem{Href: "/incidents", Text: "Incidents"}, incidentList},
		{navItem{Href: "/settings", Text: "Settings"}, settingsRead},
	} {
		if may.Allows(item.action) {
			items = append(items, item.navItem)
		}
	}
	items = append(items, navItem{Href: "/security", Text: "My security"})
	return &viewUser{m.Name, label}, may, marked(r, items)
}

// marked returns the items with the page that is open marked.
func marked(r *http.Request, items []navItem) []navItem {
	for i := range items {
		items[i].Current = r.URL.Path == items[i].Href
	}
	return items
}

// holds reports whether the person has the action anywhere; what cannot be decided is hidden.
func holds[R rbac.Resource](ctx context.Context, a *app, action rbac.Action[R]) bool {
	ok, err := rbac.Holds(ctx, a.access, action)
	return ok && err == nil
}
