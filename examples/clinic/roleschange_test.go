package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// finance: somebody of the front desk moves to Finance, and back.
func (o *office) finance() {
	claim := ""
	o.step("a_change_is_shown_with_its_seats_before_it_is_saved", func(t *testing.T) {
		claim = o.paul.claim(o.own)
		desk := o.grant(t, irisID, "Front Desk")
		at, _ := o.alma.proposes(irisID, url.Values{"give": {"finance"}, "take": {desk}})
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Contains(t, at.text(), "Nothing is saved yet. Give Finance Take away Front Desk Seats 7 of 25 seats taken, 7 afterwards")
		gains, loses, ok := strings.Cut(at.text(), "They could no longer")
		require.True(t, ok)
		require.Contains(t, gains, "Claims: move a claim on for the whole clinic")
		require.Contains(t, loses, "Registration, care team and patient portal: open the registration form")
		require.NotContains(t, at.text(), "linical note")
		require.Equal(t, http.StatusOK, o.iris.get("/patients/new").status, "nothing was saved")
		require.Equal(t, http.StatusForbidden, o.iris.post(claim+"/pay", url.Values{"version": {"1"}}).status)
	})
	o.step("it_takes_a_reason_and_a_proof_of_who_is_there", func(t *testing.T) {
		desk := o.grant(t, irisID, "Front Desk")
		_, save := o.alma.proposes(irisID, url.Values{"give": {"finance"}, "take": {desk}})
		for _, reason := range []string{"", "  ", "x"} {
			form := url.Values{"give": save["give"], "take": save["take"], "version": save["version"], "reason": {reason}}
			at := o.alma.post("/team/"+irisID+"/roles", form)
			require.Equal(t, "/team/"+irisID+"/rights?reason=missing", at.path)
			require.Contains(t, at.text(), "Please type a reason")
		}
		at := o.alma.post("/team/"+irisID+"/roles", save)
		require.Equal(t, http.StatusUnauthorized, at.status)
		require.Contains(t, at.text(), "Is it you?")
		require.Equal(t, http.StatusOK, o.iris.get("/patients/new").status, "still nothing was saved")
		at = o.alma.proves(at, byPassword())
		require.Equal(t, "/team/"+irisID+"/rights?done=roles", at.path, at.text())
		require.Equal(t, "Finance", at.fact(t, "Shown as"))
		require.Contains(t, at.text(), "taken away by Alma Reyes")
	})
	o.step("it_holds_from_the_next_request_on", func(t *testing.T) {
		require.Equal(t, http.StatusForbidden, o.iris.get("/patients/new").status)
		require.Contains(t, o.iris.get("/dashboard").text(), "You are signed in as Finance.")
		require.Equal(t, claim+"?done=claim-moved", o.iris.post(claim+"/pay", url.Values{"version": {"1"}}).path)
	})
	o.step("finance_sees_what_a_claim_needs_and_nothing_clinical", func(t *testing.T) {
		at := o.iris.get(claim)
		require.Contains(t, at.text(), "Lighthouse Mutual")
		patient := o.iris.get(o.own)
		require.Equal(t, "•••-•••-0100", patient.fact(t, "Phone"))
		for _, closed := range []string{demoNote(0), "Clinical note", "Letters", "Questionnaires"} {
			require.NotContains(t, at.text()+patient.text(), closed)
		}
		require.Equal(t, http.StatusForbidden, o.iris.get(o.own+"/note").status)
	})
	o.step("the_reason_is_on_record_with_the_grant", func(t *testing.T) {
		at := o.alma.get("/team/" + irisID + "/rights")
		events := o.alma.get(at.match(t, `<a href="(/audit[^"]+)" aria-label="Reason for Finance`)).links(eventLink)
		require.Len(t, events, 1)
		require.Contains(t, o.alma.get("/audit/"+events[0]).text(), "the office asked for it")
	})
	o.step("and_it_is_undone", func(t *testing.T) {
		at := o.alma.get("/team/" + irisID + "/rights")
		_, form, ok := strings.Cut(at.body, `<form class="after" method="post" action="/team/`+irisID+`/roles/try">`)
		require.True(t, ok)
		form, _, _ = strings.Cut(form, "</form>")
		undo := page{body: form}
		values := url.Values{"give": undo.links(`name="give" value="([^"]+)"`), "take": undo.links(`name="take" value="([^"]+)"`)}
		require.Equal(t, []string{"front_desk"}, values["give"])
		at, save := o.alma.proposes(irisID, values)
		require.Contains(t, at.text(), "Give Front Desk Take away Finance")
		require.Equal(t, "Front Desk", o.alma.saves(irisID, save).fact(t, "Shown as"))
		require.Equal(t, http.StatusOK, o.iris.get("/patients/new").status)
		require.Equal(t, http.StatusForbidden, o.iris.post(claim+"/deny", url.Values{"version": {"2"}}).status)
	})
	o.step("a_role_with_a_last_day_says_so", func(t *testing.T) {
		at, save := o.alma.proposes(irisID, url.Values{"give": {"finance"}, "until": {"2999-12-30"}})
		require.Contains(t, at.text(), "until the end of 30 December 2999")
		require.Contains(t, o.alma.saves(irisID, save).text(), "31 Dec 2999 00:00")
		_, save = o.alma.proposes(irisID, url.Values{"take": {o.grant(t, irisID, "Finance")}})
		require.Equal(t, "Front Desk", o.alma.saves(irisID, save).fact(t, "Shown as"))
	})
}

