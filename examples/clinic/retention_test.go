package main

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
)

// keeping is the story of how long the audit is kept, and of a purge.
type keeping struct {
	*story
	alma, greta, iris *person
	plan              string // path of its copy
}

const retentionPath = "/settings/retention"

func TestRetentionStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		longAgo(t, args)
		k := &keeping{story: tell(t, args...)}
		k.arrive()
		k.period()
		k.held()
		k.proposed()
		k.agreed()
		k.proven()
		k.released()
		k.alma.speaksPlainly()
	})
}

// longAgo makes the clinic's audit begin eight years ago: 40 events, 10 of them of Iris, covered by
// a checkpoint of that time.
func longAgo(t *testing.T, args []string) {
	t.Helper()
	c, err := parseConfig(append([]string{"-url", "http://localhost:8080"}, args...))
	require.NoError(t, err)
	now := time.Now().AddDate(-8, 0, 0)
	c.now = func() time.Time { return now }
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer a.close()
	var all []audit.Event
	for i := range 40 {
		who := audit.ActorID("demo-therapist-1")
		if i%4 == 0 {
			who = irisID
		}
		all = append(all, audit.Event{
			Tenant: tenant, Action: "patient.read", Verb: audit.Read, Patients: []audit.Patient{"p-of-long-ago"},
			Actor: audit.Actor{ID: who, Kind: audit.KindStaff, Tenant: tenant},
		})
	}
	require.NoError(t, a.log.Record(context.Background(), all...))
	_, err = a.events.Sequence(context.Background(), 1000)
	require.NoError(t, err)
	_, err = a.trees.Integrate(context.Background())
	require.NoError(t, err)
}

// ofThen is how many of these events the audit still has.
func (k *keeping) ofThen() int {
	from := time.Now().AddDate(-9, 0, 0).Format(time.DateOnly)
	to := time.Now().AddDate(-7, 0, 0).Format(time.DateOnly)
	return len(k.alma.events(url.Values{"period": {byDates}, "from": {from}, "to": {to}}))
}

func (k *keeping) arrive() {
	k.alma, k.greta, k.iris = k.enter(), k.enter(), k.enter()
	k.step("everybody_arrives", func(t *testing.T) {
		k.alma.signIn(alma, demoPassword)
		k.iris.signIn(iris, demoPassword)
		k.greta.joins(k.alma, newcomer.name, newcomer.email, "privacy_officer")
	})
	k.step("administrators_and_the_privacy_officer_see_it", func(t *testing.T) {
		at := k.alma.get(retentionPath)
		require.Equal(t, http.StatusOK, at.status)
		require.Contains(t, at.text(), "The record is kept for 7 years")
		require.Contains(t, at.text(), "Nothing was ever destroyed.")
		require.Equal(t, http.StatusOK, k.greta.get(retentionPath).status)
		require.Equal(t, http.StatusForbidden, k.iris.get(retentionPath).status)
		require.Equal(t, http.StatusForbidden, k.iris.post(retentionPath, url.Values{"years": {"6"}, "version": {"0"}, "reason": {"to save space"}}).status)
	})
}

func (k *keeping) period() {
	k.step("six_years_are_the_floor", func(t *testing.T) {
		for _, years := range []string{"5", "0", "-7"} {
			at := k.alma.sure(k.alma.post(retentionPath, url.Values{"years": {years}, "version": {"0"}, "reason": {"to save space"}}))
			require.Equal(t, http.StatusUnprocessableEntity, at.status, years)
		}
		require.Contains(t, k.alma.get(retentionPath).text(), "kept for 7 years")
	})
	k.step("shorter_counts_later", func(t *testing.T) {
		require.Equal(t, retentionPath+"?reason=missing", k.alma.post(retentionPath, url.Values{"years": {"6"}, "version": {"0"}}).path)
		at := k.alma.sure(k.alma.post(retentionPath, url.Values{"years": {"6"}, "version": {"0"}, "reason": {"our lawyers said so"}}))
		require.Equal(t, retentionPath+"?done=retention", at.path)
		require.Contains(t, at.text(), "kept for 7 years")
		require.Contains(t, at.text(), "it is 6 years. Until then nothing changes")
		require.Equal(t, http.StatusConflict, k.greta.certain(k.greta.post(retentionPath, url.Values{"years": {"9"}, "version": {"0"}, "reason": {"an old page"}})).status)
	})
}

func (k *keeping) held() {
	k.step("a_hold_keeps_what_somebody_did", func(t *testing.T) {
		form := url.Values{"type": {"member"}, "covers": {"Nobody Here"}, "matter": {"2026-014"}, "reason": {"a claim was filed"}}
		require.Equal(t, http.StatusUnprocessableEntity, k.alma.sure(k.alma.post(retentionPath+"/holds", form)).status)
		form.Set("covers", "Iris Lund")
		at := k.alma.sure(k.alma.post(retentionPath+"/holds", form))
		require.Equal(t, retentionPath+"?done=held", strings.TrimSuffix(at.path, "#holds"))
		require.Contains(t, at.text(), "2026-014 Everything that Iris Lund did")
		require.Contains(t, at.text(), "You placed it. Somebody else has to release it.")
		at = k.alma.get(retentionPath + "?look=old")
		require.Contains(t, at.text(), "30 events of")
		require.Contains(t, at.text(), "10 others are as old and held.")
	})
}

