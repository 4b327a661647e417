package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sessions: other people's, dead ones, made-up ones.
func (a *attack) sessions() {
	a.step("made_up_session_is_nobody", func(t *testing.T) {
		real := a.tom.cookies[sessionCookie]
		for _, token := range []string{
			"x", "wks1_", real[:len(real)-1], real + "A", strings.ToLower(real), strings.Replace(real, "wks1_", "wks2_", 1),
			real[:10] + strings.Repeat("A", len(real)-10), strings.Repeat("A", 8000), "'--", "%00",
		} {
			a.mallory.cookies = map[string]string{sessionCookie: token}
			at := a.mallory.get("/dashboard")
			require.Equal(t, "/sign-in", at.path, token)
			require.NotContains(t, a.mallory.cookies, sessionCookie, "the browser is told to forget it")
		}
		r := a.mallory.request(http.MethodGet, "/dashboard", nil)
		r.Header.Set("Cookie", sessionCookie+"="+real+"; "+sessionCookie+"=x")
		require.Equal(t, http.StatusBadRequest, a.mallory.send(r).status, "which of two is meant must not be a guess")
	})
	a.step("address_in_a_header_is_not_believed", func(t *testing.T) {
		r := a.tom.request(http.MethodPost, a.own+"/reveal", url.Values{"reason": {"from elsewhere"}})
		for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Forwarded-Host"} {
			r.Header.Set(name, "203.0.113.9")
		}
		require.Equal(t, http.StatusOK, a.tom.send(r).status)
		event := a.alma.events(url.Values{"who": {tomID}, "period": {"24h"}, "action": {"patient.reveal_ssn"}, "outcome": {"ok"}})[0]
		require.Equal(t, "127.0.0.1", a.alma.get("/audit/"+event).fact(t, "From address"))
	})
	a.step("session_of_somebody_else_cannot_be_ended", func(t *testing.T) {
		const own = `action="/security/sessions/([^/"]+)/end"`
		almas := a.alma.get("/security").links(own)
		irises := a.iris.get("/security").links(own)
		require.NotEmpty(t, almas)
		require.Len(t, irises, 2)
		for _, id := range slices.Concat(almas, irises) {
			require.Equal(t, http.StatusNotFound, a.tom.post("/security/sessions/"+id+"/end", nil).status)
			require.Equal(t, http.StatusNotFound, a.alma.post("/team/"+tomID+"/sessions/"+id+"/end", nil).status, "an id of another person")
			require.Equal(t, http.StatusForbidden, a.tom.post("/team/demo-desk/sessions/"+id+"/end", nil).status)
		}
		require.Equal(t, "/dashboard", a.alma.get("/dashboard").path)
		require.Equal(t, "/dashboard", a.iris.get("/dashboard").path)
	})
	a.step("signing_out_in_one_tab_signs_the_other_out", func(t *testing.T) {
		tab := newPerson(t, a.clinic)
		for name, value := range a.iris.cookies {
			tab.cookies[name] = value
		}
		require.Equal(t, "/dashboard", tab.get("/dashboard").path)
		require.Contains(t, a.iris.post("/sign-out", nil).text(), "You are signed out, on every device.")
		require.Equal(t, http.StatusUnauthorized, tab.post("/patients", walkIn()).status)
		require.NotContains(t, tab.cookies, sessionCookie)
	})
}

// accounts: what an administrator can and cannot do to them.
func (a *attack) accounts() {
	a.step("nobody_locks_themselves_out", func(t *testing.T) {
		for _, change := range []string{"suspend", "reset-factor", "reinstate", "resend", "remove", "new-password"} {
			require.Equal(t, http.StatusConflict, a.alma.sure(a.alma.post("/team/demo-admin/"+change, nil)).status, change)
		}
		require.Equal(t, "/dashboard", a.alma.get("/dashboard").path)
	})
	a.step("suspended_person_is_out_at_once_and_stays_out", func(t *testing.T) {
		require.Equal(t, "/team/"+tomID+"?done=suspended", a.alma.post("/team/"+tomID+"/suspend", nil).path)
		require.Equal(t, "/sign-in?out=ended", a.tom.get(a.own).path)
		at := a.tom.post("/sign-in", credentials(tom))
		require.Equal(t, http.StatusUnauthorized, at.status)
		require.Contains(t, at.text(), "do not go together, or the account is not active")
		require.Equal(t, "/team/"+tomID+"?done=reinstated", a.alma.post("/team/"+tomID+"/reinstate", nil).path)
		require.Equal(t, "/sign-in/code", a.tom.post("/sign-in", credentials(tom)).path, "back, with the second factor as before")
	})
	a.step("reset_factor_signs_out_and_enrols_anew", func(t *testing.T) {
		at := a.tom.secondStep(a.tom.get("/sign-in/code"))
		require.Equal(t, "/dashboard", at.path)
		require.Equal(t, "/team/"+tomID+"?done=factor-reset", a.alma.sure(a.alma.post("/team/"+tomID+"/reset-factor", nil)).path)
		require.Equal(t, "/sign-in?out=ended", a.tom.get("/dashboard").path)
		old := a.tom.secret
		a.tom.step = 0
		require.Equal(t, "/dashboard", a.tom.signIn(tom, demoPassword).path)
		require.NotEqual(t, old, a.tom.secret)
	})
}

