package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// switches ticks boxes, looks at what would change, and saves.
func (o *office) switches(t *testing.T, on ...string) (proposed, saved page) {
	t.Helper()
	version := o.alma.get("/roles/deleting").match(t, `name="version" value="(\d+)"`)
	proposed = o.alma.post("/roles/deleting/try", url.Values{"version": {version}, "on": on})
	form := url.Values{"version": {version}, "on": on, "reason": {"the clinic decided so"}}
	return proposed, o.alma.sure(o.alma.post("/roles/deleting", form))
}

// deleting: who may delete is the clinic's choice, and no more than the policy offers.
func (o *office) deleting() {
	letter := ""
	o.step("nobody_deletes_unless_the_clinic_says_so", func(t *testing.T) {
		letter = "/letters/" + o.tom.get(o.own).match(t, `href="/letters/([^"]+)"`)
		at := o.alma.get("/roles/deleting")
		require.NotContains(t, at.body, " checked")
		require.Equal(t, []string{"Therapist", "", "", "", ""}, at.table()[len(at.table())-1])
		require.NotContains(t, at.body, `value="therapist:letter.purge"`, "a therapist never destroys")
		require.Contains(t, at.body, `value="records_custodian:letter.purge"`)
		require.NotContains(t, o.tom.get(letter).body, letter+"/delete")
		require.Equal(t, http.StatusForbidden, o.tom.post(letter+"/delete", nil).status)
	})
	o.step("a_choice_is_shown_with_its_effects_and_saved_with_reason_and_proof", func(t *testing.T) {
		version := o.alma.get("/roles/deleting").match(t, `name="version" value="(\d+)"`)
		form := url.Values{"version": {version}, "on": {"therapist:letter.delete"}}
		at := o.alma.post("/roles/deleting/try", form)
		require.Contains(t, at.text(), "Nadia Okafor They could Letters: delete or put back a letter for their own patients")
		require.NotContains(t, at.text(), "Iris Lund They could")
		require.Equal(t, http.StatusForbidden, o.tom.post(letter+"/delete", nil).status, "nothing is saved")
		require.Equal(t, "/roles/deleting?reason=missing", o.alma.post("/roles/deleting", form).path)
		form.Set("reason", "the clinic decided so")
		at = o.alma.post("/roles/deleting", form)
		require.Equal(t, http.StatusUnauthorized, at.status)
		require.Equal(t, "/roles/deleting?done=choices", o.alma.proves(at, byPassword()).path)
		require.Equal(t, http.StatusConflict, o.alma.sure(o.alma.post("/roles/deleting", form)).status, "the same form again")
		require.Equal(t, "own patients", o.alma.get("/roles").card(t, "therapist").rights(t, "Letters")[doDelete])
	})
	o.step("what_is_deleted_can_be_put_back", func(t *testing.T) {
		at := o.tom.post(letter+"/delete", nil)
		require.Contains(t, at.text(), "It is deleted. It can still be put back.")
		require.Equal(t, http.StatusForbidden, o.tom.post(letter+"/purge", url.Values{"reason": {"gone for good"}}).status)
		require.Equal(t, http.StatusConflict, o.tom.post(letter+"/delete", nil).status, "twice")
		require.Contains(t, o.tom.post(letter+"/restore", nil).text(), "It is back in the record.")
	})
	o.step("no_form_offers_more_than_the_policy", func(t *testing.T) {
		for _, forged := range []string{"finance:letter.delete", "therapist:letter.purge", "therapist:note.read", "x", "front_desk:letter.read"} {
			version := o.alma.get("/roles/deleting").match(t, `name="version" value="(\d+)"`)
			form := url.Values{"version": {version}, "on": {forged}, "reason": {"forged by hand"}}
			require.Equal(t, http.StatusUnprocessableEntity, o.alma.post("/roles/deleting/try", form).status, forged)
			require.Equal(t, http.StatusUnprocessableEntity, o.alma.sure(o.alma.post("/roles/deleting", form)).status, forged)
		}
		for _, p := range []*person{o.tom, o.nurse, o.paul} {
			form := url.Values{"version": {"1"}, "on": {"therapist:form.delete"}, "reason": {"forged by hand"}}
			require.Equal(t, http.StatusForbidden, p.post("/roles/deleting", form).status)
			require.Equal(t, http.StatusForbidden, p.post("/roles/deleting/try", form).status)
		}
	})
	o.step("switched_off_again_it_is_refused_at_once", func(t *testing.T) {
		proposed, saved := o.switches(t)
		require.Contains(t, proposed.text(), "They could no longer Letters: delete or put back a letter")
		require.Equal(t, "/roles/deleting?done=choices", saved.path)
		require.Equal(t, http.StatusForbidden, o.tom.post(letter+"/delete", nil).status)
	})
}