func (k *keeping) proposed() {
	k.step("one_person_proposes", func(t *testing.T) {
		require.Equal(t, 40, k.ofThen())
		require.Equal(t, retentionPath+"?reason=missing", k.alma.post(retentionPath+"/purges", nil).path)
		at := k.alma.sure(k.alma.post(retentionPath+"/purges", url.Values{"reason": {"older than seven years"}}))
		require.Contains(t, at.text(), "Nothing is destroyed until somebody else agrees.")
		require.Contains(t, at.text(), "to destroy 30 events")
		k.plan = at.match(t, `href="(`+retentionPath+`/purges/[0-9a-f-]+/copy)"`)
		require.Equal(t, 40, k.ofThen())
		require.Equal(t, http.StatusConflict, k.alma.sure(k.alma.post(retentionPath+"/purges", url.Values{"reason": {"once more"}})).status)
	})
	k.step("the_copy_proves_itself", func(t *testing.T) {
		require.Equal(t, http.StatusForbidden, k.iris.get(k.plan).status)
		at := k.greta.certain(k.greta.get(k.plan))
		require.Equal(t, "application/zip", at.header.Get("Content-Type"), at.text())
		files := unzipped(t, at.body)
		said := k.alma.sure(k.alma.get("/audit/exports")).text()
		keys := export.Keys{Log: keyPattern("log").FindStringSubmatch(said)[1], Export: keyPattern("export").FindStringSubmatch(said)[1]}
		v, err := export.Verify(strings.NewReader(files["audit.jsonl"]), []byte(files["audit.jsonl.manifest"]), keys, nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, v.Manifest.Count, int64(30))
	})
}

// keyPattern finds a key in the command that the page shows.
func keyPattern(of string) *regexp.Regexp { return regexp.MustCompile(`-` + of + `-key '([^']+)'`) }

func unzipped(t *testing.T, body string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	require.NoError(t, err)
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		var content bytes.Buffer
		_, err = io.Copy(&content, r)
		require.NoError(t, err)
		files[f.Name] = content.String()
	}
	return files
}

func (k *keeping) agreed() {
	approve := func() string { return strings.TrimSuffix(k.plan, "/copy") + "/approve" }
	form := url.Values{"reason": {"I have read the copy"}, "confirm": {"yes"}}
	k.step("nobody_agrees_with_themselves", func(t *testing.T) {
		require.NotContains(t, k.alma.get(retentionPath).body, "Agree and destroy")
		at := k.alma.sure(k.alma.post(approve(), form))
		require.Equal(t, http.StatusForbidden, at.status)
		require.Contains(t, at.text(), "You proposed this purge; somebody else has to agree.")
		require.Equal(t, http.StatusForbidden, k.iris.post(approve(), form).status)
		require.Equal(t, 40, k.ofThen())
	})
	k.step("a_second_person_looks_and_agrees", func(t *testing.T) {
		at := k.greta.certain(k.greta.post(approve(), url.Values{"reason": {"without looking"}}))
		require.Equal(t, http.StatusUnprocessableEntity, at.status, at.text())
		at = k.greta.certain(k.greta.post(approve(), form))
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Eventually(t, func() bool {
			return strings.Contains(k.greta.get(retentionPath).text(), newcomer.name+" Destroyed")
		}, 60*time.Second, 200*time.Millisecond, k.logged())
		require.Equal(t, 10, k.ofThen(), "what Iris did is held")
		require.Equal(t, http.StatusConflict, k.greta.certain(k.greta.post(approve(), form)).status, "the same form again")
	})
}

func (k *keeping) proven() {
	k.step("what_remains_is_whole", func(t *testing.T) {
		require.Contains(t, k.alma.verify("").text(), "Whole: all")
	})
	k.step("the_audit_says_who_destroyed_what", func(t *testing.T) {
		for _, action := range []string{"purge.proposed", "purge.approved", string(audit.ActionPurgeExecuted)} {
			require.Len(t, k.alma.events(url.Values{"period": {"all"}, "action": {action}}), 1, action)
		}
		require.Contains(t, k.alma.get(retentionPath+"?look=old").text(), "Nothing is old enough. 10 old events are held.")
	})
}

func (k *keeping) released() {
	k.step("somebody_else_releases_a_hold_and_it_counts_later", func(t *testing.T) {
		release := k.greta.get(retentionPath).match(t, `action="(`+retentionPath+`/holds/[^"]+/release)"`)
		form := url.Values{"reason": {"the claim is settled"}}
		at := k.alma.sure(k.alma.post(release, form))
		require.Equal(t, http.StatusForbidden, at.status)
		require.Contains(t, at.text(), "somebody else has to release it")
		at = k.greta.certain(k.greta.post(release, form))
		require.Contains(t, at.text(), "It still counts for 30 days.")
		require.Contains(t, at.text(), "in force until")
		require.Contains(t, k.alma.get(retentionPath+"?look=old").text(), "10 old events are held.")
	})
}
