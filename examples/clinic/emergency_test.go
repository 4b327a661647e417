package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// urgent is the story of a patient whose therapist is away.
type urgent struct {
	*story
	alma, otto, nadia, iris, ava, tomas *person
	record, id                          string // the patient, as an address and as an id
	link                                string // the emergency
}

const emergencyLink = `href="(/emergencies/[0-9a-f-]{36})"`

// collapsed are the words that a therapist writes.
const collapsed = "Ava collapsed in the waiting room, Tomas is on holiday."

// TestEmergency: a therapist opens the record of a colleague's patient, which is seen at once and reviewed by
// somebody else; the patient reads of it.
func TestEmergency(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		u := &urgent{story: tell(t, args...)}
		u.arrive()
		u.asking()
		u.reading()
		u.seeing()
		u.ending()
		u.reviewing()
		u.auditing()
		u.harvesting()
	})
}

func (u *urgent) arrive() {
	u.alma, u.otto, u.nadia, u.iris, u.ava = u.enter(), u.enter(), u.enter(), u.enter(), u.enter()
	u.step("everybody_arrives", func(t *testing.T) {
		u.alma.signIn(alma, demoPassword)
		u.iris.signIn(iris, demoPassword)
		u.nadia.signIn(nad, demoPassword)
		u.ava.post("/sign-in", url.Values{"email": {demoPatient(0).Email}, "password": {demoPassword}})
		u.otto.joins(u.alma, "Otto Brenner", "otto.brenner@example.com", "privacy_officer")
		u.record = u.alma.patient(demoPatient(0).Email)
		u.id = strings.TrimPrefix(u.record, "/patients/")
		require.NotContains(t, u.alma.get("/dashboard").text(), "emergency access to review")
	})
}

func (u *urgent) asking() {
	u.step("a_record_of_a_colleagues_stays_closed", func(t *testing.T) {
		require.Equal(t, http.StatusNotFound, u.nadia.get(u.record).status)
		require.Empty(t, u.nadia.post("/patients/find", url.Values{"q": {demoPatient(0).Email}}).links(patientLink))
		require.Contains(t, u.nadia.get("/patients").body, `href="/emergency"`)
		require.NotContains(t, u.iris.get("/patients").body, `href="/emergency"`)
		require.Equal(t, http.StatusForbidden, u.iris.get("/emergency").status)
	})
	u.step("she_finds_the_patient_by_a_number_and_is_told_what_will_happen", func(t *testing.T) {
		asked := func(q, birth string) page { return u.nadia.post("/emergency", url.Values{"q": {q}, "birth": {birth}}) }
		ava := demoPatient(0)
		for _, wrong := range [][2]string{{"HC-99999", ava.Birth}, {ava.MRN, "1950-01-01"}, {ava.MRN, ""}, {ava.Email, "x"}, {ava.Phone, demoPatient(1).Birth}} {
			at := asked(wrong[0], wrong[1])
			require.Equal(t, http.StatusUnprocessableEntity, at.status)
			require.Contains(t, at.text(), "No patient has both", "which of the two was wrong is not said")
		}
		at := u.nadia.sure(asked(ava.MRN, ava.Birth))
		require.Equal(t, u.record+"/emergency", at.path)
		initials := ""
		for _, word := range strings.Fields(ava.Name) {
			initials += word[:1] + "."
		}
		require.Contains(t, strings.ReplaceAll(at.text(), " ", ""), "Patient"+initials)
		for _, secret := range []string{ava.Name, ava.MRN, ava.Birth, ava.Email, ava.Phone} {
			require.NotContains(t, at.body, secret, "nobody was told yet")
		}
		require.Contains(t, at.text(), "somebody reviews it within 72 hours")
		require.NotContains(t, at.text(), demoNote(0))
	})
	u.step("the_form_asks_who_is_there", func(t *testing.T) {
		iris := u.iris.get(u.record + "/emergency")
		require.Equal(t, http.StatusForbidden, iris.status)
		u.tomas = u.enter()
		u.tomas.signIn(tom, demoPassword)
		require.Equal(t, u.record, u.tomas.sure(u.tomas.get(u.record+"/emergency")).path, "who cares for them needs none")
	})
	u.step("without_a_sentence_nothing_opens", func(t *testing.T) {
		at := u.nadia.sure(u.nadia.post(u.record+"/emergency", url.Values{"reason": {"patient_safety"}, "words": {"urgent"}, "hours": {"1"}}))
		require.Equal(t, http.StatusUnprocessableEntity, at.status, at.text())
		require.Contains(t, at.text(), "Please say in a sentence what happened")
		require.Contains(t, at.body, `<option value="patient_safety" selected>`)
		at = u.nadia.sure(u.nadia.post(u.record+"/emergency", url.Values{"reason": {"patient_safety"}, "words": {collapsed}, "hours": {"9"}}))
		require.Equal(t, http.StatusUnprocessableEntity, at.status, "four hours are the most")
		for _, hours := range []string{"", "0", "abc", "-1"} {
			at = u.nadia.sure(u.nadia.post(u.record+"/emergency", url.Values{"reason": {"patient_safety"}, "words": {collapsed}, "hours": {hours}}))
			require.Equal(t, http.StatusUnprocessableEntity, at.status, "how long is chosen, never assumed")
		}
		mine := u.ava.get("/me/access").text()
		require.Contains(t, mine, "asked to open your record in an emergency")
		require.NotContains(t, mine, "opened your record in an emergency", "nobody did")
		require.Equal(t, http.StatusNotFound, u.nadia.get(u.record).status)
	})
}

