package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCareTeam: a therapist lets a nurse see one of their patients, and ends it again; nobody adds
// themselves to patients who are not theirs.
func TestCareTeam(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		s := tell(t, args...)
		boss, therapist, other, nurse, desk := s.enter(), s.enter(), s.enter(), s.enter(), s.enter()
		boss.signIn(alma, demoPassword)
		nurse.joins(boss, "Noor Haddad", "noor.haddad@example.com", "nurse")
		therapist.signIn(tom, demoPassword)
		other.signIn(nad, demoPassword)
		desk.signIn(iris, demoPassword)
		own := therapist.patient(demoPatient(0).Email)
		form := url.Values{"member": {therapist.get(own).match(t, `<option value="([^"]+)">Noor Haddad`)}}
		id := form.Get("member")

		s.step("a_nurse_sees_nobody_at_first", func(t *testing.T) {
			require.Equal(t, http.StatusNotFound, nurse.get(own).status)
			require.Equal(t, http.StatusNotFound, nurse.post(own+"/care", form).status, "and adds nobody, least of all herself")
			require.Equal(t, http.StatusNotFound, other.post(own+"/care", url.Values{"member": {nadiaID}}).status)
			require.Equal(t, http.StatusUnprocessableEntity, therapist.post(own+"/care", url.Values{"member": {irisID}}).status, "the desk cares for nobody")
			require.Equal(t, http.StatusUnprocessableEntity, therapist.post(own+"/care", url.Values{"member": {"nobody"}}).status)
		})
		s.step("a_therapist_adds_her_to_the_care_team", func(t *testing.T) {
			at := therapist.post(own+"/care", form)
			require.Equal(t, own+"?done=care-joined", at.path, at.text())
			require.Equal(t, "Tomas Berg", at.fact(t, "Therapist"), "who was there first is in charge")
			require.Equal(t, http.StatusConflict, therapist.post(own+"/care", form).status, "once")
			at = nurse.get(own)
			require.Equal(t, http.StatusOK, at.status, at.text())
			require.NotContains(t, at.text(), "Add a colleague")
			require.Equal(t, http.StatusForbidden, nurse.post(own+"/care/end", url.Values{"member": {tomID}}).status)
			require.Contains(t, nurse.get("/dashboard").text(), "1 Patients")
			require.Contains(t, therapist.get(own+"/history").text(), "Somebody joined a care team")
		})
		s.step("and_takes_her_out_again", func(t *testing.T) {
			require.Equal(t, own+"?done=care-ended", therapist.post(own+"/care/end", form).path)
			require.Equal(t, http.StatusNotFound, nurse.get(own).status)
			require.Equal(t, http.StatusConflict, therapist.post(own+"/care/end", url.Values{"member": {tomID}}).status, "somebody stays")
			require.Equal(t, http.StatusConflict, therapist.post(own+"/care/end", form).status)
			require.Equal(t, own+"?done=care-joined", therapist.post(own+"/care", form).path, "and back")
			require.Equal(t, "/patients?done=care-ended", therapist.post(own+"/care/end", url.Values{"member": {tomID}}).path, "whoever hands over leaves")
			require.Equal(t, http.StatusNotFound, therapist.get(own).status)
			require.NotEmpty(t, id)
		})
	})
}