// destroying is another right than deleting.
func (o *office) destroying() {
	o.step("destroying_takes_deleting_first_a_reason_and_a_proof", func(t *testing.T) {
		_, save := o.alma.proposes(o.gretaID, url.Values{"give": {"records_custodian"}, "take": {o.grant(t, o.gretaID, "Nurse")}})
		require.Equal(t, "Records Custodian", o.alma.saves(o.gretaID, save).fact(t, "Shown as"))
		form := "/forms/" + o.greta.get(o.own).match(t, `href="/forms/([^"]+)"`)
		why := url.Values{"reason": {"kept longer than the law asks"}}
		require.Equal(t, http.StatusForbidden, o.greta.post(form+"/purge", why).status)
		_, saved := o.switches(t, "records_custodian:form.delete")
		require.Equal(t, http.StatusOK, saved.status)
		require.Equal(t, http.StatusOK, o.greta.post(form+"/delete", nil).status)
		require.NotContains(t, o.tom.get(o.own).body, form, "who cannot put it back does not see it")
		require.Equal(t, http.StatusNotFound, o.tom.get(form).status)
		require.Equal(t, http.StatusForbidden, o.greta.post(form+"/purge", why).status, "deleting is not destroying")
		o.switches(t, "records_custodian:form.delete", "records_custodian:form.purge")
		require.Equal(t, http.StatusOK, o.greta.post(form+"/restore", nil).status)
		at := o.greta.post(form+"/purge", why)
		require.Equal(t, http.StatusUnauthorized, at.status)
		custodian := url.Values{fieldPassword: {newcomer.password}}
		require.Equal(t, http.StatusConflict, o.greta.proves(at, custodian).status, "it is not deleted")
		o.greta.post(form+"/delete", nil)
		require.Equal(t, form+"?reason=missing", o.greta.post(form+"/purge", nil).path)
		at = o.greta.proves(o.greta.post(form+"/purge", why), custodian)
		require.Equal(t, o.own+"?done=paper-purged", at.path, at.text())
		require.Equal(t, http.StatusNotFound, o.greta.get(form).status)
		require.Equal(t, http.StatusNotFound, o.greta.post(form+"/restore", nil).status, "and it does not come back")
		require.NotEmpty(t, o.alma.events(url.Values{"action": {"form.purged"}, "period": {"24h"}}))
	})
}

// logs: each family of roles has a view of its own.
func (o *office) logs() {
	o.step("sign_ins_are_for_administrators_and_name_no_patient", func(t *testing.T) {
		at := o.alma.get("/audit/sign-ins")
		require.Contains(t, at.text(), "Give a role : Greta Holm")
		require.NotRegexp(t, `[a-z]+_[a-z]+`, at.text(), "a code where the page should have words")
		require.Contains(t, at.text(), "Prove again who is there")
		noPatients(t, at)
		require.NotContains(t, at.text(), "Look at patients")
		require.Equal(t, http.StatusForbidden, o.tom.get("/audit/sign-ins").status)
	})
	o.step("a_custodian_reads_what_they_did_and_nobody_elses", func(t *testing.T) {
		at := o.greta.get("/security/log")
		require.Equal(t, http.StatusOK, at.status)
		require.Contains(t, at.text(), "Questionnaire destroyed")
		require.Contains(t, at.body, "<br>Greta Holm</li>")
		require.NotContains(t, at.body, "<br>Alma Reyes</li>")
		require.NotContains(t, at.body, "<br>Tomas Berg</li>")
		require.Equal(t, http.StatusForbidden, o.greta.get("/audit").status)
		require.Equal(t, http.StatusNotFound, o.paul.get("/security/log").status)
	})
}

// TestRolesOnTwoServers: what is given, taken and chosen on one server holds on the other by the
// person's next request.
func TestRolesOnTwoServers(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		s := tell(t, args...)
		two := start(t, args...)
		o := &office{story: s, alma: s.enter(), iris: s.enter(), tom: s.enter()}
		o.alma.signIn(alma, demoPassword)
		o.iris.signIn(iris, demoPassword)
		o.tom.signIn(tom, demoPassword)
		letter := "/letters/" + o.tom.get(o.tom.patient(demoPatient(0).Email)).match(t, `href="/letters/([^"]+)"`)
		o.iris.clinic, o.tom.clinic = two, two
		require.Equal(t, http.StatusOK, o.iris.get("/patients/new").status)
		_, save := o.alma.proposes(irisID, url.Values{"give": {"finance"}, "take": {o.grant(t, irisID, "Front Desk")}})
		require.Equal(t, "Finance", o.alma.saves(irisID, save).fact(t, "Shown as"))
		require.Equal(t, http.StatusForbidden, o.iris.get("/patients/new").status, "given on one, in force on the other")
		require.Equal(t, http.StatusForbidden, o.tom.post(letter+"/delete", nil).status)
		_, saved := o.switches(t, "therapist:letter.delete")
		require.Equal(t, http.StatusOK, saved.status)
		require.Equal(t, http.StatusOK, o.tom.post(letter+"/delete", nil).status, "chosen on one, in force on the other")
	})
}
