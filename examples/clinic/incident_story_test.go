package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const incidentLink = `href="(/incidents/[0-9a-f-]{36})"`

// reported sends a report and returns the number that it got.
func (p *person) reported(form url.Values) string {
	p.t.Helper()
	at := p.post("/report", form)
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	return at.match(p.t, `Your report has the number (\d+)`)
}

// does does one thing with a case, as its page stands.
func (p *person) does(path, step string, form url.Values) page {
	p.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	form.Set("version", p.get(path).match(p.t, `name="version" value="(\d+)"`))
	return p.post(path+"/"+step, form)
}

// TestIncidentStory: a patient and a colleague report problems; two administrators take one to its end,
// the other stays hidden from whom it is about.
func TestIncidentStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, dump func(*testing.T) []byte) {
		s := tell(t, args...)
		boss, greta, tomBrowser, patient := s.enter(), s.enter(), s.enter(), s.enter()
		const words = "I found the letter of Mx Example in my own envelope."
		var path, number string

		s.step("everybody who is signed in reports, and nobody else", func(t *testing.T) {
			boss.signIn(alma, demoPassword)
			tomBrowser.signIn(tom, demoPassword)
			greta.joins(boss, newcomer.name, newcomer.email, "clinic_admin")
			require.Equal(t, "/me", patient.post("/sign-in", credentials(demoPatient(0).Email)).path)
			require.Contains(t, patient.get("/me").body, `href="/report"`)
			require.NotContains(t, patient.get("/report").text(), "Tomas Berg", "patients see no list of the team")
			at := patient.post("/report", url.Values{"kind": {"other"}, "text": {" "}})
			require.Equal(t, http.StatusUnprocessableEntity, at.status)
			require.Contains(t, at.text(), "the text is missing")
			number = patient.reported(url.Values{"kind": {"wrong_recipient"}, "text": {words}})
			stranger := s.enter()
			require.Equal(t, "/sign-in", stranger.get("/report").path)
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, stranger.post("/report", url.Values{"kind": {"other"}, "text": {words}}).status)
		})

		s.step("it is a case for the administrators alone", func(t *testing.T) {
			for _, p := range []*person{tomBrowser, patient} {
				require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, p.get("/incidents").status)
			}
			at := boss.get("/incidents")
			require.Contains(t, at.text(), "Something went to the wrong person")
			require.Contains(t, at.text(), "nobody yet")
			path = at.links(incidentLink)[0]
			require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, tomBrowser.get(path).status)
			at = boss.get(path)
			require.Contains(t, at.text(), words)
			require.Contains(t, at.text(), "Incident "+number)
			require.Contains(t, at.text(), "45 CFR 164.404(b)")
			require.Contains(t, at.text(), "Problem reported")
		})

		s.step("sorted, looked into and assessed by one, agreed by another", func(t *testing.T) {
			at := boss.does(path, "triage", url.Values{"kind": {"wrong_recipient"}, "phi": {"yes"}, "owner": {almaID}})
			require.Contains(t, at.text(), "It is on record.")
			require.Contains(t, at.text(), "Sorted")
			boss.does(path, "start", nil)
			require.Contains(t, boss.does(path, "note", url.Values{"text": {"The envelope was mixed up."}}).text(), "The envelope was mixed up.")
			event := boss.get("/audit").links(eventLink)[0]
			require.Contains(t, boss.does(path, "link", url.Values{"event": {"http://localhost/audit/" + event}}).body, "event "+event)
			require.Contains(t, boss.does(path, "link", url.Values{"event": {"nobodys"}}).text(), "no such event")
			require.Contains(t, boss.does(path, "discovered", url.Values{"day": {"2026-01-02"}, "why": {"The front desk knew."}}).text(), "2026-03-03")
			require.Contains(t, boss.does(path, "affected", url.Values{"patient": {boss.patient(demoPatient(0).Email)}, "region": {"ny"}}).text(), "1 person")
			low := url.Values{"conclusion": {"low_probability"}}
			require.Contains(t, boss.does(path, "assess", low).text(), "needs all four answers")
			require.Contains(t, boss.does(path, "assess", url.Values{"conclusion": {"breach"}}).text(), "You wrote it, so somebody else has to look at it.")
			require.Contains(t, boss.does(path, "sign", url.Values{"answer": {"agree"}}).text(), "This takes a second person")
			require.Contains(t, greta.does(path, "sign", url.Values{"answer": {"agree"}}).text(), "agreed by "+newcomer.name)
		})

		s.step("nobody closes it before everybody was told", func(t *testing.T) {
			require.Contains(t, boss.does(path, "close", nil).text(), "somebody still has to be told")
			today := boss.get(path).match(t, `name="day" type="date" required value="([^"]+)"`)
			for _, whom := range []string{"individuals", "hhs"} {
				boss.does(path, "told", url.Values{"for": {whom}, "day": {today}, "how": {"mail"}, "number": {"1"}, "all": {"yes"}})
			}
			stale := boss.post(path+"/close", url.Values{"version": {"3"}})
			require.Equal(t, http.StatusConflict, stale.status)
			require.Contains(t, stale.text(), "Somebody else changed this case")
			s.restart(t)
			require.Contains(t, boss.does(path, "close", nil).text(), "Closed")
			packet := greta.get(path + "/packet")
			require.Contains(t, packet.header.Get("Content-Disposition"), "attachment")
			require.Contains(t, packet.body, `"check": "whole"`)
			require.NotContains(t, packet.body, `"missing"`, "every step is in the audit")
			require.Contains(t, greta.does(path, "reopen", url.Values{"why": {"Another letter."}}).text(), "Being looked into")
		})

		s.step("whom a report is about does not see it", func(t *testing.T) {
			tomBrowser.reported(url.Values{"kind": {"snooping"}, "text": {"She looked at her neighbour."}, "about": {almaID}})
			hidden := ""
			for _, link := range greta.get("/incidents").links(incidentLink) {
				if link != path {
					hidden = link
				}
			}
			require.NotEmpty(t, hidden)
			require.NotContains(t, boss.get("/incidents").body, hidden)
			require.Equal(t, http.StatusNotFound, boss.get(hidden).status)
			require.Equal(t, http.StatusNotFound, boss.get(hidden+"/packet").status)
			require.Equal(t, http.StatusNotFound, boss.post(hidden+"/note", url.Values{"version": {"1"}, "text": {"a"}}).status)
			require.Contains(t, greta.get(hidden).text(), "Alma")

			for _, by := range []*person{boss, greta} {
				texts := ""
				for _, id := range by.events(url.Values{"action": {"incident.report"}}) {
					texts += by.get("/audit/" + id).text()
				}
				require.Contains(t, texts, words)
				require.Equal(t, by == greta, strings.Contains(texts, "her neighbour"), "nor in the audit")
			}
		})

		s.step("nothing of the audit is destroyed meanwhile", func(t *testing.T) {
			require.GreaterOrEqual(t, strings.Count(greta.get("/settings/retention").text(), "The whole audit"), 2)
		})

		s.step("nothing of it is stored or logged in clear, and the audit has words for it", func(t *testing.T) {
			everything := string(dump(t)) + s.logged()
			for _, text := range []string{"letter of Mx Example", "envelope was mixed up", "her neighbour"} {
				require.NotContains(t, everything, text)
			}
			did := boss.get("/audit").text()
			require.Contains(t, did, "Look at an incident")
			boss.speaksPlainly()
			require.False(t, strings.Contains(s.logged(), "looking after the incidents failed"))
		})
	})
}
