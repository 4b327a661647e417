package main

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// watch is the story of a privacy officer: people work with one record, and she finds out.
type watch struct {
	*story
	alma, tom, nadia, iris, paul *person
	record, claim                string // paths
}

func (w *watch) id() string { return strings.TrimPrefix(w.record, "/patients/") }

func TestAuditStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		w := &watch{story: tell(t, args...)}
		w.work()
		w.bill()
		w.find()
		w.filter()
		w.sort()
		w.visitors()
		w.histories()
		w.therapist()
		w.health()
		w.restartedServer()
	})
}

// work: what there will be to find.
func (w *watch) work() {
	w.alma, w.tom, w.nadia, w.iris = w.enter(), w.enter(), w.enter(), w.enter()
	w.step("people_work_with_a_record", func(t *testing.T) {
		w.alma.signIn(alma, demoPassword)
		w.tom.signIn(tom, demoPassword)
		w.nadia.signIn(nad, demoPassword)
		w.iris.signIn(iris, demoPassword)
		w.record = w.tom.patient(demoPatient(0).Email)
		require.Equal(t, http.StatusOK, w.tom.get(w.record).status)
		require.Equal(t, http.StatusOK, w.tom.post(w.record+"/reveal", url.Values{"reason": {revealReason}}).status)
		w.tom.saveNote(w.record, walkNote)
		require.Equal(t, http.StatusOK, w.iris.get(w.record).status)
		require.Equal(t, http.StatusNotFound, w.nadia.get(w.record).status, "another therapist's patient")
		require.Equal(t, http.StatusNotFound, w.nadia.get(w.record+"/note").status)
	})
}

// saveNote changes the note of the version that is there.
func (p *person) saveNote(record, note string) {
	p.t.Helper()
	version := p.get(record+"/note").match(p.t, `name="version" value="(\d+)"`)
	at := p.post(record+"/note", url.Values{"note": {note}, "version": {version}})
	require.Equal(p.t, record+"?done=note", at.path, at.text())
}

// takeStep takes a step of a claim and returns the claim's page.
func (p *person) takeStep(claim, step, reason string) page {
	p.t.Helper()
	version := p.get(claim).match(p.t, `name="version" value="(\d+)"`)
	return p.post(claim+"/"+step, url.Values{"version": {version}, "reason": {reason}})
}

// bill: a claim goes its way, and every step is on record with it.
func (w *watch) bill() {
	w.paul = w.enter()
	w.step("claim_is_submitted_denied_appealed_and_paid", func(t *testing.T) {
		w.paul.signIn(paul, demoPassword)
		require.Equal(t, http.StatusOK, w.paul.get(w.record).status)
		w.claim = w.paul.claim(w.record)
		require.Contains(t, w.paul.get(w.claim).text(), "Lighthouse Mutual")
		require.Equal(t, http.StatusUnprocessableEntity, w.paul.takeStep(w.claim, "deny", "").status, "a denial has a reason")
		require.Equal(t, http.StatusUnprocessableEntity, w.paul.takeStep(w.claim, "deny", "because").status, "and one that is known")
		require.Contains(t, w.paul.takeStep(w.claim, "deny", "late").text(), "Sent too late")
		stale := url.Values{"version": {"1"}}
		require.Equal(t, http.StatusConflict, w.paul.post(w.claim+"/appeal", stale).status, "typed in another tab")
		require.Equal(t, http.StatusConflict, w.paul.takeStep(w.claim, "pay", "").status, "a denied claim is appealed first")
		require.Contains(t, w.paul.takeStep(w.claim, "appeal", "").text(), "Appealed")
		at := w.paul.takeStep(w.claim, "pay", "")
		require.Equal(t, "Paid", at.fact(t, "State"))
		require.NotContains(t, at.text(), "What happened next?", "it is over")
	})
	w.step("claim_shows_its_own_steps", func(t *testing.T) {
		steps := w.paul.get(w.claim).moments()
		require.Equal(t, []string{
			"Claim paid version 4 Paul Serra", "Claim appealed version 3 Paul Serra",
			"Claim denied by the insurer: Sent too late version 2 Paul Serra", "Claim submitted version 1 Paul Serra",
		}, steps, "what did not happen is not there")
		require.Empty(t, w.paul.get(w.claim).links(eventLink), "the audit is not for this role")
	})
	w.step("claims_of_others_are_not_the_therapists", func(t *testing.T) {
		foreign := w.paul.claim(w.alma.patient(demoPatient(1).Email))
		require.Equal(t, http.StatusNotFound, w.tom.get(foreign).status)
		list := w.tom.get("/claims").links(`href="(/claims/c-[^"]+)"`)
		require.Equal(t, []string{w.claim}, list)
		require.Empty(t, w.tom.get("/claims?patient="+strings.TrimPrefix(w.nadia.patient(demoPatient(1).Email), "/patients/")).links(`href="(/claims/c-[^"]+)"`))
		require.Equal(t, http.StatusForbidden, w.tom.post(w.claim+"/pay", url.Values{"version": {"4"}}).status, "one's own patient's claim is still finance's")
	})
}