// guessing: many tries are slowed down and tell nothing.
func (a *attack) guessing() {
	a.step("unknown_address_and_wrong_password_get_the_same_answer", func(t *testing.T) {
		ask := func(email string) string {
			p := newPerson(t, a.clinic)
			at := p.post("/sign-in", url.Values{"email": {email}, "password": {"not the password"}})
			require.Equal(t, http.StatusUnauthorized, at.status)
			require.Empty(t, p.cookies)
			return nonce.ReplaceAllString(strings.ReplaceAll(at.body, email, ""), "")
		}
		require.Equal(t, ask("nobody.at.all@example.com"), ask(paul))
	})
	a.step("guessing_is_slowed_down_for_that_person_only", func(t *testing.T) {
		var last page
		for i := 0; i < 60 && last.status != http.StatusTooManyRequests; i++ {
			last = a.mallory.post("/sign-in", url.Values{"email": {nad}, "password": {fmt.Sprintf("guess %d", i)}})
		}
		require.Equal(t, http.StatusTooManyRequests, last.status)
		c, err := parseConfig(a.args)
		require.NoError(t, err)
		changeArgs(t, c, `UPDATE authn_credential SET not_before = ? WHERE person = 'demo-therapist-2' AND family = 'password' AND not_before > 0`,
			time.Now().Add(time.Hour).UnixMicro()) // a slow machine must not wait it out
		require.NotEmpty(t, last.header.Get("Retry-After"))
		require.Contains(t, last.text(), "Too many tries.")
		require.Equal(t, http.StatusTooManyRequests, a.mallory.post("/sign-in", credentials(nad)).status, "the right one has to wait too")
		require.Equal(t, "/sign-in/enrol", newPerson(t, a.clinic).post("/sign-in", credentials(paul)).path)
	})
	a.step("admin_unlocks_after_wrong_tries", func(t *testing.T) {
		require.Equal(t, "/team/demo-therapist-2?done=unlocked", a.alma.post("/team/demo-therapist-2/unlock", nil).path)
		require.Equal(t, "/sign-in/enrol", a.mallory.post("/sign-in", credentials(nad)).path)
	})
}

// pages: what browsers are told, and what monitors are told.
func (a *attack) pages() {
	a.step("every_page_is_careful", func(t *testing.T) {
		event := a.alma.get("/audit").links(eventLink)[0]
		for _, path := range []string{
			"/sign-in", "/demo", "/link/nobody", "/none", "/dashboard", "/patients", a.own, "/team", "/team/" + tomID, "/audit",
			"/audit/" + event, "/security", "/patients/new", "/audit/health", "/audit?from=x", "/audit?page=x", "/claims",
			a.own + "/access", a.own + "/history", a.own + "/note/history",
		} {
			for _, who := range []*person{a.alma, a.tom, newPerson(t, a.clinic)} {
				at := who.get(path)
				require.Less(t, at.status, 500, path)
				careful(t, at)
			}
		}
	})
	a.step("audit_has_words_for_attacks", func(*testing.T) { a.alma.speaksPlainly() })
	a.step("style_sheet_may_be_kept", func(t *testing.T) {
		at := a.mallory.get("/static/clinic.css")
		require.Equal(t, http.StatusOK, at.status)
		require.Equal(t, "text/css; charset=utf-8", at.header.Get("Content-Type"))
		require.Contains(t, at.header.Get("Cache-Control"), "max-age=3600")
	})
	a.step("health_and_readiness_answer", func(t *testing.T) {
		p := newPerson(t, a.clinic)
		for path, says := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
			at := p.get(path)
			require.Equal(t, http.StatusOK, at.status, path)
			require.Equal(t, says, at.body)
			require.Empty(t, p.cookies)
		}
	})
}

var activeContent = regexp.MustCompile(`(?i)<script|<style|<iframe|<object|\sstyle=|\son[a-z]+=|javascript:|https?://[^l]`)

// ownScript is a script of a page's own, which the policy of the same response names.
var ownScript = regexp.MustCompile(`<script src="/(?:session/countdown|static/passkeys)\.js" nonce="[A-Z0-9]{26}" [^>]*></script>`)

// careful checks what keeps a page from being framed, sniffed, cached and scripted.
func careful(t *testing.T, at page) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
		"Content-Type":                 "text/html; charset=utf-8",
	} {
		require.Equal(t, []string{want}, at.header.Values(name), "%s of %s", name, at.path)
	}
	csp := at.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'nonce-", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"} {
		require.Contains(t, csp, part, at.path)
	}
	require.NotContains(t, csp, "unsafe")
	require.Empty(t, at.header.Get("Strict-Transport-Security"), "not over plain HTTP (RFC 6797, section 7.2)")
	require.Empty(t, activeContent.FindString(ownScript.ReplaceAllString(at.body, "")), at.path)
}