func (u *urgent) reading() {
	u.step("she_opens_it_and_reads", func(t *testing.T) {
		at := u.nadia.sure(u.nadia.post(u.record+"/emergency", url.Values{"reason": {"emergency_treatment"}, "words": {collapsed}, "hours": {"1"}}))
		require.Equal(t, u.record+"?done=emergency", at.path, at.text())
		require.Contains(t, at.text(), "Emergency access: 60 minutes left.")
		require.Contains(t, at.text(), demoNote(0))
		require.Contains(t, u.nadia.post("/patients/find", url.Values{"q": {demoPatient(0).Email}}).body, u.record, "lists obey")
		letter := "/letters/" + at.match(t, `href="/letters/([^"]+)"`)
		require.Contains(t, u.nadia.get(letter).text(), "Emergency access:", "the banner is on every page of the patient")
		require.NotContains(t, u.nadia.get("/patients").text(), "Emergency access:")
		require.Equal(t, u.record, u.nadia.get(u.record+"/emergency").path, "who reads already needs no form")
	})
	u.step("she_changes_nothing_and_sees_no_more", func(t *testing.T) {
		at := u.nadia.get(u.record)
		for _, way := range []string{u.record + "/note", u.record + "/reveal", u.record + "/access", u.record + "/care"} {
			require.NotContains(t, at.body, `"`+way)
		}
		require.GreaterOrEqual(t, u.nadia.post(u.record+"/note", url.Values{"note": {"x"}}).status, 400)
		require.GreaterOrEqual(t, u.nadia.post(u.record+"/reveal", url.Values{"reason": {"an emergency"}}).status, 400)
		require.GreaterOrEqual(t, u.nadia.get(u.record+"/access").status, 400)
		require.GreaterOrEqual(t, u.nadia.get(u.alma.patient(demoPatient(2).Email)).status, 400, "one patient")
	})
}

func (u *urgent) seeing() {
	u.step("those_who_answer_for_privacy_see_it_at_once", func(t *testing.T) {
		require.Contains(t, u.alma.get("/dashboard").text(), "1 record open in an emergency now")
		require.Contains(t, u.otto.get("/dashboard").text(), "1 record open in an emergency now")
		require.Equal(t, http.StatusForbidden, u.nadia.get("/emergencies").status)
		require.Eventually(t, func() bool {
			return strings.Contains(u.otto.get("/demo").text(), "Somebody opened a record of Harbor Clinic in an emergency")
		}, 30*time.Second, 100*time.Millisecond, "and are told by mail")
		at := u.otto.get("/emergencies")
		require.Contains(t, at.text(), "Nadia Okafor")
		require.Contains(t, at.text(), demoPatient(0).Name)
		u.link = at.links(emergencyLink)[0]
		at = u.otto.get(u.link)
		require.Equal(t, collapsed, at.fact(t, "In their words"))
		reads := strings.Join(at.column(1), "\n")
		require.Contains(t, reads, "Read a clinical note")
		require.Contains(t, reads, "Look at patients")
		require.Contains(t, reads, "Look at patients: what was shown", "rows of the list that she posted")
		require.NotContains(t, at.body, u.link+`/review`, "nobody reviews what is still open")
		require.Equal(t, http.StatusConflict, u.otto.post(u.link+"/review", url.Values{"version": {"2"}, "verdict": {"justified"}, "words": {"fine"}}).status)
		require.Equal(t, http.StatusForbidden, u.nadia.post(u.link+"/end", nil).status)
		require.Equal(t, http.StatusNotFound, u.otto.get("/emergencies/0190b7a8-0000-7000-8000-000000000001").status)
	})
}

func (u *urgent) ending() {
	u.step("she_ends_it_with_one_click", func(t *testing.T) {
		at := u.nadia.post(u.record+"/emergency/end", nil)
		require.Equal(t, "/dashboard?done=emergency-over", at.path)
		require.Equal(t, http.StatusNotFound, u.nadia.get(u.record).status)
		require.Empty(t, u.nadia.post("/patients/find", url.Values{"q": {demoPatient(0).Email}}).links(patientLink))
	})
	u.step("again_within_a_week_she_need_not_say_it_again", func(t *testing.T) {
		require.Contains(t, u.nadia.get(u.record+"/emergency").text(), "You said it less than a week ago")
		at := u.nadia.sure(u.nadia.post(u.record+"/emergency", url.Values{"hours": {"1"}}))
		require.Equal(t, u.record+"?done=emergency", at.path, at.text())
		second := u.otto.get("/emergencies").links(emergencyLink)[0]
		require.NotEqual(t, u.link, second)
		require.Equal(t, collapsed, u.otto.get(second).fact(t, "In their words"))
		at = u.otto.post(second+"/end", nil)
		require.Equal(t, second+"?done=emergency-stopped", at.path, at.text())
		require.Equal(t, http.StatusNotFound, u.nadia.get(u.record).status, "the officer ends it, too")
	})
}

