package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	nadiaID = "demo-therapist-2"
	irisID  = "demo-desk"
	almaID  = "demo-admin"
)

// office is the story of who may do what: what the pages say about it, and how it is changed.
type office struct {
	*story
	alma, greta, tom, iris, paul, nurse *person
	gretaID, nurseID                    string
	own, foreign                        string // paths of records, seen from Tomas
}

func TestRoles(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		o := &office{story: tell(t, args...)}
		o.arrive()
		o.policy()
		o.person()
		o.record()
		o.finance()
		o.escalation()
		o.forged()
		o.stale()
		o.lastAdmin()
		o.deleting()
		o.destroying()
		o.logs()
		o.alma.speaksPlainly()
	})
}

// joins invites somebody into a role and has them sign in; it returns their id.
func (p *person) joins(boss *person, name, email, role string) (id string) {
	p.t.Helper()
	at := boss.post("/team/invite", url.Values{"name": {name}, "email": {email}, "role": {role}})
	require.Equal(p.t, "/team?done=invited", at.path, at.text())
	id = at.match(p.t, `<a href="/team/([^"]+)">`+name+`</a>`)
	at = p.post(p.mail(), url.Values{"password": {newcomer.password}})
	p.secondStep(at)
	return id
}

func (o *office) arrive() {
	o.alma, o.greta, o.tom = o.enter(), o.enter(), o.enter()
	o.iris, o.paul, o.nurse = o.enter(), o.enter(), o.enter()
	o.step("everybody_arrives", func(t *testing.T) {
		o.alma.signIn(alma, demoPassword)
		o.tom.signIn(tom, demoPassword)
		o.iris.signIn(iris, demoPassword)
		o.paul.signIn(paul, demoPassword)
		o.gretaID = o.greta.joins(o.alma, newcomer.name, newcomer.email, "clinic_admin")
		o.nurseID = o.nurse.joins(o.alma, "Noor Haddad", "noor.haddad@example.com", "nurse")
		o.own, o.foreign = o.tom.patient(demoPatient(0).Email), o.alma.patient(demoPatient(1).Email)
	})
}

// card returns the part of the page about one role.
func (p page) card(t *testing.T, role string) page {
	t.Helper()
	_, rest, ok := strings.Cut(p.body, `<div class="card" id="`+role+`">`)
	require.True(t, ok, "no role %s", role)
	card, _, _ := strings.Cut(rest, "</details>")
	return page{path: p.path, body: card}
}

// rights returns what a table of rights says about a kind of record: see, add, change, delete, destroy.
func (p page) rights(t *testing.T, kind string) []string {
	t.Helper()
	for _, row := range p.table() {
		if row[0] == kind {
			return row[1:]
		}
	}
	t.Fatalf("nothing about %s: %s", kind, p.text())
	return nil
}

// policy: the page about the roles says what the policy says.
func (o *office) policy() {
	o.step("every_role_with_its_rights_and_holders", func(t *testing.T) {
		at := o.alma.get("/roles")
		require.Equal(t, http.StatusOK, at.status)
		require.Contains(t, at.text(), "7 of 25 seats taken")
		require.Equal(t, []string{"in an emergency, own patients", "", "own patients", "", ""}, at.card(t, "therapist").rights(t, "Clinical notes"))
		require.Equal(t, []string{"in an emergency, own patients", "own patients", "", "switched off", ""}, at.card(t, "therapist").rights(t, "Letters"))
		require.Equal(t, []string{"all", "all", "all", "", ""}, at.card(t, "finance").rights(t, "Claims"))
		require.NotContains(t, at.card(t, "finance").text(), "Clinical notes")
		require.Contains(t, at.card(t, "finance").text(), "Paul Serra")
		require.Contains(t, at.card(t, "therapist").text(), "Nadia Okafor , Tomas Berg")
	})
	o.step("two_kinds_of_administrator_and_nobody_is_the_one_who_reads_notes", func(t *testing.T) {
		at := o.alma.get("/roles")
		require.NotContains(t, at.card(t, "clinic_admin").text(), "Clinical notes")
		full := at.card(t, "clinic_admin_full")
		require.Equal(t, "all", full.rights(t, "Clinical notes")[0])
		require.Contains(t, full.text(), "Nobody has this role.")
	})
}

// noPatients checks that a page shows nothing of any patient.
func noPatients(t *testing.T, at page) {
	t.Helper()
	for n := range demoPatients {
		p := demoPatient(n)
		for _, value := range []string{p.Name, p.MRN, p.Birth, p.Phone, p.Email, p.SSN} {
			require.NotContains(t, at.body, value)
		}
		require.NotContains(t, at.body, demoNote(n))
	}
}

// person: what somebody may see, and why.
func (o *office) person() {
	o.step("what_a_person_may_see_and_by_which_role_and_grant", func(t *testing.T) {
		at := o.alma.get("/team/" + tomID + "/rights")
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Equal(t, "Therapist", at.fact(t, "Shown as"))
		require.Equal(t, "in an emergency, own patients", at.rights(t, "Clinical notes")[0])
		require.Contains(t, at.text(), "Nothing of: Team and roles, Settings, What was disclosed to others, How long that is kept, Sign-ins of the team, What they did themselves.")
		require.Contains(t, at.text(), "As Therapist, for their own patients. Given by the clinic’s server.")
		require.Contains(t, at.text(), "A reason has to be given; shows the whole number.")
		require.Regexp(t, `^[0-9a-f]{4} [0-9a-f]{4}`, at.fact(t, "Rules in force"))
		noPatients(t, at)
	})
	o.step("a_suspended_account_says_so", func(t *testing.T) {
		o.alma.post("/team/"+o.nurseID+"/suspend", nil)
		require.Contains(t, o.alma.get("/team/"+o.nurseID+"/rights").text(), "The account is not active (Suspended)")
		o.alma.post("/team/"+o.nurseID+"/reinstate", nil)
		o.nurse.signIn("noor.haddad@example.com", newcomer.password)
	})
}

