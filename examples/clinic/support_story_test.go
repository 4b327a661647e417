package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const noor = "noor.haddad@example.com"

// signInToPlatform walks the whole sign-in of an operator.
func (p *person) signInToPlatform() page {
	p.t.Helper()
	at := p.post("/platform/sign-in", url.Values{"email": {noor}, "password": {demoPassword}})
	if at.path == "/sign-in/enrol" {
		p.secret = strings.ReplaceAll(at.match(p.t, `id="manual-key">([^<]+)<`), " ", "")
	}
	require.Contains(p.t, []string{"/sign-in/enrol", "/sign-in/code"}, at.path, "no way around the second factor")
	return p.post(at.path, url.Values{"code": {p.code()}})
}

// asks asks the clinic to let the operator in.
func (p *person) asks(text string) page {
	p.t.Helper()
	return p.post("/platform/requests", url.Values{"code": {"ticket"}, "text": {text}, "ticket": {"T-4711"}, "minutes": {"120"}})
}

// lets answers the request that waits, with a fresh proof where the clinic asks for one.
func (p *person) lets(minutes string) page {
	p.t.Helper()
	at := p.get("/support")
	path := at.match(p.t, `action="(/support/[0-9a-f-]{36})/approve"`)
	form := url.Values{"version": {at.match(p.t, `name="version" value="(\d+)"`)}, "minutes": {minutes}}
	done := p.post(path+"/approve", form)
	if strings.Contains(done.body, `action="/confirm"`) {
		done = p.proves(done, url.Values{"proof-password": {demoPassword}, "proof-code": {p.code()}})
	}
	return done
}

// comesIn enters the clinic, whose settings ask once more who is there.
func (p *person) comesIn() page {
	p.t.Helper()
	at := p.post("/platform/enter", nil)
	if strings.Contains(at.body, `action="/confirm"`) {
		at = p.proves(at, url.Values{"proof-password": {demoPassword}, "proof-code": {p.code()}})
	}
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	return at
}

