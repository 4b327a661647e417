package main

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/session"
)

// sessionEngines runs f with the clinic's arguments for every place that sessions can be kept.
func sessionEngines(t *testing.T, f func(t *testing.T, args []string)) {
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) { f(t, args) })
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		f(t, withRedis(t, []string{"-data", t.TempDir()}))
	})
}

// withRedis keeps the sessions in Redis, under names of this test's own.
func withRedis(t *testing.T, args []string) []string {
	t.Helper()
	_, prefix := enginetest.Redis(t)
	return append(args, "-redis", os.Getenv("WARDKIT_REDIS"), "-redis-prefix", prefix)
}

// desk is the story of sessions: whose they are, how long they last, what asks again, what is
// locked.
type desk struct {
	*story
	alma, nad, tom, iris, paul, phone *person
	note                              string // path of a note that Tomas may write
}

func TestSessions(t *testing.T) {
	t.Parallel()
	sessionEngines(t, func(t *testing.T, args []string) {
		d := &desk{story: tell(t, args...)}
		d.alma, d.nad, d.tom = d.enter(), d.enter(), d.enter()
		d.iris, d.paul, d.phone = d.enter(), d.enter(), d.enter()
		d.own()
		d.ofOthers()
		d.settings()
		d.eachTime()
		d.rules()
		d.locked()
		d.switched()
		d.countdown()
		d.alma.speaksPlainly()
	})
}

// also signs the same person in on another device.
func (p *person) also(email string, other *person) page {
	other.secret, other.step = p.secret, p.step
	at := other.signIn(email, demoPassword)
	p.step = other.step
	return at
}

var markedRow = regexp.MustCompile(`>this one<`)

// own: somebody looks after their own sessions.
func (d *desk) own() {
	d.step("my_sessions_name_device_place_and_which_is_this", func(t *testing.T) {
		d.iris.signIn(iris, demoPassword)
		d.iris.also(iris, d.phone)
		at := d.iris.get("/security")
		require.Equal(t, 2, strings.Count(at.body, `aria-label="End the session on`))
		require.Len(t, markedRow.FindAllString(at.body, -1), 1)
		require.Contains(t, at.text(), "Firefox on Linux")
		require.Contains(t, at.text(), "The clinic’s server itself")
		require.Contains(t, at.text(), "15 minutes without activity")
	})
	d.step("one_that_is_ended_is_dead_and_the_other_lives", func(t *testing.T) {
		at := d.iris.get("/security")
		row, _, _ := strings.Cut(at.body[strings.Index(at.body, ">this one<"):], "</tr>")
		mine := regexp.MustCompile(`sessions/([^/]+)/end`).FindStringSubmatch(row)[1]
		for _, id := range at.links(`action="/security/sessions/([^/"]+)/end"`) {
			if id != mine {
				require.Equal(t, "/security?done=session-ended", d.iris.post("/security/sessions/"+id+"/end", nil).path)
			}
		}
		require.Equal(t, "/sign-in?out=ended", d.phone.get("/dashboard").path)
		require.Equal(t, "/security", d.iris.get("/security").path)
	})
	d.step("ending_all_others_keeps_this_one", func(t *testing.T) {
		d.paul.signIn(paul, demoPassword)
		d.paul.also(paul, d.phone)
		at := d.paul.post("/security/sessions/end-others", nil)
		require.Contains(t, at.text(), "All other sessions are ended.")
		require.Equal(t, 1, strings.Count(at.body, `aria-label="End the session on`))
		require.Equal(t, "/sign-in?out=ended", d.phone.get("/dashboard").path)
	})
}

