package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
)

// safeguards is a story about what protects the clinic, and what a patient may ask.
type safeguards struct {
	*story
	alma, tom, iris, ava *person
	privacy, auditor     *person
	ownID, own, foreign  string
	privacyID            string
}

// TestControlsStory: the controls are shown as they are, handed out on record, attested by people for
// themselves; disclosures are accounted for; patients read who had to do with their record.
func TestControlsStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, dump func(*testing.T) []byte) {
		s := &safeguards{story: tell(t, args...)}
		s.arrive()
		s.page()
		s.packets()
		s.attests()
		s.discloses()
		s.asked()
		s.attacks()
		s.alma.speaksPlainly()
		require.NotContains(t, string(dump(t)), "Harborview County Health", "a recipient is private")
		require.NotContains(t, s.logged(), "Harborview County Health")
	})
}

func (s *safeguards) arrive() {
	s.alma, s.tom, s.iris, s.ava, s.privacy, s.auditor = s.enter(), s.enter(), s.enter(), s.enter(), s.enter(), s.enter()
	s.step("everybody_arrives", func(t *testing.T) {
		s.alma.signIn(alma, demoPassword)
		s.tom.signIn(tom, demoPassword)
		s.iris.signIn(iris, demoPassword)
		require.Equal(t, "/me", s.ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
		s.privacyID = s.privacy.joins(s.alma, "Dana Okafor", "dana.okafor@example.com", "privacy_officer")
		s.auditor.joins(s.alma, "Reza Lindqvist", "reza.lindqvist@example.com", "auditor")
		s.own, s.foreign = s.tom.patient(demoPatient(0).Email), s.alma.patient(demoPatient(1).Email)
		s.ownID = strings.TrimPrefix(s.own, "/patients/")
	})
}

func (s *safeguards) page() {
	s.step("controls_are_shown_live_with_plain_words", func(t *testing.T) {
		for _, who := range []*person{s.alma, s.privacy, s.auditor} {
			require.Contains(t, who.get("/dashboard").body, `href="/settings/controls"`)
			at := who.get("/settings/controls")
			require.Equal(t, http.StatusOK, at.status, at.text())
			for _, says := range []string{
				"Signing in", "Second factors", "Sessions", "Who may see and do what", "Programs and agents", "Encryption", "Recording", "Proof of the audit", "Attested by people",
				"It is no certificate", "need a look", "In force", "45 CFR 164.312(a)(1)", "How one knows", "a key file on this server",
			} {
				require.Contains(t, at.text(), says)
			}
			require.NotContains(t, at.text(), "Unknown", "everything answers")
		}
		require.Contains(t, s.alma.sure(s.alma.get("/settings")).body, `href="/settings/controls"`)
		require.NotContains(t, s.auditor.get("/settings/controls").body, `action="/settings/controls/attest"`)
	})
	s.step("a_change_of_the_configuration_is_a_change_of_the_page", func(t *testing.T) {
		state := func() string { return s.privacy.get("/settings/controls").control(t, "machine.agents") }
		require.Contains(t, state(), "Not used")
		form := url.Values{"name": {"Notes"}, "kind": {"agent"}, "days": {"30"}, "for": {tomID}, "scope": {"patient.read"}}
		s.alma.program(form)
		require.Contains(t, state(), "In force")
	})
}

// asNewcomer is the proof of those who joined.
func asNewcomer() url.Values { return url.Values{fieldPassword: {newcomer.password}} }

// certain is sure for those who joined.
func (p *person) certain(at page) page {
	p.t.Helper()
	if at.status == http.StatusUnauthorized && strings.Contains(at.body, `action="/confirm"`) {
		return p.proves(at, asNewcomer())
	}
	return at
}

// control is what the page says of one control.
func (p page) control(t *testing.T, id string) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.body, `<li id="`+id+`">`)
	require.True(t, ok, "no control %s", id)
	rest, _, _ = strings.Cut(rest, "</li>")
	return page{body: rest}.text()
}