var momentPattern = regexp.MustCompile(`(?s)<li(?: class="change")?>(<span class="hint">.*?)</li>`)

// moments are the lines of a history without their times.
func (p page) moments() (all []string) {
	for _, m := range momentPattern.FindAllStringSubmatch(p.body, -1) {
		_, text, _ := strings.Cut(m[1], "<br>")
		text = html.UnescapeString(untagged(text, " "))
		all = append(all, strings.ReplaceAll(strings.Join(strings.Fields(text), " "), " : ", ": "))
	}
	return all
}

// find: from a phone number to the events about a patient, without the number in an address.
func (w *watch) find() {
	w.step("patient_is_found_by_phone_mail_or_number_of_the_record", func(t *testing.T) {
		for _, typed := range []string{"(212) 555-0100", "AVA.Abara@example.com", demoPatient(0).MRN, w.id()} {
			at := w.alma.post("/audit/find", url.Values{"q": {typed}, "period": {"7d"}, "who": {tomID}})
			require.Equal(t, "/audit?"+url.Values{"patient": {w.id()}, "period": {"7d"}, "who": {tomID}}.Encode(), at.path, at.text())
			require.Contains(t, at.text(), "Only about "+demoPatient(0).Name)
		}
		require.Contains(t, w.alma.post("/audit/find", url.Values{"q": {"p-nobody"}}).text(), "No patient has this")
		at := w.alma.post("/audit/find", url.Values{"q": {"+1 917 555 0000"}})
		require.Equal(t, http.StatusOK, at.status)
		require.Contains(t, at.text(), "No patient has this phone number")
		require.NotRegexp(t, `917[ +%].*555`, strings.Join(at.links(`(?:href|value)="([^"]*)"`), " "), "what was typed is in no link")
	})
	w.step("patients_who_share_a_number_are_offered", func(t *testing.T) {
		form := walkIn()
		form.Set("phone", demoPatient(0).Phone)
		form.Set("therapist", tomID)
		require.Equal(t, "/patients?done=registered", w.iris.post("/patients", form).path)
		at := w.alma.post("/audit/find", url.Values{"q": {demoPatient(0).Phone}})
		offered := at.links(`<li><a href="(/audit\?[^"]+)">`)
		require.Len(t, offered, 2)
		require.Contains(t, at.text(), "Matteo Villanueva")
		require.Contains(t, w.alma.get(offered[0]).text(), "Only about ")
	})
}