// ofOthers: the administrator looks after those of the team.
func (d *desk) ofOthers() {
	d.step("admin_ends_all_sessions_of_a_member_at_once", func(t *testing.T) {
		d.alma.signIn(alma, demoPassword)
		d.tom.signIn(tom, demoPassword)
		d.nad.signIn(nad, demoPassword)
		at := d.alma.get("/team/demo-finance")
		require.Equal(t, 1, strings.Count(at.body, `aria-label="End the session on`))
		require.NotContains(t, at.body, ">this one<")
		require.Equal(t, http.StatusForbidden, d.tom.post("/team/demo-admin/end-sessions", nil).status)
		at = d.alma.post("/team/demo-finance/end-sessions", nil)
		require.Contains(t, at.text(), "All sessions of this account are ended.")
		require.Equal(t, "/sign-in?out=ended", d.paul.get("/dashboard").path)
	})
}

// settings: they open with a fresh proof, for a few minutes.
func (d *desk) settings() {
	d.step("settings_are_locked_until_the_password_is_given_again", func(t *testing.T) {
		at := d.alma.get("/settings/sign-in")
		require.Equal(t, http.StatusUnauthorized, at.status)
		require.Contains(t, at.text(), "Is it you?")
		require.Contains(t, at.header.Get("WWW-Authenticate"), "insufficient_user_authentication")
		wrong := d.alma.proves(at, url.Values{fieldPassword: {"not the password"}})
		require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
		require.Contains(t, wrong.text(), "That password is not right.")
		require.Equal(t, http.StatusUnauthorized, d.alma.get("/settings").status)
		before := d.alma.cookies[sessionCookie]
		at = d.alma.proves(wrong, byPassword())
		require.Equal(t, "/settings/sign-in", at.path, at.text())
		require.NotEqual(t, before, d.alma.cookies[sessionCookie], "the token is another one")
		require.Equal(t, http.StatusOK, d.alma.get("/settings").status, "open for a few minutes")
	})
	d.step("a_way_on_never_leads_out_of_the_clinic", func(t *testing.T) {
		for _, to := range []string{"https://evil.example.com/", "//evil.example.com", `/\evil.example.com`, "evil"} {
			form := byPassword()
			form.Set(fieldTo, to)
			form.Set(fieldAction, string(settingsRead.Name()))
			require.Equal(t, "/dashboard", d.alma.post("/confirm", form).path, to)
		}
	})
	d.step("a_code_does_as_well", func(t *testing.T) {
		form := url.Values{fieldTo: {"/settings"}, fieldAction: {string(settingsRead.Name())}, fieldCode: {"000 000"}}
		require.Equal(t, http.StatusUnprocessableEntity, d.alma.post("/confirm", form).status)
		form.Set(fieldCode, d.alma.code())
		require.Equal(t, "/settings", d.alma.post("/confirm", form).path)
	})
}

// eachTime: what is of high risk is confirmed once for each time.
func (d *desk) eachTime() {
	d.step("a_listed_action_asks_each_time_and_keeps_the_form", func(t *testing.T) {
		form := d.rulesForm(t)
		form.Set("ask-patient.reveal_ssn", askEach)
		require.Contains(t, d.alma.post("/settings/sign-in", form).text(), "The rules are saved.")
		path := d.tom.patient(demoPatient(0).Email)
		for range 2 {
			at := d.tom.post(path+"/reveal", url.Values{"reason": {revealReason}})
			require.Equal(t, http.StatusUnauthorized, at.status)
			require.NotContains(t, at.body, demoPatient(0).SSN)
			require.Contains(t, at.text(), "Reveal a social security number")
			at = d.tom.proves(at, byPassword())
			require.Equal(t, http.StatusOK, at.status, at.text())
			require.Contains(t, at.text(), demoPatient(0).SSN)
		}
	})
	d.step("a_confirmation_is_for_one_patient_only", func(t *testing.T) {
		at := d.tom.post(d.tom.patient(demoPatient(0).Email)+"/reveal", url.Values{"reason": {revealReason}})
		other := d.tom.patient(demoPatient(2).Email)
		at = d.tom.proves(at, url.Values{fieldPassword: {demoPassword}, fieldTo: {other + "/reveal"}})
		require.Equal(t, http.StatusUnauthorized, at.status)
		require.NotContains(t, at.body, demoPatient(2).SSN)
	})
}