// escalation: nobody comes to more than they were given.
func (o *office) escalation() {
	o.step("who_does_not_manage_the_team_finds_no_page_about_roles", func(t *testing.T) {
		for _, p := range []*person{o.nurse, o.tom, o.iris, o.paul} {
			require.Equal(t, http.StatusForbidden, p.get("/roles").status)
			require.Equal(t, http.StatusForbidden, p.get("/roles/deleting").status)
			for _, id := range []string{tomID, o.nurseID, "nobody"} {
				require.Equal(t, http.StatusNotFound, p.get("/team/"+id+"/rights").status)
				require.Equal(t, http.StatusNotFound, p.post("/team/"+id+"/rights/find", url.Values{"q": {demoPatient(0).Phone}}).status)
				_, save := p.proposes(id, url.Values{"give": {"clinic_admin"}})
				require.Equal(t, http.StatusNotFound, p.post("/team/"+id+"/roles", save).status)
			}
			require.NotContains(t, p.get("/dashboard").body, `href="/roles"`)
		}
	})
	o.step("nobody_gives_a_role_to_themselves", func(t *testing.T) {
		require.NotContains(t, o.alma.get("/team/"+almaID+"/rights").body, "/roles/try", "the page offers nothing")
		at, save := o.alma.proposes(almaID, url.Values{"give": {"therapist"}})
		require.Equal(t, http.StatusConflict, at.status)
		require.Contains(t, at.text(), "Nobody gives a role to themselves.")
		require.NotContains(t, at.body, `name="reason"`, "and there is nothing to save")
		at = o.alma.saves(almaID, save)
		require.Equal(t, http.StatusConflict, at.status, at.text())
		require.Contains(t, o.alma.get("/dashboard").text(), "You are signed in as Clinic Admin.")
		require.Equal(t, http.StatusForbidden, o.alma.get(o.own+"/note").status)
	})
	o.step("who_bills_does_not_run_the_team", func(t *testing.T) {
		at, save := o.alma.proposes("demo-finance", url.Values{"give": {"clinic_admin"}})
		require.Contains(t, at.text(), "who bills does not also run the team")
		save.Set("version", o.version(t))
		require.Equal(t, http.StatusConflict, o.alma.saves("demo-finance", save).status)
		require.Equal(t, http.StatusForbidden, o.paul.get("/team").status)
	})
	o.step("nobody_gives_what_stands_above_them", func(t *testing.T) {
		_, save := o.alma.proposes(o.gretaID, url.Values{"give": {"clinic_admin_full"}, "take": {o.grant(t, o.gretaID, "Clinic Admin")}})
		require.Equal(t, "Clinic Admin (full access)", o.alma.saves(o.gretaID, save).fact(t, "Shown as"))
		require.Contains(t, o.greta.get(o.own).text(), "Clinical note", "what the clinic decided holds")
		require.NotContains(t, o.greta.get("/team/"+tomID+"/rights").body, `<option value="clinic_admin">`)
		at, save := o.greta.proposes(tomID, url.Values{"give": {"clinic_admin"}})
		require.Equal(t, http.StatusForbidden, at.status)
		require.Contains(t, at.text(), "This role stands above yours.")
		save.Set("version", o.version(t))
		require.Equal(t, http.StatusForbidden, o.greta.saves(tomID, save, newcomer.password).status)
		require.Equal(t, http.StatusForbidden, o.tom.get("/team").status)
		at = o.greta.post("/team/invite", url.Values{"name": {"Mallory Quill"}, "email": {"mallory.quill@example.com"}, "role": {"clinic_admin"}})
		require.Equal(t, http.StatusForbidden, at.status)
		require.NotContains(t, o.alma.get("/team").text(), "Mallory Quill", "no account without its role")
		require.Len(t, o.alma.events(url.Values{"action": {"rbac.grant"}, "who": {o.gretaID}, "outcome": {"no"}, "period": {"24h"}}), 2, "both tries are on record")
		_, save = o.alma.proposes(o.gretaID, url.Values{"give": {"clinic_admin"}, "take": {o.grant(t, o.gretaID, "Clinic Admin (full access)")}})
		save.Set("version", o.version(t))
		require.Equal(t, "Clinic Admin", o.alma.saves(o.gretaID, save).fact(t, "Shown as"))
	})
}

