package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// auditors: who may not read the audit gets nothing of it, and the try is in it.
func (a *attack) auditors() {
	a.step("audit_without_permission_is_403_and_on_record", func(t *testing.T) {
		event := a.alma.events(url.Values{"period": {"24h"}})[0]
		refused := func(who, action string) []string {
			return a.alma.events(url.Values{"period": {"24h"}, "who": {who}, "action": {action}, "outcome": {"no"}})
		}
		before := map[string]int{}
		for _, action := range []string{"audit.read", "audit.open", "audit.health"} {
			before[action] = len(refused(tomID, action))
		}
		for _, who := range []*person{a.tom, a.iris} {
			for _, at := range []page{
				who.get("/audit"), who.get("/audit?who=" + tomID), who.get("/audit/" + event), who.get("/audit/health"),
				who.post("/audit/find", url.Values{"q": {demoPatient(0).Phone}}),
			} {
				require.Equal(t, http.StatusForbidden, at.status)
				require.NotContains(t, at.text(), "Read the audit")
				require.NotContains(t, at.text(), "No patient has", "a search is no way to ask who is a patient")
			}
		}
		require.Len(t, refused(tomID, "audit.read"), before["audit.read"]+3)
		require.Len(t, refused(tomID, "audit.open"), before["audit.open"]+1)
		require.Len(t, refused(tomID, "audit.health"), before["audit.health"]+1)
		require.Equal(t, "/sign-in", a.mallory.get("/audit/health").path)
	})
	a.step("report_about_somebody_elses_patient_is_404_like_nobody", func(t *testing.T) {
		nobody := "/patients/p-" + strings.Repeat("a", len(a.foreign)-len("/patients/p-"))
		for _, path := range []string{"/access", "/history", "/note/history", "/access?period=all", "/history?show=changes"} {
			there, not := a.tom.get(a.foreign+path), a.tom.get(nobody+path)
			require.Equal(t, http.StatusNotFound, there.status, path)
			require.Equal(t, nonce.ReplaceAllString(not.body, ""), nonce.ReplaceAllString(there.body, ""), path)
		}
		there := a.tom.post(a.foreign+"/claims", url.Values{"served": {"2026-01-02"}, "payer": {"x"}, "amount": {"1"}})
		require.Equal(t, http.StatusNotFound, there.status)
	})
}

// cursors: what leads to the next page is good for its own question only.
func (a *attack) cursors() {
	next := func(who *person, path string) string {
		links := who.get(path).links(`<a href="([^"]+)">Older</a>`)
		require.Len(a.t, links, 1, path)
		u, err := url.Parse(links[0])
		require.NoError(a.t, err)
		return u.Query().Get("page")
	}
	a.step("cursor_of_another_question_is_400", func(t *testing.T) {
		for range 60 {
			a.alma.get(a.own)
		}
		cursor := next(a.alma, a.own+"/history")
		other := a.alma.get(a.own + "/history?page=" + cursor)
		require.Equal(t, http.StatusOK, other.status)
		for _, path := range []string{
			a.foreign + "/history?page=", a.own + "/note/history?page=", a.own + "/history?show=changes&page=", "/audit?page=", "/audit?period=all&type=patient&page=",
		} {
			at := a.alma.get(path + cursor)
			require.Equal(t, http.StatusBadRequest, at.status, path)
			require.NotContains(t, at.text(), "Open the record")
		}
		require.Equal(t, http.StatusBadRequest, a.tom.get(a.own+"/history?page="+cursor).status, "he may see less than she")
		require.Equal(t, http.StatusNotFound, a.tom.get(a.foreign+"/history?page="+cursor).status)
		sorted := a.alma.get("/audit?period=24h&sort=who").links(`<a href="([^"]+)">More events</a>`)
		require.Len(t, sorted, 1)
		require.Equal(t, http.StatusOK, a.alma.get(sorted[0]).status)
		for _, change := range [][2]string{{"sort=who", "sort=what"}, {"sort=who", "sort=who&order=desc"}, {"sort=who", ""}, {"24h", "7d"}, {"period=24h", "period=24h&outcome=no"}} {
			at := a.alma.get(strings.Replace(sorted[0], change[0], change[1], 1))
			require.Equal(t, http.StatusBadRequest, at.status, change)
			require.Contains(t, at.text(), "Begin at the first page again", "politely")
		}
	})
}

