package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The accounts of the demo that the stories use.
const (
	alma = "alma.reyes@example.com"   // admin
	tom  = "tomas.berg@example.com"   // therapist of the patients with even numbers
	nad  = "nadia.okafor@example.com" // therapist of the others
	iris = "iris.lund@example.com"    // front desk
	paul = "paul.serra@example.com"   // finance
)

const (
	tomID = "demo-therapist-1"
	mask  = "•••-••-••••" // a social security number that nobody revealed
)

// newcomer is who the admin invites in the walk.
var newcomer = struct{ name, email, password string }{
	"Greta Holm", "greta.holm@example.com", "seven quiet otters swim",
}

// walkIn is the patient whom the front desk registers in the walk.
func walkIn() url.Values {
	return url.Values{
		"name": {"Matteo Villanueva"}, "mrn": {"wx 7731-5"}, "birth": {"1988-11-23"}, "phone": {"(646) 555-0177"},
		"email": {"matteo.villanueva@example.com"}, "ssn": {"987-65-4329"},
	}
}

const (
	revealReason = "the insurer asked for the number by letter"
	walkNote     = "First visit. Wants to sleep through the night again."
)

// walk is the story of a first day in the clinic.
type walk struct {
	*story
	dump func(*testing.T) []byte

	alma, greta, tom, iris, paul *person

	link      string // Greta's invitation
	opened    string // path of the record that Tomas opens
	foreign   string // path of a record of another therapist
	deadToken string // Tomas's ended session
}

func TestWalk(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, dump func(*testing.T) []byte) {
		w := &walk{story: tell(t, args...), dump: dump}
		w.arrive()
		w.invite()
		w.frontDesk()
		w.therapist()
		w.record()
		w.limits()
		w.audit()
		w.dismiss()
		w.survive()
		w.nothingInClear()
	})
}