// version is the version of the clinic's roles, as a form has it.
func (o *office) version(t *testing.T) string {
	t.Helper()
	_, save := o.alma.proposes(tomID, url.Values{"give": {"nurse"}})
	require.NotEmpty(t, save.Get("version"))
	return save.Get("version")
}

// forged: what no page sends changes nothing.
func (o *office) forged() {
	o.step("people_who_are_not_of_the_team_are_not_found", func(t *testing.T) {
		for _, id := range []string{"nobody", "other-clinic-admin", "system:setup", strings.Repeat("x", 300), "..", "%00", "demo-finance'--"} {
			path := "/team/" + url.PathEscape(id)
			require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, o.alma.get(path+"/rights").status, id)
			require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, o.alma.post(path+"/roles/try", url.Values{"give": {"finance"}}).status, id)
		}
	})
	o.step("values_that_no_form_has_are_refused", func(t *testing.T) {
		version, tomsGrant := o.version(t), o.grant(t, tomID, "Therapist")
		for name, row := range map[string]struct {
			form   url.Values
			status int
		}{
			"no role at all":            {url.Values{}, http.StatusUnprocessableEntity},
			"a role of no policy":       {url.Values{"give": {"owner"}}, http.StatusUnprocessableEntity},
			"suspended by hand":         {url.Values{"give": {"finance; DROP TABLE"}}, http.StatusUnprocessableEntity},
			"a day that is over":        {url.Values{"give": {"finance"}, "until": {"2020-01-01"}}, http.StatusUnprocessableEntity},
			"no day":                    {url.Values{"give": {"finance"}, "until": {"tomorrow"}}, http.StatusUnprocessableEntity},
			"a role twice":              {url.Values{"give": {"finance", "finance"}}, http.StatusConflict},
			"a role that they have":     {url.Values{"give": {"front_desk"}}, http.StatusConflict},
			"the grant of someone else": {url.Values{"take": {tomsGrant}}, http.StatusConflict},
			"a grant of nobody":         {url.Values{"take": {"nothing"}}, http.StatusConflict},
		} {
			at, _ := o.alma.proposes(irisID, row.form)
			require.Equal(t, row.status, at.status, "%s: %s", name, at.text())
			row.form.Set("version", version)
			row.form.Set("reason", "forged by hand")
			require.Equal(t, row.status, o.alma.saves(irisID, row.form).status, name)
		}
		for _, version := range []string{"", "0", "-1", "x", "99999999"} {
			form := url.Values{"give": {"finance"}, "reason": {"forged by hand"}, "version": {version}}
			require.Equal(t, http.StatusConflict, o.alma.saves(irisID, form).status, "version %q", version)
		}
		require.Equal(t, "Front Desk", o.alma.get("/team/"+irisID+"/rights").fact(t, "Shown as"))
		require.Equal(t, "Therapist", o.alma.get("/team/"+tomID+"/rights").fact(t, "Shown as"))
	})
}