// rulesForm is the form of the rules as the page shows it.
func (d *desk) rulesForm(t *testing.T) url.Values {
	t.Helper()
	at := d.alma.sure(d.alma.get("/settings/sign-in"))
	require.Equal(t, http.StatusOK, at.status, at.text())
	form := url.Values{"version": {at.match(t, `name="version" value="(\d+)"`)}, "sign-out": {"everywhere"}}
	for _, m := range regexp.MustCompile(`name="((?:idle|absolute|sessions)-[a-z]*)"[^>]* value="(\d+)"`).FindAllStringSubmatch(at.body, -1) {
		form.Set(m[1], m[2])
	}
	for _, m := range regexp.MustCompile(`(?s)<select id="(ask-[^"]+)".*?<option value="([a-z]*)" selected>`).FindAllStringSubmatch(at.body, -1) {
		form.Set(m[1], m[2])
	}
	require.Len(t, form, 2+9+len(riskyActions()))
	return form
}

func (d *desk) rules() {
	d.step("rules_that_cannot_be_are_refused_and_kept_in_the_form", func(t *testing.T) {
		for field, bad := range map[string]string{"idle-staff": "61", "absolute-staff": "25", "sessions-staff": "-1", "idle-": "0", "idle-patient": "x"} {
			form := d.rulesForm(t)
			form.Set(field, bad)
			at := d.alma.post("/settings/sign-in", form)
			require.Equal(t, http.StatusUnprocessableEntity, at.status, field)
			require.Contains(t, at.text(), "Nothing was saved.")
			require.Contains(t, at.body, `value="`+bad+`"`)
		}
	})
	d.step("of_two_administrators_the_second_is_told", func(t *testing.T) {
		form := d.rulesForm(t)
		require.Contains(t, d.alma.post("/settings/sign-in", form).text(), "The rules are saved.")
		require.Equal(t, http.StatusConflict, d.alma.post("/settings/sign-in", form).status)
	})
}

const unsaved = "He says the nights are better now, but"

// locked: somebody leaves a shared workstation for a moment.
func (d *desk) locked() {
	d.step("a_locked_screen_shows_nothing_and_keeps_the_note", func(t *testing.T) {
		path := d.tom.patient(demoPatient(0).Email)
		d.note = path + "/note"
		version := d.tom.get(d.note).match(t, `name="version" value="(\d+)"`)
		at := d.tom.post(d.note+"/lock", url.Values{"note": {unsaved}, "version": {version}})
		require.Equal(t, "/locked?to="+d.note, at.path)
		require.Contains(t, at.text(), "Tomas Berg locked it.")
		for _, path := range []string{"/dashboard", path, d.note, "/security"} {
			at := d.tom.get(path)
			require.Equal(t, http.StatusUnauthorized, at.status, path)
			require.Contains(t, at.text(), "This screen is locked")
			require.NotContains(t, at.body, demoPatient(0).Name)
			require.NotContains(t, at.body, unsaved)
		}
	})
	d.step("only_the_same_person_unlocks_and_the_note_is_there", func(t *testing.T) {
		at := d.tom.get("/locked?to=" + d.note)
		wrong := d.tom.proves(at, url.Values{fieldPassword: {"somebody else's"}})
		require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
		require.Contains(t, d.tom.get("/dashboard").text(), "This screen is locked")
		at = d.tom.proves(wrong, byPassword())
		require.Equal(t, d.note, at.path, at.text())
		require.Contains(t, at.body, unsaved)
		require.Contains(t, at.text(), "It is not saved yet.")
		require.NotContains(t, d.tom.get(strings.TrimSuffix(d.note, "/note")).body, unsaved)
	})
	d.step("a_form_sent_from_a_locked_screen_goes_on_after_unlocking", func(t *testing.T) {
		version := d.tom.get(d.note).match(t, `name="version" value="(\d+)"`)
		d.tom.post("/lock", nil)
		at := d.tom.post(d.note, url.Values{"note": {unsaved + " not the mornings."}, "version": {version}})
		require.Equal(t, http.StatusUnauthorized, at.status)
		at = d.tom.proves(at, byPassword())
		require.Contains(t, at.text(), "The note is saved.")
		require.Contains(t, at.text(), "not the mornings.")
		require.NotContains(t, d.tom.get(d.note).text(), "It is not saved yet.", "and nothing is left of the draft")
	})
}