func (u *urgent) reviewing() {
	u.step("somebody_else_reviews_it", func(t *testing.T) {
		at := u.otto.get(u.link)
		version := at.match(t, `name="version" value="(\d+)"`)
		require.Equal(t, http.StatusUnprocessableEntity, u.otto.post(u.link+"/review", url.Values{"version": {version}, "verdict": {"justified"}}).status)
		require.Equal(t, http.StatusConflict, u.otto.post(u.link+"/review", url.Values{"version": {"1"}, "verdict": {"justified"}, "words": {"fine"}}).status)
		at = u.otto.post(u.link+"/review", url.Values{"version": {version}, "verdict": {"justified"}, "words": {"Iris saw it, and Tomas was away."}})
		require.Equal(t, u.link+"?done=emergency-reviewed", at.path, at.text())
		require.Contains(t, at.fact(t, "Review"), "It was justified")
		require.NotContains(t, at.body, u.link+`/review`)
		require.Contains(t, u.alma.get("/dashboard").text(), "1 emergency access to review", "the second one waits")
		u.alma.speaksPlainly()
	})
	u.step("the_patient_reads_of_it", func(t *testing.T) {
		at := u.ava.get("/me/access")
		require.Contains(t, at.text(), "opened your record in an emergency")
		require.Contains(t, at.text(), "Nadia Okafor")
		require.Contains(t, strings.ToLower(at.text()), "emergency")
	})
}

func (u *urgent) auditing() {
	u.step("an_auditor_reads_what_happened_and_no_words", func(t *testing.T) {
		greta := u.enter()
		greta.joins(u.alma, newcomer.name, newcomer.email, "auditor")
		require.Equal(t, http.StatusForbidden, greta.get("/emergencies").status)
		require.Equal(t, http.StatusForbidden, greta.get(u.link).status)
		event := "/audit/" + strings.TrimPrefix(u.link, "/emergencies/")
		at := greta.get(event)
		require.Equal(t, http.StatusOK, at.status)
		require.Contains(t, at.text(), "Patient opened in an emergency")
		require.NotContains(t, at.text(), collapsed)
		require.Contains(t, u.otto.get(event).text(), collapsed, "who answers for privacy does")
	})
}

func (u *urgent) harvesting() {
	u.step("who_looks_for_many_and_opens_none_is_stopped_and_told_about", func(t *testing.T) {
		wrong := url.Values{"q": {demoPatient(1).MRN}, "birth": {"1950-01-01"}}
		for range findLimit {
			require.Equal(t, http.StatusUnprocessableEntity, u.tomas.post("/emergency", wrong).status)
		}
		right := url.Values{"q": {demoPatient(1).MRN}, "birth": {demoPatient(1).Birth}}
		for range 2 {
			require.Equal(t, http.StatusTooManyRequests, u.tomas.post("/emergency", right).status, "the right one, too")
		}
		require.Eventually(t, func() bool {
			return strings.Contains(u.otto.get("/demo").text(), "looks for many patients in an emergency and opens none")
		}, 30*time.Second, 100*time.Millisecond)
	})
}

// TestDeliveries: a notice that is told again reaches only those whom it did not reach, ever more rarely.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	d, now := newDeliveries(), time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	sent, tried := 0, 0
	for range 360 { // every ten seconds, for an hour
		require.NoError(t, d.deliver("n/good", now, func() error { sent++; return nil }))
		require.Error(t, d.deliver("n/bad", now, func() error { tried++; return errInput }))
		now = now.Add(10 * time.Second)
	}
	require.Equal(t, 1, sent)
	require.LessOrEqual(t, tried, 6)
	require.Greater(t, tried, 3)
	now = now.Add(time.Hour)
	require.NoError(t, d.deliver("n/bad", now, func() error { return nil }))
	require.NoError(t, d.deliver("n/bad", now, func() error { panic("it went out") }))
}

// TestEmergenciesAreGivenByName: the platform's support has no part in emergencies, and the presets give no
// role the words.
func TestEmergenciesAreGivenByName(t *testing.T) {
	t.Parallel()
	for _, a := range emergencyActions() {
		require.Contains(t, neverSupport(), a)
	}
	require.Equal(t, "asked to open your record in an emergency", viewerDeed(emergencyAsk.Name()))
	require.Equal(t, "asked to open your record in an emergency", viewerDeed(emergencyOpen.Name()))
}
