package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// officers is the story of findings and of who looks into them.
type officers struct {
	*story
	alma, greta, otto, iris, tom *person
}

const findingLink = `href="(/audit/review/[0-9a-f-]{36})"`

// TestReview: what the rules find shows on a page for those who answer for privacy; who reads it
// does not decide it, and nobody decides about themselves.
func TestReview(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		o := &officers{story: tell(t, args...)}
		o.arrive()
		o.snooping()
		o.reading()
		o.deciding()
		o.oneself()
	})
}

func (o *officers) arrive() {
	o.alma, o.greta, o.otto, o.iris, o.tom = o.enter(), o.enter(), o.enter(), o.enter(), o.enter()
	o.step("everybody_arrives", func(*testing.T) {
		o.alma.signIn(alma, demoPassword)
		o.iris.signIn(iris, demoPassword)
		o.tom.signIn(tom, demoPassword)
		o.greta.joins(o.alma, newcomer.name, newcomer.email, "auditor")
		o.otto.joins(o.alma, "Otto Brenner", "otto.brenner@example.com", "privacy_officer")
	})
}

// finds waits until the queue shows a finding with a text, and returns its page.
func (o *officers) finds(p *person, rule, text string) string {
	o.t.Helper()
	row := regexp.MustCompile(`(?s)<tr role="row"><td role="cell" data-label="What"><a href="(/audit/review/[^"]+)"[^>]*>` + rule + `</a>.*?</tr>`)
	for range 1000 {
		for _, m := range row.FindAllStringSubmatch(p.get("/audit/review").body, -1) {
			if strings.Contains(m[0], text) {
				return m[1]
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	o.t.Fatalf("no finding %s: %s in %s", rule, text, p.get("/audit/review?show=all").text())
	return ""
}

// snooping: a relative, and somebody's own record, both at the desk, which may open every record.
func (o *officers) snooping() {
	o.step("who_opens_a_relatives_record_is_found", func(t *testing.T) {
		for _, p := range []struct{ name, email string }{{"Mia Lund", "mia.lund@example.com"}, {"Iris Lund", iris}} {
			at := o.iris.post("/patients", url.Values{
				"name": {p.name}, "birth": {"1990-01-02"}, "phone": {"+1 212 555 0199"}, "email": {p.email}, "therapist": {"demo-therapist-1"},
			})
			require.Contains(t, at.path, "/patients", at.text())
			o.iris.get(o.iris.patient(p.email))
		}
		require.Equal(t, http.StatusOK, o.tom.get(o.tom.patient("mia.lund@example.com")).status)
		o.finds(o.alma, "Patient with the same surname", "Iris Lund")
		o.finds(o.alma, "One’s own record", "Iris Lund")
		require.NotContains(t, o.alma.get("/audit/review?show=all").body, ">Tomas Berg</td>", "it is his work")
	})
}

// reading: an auditor reads findings and their events, and makes no steps.
func (o *officers) reading() {
	o.step("an_auditor_reads", func(t *testing.T) {
		page := o.finds(o.greta, "One’s own record", "Iris Lund")
		at := o.greta.get(page)
		require.Contains(t, at.text(), "This person looked at their own record.")
		require.NotEmpty(t, at.links(eventLink), "its events")
		require.NotContains(t, at.body, `value="in_review"`)
		require.Contains(t, at.text(), "[hidden]", "an auditor sees no patient")
		require.Equal(t, http.StatusForbidden, o.greta.post(page, stepForm("1", "in_review")).status)
		require.Equal(t, http.StatusOK, o.greta.get("/audit/"+at.links(eventLink)[0]).status)
	})
	o.step("nobody_else_does", func(t *testing.T) {
		page := o.finds(o.greta, "One’s own record", "Iris Lund")
		for _, p := range []*person{o.iris, o.tom} {
			require.Equal(t, http.StatusForbidden, p.get("/audit/review").status)
			require.Equal(t, http.StatusForbidden, p.get(page).status)
			require.Equal(t, http.StatusForbidden, p.post(page, stepForm("1", "in_review")).status)
		}
	})
	o.step("what_is_not_there_is_not_found", func(t *testing.T) {
		require.Equal(t, http.StatusNotFound, o.alma.get("/audit/review/nobodys").status)
		require.Equal(t, http.StatusBadRequest, o.alma.get("/audit/review?show=mine").status)
		require.Equal(t, http.StatusBadRequest, o.alma.get("/audit/review?page=x").status)
	})
}

// stepForm is the form of a step.
func stepForm(version, to string, more ...string) url.Values {
	form := url.Values{"version": {version}, "to": {to}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// goes makes a step from what a page shows.
func (o *officers) goes(p *person, finding, to string, more ...string) page {
	o.t.Helper()
	at := p.get(finding)
	return p.post(finding, stepForm(at.match(o.t, `name="version" value="(\d+)"`), to, more...))
}

// deciding: the privacy officer takes a finding, escalates it, closes it.
func (o *officers) deciding() {
	o.step("take_escalate_close", func(t *testing.T) {
		page := o.finds(o.otto, "Patient with the same surname", "Iris Lund")
		require.Equal(t, http.StatusUnprocessableEntity, o.goes(o.otto, page, "explained", "note", "n").status, "taken first")
		at := o.goes(o.otto, page, "in_review")
		require.Contains(t, at.text(), "The step is saved and on record.")
		require.Contains(t, at.text(), "Otto Brenner")
		stale := o.alma.post(page, stepForm("1", "in_review"))
		require.Equal(t, http.StatusConflict, stale.status)
		require.Contains(t, o.goes(o.otto, page, "closed", "verdict", "violation", "note", " ").text(), "Please say in a few words")
		require.Equal(t, http.StatusUnprocessableEntity, o.goes(o.alma, page, "escalated").status, "it is Otto’s")
		at = o.goes(o.otto, page, "escalated", "note", "Her aunt, she says.")
		require.Contains(t, at.text(), "Escalated")
		made := o.otto.get(at.match(t, `href="(/incidents/[^"]+)"`))
		require.Equal(t, http.StatusOK, made.status)
		require.Contains(t, made.text(), "1 patient with this person's surname")
		require.Contains(t, made.text(), "Found in the audit: patient with the same surname")
		require.Contains(t, made.body, `name="about" value="demo-desk" checked`, "saving the form does not forget whom it is about")
		require.NotContains(t, made.body, `name="about" value="demo-admin" checked`)
		require.Contains(t, at.text(), "Her aunt, she says.")
		require.Contains(t, o.otto.get("/audit/review?show=escalated").links(findingLink), page)
		at = o.goes(o.alma, page, "closed", "verdict", "violation", "note", "A warning was given.")
		require.Contains(t, at.text(), "It was not allowed")
		require.NotContains(t, o.otto.get("/audit/review").links(findingLink), page)
		require.Contains(t, o.otto.get("/audit/review?show=done").links(findingLink), page)
	})
	o.step("every_step_is_on_record", func(t *testing.T) {
		page := o.otto.get("/audit/review?show=done").links(findingLink)[0]
		at := o.alma.get(o.alma.get(page).match(t, `<a href="(/audit\?[^"]+)">Every step so far`))
		require.Equal(t, 3, strings.Count(at.body, `data-label="What">Finding gone on with`), at.text())
		require.Contains(t, at.text(), "Finding made")
		require.Contains(t, at.text(), "Look at findings")
		require.NotContains(t, at.text(), "aunt", "a reason is private")
	})
}

// oneself: administrators are found, too, and cannot say that it was nothing.
func (o *officers) oneself() {
	o.step("nobody_reviews_themselves", func(t *testing.T) {
		for n := range 20 {
			o.alma.get(o.alma.patient(demoPatient(n).Email))
		}
		page := o.finds(o.otto, "Many patients in an hour", "Alma Reyes")
		require.Contains(t, o.alma.get(page).text(), "This finding is about you.")
		at := o.alma.post(page, stepForm("1", "in_review"))
		require.Equal(t, http.StatusForbidden, at.status)
		require.Contains(t, at.text(), "somebody else has to look into it")
		require.Contains(t, o.goes(o.otto, page, "in_review").text(), "In review")
		require.Contains(t, o.goes(o.otto, page, "explained", "note", "Yearly check of the records.").text(), "Explained")
		for _, by := range []*person{o.alma, o.otto} {
			require.Equal(t, by == o.otto, strings.Contains(by.get(page).text(), "Yearly check"))
			texts := ""
			for _, id := range by.events(url.Values{"action": {"audit.finding.changed"}}) {
				texts += by.get("/audit/" + id).text()
			}
			require.Equal(t, by == o.otto, strings.Contains(texts, "Yearly check"), "nor what others wrote about it")
		}
	})
}