// stale: what is saved is what was looked at.
func (o *office) stale() {
	o.step("a_proposal_is_void_once_somebody_else_changed_roles", func(t *testing.T) {
		_, hers := o.alma.proposes(irisID, url.Values{"give": {"finance"}})
		_, mine := o.greta.proposes(irisID, url.Values{"take": {o.grant(t, irisID, "Front Desk")}})
		require.Equal(t, "Finance", o.alma.saves(irisID, hers).fact(t, "Shown as"))
		at := o.greta.saves(irisID, mine, newcomer.password)
		require.Equal(t, http.StatusConflict, at.status)
		require.Contains(t, at.text(), "Somebody changed roles meanwhile, so nothing was saved.")
		require.Contains(t, o.iris.get("/dashboard").text(), "Register a patient", "the front desk was not taken away")
		at = o.alma.saves(irisID, hers)
		require.Equal(t, http.StatusConflict, at.status, "the same form again")
		_, back := o.alma.proposes(irisID, url.Values{"take": {o.grant(t, irisID, "Finance")}})
		require.Equal(t, "Front Desk", o.alma.saves(irisID, back).fact(t, "Shown as"))
	})
	o.step("of_many_at_once_one_is_saved", func(t *testing.T) {
		o.freely(t, true)
		_, form := o.alma.proposes(irisID, url.Values{"give": {"finance"}})
		var wg sync.WaitGroup
		status := make([]int, 6)
		for i := range status {
			p := []*person{o.alma, o.greta}[i%2]
			wg.Go(func() {
				at, err := p.insist("/team/"+irisID+"/roles", form)
				if err == nil {
					status[i] = at.status
				}
			})
		}
		wg.Wait()
		slices.Sort(status)
		require.Equal(t, []int{303, 409, 409, 409, 409, 409}, status)
		_, back := o.alma.proposes(irisID, url.Values{"take": {o.grant(t, irisID, "Finance")}})
		require.Equal(t, "Front Desk", o.alma.saves(irisID, back).fact(t, "Shown as"))
		o.freely(t, false)
	})
}

// freely lets administrators change roles with the proof of their sign-in, or asks each time.
func (o *office) freely(t *testing.T, free bool) {
	t.Helper()
	d := &desk{alma: o.alma}
	o.alma.sure(o.alma.get("/settings/sign-in"))
	form := d.rulesForm(t)
	form.Set("ask-roles.change", askEach)
	if free {
		form.Set("ask-roles.change", askNever)
	}
	require.Contains(t, o.alma.sure(o.alma.post("/settings/sign-in", form)).text(), "The rules are saved.")
}

// lastAdmin: a clinic keeps somebody who runs it.
func (o *office) lastAdmin() {
	o.step("the_last_administrator_stays", func(t *testing.T) {
		_, save := o.alma.proposes(o.gretaID, url.Values{"give": {"nurse"}, "take": {o.grant(t, o.gretaID, "Clinic Admin")}})
		require.Equal(t, "Nurse", o.alma.saves(o.gretaID, save).fact(t, "Shown as"))
		require.Equal(t, http.StatusForbidden, o.greta.get("/team").status)
		at := o.alma.get("/team/" + almaID + "/rights")
		mine := at.match(t, `/audit\?[^"]*id=([0-9a-f-]{36})[^"]*" aria-label="Reason for Clinic Admin`)
		at, save = o.alma.proposes(almaID, url.Values{"take": {mine}})
		require.Equal(t, http.StatusConflict, at.status)
		require.Contains(t, at.text(), "This is the last administrator.")
		require.Equal(t, http.StatusConflict, o.alma.saves(almaID, save).status)
		require.Equal(t, http.StatusOK, o.alma.get("/team").status)
	})
}