// filter: each filter finds what it says.
func (w *watch) filter() {
	about := func(form url.Values) []string { return w.alma.events(form) }
	w.step("filters_find_what_they_say", func(t *testing.T) {
		all := about(url.Values{"period": {"all"}, "patient": {w.id()}})
		for name, form := range map[string]url.Values{
			"refused":  {"outcome": {"no"}},
			"person":   {"who": {"demo-therapist-2"}},
			"action":   {"action": {"note.saved"}},
			"record":   {"type": {"note"}, "id": {w.id()}},
			"kind":     {"type": {"claim"}},
			"a_claim":  {"id": {strings.TrimPrefix(w.claim, "/claims/")}},
			"together": {"who": {tomID}, "type": {"note"}, "outcome": {"ok"}},
		} {
			form.Set("period", "24h")
			form.Set("patient", w.id())
			found := about(form)
			require.NotEmpty(t, found, name)
			require.Less(t, len(found), len(all), name)
			require.Subset(t, all, found, name)
		}
		refused := w.alma.get("/audit?" + url.Values{"period": {"24h"}, "patient": {w.id()}, "outcome": {"no"}, "who": {"demo-therapist-2"}}.Encode())
		require.Len(t, refused.table(), 2, "Nadia tried twice")
		require.Contains(t, refused.text(), "2 events")
	})
	w.step("dates_are_days_of_the_clinic", func(t *testing.T) {
		first := w.alma.get("/audit?period=all&sort=time&order=asc&patient=" + w.id())
		day := strings.Join(strings.Fields(first.column(0)[0])[:3], " ")
		iso := isoDay(t, day)
		form := url.Values{"patient": {w.id()}, "period": {"24h"}, "from": {iso}, "to": {iso}}
		at := w.alma.get("/audit?" + form.Encode())
		require.Contains(t, at.body, `<option value="dates" selected>`, "dates count instead of the period")
		require.NotEmpty(t, at.links(eventLink))
		for _, time := range at.column(0) {
			require.True(t, strings.HasPrefix(time, day+" "), time)
		}
		form.Set("from", "2001-02-03")
		form.Set("to", "2001-02-03")
		require.Contains(t, w.alma.get("/audit?"+form.Encode()).text(), "Nothing was recorded that matches.")
		form.Set("from", "2030-01-01")
		require.NotEmpty(t, about(form), "the later day first is the same span")
		form.Set("dated", "1")
		form.Set("period", "7d")
		at = w.alma.get("/audit?" + form.Encode())
		require.Contains(t, at.body, `<option value="7d" selected>`, "a period chosen while dates were shown counts instead of them")
		require.NotContains(t, at.body, "2030-01-01")
	})
	w.step("event_leads_back_to_the_page_it_was_on", func(t *testing.T) {
		form := url.Values{"period": {"24h"}, "who": {"system:setup"}, "sort": {"patient"}}
		at := w.alma.get("/audit?" + form.Encode())
		require.Contains(t, at.body, `<option value="system:setup" selected>the clinic&#39;s server`, "a filter in force is in the form")
		next := at.links(`<a href="([^"]+)">More events</a>`)
		require.Len(t, next, 1)
		second := w.alma.get(next[0])
		event := w.alma.get(second.links(`href="(/audit/[0-9a-f-]{36}\?[^"]*)"`)[0])
		require.Equal(t, http.StatusOK, event.status)
		back := w.alma.get(event.match(t, `<a href="([^"]+)">← Audit</a>`))
		require.Equal(t, second.links(eventLink), back.links(eventLink))
	})
	w.step("form_that_makes_no_sense_says_so", func(t *testing.T) {
		for query, words := range map[string]string{
			"period=dates&from=yesterday":  "a date is written like",
			"period=dates&to=2026-02-30":   "a date is written like",
			"id=0123":                      "choose what kind of record",
			"period=24h&from=%3Cb%3Ex&to=": "a date is written like",
		} {
			at := w.alma.get("/audit?" + query)
			require.Equal(t, http.StatusUnprocessableEntity, at.status, query)
			require.Contains(t, at.text(), words)
			require.NotContains(t, at.text(), "Nothing was recorded", "nobody looked")
			require.NotContains(t, at.body, "<b>x")
		}
	})
}

// sort: by every column, page by page, each event once.
func (w *watch) sort() {
	w.step("every_order_shows_every_event_once", func(t *testing.T) {
		form := url.Values{"period": {"dates"}, "to": {"2090-01-01"}, "outcome": {"ok"}, "type": {"patient"}}
		want := w.alma.events(form)
		require.Greater(t, len(want), auditPageSize, "more than a page")
		for _, by := range sortChoices() {
			if by.ID == "" {
				continue
			}
			form.Set("sort", by.ID)
			got := w.alma.events(form)
			for _, id := range want {
				require.Contains(t, got, id, by.ID)
			}
			slices.Sort(got)
			require.Len(t, slices.Compact(got), len(got), "%s: once", by.ID)
		}
	})
	w.step("heads_of_columns_sort_and_turn_round", func(t *testing.T) {
		at := w.alma.get("/audit?period=all&type=note&patient=" + w.id())
		require.Contains(t, at.body, `aria-sort="descending"><a href=`, "newest first")
		at = w.alma.get(at.links(`<th[^>]*><a href="([^"]+)">Who</a>`)[0])
		require.Contains(t, at.body, `aria-sort="ascending"><a href=`)
		up := people(at)
		at = w.alma.get(at.links(`<th[^>]*><a href="([^"]+)">Who</a>`)[0])
		require.Contains(t, at.body, `aria-sort="descending"><a href=`)
		down := people(at)
		slices.Reverse(down)
		require.Equal(t, up, down)
		require.Contains(t, at.path, "patient="+w.id(), "the filter stays")
	})
}

// people are the names of a column without repetition; the reader, of whom there is more after
// each page, is left out.
func people(at page) []string {
	all := at.column(1)
	all = slices.DeleteFunc(all, func(name string) bool { return name == "Alma Reyes" })
	return slices.Compact(all)
}

// isoDay turns "22 Nov 2026" into 2026-11-22.
func isoDay(t *testing.T, day string) string {
	t.Helper()
	at, err := parseDay(day)
	require.NoError(t, err)
	return at
}