func (s *safeguards) packets() {
	s.step("the_packet_takes_a_proof_and_is_on_record", func(t *testing.T) {
		served := func() int {
			return len(s.alma.events(url.Values{"period": {"24h"}, "action": {string(actionPacketServed)}}))
		}
		before := served()
		time.Sleep(eachTime) // a sign-in counts for so long
		at := s.auditor.post("/settings/controls/packet", url.Values{"form": {"json"}})
		require.Equal(t, http.StatusUnauthorized, at.status, "not without a proof")
		require.Contains(t, at.text(), "Is it you?")
		require.NotContains(t, at.body, "rbac.default_deny")
		require.Equal(t, before, served())
		at = s.auditor.proves(at, asNewcomer())
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Equal(t, "application/json", at.header.Get("Content-Type"))
		require.Equal(t, `attachment; filename="controls.json"`, at.header.Get("Content-Disposition"))
		require.Contains(t, at.header.Get("Cache-Control"), "no-store")
		var p evidence.Packet
		require.NoError(t, json.Unmarshal([]byte(at.body), &p))
		require.Equal(t, tenant, p.Tenant)
		require.Len(t, p.Sections, 15)
		require.Equal(t, before+1, served())

		md := s.auditor.certain(s.auditor.post("/settings/controls/packet", url.Values{"form": {"markdown"}}))
		require.True(t, strings.HasPrefix(md.body, "# Security controls of harbor-clinic"), md.body)
		page := s.auditor.certain(s.auditor.post("/settings/controls/packet", url.Values{"form": {"html"}}))
		require.Contains(t, page.body, "<h1>Security controls of harbor-clinic</h1>")
		require.NotContains(t, page.body, "<script")
		require.Equal(t, before+3, served())
		require.Equal(t, http.StatusUnprocessableEntity, s.auditor.certain(s.auditor.post("/settings/controls/packet", url.Values{"form": {"pdf"}})).status)
	})
}

// inDays is a day from now, as a form has it.
func inDays(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }

func (s *safeguards) attests() {
	form := url.Values{"id": {"host.training"}, "detail": {"<script>alert(1)</script> [x](javascript:1) | =1+1"}, "until": {inDays(90)}}
	s.step("people_attest_for_themselves_until_a_day", func(t *testing.T) {
		at := s.privacy.post("/settings/controls/attest", form)
		require.Equal(t, http.StatusUnauthorized, at.status)
		at = s.privacy.proves(at, asNewcomer())
		require.Equal(t, "/settings/controls?done=attested", at.path, at.text())
		require.Contains(t, at.control(t, "host.training"), "Somebody attests it Everybody of the team was trained")
		require.Contains(t, at.control(t, "host.training"), "attested by Dana Okafor, Privacy Officer, not checked by any program, until")
		require.NotContains(t, at.body, "<script>alert")

		again := s.alma.sure(s.alma.post("/settings/controls/attest", form))
		require.Equal(t, http.StatusConflict, again.status, "in words that Alma has not read")
		form.Set("version", "1")
		forged := url.Values{"by": {"Somebody Else"}, "person": {s.privacyID}}
		for name, values := range form {
			forged[name] = values
		}
		again = s.alma.sure(s.alma.post("/settings/controls/attest", forged))
		require.Equal(t, "/settings/controls?done=attested", again.path, again.text())
		require.Contains(t, again.control(t, "host.training"), "attested by Alma Reyes, Clinic Admin", "in the name of who says it")
	})
	s.step("packets_carry_it_and_nothing_of_it_is_markup", func(t *testing.T) {
		get := func(kind string) string {
			return s.privacy.certain(s.privacy.post("/settings/controls/packet", url.Values{"form": {kind}})).body
		}
		require.NotContains(t, get("html"), "<script")
		md := get("markdown")
		require.NotContains(t, md, "<script")
		require.Contains(t, md, `\[x\](javascript:1) \| =1+1`)
	})
	s.step("mistakes_are_said", func(t *testing.T) {
		for _, wrong := range []struct{ field, value string }{{"id", "authn.second_factor"}, {"id", "host.nothing"}, {"until", ""}, {"until", inDays(-2)}, {"until", inDays(400)}, {"version", "x"}} {
			bad := url.Values{"id": {"host.doors"}, "until": {inDays(30)}}
			bad.Set(wrong.field, wrong.value)
			at := s.alma.sure(s.alma.post("/settings/controls/attest", bad))
			require.Equal(t, http.StatusUnprocessableEntity, at.status, wrong)
			require.Contains(t, at.text(), "Please c")
		}
	})
	s.step("and_withdraw", func(t *testing.T) {
		at := s.privacy.certain(s.privacy.post("/settings/controls/withdraw", url.Values{"id": {"host.training"}, "version": {"1"}}))
		require.Equal(t, http.StatusConflict, at.status, "of what Alma has said meanwhile")
		at = s.privacy.certain(s.privacy.post("/settings/controls/withdraw", url.Values{"id": {"host.training"}, "version": {"2"}}))
		require.Equal(t, "/settings/controls?done=withdrawn", at.path, at.text())
		require.NotContains(t, at.body, `<li id="host.training">`)
		require.Len(t, s.alma.events(url.Values{"period": {"24h"}, "action": {string(evidence.ActionWithdraw)}}), 1)
	})
}

