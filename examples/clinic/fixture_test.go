package main

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/phi"
)

// fixtureVariable names the release whose data the test is to write, for example "0.1", once
// and for all: what a release wrote is frozen.
const fixtureVariable = "WARDKIT_WRITE_FIXTURE"

const (
	fixtureReason = "reveal of the fixture"
	fixtureDays   = "120" // without a sign-in, in the rules that release 0.3 saved
	fixtureMatter = "2026-014"
	fixtureReport = "A letter of somebody else was in the envelope."
)

// TestWriteFixture makes the data folder of this release, for later releases to open.
func TestWriteFixture(t *testing.T) {
	release := os.Getenv(fixtureVariable)
	if release == "" {
		return // nothing to prove here: TestDataOfReleases proves what this once wrote
	}
	frozen := filepath.Join("testdata", "release-"+release)
	require.NoError(t, os.Mkdir(frozen, 0o755), "the data of a release is written once")
	dir := t.TempDir()
	s := tell(t, "-data", dir)
	boss, desk, therapist := s.enter(), s.enter(), s.enter()
	boss.signIn(alma, demoPassword)
	desk.signIn(iris, demoPassword)
	form := walkIn()
	form.Set("therapist", tomID)
	require.Equal(t, "/patients?done=registered", desk.post("/patients", form).path)
	therapist.signIn(tom, demoPassword)
	path := therapist.patient(form.Get("email"))
	require.Equal(t, 200, therapist.post(path+"/reveal", url.Values{"reason": {fixtureReason}}).status)
	note := url.Values{"note": {walkNote}, "version": {"1"}}
	require.Equal(t, path+"?done=note", therapist.post(path+"/note", note).path)
	boss.post("/team/invite", url.Values{"name": {newcomer.name}, "email": {newcomer.email}, "role": {"therapist"}})
	rules := boss.sure(boss.get("/settings/accounts"))
	form = url.Values{
		"version": {rules.match(t, `name="version" value="(\d+)"`)}, "reproof": {"one"}, "passkeys": {keysAlone}, "days-staff": {fixtureDays}, "days-patients": {"90"},
		"factor-staff": {"required"}, "factor-patients": {"optional"},
	}
	require.Equal(t, "/settings/accounts?done=accounts", boss.post("/settings/accounts", form).path)
	require.Len(t, boss.post("/security/codes", url.Values{"code": {boss.code()}}).codesOn(), 10)
	boss.program(service("claim.read"))
	keepsFixture(t, s, boss, desk)
	s.clinic.stop()

	c, err := parseConfig(s.args)
	require.NoError(t, err)
	change(t, c, "VACUUM") // and the journal is folded into the file
	for _, name := range []string{"clinic.db", "clinic.key", "clinic.shreds"} {
		copyFile(t, filepath.Join(dir, name), filepath.Join(frozen, name))
	}
}

// oldFolder is a data folder as a release left it.
func oldFolder(t *testing.T, folder string) string {
	t.Helper()
	dir := t.TempDir()
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, f := range files {
		copyFile(t, filepath.Join(folder, f.Name()), filepath.Join(dir, f.Name()))
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o600))
}

// keepsFixture writes what came with release 0.5: masks, a hold, an incident, a patient who was shredded.
func keepsFixture(t *testing.T, s *story, boss, desk *person) {
	t.Helper()
	seen := &sights{story: s, alma: boss}
	form := seen.row(t)
	form.Set("sees-phone", "partial")
	require.Equal(t, maskHome+"?done=masks", boss.sure(boss.post(maskHome, form)).path)
	hold := url.Values{"type": {"patient"}, "covers": {demoPatient(2).MRN}, "matter": {fixtureMatter}, "reason": {"asked by counsel"}}
	require.Equal(t, retentionPath+"?done=held", boss.sure(boss.post(retentionPath+"/holds", hold)).path)
	gone := boss.patient(demoPatient(1).Email)
	require.Equal(t, gone+"/destroy?done=destroyed", boss.destroy(gone, demoPatient(1).Name, shredReason).path)
	desk.reported(url.Values{"kind": {"wrong_recipient"}, "text": {fixtureReport}})
}