// arrive: the administrator signs in for the first time.
func (w *walk) arrive() {
	w.alma = w.enter()
	w.step("admin_must_enrol_before_anything_else", func(t *testing.T) {
		at := w.alma.post("/sign-in", url.Values{"email": {alma}, "password": {demoPassword}})
		require.Equal(t, "/sign-in/enrol", at.path, at.text())
		require.Contains(t, at.body, `src="data:image/png;base64,`)
		for _, path := range []string{"/dashboard", "/patients", "/patients/new", "/team", "/audit", "/security", "/team/" + tomID} {
			require.Equal(t, "/sign-in", w.alma.get(path).path, "a way around the enrolment")
		}
		for _, path := range []string{"/team/invite", "/patients", "/lock", "/confirm"} {
			require.Equal(t, http.StatusUnauthorized, w.alma.post(path, url.Values{}).status, path)
		}
		for _, path := range []string{"/sign-in/code", "/sign-in/password"} {
			require.Equal(t, "/sign-in/enrol", w.alma.get(path).path, "the step comes from the server, not from the address")
		}
	})
	w.step("wrong_code_does_not_enrol", func(t *testing.T) {
		at := w.alma.post("/sign-in/enrol", url.Values{"code": {"000 00x"}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Contains(t, at.text(), "That code is not right")
		require.Equal(t, "/sign-in", w.alma.get("/dashboard").path)
	})
	w.step("admin_enrols_and_sees_the_dashboard", func(t *testing.T) {
		at := w.alma.secondStep(w.alma.get("/sign-in/enrol"))
		require.Contains(t, at.text(), "Good day, Alma Reyes")
		require.Contains(t, at.text(), "60 Patients")
		require.NotContains(t, w.alma.cookies, "__Host-wardkit-ticket", "the sign-in is over")
	})
}

// invite: a therapist joins the team.
func (w *walk) invite() {
	w.step("admin_invites_a_therapist", func(t *testing.T) {
		require.Len(t, w.alma.get("/team").table(), 5)
		form := url.Values{"name": {newcomer.name}, "email": {newcomer.email}, "role": {"therapist"}}
		at := w.alma.post("/team/invite", form)
		require.Equal(t, "/team?done=invited", at.path, at.text())
		require.Contains(t, at.table(), []string{newcomer.name, "Therapist", "Invited", "Not set up yet"})
		form.Set("email", strings.ToUpper(newcomer.email))
		require.Equal(t, http.StatusConflict, w.alma.post("/team/invite", form).status, "the same address again")
		require.Len(t, w.alma.get("/team").table(), 6)
	})
	w.greta = w.enter()
	w.step("looking_at_the_link_does_not_use_it_up", func(t *testing.T) {
		w.link = w.greta.mail()
		for range 2 {
			at := w.greta.get(w.link)
			require.Equal(t, http.StatusOK, at.status)
			require.Contains(t, at.text(), "Welcome")
		}
		at := w.greta.post(w.link, url.Values{"password": {"harbor clinic"}})
		require.Equal(t, http.StatusUnprocessableEntity, at.status, "a password that names the clinic")
		require.Contains(t, at.text(), "too close to")
		require.Equal(t, "/sign-in", w.greta.get("/dashboard").path)
	})
	w.step("the_link_sets_a_password_and_enrols", func(t *testing.T) {
		at := w.greta.post(w.link, url.Values{"password": {newcomer.password}})
		require.Equal(t, "/sign-in/enrol", at.path, at.text())
		require.Equal(t, "/sign-in", w.greta.get("/patients").path, "the link is no way around the second factor")
		at = w.greta.secondStep(w.greta.get("/sign-in/enrol"))
		require.Contains(t, at.text(), "Good day, Greta Holm You are signed in as Therapist.")
		require.Contains(t, at.text(), "0 Patients")
		require.Contains(t, w.alma.get("/team").table(), []string{newcomer.name, "Therapist", "Active", "App"})
	})
	w.step("a_used_link_says_so", func(t *testing.T) {
		stranger := newPerson(t, w.clinic)
		for _, at := range []page{stranger.get(w.link), stranger.post(w.link, url.Values{"password": {"another good sentence"}})} {
			require.Equal(t, http.StatusGone, at.status)
			require.Contains(t, at.text(), "This link was used already.")
		}
		require.Empty(t, stranger.cookies)
	})
}

// frontDesk: a patient is registered for the new therapist.
func (w *walk) frontDesk() {
	w.iris = w.enter()
	w.step("front_desk_registers_a_patient", func(t *testing.T) {
		w.iris.signIn(iris, demoPassword)
		form := walkIn()
		form.Set("therapist", w.iris.get("/patients/new").match(t, `<option value="([^"]+)">Greta Holm<`))
		at := w.iris.post("/patients", form)
		require.Equal(t, "/patients?done=registered", at.path, at.text())
		require.Contains(t, at.text(), "You may open 61 records.")
		require.Contains(t, at.table(), []string{"Matteo Villanueva", "wx 7731-5", "1988-11-23", "(646) 555-0177", "Greta Holm"})
		require.Contains(t, w.greta.get("/dashboard").text(), "1 Patients")
	})
	w.step("front_desk_cannot_register_an_address_twice", func(t *testing.T) {
		form := walkIn()
		form.Set("name", "Somebody Else")
		form.Set("email", "MATTEO.Villanueva@Example.com ")
		form.Set("therapist", tomID)
		at := w.iris.post("/patients", form)
		require.Equal(t, http.StatusConflict, at.status)
		require.Contains(t, at.text(), "already has this e-mail address")
		form.Set("email", "somebody.else@example.com")
		form.Set("mrn", "WX77315")
		at = w.iris.post("/patients", form)
		require.Equal(t, http.StatusConflict, at.status)
		require.Contains(t, at.text(), "already has this medical record number")
		form.Set("mrn", "?")
		require.Equal(t, http.StatusUnprocessableEntity, w.iris.post("/patients", form).status)
		require.Contains(t, w.iris.get("/patients").text(), "You may open 61 records.", "nothing half-registered")
	})
	w.step("front_desk_sees_no_note_and_no_number", func(t *testing.T) {
		path := w.iris.patient(demoPatient(0).Email)
		at := w.iris.get(path)
		require.Equal(t, demoPatient(0).Name, at.fact(t, "Name"))
		require.Equal(t, mask, at.fact(t, "Social security number"))
		require.NotContains(t, at.text(), "Clinical note")
		require.NotContains(t, at.text(), demoNote(0))
		require.NotContains(t, at.text(), "Show the full number")
		require.Equal(t, http.StatusForbidden, w.iris.post(path+"/reveal", url.Values{"reason": {"curious"}}).status)
		require.Equal(t, http.StatusForbidden, w.iris.post(path+"/note", url.Values{"note": {"x"}, "version": {"1"}}).status)
	})
}

// therapist: own patients, and nobody else's, however one asks.
func (w *walk) therapist() {
	w.tom = w.enter()
	w.step("therapist_sees_only_own_patients_in_list_count_and_search", func(t *testing.T) {
		require.Contains(t, w.tom.signIn(tom, demoPassword).text(), "30 Patients")
		at := w.tom.get("/patients")
		require.Contains(t, at.text(), "You may open 30 records.")
		require.Len(t, at.links(patientLink), 30)
		for n := range demoPatients {
			own := n%2 == 0
			require.Equal(t, own, strings.Contains(at.text(), demoPatient(n).Name), "patient %d in the list", n)
		}
		for _, find := range []string{demoPatient(1).Phone, demoPatient(1).Email, demoPatient(1).MRN} {
			at := w.tom.post("/patients/find", url.Values{"q": {find}})
			require.Equal(t, http.StatusOK, at.status)
			require.Contains(t, at.text(), "0 found")
			require.Empty(t, at.links(patientLink))
		}
		w.opened = w.tom.patient(demoPatient(0).Email)
		w.foreign = w.alma.patient(demoPatient(1).Email)
	})
	w.step("another_therapists_patient_is_404_like_nobody", func(t *testing.T) {
		nobody := "/patients/p-" + strings.Repeat("a", len(w.foreign)-len("/patients/p-"))
		for _, ask := range []func(path string) page{
			w.tom.get,
			func(path string) page { return w.tom.post(path+"/reveal", url.Values{"reason": {"curious"}}) },
			func(path string) page { return w.tom.post(path+"/reveal", url.Values{}) },
			func(path string) page { return w.tom.post(path+"/note", url.Values{"note": {"x"}, "version": {"1"}}) },
		} {
			there, not := ask(w.foreign), ask(nobody)
			require.Equal(t, http.StatusNotFound, there.status)
			require.Equal(t, not.status, there.status)
			require.Equal(t, nonce.ReplaceAllString(not.body, ""), nonce.ReplaceAllString(there.body, ""))
			require.Equal(t, headerNames(not.header), headerNames(there.header))
		}
	})
}

// record: one patient, as far as it is the therapist's business.
func (w *walk) record() {
	w.step("record_shows_name_and_phone_and_masks_the_number", func(t *testing.T) {
		at := w.tom.get(w.opened)
		require.Equal(t, demoPatient(0).Name, at.fact(t, "Name"))
		require.Equal(t, demoPatient(0).Phone, at.fact(t, "Phone"))
		require.Equal(t, mask, at.fact(t, "Social security number"))
		require.Contains(t, at.text(), demoNote(0))
	})
	w.step("revealing_the_number_needs_a_reason", func(t *testing.T) {
		for _, reason := range []string{"", "   ", "x"} {
			at := w.tom.post(w.opened+"/reveal", url.Values{"reason": {reason}})
			require.Equal(t, w.opened+"?reason=missing", at.path)
			require.Contains(t, at.text(), "Please type a reason of a few words.")
			require.NotContains(t, at.body, demoPatient(0).SSN)
		}
		at := w.tom.post(w.opened+"/reveal?reason=in+the+address", url.Values{})
		require.NotContains(t, at.body, demoPatient(0).SSN, "a reason in the address would be logged")
		at = w.tom.post(w.opened+"/reveal", url.Values{"reason": {revealReason}})
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Contains(t, at.fact(t, "Social security number"), demoPatient(0).SSN)
		require.Equal(t, mask, w.tom.get(w.opened).fact(t, "Social security number"), "revealed once, not from then on")
	})
	w.step("therapist_saves_a_note_once_per_version", func(t *testing.T) {
		form := url.Values{"note": {walkNote}, "version": {w.tom.get(w.opened+"/note").match(t, `name="version" value="(\d+)"`)}}
		at := w.tom.post(w.opened+"/note", form)
		require.Equal(t, w.opened+"?done=note", at.path, at.text())
		require.Contains(t, at.text(), walkNote)
		form.Set("note", "typed in another tab")
		require.Equal(t, http.StatusConflict, w.tom.post(w.opened+"/note", form).status)
		require.Contains(t, w.tom.get(w.opened).text(), walkNote)
	})
	w.step("patient_is_found_by_phone_mail_and_record_number_in_any_notation", func(t *testing.T) {
		for _, typed := range []string{
			"HC-20417", "hc20417", "HC 20417", " hc.20417 ", "AVA.Abara@example.com", "ava.abara@example.com ",
			"+1 212 555 0100", "(212) 555-0100", "212.555.0100", "2125550100", "1-212-555-0100", "+12125550100",
			" 212 555 0100 ", "tel:+1-212-555-0100", "011 1 212 555 0100", "(212) 555-0100 ext. 7", "２１２ ５５５ ０１００",
		} {
			at := w.tom.post("/patients/find", url.Values{"q": {typed}})
			require.Equal(t, []string{strings.TrimPrefix(w.opened, "/patients/")}, at.links(patientLink), "typed %q", typed)
		}
		for _, typed := range []string{"212 555 010", "0100", "555", "x", "@", "'; DROP TABLE clinic_patient; --", strings.Repeat("9", 300), "\u202e"} {
			at := w.tom.post("/patients/find", url.Values{"q": {typed}})
			require.Equal(t, http.StatusOK, at.status, "typed %q", typed)
			require.Contains(t, at.text(), "0 found", "typed %q", typed)
		}
	})
}

// nonce is different in every response.
var nonce = regexp.MustCompile(`nonce="[A-Z0-9]{26}"`)

func headerNames(h http.Header) map[string]int {
	names := map[string]int{}
	for name, values := range h {
		names[name] = len(values)
		if name == "Content-Length" {
			names[name+": "+values[0]] = 1
		}
	}
	return names
}

// limits: what the other roles do not get to see.
func (w *walk) limits() {
	w.paul = w.enter()
	w.step("finance_sees_no_note_and_no_number", func(t *testing.T) {
		require.Contains(t, w.paul.signIn(paul, demoPassword).text(), "61 Patients")
		at := w.paul.get(w.opened)
		require.Equal(t, http.StatusOK, at.status)
		require.Equal(t, demoPatient(0).Name, at.fact(t, "Name"))
		require.Equal(t, "•••-•••-0100", at.fact(t, "Phone"), "as much as it takes to recognise it")
		for _, hidden := range []string{demoPatient(0).SSN, "1000", walkNote, "Clinical note", demoPatient(0).Phone, demoPatient(0).Email} {
			require.NotContains(t, at.text(), hidden)
		}
		require.Equal(t, http.StatusForbidden, w.paul.post(w.opened+"/reveal", url.Values{"reason": {"claim"}}).status)
		require.Contains(t, w.paul.get(w.paul.claim(w.opened)).text(), "Lighthouse Mutual", "what it takes for a claim")
	})
	w.step("roles_open_only_their_own_pages", func(t *testing.T) {
		for _, row := range []struct {
			who    *person
			closed []string
		}{
			{w.paul, []string{"/patients/new", "/team", "/team/" + tomID, "/audit"}},
			{w.iris, []string{"/team", "/team/" + tomID, "/audit"}},
			{w.tom, []string{"/patients/new", "/team", "/team/" + tomID, "/audit"}},
		} {
			menu := row.who.get("/dashboard").body
			for _, path := range row.closed {
				at := row.who.get(path)
				require.Equal(t, http.StatusForbidden, at.status, path)
				require.Contains(t, at.text(), "Not for your role")
				require.NotContains(t, menu, `href="`+path+`"`, "no way there is shown either")
			}
		}
	})
	w.step("admin_sees_no_note_and_no_number", func(t *testing.T) {
		at := w.alma.get(w.opened)
		require.Equal(t, mask, at.fact(t, "Social security number"))
		require.NotContains(t, at.text(), walkNote)
		require.Equal(t, http.StatusForbidden, w.alma.post(w.opened+"/reveal", url.Values{"reason": {"boss"}}).status)
	})
}

// audit: the administrator reads who saw what, and acts on it.
func (w *walk) audit() {
	byTom := url.Values{"who": {tomID}, "period": {"24h"}}
	w.step("admin_reads_who_saw_what_by_person_and_last_24_hours", func(t *testing.T) {
		at := w.alma.get("/audit?" + byTom.Encode())
		require.Equal(t, http.StatusOK, at.status)
		require.Contains(t, at.body, `<option value="24h" selected>Last 24 hours`)
		require.Contains(t, at.body, `<option value="`+tomID+`" selected>Tomas Berg`)
		for _, who := range at.column(1) {
			require.Equal(t, "Tomas Berg", who)
		}
		what := at.column(2)
		require.Contains(t, what, "Look at patients")
		require.Contains(t, what, "Reveal a social security number")
		require.Contains(t, what, "Read a clinical note")
		require.Contains(t, what, "Clinical note saved")
	})
	w.step("audit_tells_fields_patient_and_reason_of_a_reveal", func(t *testing.T) {
		form := url.Values{"who": {tomID}, "period": {"24h"}, "action": {"patient.reveal_ssn"}, "outcome": {"ok"}}
		at := w.alma.get("/audit?" + form.Encode())
		require.Len(t, at.table(), 1, at.text())
		require.Contains(t, at.text(), "2 events, in 1 line")
		row := at.table()[0]
		require.Equal(t, []string{"Tomas Berg", "Reveal a social security number", demoPatient(0).Name}, row[1:4])
		require.Contains(t, row[4], "social security number")
		require.Contains(t, row[4], "one more event")
		require.Equal(t, "Allowed", row[5])
		decided, shown := at.links(eventLink)[0], at.links(eventLink)[1]
		require.Equal(t, "Reveal a social security number", w.alma.get("/audit/"+decided).match(t, `<h1>([^<]+)</h1>`))
		require.NotContains(t, w.alma.get("/audit/"+decided).text(), "Seen", "on record before the handler runs")
		require.Contains(t, w.alma.get("/audit/"+shown).fact(t, "Seen"), "social security number")
		form.Set("action", "patient.read")
		for _, row := range w.alma.get("/audit?" + form.Encode()).table() {
			require.NotContains(t, row[4], "security", "a masked number was not seen")
		}
		event := w.alma.get("/audit/" + decided)
		require.Equal(t, revealReason, event.fact(t, "Reason given"))
		require.Equal(t, demoPatient(0).Name, event.fact(t, "Patients"))
		require.Equal(t, "Firefox on Linux", event.fact(t, "Device"))
		require.Equal(t, "127.0.0.1", event.fact(t, "From address"))
		require.Contains(t, event.fact(t, "Proven by"), "otp")
	})
	w.step("audit_has_words_for_everything", func(*testing.T) { w.alma.speaksPlainly() })
	w.step("audit_has_what_was_refused", func(t *testing.T) {
		form := url.Values{"who": {tomID}, "period": {"24h"}, "outcome": {"no"}}
		at := w.alma.get("/audit?" + form.Encode())
		require.GreaterOrEqual(t, len(at.table()), 8, "four tries at a record of somebody else, four at one that is not there")
		for _, row := range at.table() {
			require.Equal(t, "Refused", row[5])
			require.NotContains(t, row[4], "security", "what was refused was not seen")
		}
	})
	w.step("audit_filters_by_patient_and_by_everybody", func(t *testing.T) {
		form := url.Values{"period": {"24h"}, "patient": {strings.TrimPrefix(w.opened, "/patients/")}}
		at := w.alma.get("/audit?" + form.Encode())
		require.Contains(t, at.text(), "Only about "+demoPatient(0).Name)
		who := at.column(1)
		for _, name := range []string{"Tomas Berg", "Iris Lund", "Paul Serra", "Alma Reyes"} {
			require.Contains(t, who, name)
		}
		require.NotContains(t, who, "Greta Holm", "who never saw this patient")
		nobody := w.alma.get("/audit?who=demo-therapist-2&period=24h&action=patient.read")
		require.Empty(t, nobody.links(eventLink), "Nadia was not here today")
	})
}

// dismiss: the administrator ends somebody's session.
func (w *walk) dismiss() {
	w.step("admin_ends_a_session_and_it_is_dead_on_the_next_request", func(t *testing.T) {
		require.Equal(t, http.StatusOK, w.tom.get("/patients").status)
		w.deadToken = w.tom.cookies[sessionCookie]
		end := w.alma.get("/team/"+tomID).match(t, `action="(/team/`+tomID+`/sessions/[^"]+/end)"`)
		at := w.alma.post(end, url.Values{})
		require.Equal(t, "/team/"+tomID+"?done=session-ended", at.path, at.text())
		require.Contains(t, at.text(), "Nobody is signed in with this account.")
		dead := w.tom.get(w.opened)
		require.Equal(t, "/sign-in?out=ended", dead.path)
		require.Contains(t, dead.text(), "This session was ended.")
		require.NotContains(t, dead.text(), demoPatient(0).Name)
		require.NotContains(t, w.tom.cookies, sessionCookie, "the browser forgets it too")
		w.tom.cookies[sessionCookie] = w.deadToken
		require.Equal(t, http.StatusUnauthorized, w.tom.post(w.opened+"/reveal", url.Values{"reason": {"x"}}).status)
	})
}

const sessionCookie = "__Host-session"