// told is the form of a disclosure.
func told() url.Values {
	return url.Values{
		"day": {inDays(-10)}, "recipient": {`=HYPERLINK("https://evil.example.com","Harborview County Health")`}, "address": {"<b>1 Pier Road</b>"},
		"authority": {"164.512(b)"}, "what": {"demographics", "notes"},
	}
}

func (s *safeguards) discloses() {
	path := s.own + "/disclosures"
	s.step("a_disclosure_goes_on_record", func(t *testing.T) {
		require.Contains(t, s.alma.get(s.own).body, `href="`+path+`"`)
		require.NotContains(t, s.tom.get(s.own).body, `href="`+path+`"`)
		at := s.privacy.post(path, told())
		require.Equal(t, path+"?done=disclosed", at.path, at.text())
		require.Contains(t, at.text(), "Harborview County Health")
		require.Contains(t, at.text(), "Patients: name and contact; Clinical notes")
		require.Contains(t, at.text(), "Public health, such as a report of an infection 45 CFR 164.512(b)")
		require.NotContains(t, at.body, "<b>1 Pier Road</b>")
	})
	s.step("several_are_a_series", func(t *testing.T) {
		many := told()
		many.Set("recipient", "Coastal Registry")
		many.Set("authority", "164.512(i)")
		many.Set("last", inDays(-1))
		many.Set("count", "9")
		many.Set("frequency", "each day")
		at := s.alma.post(path, many)
		require.Equal(t, path+"?done=disclosed", at.path, at.text())
		require.Contains(t, at.text(), "9 times, the last on")
		require.Contains(t, at.text(), "each day")
		twice := s.alma.post(path, told())
		require.Contains(t, twice.text(), "2 times, the last on", "two to one recipient with one purpose")
	})
	s.step("what_an_agency_holds_back_is_not_told", func(t *testing.T) {
		secret := told()
		secret.Set("recipient", "Bureau of Quiet Matters")
		secret.Set("authority", "164.512(f)")
		secret.Set("held", inDays(30))
		at := s.alma.post(path, secret)
		require.Equal(t, path+"?done=disclosed", at.path, at.text())
		require.Contains(t, at.text(), "1 more is held back")
		for _, other := range []page{at, s.alma.get(path + "/print"), s.alma.get(path + "/csv"), s.ava.get("/me/disclosures"), s.ava.get("/me/access")} {
			require.Equal(t, http.StatusOK, other.status)
			require.NotContains(t, other.body, "Quiet Matters")
		}
		for _, words := range []string{"held back", "is missing", "164.528(a)(2)", "isclosure of", "police"} {
			require.NotContains(t, s.ava.get("/me/disclosures").text(), words)
			require.NotContains(t, s.alma.get(path+"/print").text(), words)
		}
	})
	s.step("mistakes_are_said", func(t *testing.T) {
		for _, wrong := range []struct{ field, value string }{
			{"day", ""},
			{"day", inDays(3)},
			{"recipient", " "},
			{"recipient", strings.Repeat("x", 201)},
			{"authority", "164.506"},
			{"what", "orders"},
			{"count", "9"},
			{"last", inDays(-20)},
			{"held", inDays(-3)},
			{"held", "soon"},
			{"recipient", "a\x00b"},
		} {
			bad := told()
			bad.Set(wrong.field, wrong.value)
			at := s.alma.post(path, bad)
			require.Equal(t, http.StatusUnprocessableEntity, at.status, wrong)
			require.Contains(t, at.text(), "Please check what you typed")
		}
	})
	s.step("on_paper_and_as_a_table_without_formulas", func(t *testing.T) {
		at := s.alma.get(path + "/print")
		require.NotContains(t, at.body, "<nav")
		require.Contains(t, at.text(), "Coastal Registry")
		at = s.alma.get(path + "/csv")
		require.Equal(t, "text/csv; charset=utf-8", at.header.Get("Content-Type"))
		rows, err := csv.NewReader(bytes.NewReader([]byte(at.body))).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 3)
		require.Equal(t, []string{"day", "recipient", "address", "what", "why", "authority", "series"}, rows[0])
		require.True(t, strings.HasPrefix(rows[1][1]+rows[2][1], "'=HYPERLINK") || strings.Contains(rows[1][1]+rows[2][1], "Registry'=HYPERLINK"), rows)
		for _, row := range rows {
			for _, cell := range row {
				require.False(t, strings.HasPrefix(cell, "="), cell)
			}
		}
	})
}

