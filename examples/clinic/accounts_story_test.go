package main

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// care is the story of accounts: lost passwords and phones, people who come and go, the rules of
// who gets in, and a patient who looks at their own record.
type care struct {
	*story
	alma, iris, nad, paul, tom, ava, guest *person
	ownPath                                string // Ava's record, for the team
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		c := &care{story: tell(t, args...)}
		c.alma, c.iris, c.nad, c.paul = c.enter(), c.enter(), c.enter(), c.enter()
		c.tom, c.ava, c.guest = c.enter(), c.enter(), c.enter()
		c.step("everybody_signs_in", func(t *testing.T) {
			c.alma.signIn(alma, demoPassword)
			c.iris.signIn(iris, demoPassword)
			c.nad.signIn(nad, demoPassword)
		})
		c.forgotten()
		c.recovery()
		c.newPhone()
		c.portal()
		c.ownFactor()
		c.outsiders()
		c.lockedPhone()
		c.pending()
		c.approved()
		c.asleep(args)
		c.networks()
		c.banner()
		c.enforced()
		c.alma.speaksPlainly()
	})
}

const newPassword = "nine quiet herons wade"

// letter waits for a mail to somebody and returns what it says, and the path of its link if there
// is one: reset links are mailed in the background.
func (p *person) letter(to, says string) (link string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		for _, mail := range strings.Split(p.get("/demo").body, "<h3>To ")[1:] {
			if strings.HasPrefix(html.UnescapeString(mail), to) && strings.Contains(html.UnescapeString(mail), says) {
				if m := regexp.MustCompile(`href="http://localhost:\d+(/link/[^"]+)"`).FindStringSubmatch(mail); m != nil {
					link = m[1]
				}
				return true
			}
		}
		return false
	}, 2*time.Minute, 50*time.Millisecond, "no mail to %s says %q", to, says)
	return link
}

// forgotten: a password that nobody remembers, and one that somebody wants to change.
func (c *care) forgotten() {
	c.step("forgot_answers_the_same_for_every_address", func(t *testing.T) {
		require.Contains(t, c.guest.get("/sign-in").body, `href="/forgot"`)
		var answers []string
		for _, email := range []string{"nobody.at.all@example.com", iris} {
			at := c.guest.post("/forgot", url.Values{"email": {email}})
			require.Equal(t, http.StatusOK, at.status)
			require.Contains(t, at.text(), "Look into your mailbox")
			answers = append(answers, strings.ReplaceAll(at.body, email, ""))
		}
		require.Equal(t, answers[0], answers[1])
	})
	c.step("mail_scanners_do_not_use_the_link_up", func(t *testing.T) {
		link := c.guest.letter(iris, "asked for a new password")
		for range 3 {
			require.Contains(t, c.guest.get(link).text(), "Choose a new password.")
			head := c.guest.send(c.guest.request(http.MethodHead, link, nil))
			require.Equal(t, http.StatusOK, head.status)
		}
		require.Equal(t, "/dashboard", c.iris.get("/dashboard").path, "nothing has happened yet")
		at := c.guest.post(link, url.Values{"password": {newPassword}})
		require.Equal(t, "/sign-in/code", at.path, "the link is no way around the second factor: %s", at.text())
		require.Equal(t, "/sign-in?out=ended", c.iris.get("/dashboard").path, "every session ends")
		c.guest.letter(iris, "password of your account was changed")
		dead := newPerson(t, c.clinic).get(link)
		require.Equal(t, http.StatusGone, dead.status)
		require.Contains(t, dead.text(), "was used already")
		require.Contains(t, dead.body, `href="/forgot"`, "and how to start anew")
	})
	c.step("own_password_is_changed_with_the_old_one", func(t *testing.T) {
		form := url.Values{fieldPassword: {"not the password"}, "password": {newPassword}}
		at := c.nad.post("/security/password", form)
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Contains(t, at.text(), "Nothing was changed.")
		form = url.Values{fieldPassword: {demoPassword}, "password": {"harbor clinic"}}
		require.Equal(t, http.StatusUnprocessableEntity, c.nad.post("/security/password", form).status)
		form.Set("password", newPassword)
		at = c.nad.post("/security/password", form)
		require.Equal(t, "/sign-in/code", at.path, at.text())
		require.Equal(t, "/sign-in", c.nad.get("/patients").path)
		c.nad.secondStep(at)
	})
}