// requests with an id of the attacker's choice do not become one line.
func (a *attack) namedRequests() {
	a.step("chosen_request_id_hides_nothing", func(t *testing.T) {
		const chosen = "all-of-this-is-one-request"
		send := func(who *person, method, path string, form url.Values) int {
			r := who.request(method, path, form)
			r.Header.Set("X-Request-Id", chosen)
			return who.send(r).status
		}
		own := a.tom.get("/patients").links(patientLink)[:3]
		reads := url.Values{"period": {"24h"}, "who": {tomID}, "action": {"patient.read"}, "type": {"patient"}}
		before := len(a.alma.lines(reads))
		for _, id := range own {
			require.Equal(t, http.StatusOK, send(a.tom, http.MethodGet, "/patients/"+id, nil))
		}
		require.Len(t, a.alma.lines(reads), before+3)
		for _, id := range own {
			version := a.tom.get("/patients/"+id+"/note").match(t, `name="version" value="(\d+)"`)
			form := url.Values{"note": {"one of three"}, "version": {version}}
			require.Equal(t, http.StatusSeeOther, send(a.tom, http.MethodPost, "/patients/"+id+"/note", form))
		}
		saved := a.alma.get("/audit?" + url.Values{"period": {"24h"}, "who": {tomID}, "type": {"note"}}.Encode())
		names := map[string]bool{}
		for _, row := range saved.table() {
			if row[2] == "Clinical note saved" {
				names[row[3]] = true
				require.Equal(t, 1, strings.Count(row[4], "one more event"), "each with its own permission: %q", row)
			}
		}
		require.GreaterOrEqual(t, len(names), 3)
	})
}

// lines are the rows of the audit's table, page by page.
func (p *person) lines(filter url.Values) (rows [][]string) {
	p.t.Helper()
	next := []string{"/audit?" + filter.Encode()}
	for len(next) > 0 {
		at := p.get(next[0])
		require.Equal(p.t, http.StatusOK, at.status)
		if len(at.links(eventLink)) > 0 {
			rows = append(rows, at.table()...)
		}
		next = at.links(`<a href="([^"]+)">(?:Older|More) events</a>`)
	}
	return rows
}

// browsing: whoever goes through many records leaves a trace for each.
func (a *attack) browsing() {
	a.step("mass_browsing_is_told_record_by_record", func(t *testing.T) {
		ids := a.alma.get("/patients").links(patientLink)[:30]
		for _, id := range ids {
			a.tom.get("/patients/" + id)
			a.tom.get("/patients/" + id + "/access")
			a.alma.get("/patients/" + id + "/access")
		}
		for _, id := range ids {
			report := a.alma.get("/patients/" + id + "/access?period=24h")
			row := report.visitor(t, "Tomas Berg")
			require.NotEqual(t, "0 0", row[3]+" "+row[6], "he was there, or was refused")
			require.Contains(t, report.visitor(t, "Alma Reyes")[4], "look who viewed a patient")
		}
		for _, who := range []string{tomID, "demo-admin"} {
			looks := a.alma.events(url.Values{"period": {"24h"}, "who": {who}, "action": {"access_report.read"}})
			require.GreaterOrEqual(t, len(looks), 15)
		}
	})
	a.step("lists_cannot_be_made_longer", func(t *testing.T) {
		for _, more := range []string{"limit=10000", "size=10000", "page_size=10000", "per_page=10000", "after=&limit=-1"} {
			require.LessOrEqual(t, len(a.alma.get("/audit?period=all&"+more).links(eventLink)), auditPageSize)
			require.LessOrEqual(t, len(a.alma.get("/patients?"+more).links(patientLink)), pageSize)
			require.LessOrEqual(t, len(a.alma.get("/claims?"+more).links(`href="(/claims/c-[^"]+)"`)), claimPageSize)
		}
	})
}

// claimed: a claim that is not one's own, and steps that it cannot take.
func (a *attack) claimed() {
	paul := a.enter()
	a.step("claim_takes_only_its_own_steps", func(t *testing.T) {
		paul.signIn("paul.serra@example.com", demoPassword)
		claim := paul.claim(a.own)
		for _, row := range []url.Values{
			{},
			{"version": {"0"}, "reason": {"late"}},
			{"version": {"99"}, "reason": {"late"}},
			{"version": {"-1"}, "reason": {"late"}},
			{"version": {"x"}, "reason": {"late"}},
			{"version": {"1"}, "reason": {""}},
			{"version": {"1"}, "reason": {"<b>x</b>"}},
			{"version": {"9223372036854775807"}, "reason": {"late"}},
		} {
			at := paul.post(claim+"/deny", row)
			require.Contains(t, []int{http.StatusConflict, http.StatusUnprocessableEntity}, at.status, row)
			require.NotContains(t, at.body, "<b>x")
		}
		require.Equal(t, http.StatusConflict, paul.post(claim+"/appeal", url.Values{"version": {"1"}}).status, "nothing to appeal")
		require.Equal(t, []string{"Claim submitted version 1 Paul Serra"}, paul.get(claim).moments(), "none of it happened")
		for _, bad := range []url.Values{
			{},
			{"served": {"2026-01-02"}, "payer": {"x"}, "amount": {"0"}},
			{"served": {"2026-01-02"}, "payer": {"x"}, "amount": {"-1"}},
			{"served": {"2026-01-02"}, "payer": {"x"}, "amount": {"1e9"}},
			{"served": {"2999-01-02"}, "payer": {"x"}, "amount": {"1"}},
			{"served": {"2026-01-02"}, "payer": {strings.Repeat("x", 121)}, "amount": {"1"}},
		} {
			require.Equal(t, http.StatusUnprocessableEntity, paul.post(a.own+"/claims", bad).status, bad)
		}
		at := paul.post(a.own+"/claims", url.Values{"served": {"2026-01-02"}, "payer": {`<script>x</script>`}, "amount": {"1"}})
		require.NotContains(t, at.body, "<script>")
		require.Contains(t, at.text(), "<script>x</script>")
	})
}