func (s *safeguards) asked() {
	s.step("the_patient_reads_who_viewed_and_who_was_given_something", func(t *testing.T) {
		s.tom.get(s.own)
		s.tom.get(s.own + "/note")
		require.Contains(t, s.ava.get("/me").body, `href="/me/disclosures"`)
		at := s.ava.get("/me/access")
		require.Equal(t, http.StatusOK, at.status)
		for _, says := range []string{"Tomas Berg", "Therapist", "looked at your record", "read your clinical note", "Alma Reyes", "Clinic Admin", "You", "Dana Okafor", "worked with your record"} {
			require.Contains(t, at.text(), says)
		}
		for _, hidden := range []string{tomID, almaID, s.privacyID, s.ownID, demoPatient(1).Name, "patient.read", "note.read", "disclos", "session", "@example.com", "/audit/", "/team/"} {
			_, main, _ := strings.Cut(at.body, "<main")
			main, _, _ = strings.Cut(main, "</main>")
			require.NotContains(t, strings.ReplaceAll(main, "/me/disclosures", ""), hidden, hidden)
		}
		require.Equal(t, "/me/access", s.ava.get(s.own+"/access").path, "one page, one set of words")
		mine := s.ava.get("/me/disclosures")
		require.Contains(t, mine.text(), "Coastal Registry")
		require.NotContains(t, mine.body, s.ownID)
		opened := s.alma.events(url.Values{"period": {"24h"}, "action": {"audit.open"}, "patient": {s.ownID}})
		require.NotEmpty(t, opened, "that recipients were shown is on record")
	})
}

func (s *safeguards) attacks() {
	s.step("who_may_not_gets_nothing", func(t *testing.T) {
		for _, who := range []*person{s.tom, s.iris, s.ava} {
			require.Equal(t, http.StatusForbidden, who.get("/settings/controls").status)
			require.Equal(t, http.StatusForbidden, who.post("/settings/controls/packet", url.Values{"form": {"json"}}).status)
			require.Equal(t, http.StatusForbidden, who.post("/settings/controls/attest", url.Values{"id": {"host.doors"}, "until": {inDays(3)}}).status)
			for _, path := range []string{"/disclosures", "/disclosures/print", "/disclosures/csv"} {
				require.Contains(t, []int{403, 404}, who.get(s.own+path).status, path)
			}
			require.Contains(t, []int{403, 404}, who.post(s.own+"/disclosures", told()).status)
		}
		for _, path := range []string{"/settings/controls/attest", "/settings/controls/withdraw"} {
			require.Equal(t, http.StatusForbidden, s.auditor.post(path, url.Values{"id": {"host.doors"}, "until": {inDays(3)}, "version": {"1"}}).status)
		}
		require.Contains(t, []int{403, 404}, s.auditor.get(s.own+"/disclosures").status)
		require.Contains(t, []int{403, 404}, s.auditor.post(s.own+"/disclosures", told()).status)
	})
	s.step("another_patients_report_is_nobodys", func(t *testing.T) {
		for _, path := range []string{"/access", "/disclosures", "/disclosures/print", "/disclosures/csv"} {
			require.Contains(t, []int{403, 404}, s.ava.get(s.foreign+path).status)
		}
		for _, path := range []string{"/me/access", "/me/disclosures"} {
			at := s.ava.get(path + "?patient=" + strings.TrimPrefix(s.foreign, "/patients/"))
			require.NotContains(t, at.text(), demoPatient(1).Name)
			for _, who := range []*person{s.alma, s.tom, s.privacy, s.auditor} {
				require.Equal(t, http.StatusNotFound, who.get(path).status, "a member of the team has no record of their own")
			}
		}
	})
	s.step("a_suspended_reader_reads_nothing_more", func(t *testing.T) {
		at := s.alma.sure(s.alma.post("/team/"+s.privacyID+"/suspend", url.Values{"why": {"left"}}))
		require.Equal(t, http.StatusOK, at.status, at.text())
		for _, path := range []string{"/settings/controls", s.own + "/disclosures", s.own + "/disclosures/csv"} {
			require.True(t, strings.HasPrefix(s.privacy.get(path).path, "/sign-in"), path)
		}
		require.NotContains(t, s.privacy.post("/settings/controls/packet", url.Values{"form": {"json"}}).body, "rbac.default_deny")
		s.alma.sure(s.alma.post(s.own+"/portal/suspend", url.Values{"why": {"x"}}))
		require.True(t, strings.HasPrefix(s.ava.get("/me/access").path, "/sign-in"))
		require.True(t, strings.HasPrefix(s.ava.get("/me/disclosures").path, "/sign-in"))
	})
}