// switched: somebody else needs the workstation, signs out of it alone, and at one place at a
// time is signed out at the other.
func (d *desk) switched() {
	d.step("another_person_switches_cleanly", func(t *testing.T) {
		form := d.rulesForm(t)
		form.Set("sign-out", "here")
		form.Set("sessions-staff", "1")
		require.Contains(t, d.alma.post("/settings/sign-in", form).text(), "The rules are saved.")
		version := d.tom.get(d.note).match(t, `name="version" value="(\d+)"`)
		d.tom.post(d.note+"/lock", url.Values{"note": {"half a thought"}, "version": {version}})
		tomsToken := d.tom.cookies[sessionCookie]
		d.phone.cookies, d.phone.csrf = d.tom.cookies, d.tom.csrf // Tomas's browser
		require.Contains(t, d.nad.also(nad, d.phone).text(), "Good day, Nadia Okafor")
		require.Equal(t, http.StatusNotFound, d.phone.get(d.note).status)

		nads := d.phone.csrf // what she sends from a page that Tomas had left open
		d.phone.csrf = d.tom.csrf
		at := d.phone.post(d.note+"/lock", url.Values{"note": {"his"}, "version": {version}})
		require.Equal(t, http.StatusForbidden, at.status)
		require.Contains(t, at.text(), "This page is from an earlier sign-in, so nothing was changed.")
		d.phone.csrf = nads
		d.tom.cookies, d.tom.csrf = map[string]string{sessionCookie: tomsToken}, ""
		require.Equal(t, "/sign-in?out=ended", d.tom.get("/dashboard").path)
	})
	d.step("at_one_place_at_a_time_the_oldest_session_ends", func(t *testing.T) {
		require.Equal(t, "/sign-in?out=ended", d.nad.get("/dashboard").path, "she is at Tomas's workstation now")
	})
	d.step("signing_out_may_end_only_this_session", func(t *testing.T) {
		require.Contains(t, d.phone.post("/sign-out", nil).text(), "Other devices stay signed in.")
	})
	d.step("what_was_typed_is_kept_for_whom_it_belongs_to", func(t *testing.T) {
		d.tom.signIn(tom, demoPassword)
		require.Contains(t, d.tom.get(d.note).body, "half a thought")
		require.Contains(t, d.tom.post(d.note+"/discard", nil).text(), "What you had typed is thrown away.")
		require.NotContains(t, d.tom.get(d.note).body, "half a thought")
	})
}

func (d *desk) countdown() {
	d.step("pages_know_how_long_is_left_without_prolonging_it", func(t *testing.T) {
		at := d.tom.get("/dashboard")
		require.Contains(t, at.header.Get("Content-Security-Policy"), "'nonce-"+at.match(t, `<script src="/session/countdown.js" nonce="([^"]+)"`)+"'")
		require.Regexp(t, `^idle=\d+, absolute=\d+$`, at.header.Get(session.LeftHeader))
		left := d.tom.get("/session/left")
		require.Contains(t, left.body, `"state":"live"`)
		require.Contains(t, left.body, `"warn":120`)
		require.Contains(t, d.tom.get("/session/countdown.js").header.Get("Content-Type"), "text/javascript")
		require.NotContains(t, newPerson(t, d.clinic).get("/sign-in").body, "countdown.js")
	})
}