// TestForeignTenant: what another tenant recorded in the same database is nowhere, whatever
// the address names.
func TestForeignTenant(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		a := inside(t, args...)
		ctx := as(t.Context(), "u-1")
		administrator(t, a)
		id, err := a.patients.register(ctx, demoPatient(0))
		require.NoError(t, err)
		const other audit.Tenant = "other-clinic"
		foreign := audit.NewID(time.Now())
		require.NoError(t, a.log.Record(ctx, audit.Event{
			ID: foreign, Tenant: other, Actor: audit.Actor{ID: "u-9", Kind: audit.KindStaff, Tenant: other},
			Action: "patient.read", Verb: audit.Read, Patients: []audit.Patient{audit.Patient(id)}, Objects: []audit.Object{{Type: "patient", ID: id}},
		}))
		page, err := a.log.Query(ctx, audit.Query{Tenant: other})
		require.NoError(t, err)
		require.Len(t, page.Events, 1, "it is there")
		get := a.browse(t, firstAdminID)
		for _, path := range []string{
			"/audit?period=all", "/audit?period=all&who=u-9", "/audit?period=all&patient=" + id, "/audit?period=all&type=patient&id=" + id,
			"/audit?period=all&tenant=other-clinic", "/patients/" + id + "/access?period=all", "/patients/" + id + "/history",
		} {
			w := get(path)
			require.Equal(t, http.StatusOK, w.Code, path)
			require.NotContains(t, w.Body.String(), foreign, path)
			require.NotContains(t, w.Body.String(), `data-label="Who">u-9<`, path)
		}
		require.Equal(t, http.StatusNotFound, get("/audit/"+foreign).Code)
		require.Contains(t, get("/audit?period=all&who=u-9").Body.String(), "Nothing was recorded that matches.")
	})
}

// browse is somebody signed in who opens pages of a clinic in this process.
func (a *app) browse(t *testing.T, who audit.ActorID) func(path string) *httptest.ResponseRecorder {
	t.Helper()
	token, err := a.sessions.Start(t.Context(), audit.Actor{ID: who, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2})
	require.NoError(t, err)
	return func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8080"+path, nil)
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		return w
	}
}

// TestManyEvents: a count is capped, a sort has a limit, and both say so.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: -short: it records 10,001 events")
	}
	a := inside(t, "-data", t.TempDir())
	administrator(t, a)
	id, err := a.patients.register(as(t.Context(), "u-1"), demoPatient(0))
	require.NoError(t, err)
	events := make([]audit.Event, 0, audit.MaxCount+1)
	for i := range cap(events) {
		events = append(events, audit.Event{
			Tenant: tenant, Action: patientRead.Name(), Verb: audit.Read, Actor: audit.Actor{ID: audit.ActorID(fmt.Sprintf("u-%d", i%7)), Kind: audit.KindStaff},
			Patients: []audit.Patient{audit.Patient(id)}, Objects: []audit.Object{{Type: "patient", ID: id, Category: string(rbac.Demographics)}},
		})
	}
	require.NoError(t, a.log.Record(t.Context(), events...))
	get := a.browse(t, firstAdminID)
	w := get("/audit?patient=" + id)
	require.Contains(t, w.Body.String(), "More than 10,000 events, 100 on this page")
	require.Contains(t, get("/patients/"+id+"/access").Body.String(), "It shows the newest 10,000")
	sorted := get("/audit?sort=who&patient=" + id)
	require.Equal(t, http.StatusOK, sorted.Code)
	rows := page{body: sorted.Body.String()}.column(1)
	require.True(t, slices.IsSorted(rows), rows)
}