// codesOn are the recovery codes that a page shows.
func (p page) codesOn() []string { return p.links(`<li class="key">([A-Z2-7-]+)</li>`) }

// recovery: codes for the day the phone is gone.
func (c *care) recovery() {
	var codes []string
	c.step("recovery_codes_are_made_with_a_code_and_shown_once", func(t *testing.T) {
		require.Contains(t, c.alma.get("/security").text(), "Recovery codes None")
		at := c.alma.post("/security/codes", url.Values{"code": {"000000"}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Empty(t, at.codesOn())
		at = c.alma.post("/security/codes", url.Values{"code": {c.alma.code()}})
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Equal(t, "no-store", at.header.Get("Cache-Control"))
		codes = at.codesOn()
		require.Len(t, codes, 10)
		require.Empty(t, c.alma.get("/security/codes").codesOn())
		require.Contains(t, c.alma.get("/security").text(), "10 left")
		c.guest.letter(alma, "New recovery codes were made")
	})
	c.step("a_recovery_code_gets_in_once_and_the_person_is_told", func(t *testing.T) {
		lost := newPerson(t, c.clinic)
		at := lost.post("/sign-in", credentials(alma))
		require.Equal(t, "/sign-in/code", at.path)
		require.Contains(t, at.text(), "Phone lost or broken?")
		at = lost.post("/sign-in/code", url.Values{"code": {strings.ToLower(codes[0])}})
		require.Equal(t, "/dashboard", at.path, at.text())
		require.Contains(t, at.text(), "It does not work any more; 9 are left.")
		require.Contains(t, at.body, `href="/security/codes">Make new recovery codes`)
		require.NotContains(t, c.alma.get("/dashboard").text(), "You signed in with a recovery code", "said where it happened")
		at = lost.get("/security")
		require.Contains(t, at.text(), "9 left")
		require.Contains(t, at.text(), "You signed in with a recovery code.")
		c.guest.letter(alma, "with a recovery code")
		thief := newPerson(t, c.clinic)
		thief.post("/sign-in", credentials(alma))
		at = thief.post("/sign-in/code", url.Values{"code": {codes[0]}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.NotContains(t, thief.cookies, sessionCookie)
		at = lost.post("/security/codes", url.Values{"code": {codes[1]}})
		require.Len(t, at.codesOn(), allCodes)
		require.NotContains(t, lost.get("/dashboard").text(), "You signed in with a recovery code", "there are new ones")
	})
}

// newPhone: codes move to another phone without a moment without a second factor.
func (c *care) newPhone() {
	c.step("a_new_phone_takes_a_code_of_the_old_one", func(t *testing.T) {
		require.Equal(t, http.StatusUnprocessableEntity, c.nad.post("/security/phone", url.Values{"code": {"000000"}}).status)
		require.Equal(t, http.StatusUnprocessableEntity, c.nad.post("/security/phone", url.Values{"password": {newPassword}}).status, "a password is no proof of the phone")
		at := c.nad.post("/security/phone", url.Values{"code": {c.nad.code()}})
		require.Equal(t, http.StatusOK, at.status, at.text())
		key := strings.ReplaceAll(at.match(t, `id="manual-key">([^<]+)<`), " ", "")
		require.NotEqual(t, c.nad.secret, key)
		uri := at.match(t, `name="proof-uri" value="([^"]+)"`)
		at = c.nad.post("/security/phone/confirm", url.Values{"code": {"000000"}, fieldURI: {uri}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Contains(t, at.text(), at.match(t, `id="manual-key">([^<]+)<`), "the same picture again")
		require.Equal(t, http.StatusBadRequest, c.nad.post("/security/phone/confirm", url.Values{"code": {"000000"}, fieldURI: {"otpauth://totp/x?secret=AAAA"}}).status)
		at = c.nad.post("/security/phone/confirm", url.Values{"code": {codeAt(t, key, time.Now().Unix()/30)}, fieldURI: {uri}})
		require.Equal(t, "/sign-in?done=phone-moved", at.path, at.text())
		c.guest.letter(nad, "come from another phone now")
		old := newPerson(t, c.clinic)
		old.post("/sign-in", url.Values{"email": {nad}, "password": {newPassword}})
		at = old.post("/sign-in/code", url.Values{"code": {codeAt(t, c.nad.secret, time.Now().Unix()/30+1)}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status, "the old phone is worth nothing")
		c.nad.secret, c.nad.step = key, time.Now().Unix()/30
		c.nad.signIn(nad, newPassword)
	})
	c.step("codes_cannot_be_turned_off_where_they_are_required", func(t *testing.T) {
		require.NotContains(t, c.alma.get("/security/phone").body, "/security/phone/end")
		at := c.alma.post("/security/phone/end", url.Values{"code": {c.alma.code()}})
		require.Equal(t, http.StatusForbidden, at.status)
		require.Contains(t, c.alma.get("/security").text(), "Codes from an app On")
	})
}

// portal: a patient looks at their own record, and at nothing else.
func (c *care) portal() {
	c.step("a_patient_sees_the_own_record", func(t *testing.T) {
		at := c.ava.post("/sign-in", credentials(demoPatient(0).Email))
		require.Equal(t, "/me", at.path, at.text())
		require.Contains(t, at.body, "<h1>"+demoPatient(0).Name+"</h1>")
		require.Equal(t, demoPatient(0).Phone, at.fact(t, "Phone"))
		require.Equal(t, mask, at.fact(t, "Social security number"))
		require.Contains(t, at.text(), demoNote(0))
		require.Equal(t, "/me", c.ava.get("/dashboard").path)
		report := c.ava.get("/me/access")
		require.Equal(t, http.StatusOK, report.status, report.text())
		require.Contains(t, report.text(), "You looked at your record")
	})
	c.step("a_patient_sees_nothing_else", func(t *testing.T) {
		c.ownPath = c.alma.patient(demoPatient(0).Email)
		foreign := c.alma.patient(demoPatient(1).Email)
		for _, path := range []string{foreign, foreign + "/access", foreign + "/history", foreign + "/note", foreign + "/portal"} {
			require.Contains(t, []int{http.StatusNotFound, http.StatusForbidden}, c.ava.get(path).status, path)
		}
		for _, path := range []string{"/team", "/team/" + tomID, "/audit", "/settings", "/settings/network", "/patients/new", "/roles", "/audit/sign-ins"} {
			require.Equal(t, http.StatusForbidden, c.ava.get(path).status, path)
		}
		list := c.ava.get("/patients")
		require.LessOrEqual(t, len(list.links(patientLink)), 1)
		require.NotContains(t, list.body, demoPatient(1).Name)
		require.Equal(t, http.StatusForbidden, c.ava.post(c.ownPath+"/portal/unlock", nil).status)
		require.Equal(t, http.StatusForbidden, c.ava.post(c.ownPath+"/reveal", url.Values{"reason": {"it is mine"}}).status)
		require.Equal(t, http.StatusNotFound, c.alma.get("/me").status, "nobody else has a record of their own")
	})
	c.step("the_desk_invites_a_patient_who_is_signed_in_at_once", func(t *testing.T) {
		c.iris.post("/sign-in", url.Values{"email": {iris}, "password": {newPassword}})
		c.iris.secondStep(c.iris.get("/sign-in/code"))
		path := c.iris.patient(demoPatient(2).Email)
		require.Contains(t, c.iris.get(path+"/portal").text(), "No access yet")
		at := c.iris.post(path+"/portal", nil)
		require.Equal(t, path+"/portal?done=portal-invited", at.path, at.text())
		require.Contains(t, at.fact(t, "Account"), "Invited")
		require.Equal(t, http.StatusConflict, c.iris.post(path+"/portal", nil).status, "invited already")
		link := c.guest.letter(demoPatient(2).Email, "made an account for you")
		celia := newPerson(t, c.clinic)
		require.Contains(t, celia.get(link).text(), "At least 15 characters", "the password is the only factor")
		at = celia.post(link, url.Values{"password": {newPassword}})
		require.Equal(t, "/me", at.path, at.text())
		require.Contains(t, at.text(), demoPatient(2).Name)
		require.NotContains(t, at.text(), demoPatient(0).Name)
		require.Equal(t, path+"/portal?done=suspended", c.iris.post(path+"/portal/suspend", url.Values{"why": {"left the clinic"}}).path)
		require.Equal(t, "/sign-in?out=ended", celia.get("/me").path)
		require.Equal(t, http.StatusUnauthorized, celia.post("/sign-in", url.Values{"email": {demoPatient(2).Email}, "password": {newPassword}}).status)
	})
}

// ownFactor: patients choose for themselves.
func (c *care) ownFactor() {
	c.step("a_patient_turns_codes_on_and_off", func(t *testing.T) {
		require.Contains(t, c.ava.get("/security").text(), "Codes from an app Not set up yet")
		at := c.ava.post("/security/phone", url.Values{"password": {"not the password"}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		at = c.ava.post("/security/phone", url.Values{"password": {demoPassword}})
		require.Equal(t, http.StatusOK, at.status, at.text())
		c.ava.secret = strings.ReplaceAll(at.match(t, `id="manual-key">([^<]+)<`), " ", "")
		uri := at.match(t, `name="proof-uri" value="([^"]+)"`)
		at = c.ava.post("/security/phone/confirm", url.Values{"code": {c.ava.code()}, fieldURI: {uri}})
		require.Equal(t, "/security/codes?done=phone-on", at.path, at.text())
		stranger := newPerson(t, c.clinic)
		require.Equal(t, "/sign-in/code", stranger.post("/sign-in", credentials(demoPatient(0).Email)).path, "from now on it is asked for")
		require.Equal(t, http.StatusUnprocessableEntity, c.ava.post("/security/phone/end", url.Values{"code": {"000000"}}).status)
		at = c.ava.post("/security/phone/end", url.Values{"code": {c.ava.code()}})
		require.Equal(t, "/sign-in?done=phone-off", at.path, at.text())
		c.guest.letter(demoPatient(0).Email, "second factor of your account was removed")
		require.Equal(t, "/me", c.ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
	})
}

// outsiders: ids that are nobody's of the team.
func (c *care) outsiders() {
	c.step("accounts_of_patients_are_no_members", func(t *testing.T) {
		require.NotContains(t, c.alma.get("/team").text(), demoPatient(0).Name)
		require.Equal(t, http.StatusNotFound, c.alma.get("/team/demo-patient").status)
		for _, change := range []string{"suspend", "unlock", "remove", "end-sessions", "reset-factor", "new-password", "resend"} {
			require.Equal(t, http.StatusNotFound, c.alma.post("/team/demo-patient/"+change, nil).status, change)
		}
		require.Equal(t, "/me", c.ava.get("/me").path)
	})
}

// lockedPhone: an administrator resets a factor, after saying who they are, each time.
func (c *care) lockedPhone() {
	c.step("resetting_a_factor_asks_who_is_there_each_time", func(t *testing.T) {
		c.tom.signIn(tom, demoPassword)
		reset := "/team/" + tomID + "/reset-factor"
		at := c.alma.post(reset, url.Values{"why": {"phone fell into the harbor"}})
		require.Equal(t, http.StatusUnauthorized, at.status)
		require.Contains(t, at.text(), "Reset a second factor")
		require.Equal(t, http.StatusOK, c.tom.get("/patients").status, "nothing has happened yet")
		require.Equal(t, http.StatusUnprocessableEntity, c.alma.proves(at, url.Values{fieldPassword: {"not the password"}}).status)
		other := c.alma.proves(at, url.Values{fieldPassword: {demoPassword}, fieldTo: {"/team/demo-therapist-2/reset-factor"}})
		require.Equal(t, http.StatusUnauthorized, other.status, "a proof is for one account only")
		at = c.alma.post(reset, url.Values{"why": {"phone fell into the harbor"}})
		require.Equal(t, "/team/"+tomID+"?done=factor-reset", at.path, at.text())
		require.Equal(t, "/sign-in?out=ended", c.tom.get("/patients").path)
		c.guest.letter(tom, "second factor of your account was removed")
		require.Equal(t, http.StatusUnauthorized, c.alma.post("/team/demo-therapist-2/reset-factor", nil).status, "and again for the next")
		event := c.alma.events(url.Values{"period": {"24h"}, "action": {"mfa.reset"}})[0]
		require.Equal(t, "phone fell into the harbor", c.alma.get("/audit/"+event).fact(t, "Reason given"))
		c.tom.step = 0
		require.Equal(t, "/sign-in/enrol", c.tom.post("/sign-in", credentials(tom)).path, "before anything else")
		require.Equal(t, "/sign-in", c.tom.get("/patients").path)
	})
}

// pending: invitations that are sent again, withdrawn, and closed accounts.
func (c *care) pending() {
	c.step("an_invitation_is_sent_again_and_withdrawn", func(t *testing.T) {
		form := url.Values{"name": {newcomer.name}, "email": {newcomer.email}, "role": {"therapist"}}
		require.Equal(t, "/team?done=invited", c.alma.post("/team/invite", form).path)
		member := c.alma.get("/team").match(t, `<a href="(/team/[^"]+)">`+newcomer.name)
		first := c.guest.letter(newcomer.email, "made an account for you")
		require.Equal(t, member+"?done=invited", c.alma.post(member+"/resend", nil).path)
		second := c.guest.letter(newcomer.email, "made an account for you")
		require.NotEqual(t, first, second)
		require.Equal(t, http.StatusGone, c.guest.get(first).status, "the newer one replaced it")
		require.Equal(t, http.StatusOK, c.guest.get(second).status)
		require.Contains(t, c.alma.get(member).text(), "Withdraw the invitation")
		require.Equal(t, member+"?done=removed", c.alma.post(member+"/remove", nil).path)
		require.NotEqual(t, http.StatusOK, c.guest.get(second).status, "the link is dead")
		require.Equal(t, http.StatusConflict, c.alma.post(member+"/resend", nil).status)
		require.Equal(t, "/team?done=invited", c.alma.post("/team/invite", form).path, "the address is free again")
	})
}

// accountsForm is the form of the rules for accounts, as a new clinic has it.
func (c *care) accountsForm() url.Values {
	form := c.policyForm("/settings/accounts")
	for name, value := range map[string]string{"factor-staff": "required", "factor-patients": "optional", "days-staff": "90", "days-patients": "90", "reproof": "one"} {
		form.Set(name, value)
	}
	return form
}

// approved: new people get in only when somebody says so.
func (c *care) approved() {
	const page = "/settings/accounts"
	c.step("a_new_account_waits_for_approval", func(t *testing.T) {
		form := c.accountsForm()
		form.Set("approve-staff", "yes")
		require.Equal(t, page+"?done=accounts", c.alma.post(page, form).path)
		member := c.alma.get("/team").match(t, `<a href="(/team/[^"]+)">`+newcomer.name+`</a></td><td>Therapist</td><td><span class="tag tag-warn">Invited`)
		greta := newPerson(t, c.clinic)
		at := greta.post(c.guest.letter(newcomer.email, "made an account for you"), url.Values{"password": {newcomer.password}})
		require.Contains(t, at.text(), "Somebody at the clinic has to approve your account")
		require.NotContains(t, greta.cookies, sessionCookie)
		at = greta.post("/sign-in", url.Values{"email": {newcomer.email}, "password": {newcomer.password}})
		require.Equal(t, http.StatusForbidden, at.status, at.text())
		require.Contains(t, c.alma.get(member).fact(t, "State"), "Waits for approval")
		require.Equal(t, http.StatusForbidden, c.nad.post(member+"/approve", nil).status)
		require.Equal(t, member+"?done=approved", c.alma.post(member+"/approve", nil).path)
		c.guest.letter(newcomer.email, "is approved")
		at = greta.post("/sign-in", url.Values{"email": {newcomer.email}, "password": {newcomer.password}})
		require.Equal(t, "/sign-in/enrol", at.path, at.text())
		require.Equal(t, page+"?done=accounts", c.alma.post(page, c.accountsForm()).path)
	})
}

// asleep: an account that nobody used for a long time.
func (c *care) asleep(args []string) {
	c.step("an_unused_account_is_locked_until_somebody_unlocks_it", func(t *testing.T) {
		config, err := parseConfig(args)
		require.NoError(t, err)
		long := time.Now().Add(-91 * 24 * time.Hour).UnixMicro()
		changeArgs(t, config, "UPDATE authn_person SET created = ?, changed = ?, signed_in = ? WHERE id = ?", long, long, long, "demo-finance")
		at := c.paul.post("/sign-in", credentials(paul))
		require.Equal(t, http.StatusForbidden, at.status, at.text())
		require.Contains(t, at.text(), "nobody signed in with it for a long time")
		require.Contains(t, c.alma.get("/team").table(), []string{"Paul Serra", "Finance", "Locked", "Not set up yet"})
		at = c.alma.post("/team/demo-finance/unlock", nil)
		require.Equal(t, "/team/demo-finance?done=unlocked", at.path)
		require.Equal(t, "/sign-in/enrol", c.paul.post("/sign-in", credentials(paul)).path)
	})
}

// policyForm opens a page of the settings and returns the version of the rules that it shows.
func (c *care) policyForm(path string) url.Values {
	at := c.alma.sure(c.alma.get(path))
	require.Equal(c.alma.t, http.StatusOK, at.status, at.text())
	return url.Values{"version": {at.match(c.alma.t, `name="version" value="(\d+)"`)}, "passkeys": {keysAlone}}
}

// networks: from where people get in.
func (c *care) networks() {
	const page = "/settings/network"
	c.step("rules_that_cannot_be_read_name_the_line", func(t *testing.T) {
		form := c.policyForm(page)
		form.Set("staff", "192.0.2.0/24\n192.0.2.7/24")
		at := c.alma.post(page, form)
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Contains(t, at.text(), "The team, line 2")
		require.Contains(t, at.body, "192.0.2.7/24", "what was typed is kept")
	})
	c.step("would_i_pass_is_answered_without_saving", func(t *testing.T) {
		form := c.policyForm(page)
		form.Set("staff", "198.51.100.0/24")
		form.Set("do", "try")
		for address, passes := range map[string]bool{"198.51.100.7": true, "::ffff:198.51.100.7": true, "203.0.113.7": false, "": false} {
			form.Set("try", address)
			at := c.alma.post(page, form)
			require.Equal(t, http.StatusOK, at.status, at.text())
			require.Contains(t, at.text(), map[bool]string{true: "the team would pass", false: "the team would not pass"}[passes], address)
			require.Contains(t, at.text(), "patients would pass")
			require.Contains(t, at.text(), "You would not pass Your address now is 127.0.0.1")
		}
		form.Set("try", "the clinic")
		require.Equal(t, http.StatusUnprocessableEntity, c.alma.post(page, form).status)
		require.Contains(t, c.alma.get(page).text(), "You would pass", "nothing was saved")
	})
	c.step("the_first_rule_and_locking_oneself_out_have_to_be_confirmed", func(t *testing.T) {
		form := c.policyForm(page)
		form.Set("do", "save")
		form.Set("staff", "198.51.100.0/24")
		at := c.alma.post(page, form)
		require.Equal(t, http.StatusConflict, at.status)
		require.Contains(t, at.text(), "You would lock yourself out.")
		require.Contains(t, at.text(), "This is the first list.")
		require.Equal(t, "/dashboard", c.alma.get("/dashboard").path, "nothing was saved")
		form.Set("staff", "127.0.0.0/8\n::1")
		at = c.alma.post(page, form)
		require.Equal(t, http.StatusConflict, at.status)
		require.NotContains(t, at.text(), "You would lock yourself out.")
		form.Set("confirm", "yes")
		require.Equal(t, page+"?done=network", c.alma.post(page, form).path)
		require.Equal(t, http.StatusConflict, c.alma.post(page, form).status, "somebody else was faster")
	})
	c.step("rules_bind_running_sessions_and_no_header_helps", func(t *testing.T) {
		form := c.policyForm(page)
		form.Set("do", "save")
		form.Set("staff", "127.0.0.0/8\n::1")
		form.Set("patients", "203.0.113.0/24")
		form.Set("confirm", "yes")
		require.Equal(t, page+"?done=network", c.alma.post(page, form).path)
		require.Equal(t, "/sign-in?out=blocked", c.ava.get("/me").path, "signed in, and out at once")
		for range 2 {
			r := c.ava.request(http.MethodPost, "/sign-in", credentials(demoPatient(0).Email))
			for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"} {
				r.Header.Set(name, "203.0.113.9")
			}
			at := c.ava.send(r)
			require.Equal(t, http.StatusForbidden, at.status, at.text())
			require.Contains(t, at.text(), "You cannot sign in from this network.")
			require.Equal(t, "/sign-in?out=blocked", c.ava.get("/me").path)
		}
		wrong := c.ava.post("/sign-in", url.Values{"email": {demoPatient(0).Email}, "password": {"not the password"}})
		require.Equal(t, http.StatusUnauthorized, wrong.status, "who knows no password learns nothing about the rules")
		form = c.policyForm(page)
		form.Set("do", "save")
		require.Equal(t, page+"?done=network", c.alma.post(page, form).path, "no rules any more")
		require.Equal(t, "/me", c.ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
	})
}

const words = "This system is for the people of Harbor Clinic.\nWhat you do here is on record."

// banner: words that everybody confirms.
func (c *care) banner() {
	const page = "/settings/banner"
	c.step("the_banner_comes_before_anything_else_for_staff_and_patients", func(t *testing.T) {
		form := c.policyForm(page)
		form.Set("words", words)
		at := c.alma.post(page, form)
		require.Equal(t, page+"?done=banner", at.path, at.text())
		require.Contains(t, at.fact(t, "Confirmed by"), "0 of")
		form.Set("words", "older words")
		require.Equal(t, http.StatusConflict, c.alma.post(page, form).status)
		c.ava.cookies = map[string]string{}
		at = c.ava.post("/sign-in", credentials(demoPatient(0).Email))
		require.Equal(t, "/sign-in/banner", at.path, at.text())
		require.Contains(t, at.text(), "What you do here is on record.")
		for _, path := range []string{"/me", "/dashboard", "/security"} {
			require.Equal(t, "/sign-in", c.ava.get(path).path, path)
		}
		version := c.ava.get("/sign-in/banner").match(t, `name="banner" value="([^"]+)"`)
		for _, wrong := range []string{"", "x", version + "0"} {
			at = c.ava.post("/sign-in/banner", url.Values{"banner": {wrong}})
			require.Equal(t, http.StatusUnprocessableEntity, at.status, wrong)
			require.NotContains(t, c.ava.cookies, sessionCookie)
		}
		require.Equal(t, "/me", c.ava.post("/sign-in/banner", url.Values{"banner": {version}}).path)
		require.Equal(t, "/me", c.ava.post("/sign-in", credentials(demoPatient(0).Email)).path, "confirmed once")
		at = c.nad.post("/sign-in", url.Values{"email": {nad}, "password": {newPassword}})
		at = c.nad.post(at.path, url.Values{"code": {c.nad.code()}})
		require.Equal(t, "/sign-in/banner", at.path, at.text())
		require.Equal(t, "/dashboard", c.nad.post("/sign-in/banner", url.Values{"banner": {version}}).path)
		require.Contains(t, c.alma.get(page).fact(t, "Confirmed by"), "1 of")
		found := c.alma.events(url.Values{"type": {"person"}, "id": {"demo-therapist-2"}, "period": {"24h"}, "action": {"authn.step"}})
		require.True(t, slices.ContainsFunc(found, func(id string) bool {
			return strings.Contains(c.alma.get("/audit/"+id).text(), version)
		}), "who confirmed which words is on record")
	})
	c.step("new_words_are_asked_for_again_and_none_are_not", func(t *testing.T) {
		form := c.policyForm(page)
		form.Set("words", words+"\nAsk Alma if in doubt.")
		require.Equal(t, page+"?done=banner", c.alma.post(page, form).path)
		require.Equal(t, "/sign-in/banner", c.ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
		form = c.policyForm(page)
		form.Set("words", "")
		require.Equal(t, page+"?done=banner", c.alma.post(page, form).path)
		require.Equal(t, "/me", c.ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
	})
}

// enforced: codes for patients too, from their next sign-in on.
func (c *care) enforced() {
	const page = "/settings/accounts"
	c.step("a_rule_for_patients_holds_at_the_next_sign_in_and_not_for_the_team", func(t *testing.T) {
		form := c.accountsForm()
		form.Set("factor-patients", "required")
		form.Set("days-patients", "0")
		require.Equal(t, http.StatusUnprocessableEntity, c.alma.post(page, form).status)
		form.Set("days-patients", "365")
		at := c.alma.post(page, form)
		require.Equal(t, page+"?done=accounts", at.path, at.text())
		require.Contains(t, at.body, `value="365"`)
		c.ava.cookies = map[string]string{} // a session that runs goes on; the next one has to have both
		at = c.ava.post("/sign-in", credentials(demoPatient(0).Email))
		require.Equal(t, "/sign-in/enrol", at.path, at.text())
		require.Equal(t, "/sign-in", c.ava.get("/me").path, "before any access")
		c.ava.secret = strings.ReplaceAll(at.match(t, `id="manual-key">([^<]+)<`), " ", "")
		c.ava.step = 0
		require.Equal(t, "/me", c.ava.post("/sign-in/enrol", url.Values{"code": {c.ava.code()}}).path)
		require.Equal(t, http.StatusForbidden, c.ava.post("/security/phone/end", url.Values{"code": {c.ava.code()}}).status)
	})
}