// TestDataOfReleases starts the clinic on what earlier releases wrote: everything is there,
// opens, and goes on.
func TestDataOfReleases(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob(filepath.Join("testdata", "release-*"))
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			dir := oldFolder(t, folder)
			s := tell(t, "-data", dir)
			s.oldPeople(t, filepath.Base(folder))
			then := "Clinical note saved version 2"
			if filepath.Base(folder) == "release-0.1" { // which recorded only the permission
				then = "Ask to change a clinical note"
			}
			s.oldPatients(t, then)
			s.oldAudit(t, dir)
			s.oldTrees(t, dir)
		})
	}
}

// signInByDemo signs in somebody who enrolled when the data was written: the demo's phone is
// in the data too.
func (p *person) signInByDemo(email string) page {
	p.t.Helper()
	at := p.post("/sign-in", credentials(email))
	require.Equal(p.t, "/sign-in/code", at.path, "enrolled long ago: %s", at.text())
	for _, row := range p.get("/demo").table() {
		if strings.Contains(row[0], email) && len(row) == 3 && strings.HasSuffix(row[2], " s") {
			return p.post("/sign-in/code", url.Values{"code": {row[1]}})
		}
	}
	p.t.Fatal("the demo's phone has no code for " + email)
	return page{}
}

// oldPeople: release 0.3 wrote rules and recovery codes too, release 0.4 a program, release 0.5 what
// keepsFixture says.
func (s *story) oldPeople(t *testing.T, release string) {
	boss := s.enter()
	s.step("passwords_second_factors_and_roles_still_count", func(t *testing.T) {
		require.Contains(t, boss.signInByDemo(alma).text(), "You are signed in as Clinic Admin.")
		team := boss.get("/team").table()
		require.Contains(t, team, []string{"Tomas Berg", "Therapist", "Active", "App"})
		require.Contains(t, team, []string{"Paul Serra", "Finance", "Active", "Not set up yet"})
		require.Contains(t, team, []string{newcomer.name, "Therapist", "Invited", "Not set up yet"})
	})
	if release >= "release-0.3" {
		s.step("rules_and_recovery_codes_of_then_still_hold", func(t *testing.T) {
			require.Contains(t, boss.get("/security").text(), "10 left")
			require.Equal(t, fixtureDays, boss.sure(boss.get("/settings/accounts")).match(t, `name="days-staff"[^>]* value="(\d+)"`))
		})
	}
	if release >= "release-0.4" {
		s.step("programs_are_still_known", func(t *testing.T) {
			require.Contains(t, boss.sure(boss.get("/programs")).text(), service().Get("name"))
		})
	}
	if release >= "release-0.5" {
		s.oldKeeping(boss)
	}
	s.step("links_mailed_then_still_work", func(t *testing.T) {
		link := boss.mail()
		at := newPerson(t, s.clinic).get(link)
		require.Contains(t, []int{200, 410}, at.status, "open, or too old, but known: %s", at.text())
	})
}

func (s *story) oldKeeping(boss *person) {
	s.step("masks_holds_and_incidents_of_then_still_hold", func(t *testing.T) {
		require.Equal(t, "partial", (&sights{story: s, alma: boss}).row(t).Get("sees-phone"))
		require.Contains(t, boss.sure(boss.get(retentionPath)).text(), fixtureMatter)
		report := boss.get("/incidents").links(incidentLink)
		require.Len(t, report, 1)
		require.Contains(t, boss.get(report[0]).text(), fixtureReport)
	})
	s.step("who_was_shredded_then_stays_shredded", func(t *testing.T) {
		require.Empty(t, boss.named(demoPatient(1).Name))
		require.Len(t, boss.named(demoPatient(2).Name), 1)
		shredded := boss.events(url.Values{"period": {"all"}, "action": {string(phi.ActionShredded)}})
		require.Len(t, shredded, 1)
		require.Contains(t, boss.get("/audit/"+shredded[0]).text(), "Alma Reyes")
	})
}