// TestSupportStory: somebody of the platform asks, is let in for an hour, sees settings and nothing else, and is put out.
func TestSupportStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, dump func(*testing.T) []byte) {
		s := tell(t, args...)
		boss, desk, operator, ava := s.enter(), s.enter(), s.enter(), s.enter()
		const words = "Mails to the clinic of Mx Example bounce."

		s.step("an operator has an account of the platform's, with two factors, and none here", func(t *testing.T) {
			boss.signIn(alma, demoPassword)
			desk.signIn(iris, demoPassword)
			at := operator.post("/sign-in", url.Values{"email": {noor}, "password": {demoPassword}})
			require.NotEqual(t, http.StatusOK, at.status)
			at = s.enter().post("/platform/sign-in", url.Values{"email": {alma}, "password": {demoPassword}})
			require.NotEqual(t, http.StatusOK, at.status, "people of the clinic have none there")
			at = operator.signInToPlatform()
			require.Equal(t, "/platform", at.path)
			require.Contains(t, at.text(), "Noor Haddad")
		})

		s.step("and sees nothing of the clinic", func(t *testing.T) {
			for _, path := range []string{"/settings", "/patients", "/audit", "/audit/sign-ins", "/team", "/support", "/security", "/security/log", "/report", "/incidents", "/me"} {
				at := operator.get(path)
				require.Equal(t, http.StatusForbidden, at.status, path)
				require.NotContains(t, at.text(), "Alma")
			}
			require.Equal(t, http.StatusForbidden, operator.post("/settings/keys/renew", url.Values{"reason": {"because I can"}}).status)
			require.Equal(t, http.StatusForbidden, operator.post("/platform/enter", nil).status)
			for _, p := range []*person{boss, desk} {
				require.Equal(t, http.StatusForbidden, p.get("/platform").status)
				require.Equal(t, http.StatusForbidden, p.asks(words).status)
			}
			require.Equal(t, http.StatusForbidden, desk.get("/support").status)
		})

		s.step("they ask, and only administrators hear of it", func(t *testing.T) {
			require.Equal(t, http.StatusUnprocessableEntity, operator.asks(" ").status)
			at := operator.asks(words)
			require.Contains(t, at.text(), "The clinic is asked")
			require.Equal(t, http.StatusConflict, operator.asks(words).status)
			require.Contains(t, boss.get("/dashboard").text(), "Noor Haddad, platform support, asks to come in.")
			require.NotContains(t, desk.get("/dashboard").text(), "Noor")
			require.Contains(t, boss.get("/support").text(), words)
			require.Contains(t, boss.get("/demo").text(), "asks to be let into Harbor Clinic")
			require.Equal(t, http.StatusForbidden, operator.get("/settings").status, "asking gives nothing")
		})

		var path string
		s.step("an administrator lets them in for a shorter time, with a fresh proof", func(t *testing.T) {
			at := boss.get("/support")
			path = at.match(t, `action="(/support/[0-9a-f-]{36})/approve"`)
			longer := url.Values{"version": {at.match(t, `name="version" value="(\d+)"`)}, "minutes": {"240"}}
			require.Equal(t, http.StatusForbidden, operator.post(path+"/approve", longer).status)
			require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, desk.post(path+"/approve", longer).status)
			at = boss.lets("240")
			require.Equal(t, http.StatusUnprocessableEntity, at.status)
			require.Contains(t, at.text(), "longer than was asked for")
			at = boss.lets("60")
			require.Contains(t, at.text(), "may come in now", at.text())
			require.Contains(t, boss.get("/settings").text(), "may come in until")
			require.Equal(t, http.StatusForbidden, operator.get("/settings").status, "not before they have come in")
		})

		s.step("they come in, see settings, and everybody who answers for it sees them", func(t *testing.T) {
			at := operator.comesIn()
			require.Equal(t, "/settings", at.path)
			require.Contains(t, at.text(), "You are inside Harbor Clinic as platform support until")
			for _, shown := range at.links(`<a [^>]*href="(/[^"?#]+)"`) {
				if shown != "/demo" && shown != "/" {
					there := operator.get(shown)
					require.Equal(t, http.StatusOK, there.status, "%s is shown: %s", shown, there.text())
				}
			}
			require.Contains(t, boss.get("/team").text(), "Noor Haddad, platform support, is inside until")
			require.NotContains(t, desk.get("/patients").text(), "Noor")
			require.Equal(t, "/me", ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
			for _, p := range []*person{operator, boss} {
				log := p.get("/audit/sign-ins")
				require.Equal(t, http.StatusOK, log.status)
				require.NotContains(t, log.text(), "the patient", "when patients use the portal is none of the team's sign-ins")
				require.Contains(t, log.text(), "Alma Reyes")
			}
			for _, closed := range []string{"/patients", "/audit", "/team", "/support", "/roles", "/security", "/dashboard", "/incidents", "/settings/network?x=/patients"} {
				at := operator.get(closed)
				if strings.HasPrefix(closed, "/settings") {
					continue
				}
				require.True(t, at.status == http.StatusForbidden || at.path == "/platform", "%s: %d at %s", closed, at.status, at.path)
			}
			require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, operator.post("/settings/network", url.Values{"staff": {""}}).status)
			require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, operator.post(path+"/end", nil).status, "the clinic's own button is the clinic's")
			require.Equal(t, http.StatusForbidden, operator.get("/patients/nobody").status)
		})

		s.step("the audit has it under their name, and not the platform's page", func(t *testing.T) {
			text := boss.get("/audit").text()
			require.Contains(t, text, "Noor Haddad, platform support")
			require.Contains(t, text, "Support came in")
			require.Contains(t, text, "Look at the settings")
			require.NotContains(t, operator.get("/platform").text(), "Alma", "who of the clinic answered is the clinic's")
		})

		s.step("one click, and the next request is refused", func(t *testing.T) {
			require.Equal(t, http.StatusOK, operator.get("/settings").status)
			at := boss.post(path+"/end", nil)
			require.Contains(t, at.text(), "It is ended.")
			require.Contains(t, at.text(), "Ended by the clinic")
			require.Equal(t, http.StatusForbidden, operator.get("/settings").status)
			require.Equal(t, http.StatusForbidden, operator.get("/audit/sign-ins").status)
			require.NotContains(t, boss.get("/team").text(), "is inside")
			require.Contains(t, operator.get("/platform").text(), "Ended by the clinic")
			require.Equal(t, http.StatusForbidden, operator.post("/platform/enter", nil).status)
			require.Contains(t, boss.get("/settings/controls").text(), "no standing access")
		})

		s.step("a request can be refused, withdrawn, and a visit left", func(t *testing.T) {
			operator.asks(words)
			at := boss.get("/support")
			path := at.match(t, `action="(/support/[0-9a-f-]{36})/approve"`)
			form := url.Values{"version": {at.match(t, `name="version" value="(\d+)"`)}, "words": {"Call us first."}}
			done := boss.post(path+"/refuse", form)
			require.Contains(t, done.text(), "The request is refused", done.text())
			require.Contains(t, operator.get("/platform").text(), "Call us first.")
			operator.asks(words)
			withdraw := operator.get("/platform").match(t, `action="(/platform/requests/[0-9a-f-]{36}/withdraw)"`)
			require.Contains(t, operator.post(withdraw, nil).text(), "withdrawn")
			operator.asks(words)
			boss.lets("30")
			operator.comesIn()
			leave := operator.get("/settings").match(t, `action="(/platform/leave/[0-9a-f-]{36})"`)
			require.Contains(t, operator.post(leave, nil).text(), "You have left")
			require.Equal(t, http.StatusForbidden, operator.get("/settings").status)
		})

		s.step("nothing of it is stored in clear", func(t *testing.T) {
			require.NotContains(t, string(dump(t)), words)
			require.NotContains(t, string(dump(t)), "Call us first.")
		})
	})
}