// answers are what the page says about one record, by what is done.
func (p page) answers(t *testing.T) map[string]string {
	t.Helper()
	_, part, ok := strings.Cut(p.body, `The record you asked about`)
	require.True(t, ok, p.text())
	part, _, _ = strings.Cut(part, "</ul>")
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)<li><span class="tag[^>]*>(yes|no)</span>(.*?)<br>(.*?)</li>`).FindAllStringSubmatch(part, -1) {
		for _, what := range (page{body: m[2]}).links(`<strong>([^<]+)</strong>`) {
			all[what] = m[1] + ": " + page{body: m[3]}.text()
		}
	}
	require.NotEmpty(t, all)
	return all
}

// record: whether somebody may open one record, told to who may not see it.
func (o *office) record() {
	o.step("one_record_answers_with_why_and_shows_nothing_of_it", func(t *testing.T) {
		at := o.alma.post("/team/"+tomID+"/rights/find", url.Values{"q": {demoPatient(0).Phone}})
		require.NotContains(t, at.path, "555", "what was typed is in no address")
		require.Equal(t, "yes: As Therapist, for their own patients. Given by the clinic’s server.", at.answers(t)["Read a clinical note"])
		require.Contains(t, at.answers(t)["Delete or put back a letter"], "The clinic has not switched it on for Therapist.")
		noPatients(t, at)
		at = o.alma.post("/team/"+tomID+"/rights/find", url.Values{"q": {demoPatient(1).MRN}})
		require.True(t, strings.HasPrefix(at.answers(t)["Read a clinical note"], "no: "))
		require.Contains(t, at.answers(t)["Look at patients"], "As Therapist only for their own patients, and this is not one of them.")
		require.Contains(t, at.answers(t)["Look at patients"], "In an emergency, once they open this patient as Therapist.")
		noPatients(t, at)
		at = o.alma.post("/team/demo-finance/rights/find", url.Values{"q": {demoPatient(1).MRN}})
		require.True(t, strings.HasPrefix(at.answers(t)["Look at claims"], "yes"))
		require.Contains(t, at.answers(t)["Read a clinical note"], "no: None of their roles includes it.")
	})
	o.step("the_page_agrees_with_the_door", func(t *testing.T) {
		for _, row := range []struct {
			who    *person
			id     string
			record string
		}{{o.tom, tomID, o.own}, {o.tom, tomID, o.foreign}, {o.paul, "demo-finance", o.own}, {o.iris, irisID, o.foreign}, {o.nurse, o.nurseID, o.own}} {
			patient := strings.TrimPrefix(row.record, "/patients/")
			said := o.alma.get("/team/" + row.id + "/rights?patient=" + patient).answers(t)
			for what, path := range map[string]string{
				"Look at patients": row.record, "Read a clinical note": row.record + "/note", "Look who viewed a patient": row.record + "/access",
			} {
				require.Equal(t, strings.HasPrefix(said[what], "yes"), row.who.get(path).status == http.StatusOK, "%s: %s", row.id, what)
			}
		}
	})
	o.step("who_asked_is_on_record_and_in_the_patients_report", func(t *testing.T) {
		require.NotEmpty(t, o.alma.events(url.Values{"action": {"rights.read"}, "type": {"rights"}, "id": {tomID}, "period": {"24h"}}))
		require.Contains(t, o.alma.get(o.foreign+"/access?period=24h").visitor(t, "Alma Reyes")[4], "look at what somebody may see")
	})
	o.step("nobody_is_found_without_a_word_about_it", func(t *testing.T) {
		at := o.alma.post("/team/"+tomID+"/rights/find", url.Values{"q": {"555"}})
		require.Contains(t, at.text(), "No patient has this phone number")
		require.Equal(t, http.StatusNotFound, o.alma.get("/team/"+tomID+"/rights?patient=p-nobody").status)
	})
}

// grant returns the id of a role that somebody has, from the form that takes it away.
func (o *office) grant(t *testing.T, id, role string) string {
	t.Helper()
	return o.alma.get("/team/"+id+"/rights").match(t, `<label for="take-([^"]+)">`+regexp.QuoteMeta(role)+`</label>`)
}

// proposes fills in the form and returns the page that says what would change, and its own form.
func (p *person) proposes(id string, form url.Values) (page, url.Values) {
	p.t.Helper()
	at := p.post("/team/"+id+"/roles/try", form)
	save := url.Values{"give": form["give"], "take": form["take"], "until": form["until"], "reason": {"the office asked for it"}}
	if m := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(at.body); m != nil {
		save.Set("version", m[1])
	}
	return at, save
}

// saves posts the form and proves who is there, by the demo's password or their own.
func (p *person) saves(id string, form url.Values, password ...string) page {
	p.t.Helper()
	proof := byPassword()
	for _, own := range password {
		proof.Set(fieldPassword, own)
	}
	at := p.post("/team/"+id+"/roles", form)
	if at.status == http.StatusUnauthorized {
		at = p.proves(at, proof)
	}
	return at
}