// then is how the history of a note shows the change that the release recorded.
func (s *story) oldPatients(t *testing.T, then string) {
	therapist := s.enter()
	s.step("patients_open_and_are_found", func(t *testing.T) {
		require.Contains(t, therapist.signInByDemo(tom).text(), "31 Patients")
		for n := range demoPatients {
			if n%2 == 0 {
				require.Contains(t, therapist.get("/patients").text(), demoPatient(n).Name)
			}
		}
		found := therapist.post("/patients/find", url.Values{"q": {"+1.646.555.0177"}}).links(patientLink)
		require.Len(t, found, 1, "by phone, in another notation")
		at := therapist.get("/patients/" + found[0])
		require.Equal(t, walkIn().Get("name"), at.fact(t, "Name"))
		require.Equal(t, walkIn().Get("birth"), at.fact(t, "Date of birth"))
		require.Contains(t, at.text(), walkNote)
		at = therapist.post("/patients/"+found[0]+"/reveal", url.Values{"reason": {"still there?"}})
		require.Contains(t, at.text(), walkIn().Get("ssn"))
		note := url.Values{"note": {"And on we go."}, "version": {therapist.get("/patients/"+found[0]+"/note").match(t, `name="version" value="(\d+)"`)}}
		require.Contains(t, therapist.post("/patients/"+found[0]+"/note", note).text(), "And on we go.")
		history := therapist.get("/patients/" + found[0] + "/note/history").moments()
		require.Contains(t, history, "Clinical note saved version 3 Tomas Berg", "today, recorded with the change")
		require.Contains(t, history, then+" Tomas Berg", "then")
		require.Contains(t, therapist.get("/patients/"+found[0]+"/access?period=all").visitor(t, "Iris Lund")[4], "see it in a list")
		require.Contains(t, therapist.get("/claims").text(), "No claims yet.")
	})
}

func (s *story) oldAudit(t *testing.T, dir string) {
	s.step("audit_of_then_reads_with_reasons", func(t *testing.T) {
		s.clinic.stop()
		c, err := parseConfig([]string{"-data", dir, "-url", "http://localhost:8080"})
		require.NoError(t, err)
		a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		defer a.close()
		q := audit.Query{Tenant: tenant, Actors: []audit.ActorID{tomID}, Actions: []audit.Action{"patient.reveal_ssn"}}
		page, err := a.log.Query(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, page.Events, 4, "two of then, two of today")
		reasons := map[string]int{}
		for _, e := range page.Events {
			full, err := a.log.Open(t.Context(), tenant, e.ID)
			require.NoError(t, err)
			why, ok := full.Why.Reveal()
			require.True(t, ok)
			reasons[why]++
		}
		require.Equal(t, map[string]int{fixtureReason: 2, "still there?": 2}, reasons)
	})
}

// oldTrees: what was recorded before there were trees is covered like everything since.
func (s *story) oldTrees(t *testing.T, dir string) {
	s.step("everything_of_then_is_covered", func(t *testing.T) {
		c, err := parseConfig([]string{"-data", dir, "-url", "http://localhost:8080"})
		require.NoError(t, err)
		a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		defer a.close()
		_, err = a.trees.Integrate(t.Context())
		require.NoError(t, err)
		old, err := a.sink.Last(t.Context())
		require.NoError(t, err)
		require.NotNil(t, old, "outside the database")
		report, err := tlog.Verify(t.Context(), a.events, a.leaves, a.trees.VerifierKey(), old, nil)
		require.NoError(t, err)
		require.Zero(t, report.Uncovered)
		require.Greater(t, report.Events, int64(100))
	})
}
