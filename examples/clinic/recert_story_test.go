package main

import (
	"archive/zip"
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/rbac/recert"
)

const campaignLink = `href="(/campaigns/[0-9a-f-]{36})"`

const (
	recertLeft = "Left the team in the middle of March."
	recertKeep = "Works here every day, and needs it."
)

// recerting is the story of an access review, from its start to its evidence.
type recerting struct {
	*story
	alma, greta, tom, nadia, iris, paul *person
	path                                string
}

func TestRecertificationStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, dump func(*testing.T) []byte) {
		r := &recerting{story: tell(t, args...)}
		r.arrive()
		r.begin()
		r.decide()
		r.overdue()
		r.sign()
		r.proof()
		r.step("words_stay_in_the_audit", func(t *testing.T) {
			everything := string(dump(t)) + r.logged()
			for _, text := range []string{recertLeft, recertKeep} {
				require.NotContains(t, everything, text)
			}
			r.alma.speaksPlainly()
		})
	})
}

func (r *recerting) arrive() {
	r.alma, r.greta, r.tom, r.nadia, r.iris, r.paul = r.enter(), r.enter(), r.enter(), r.enter(), r.enter(), r.enter()
	r.step("everybody_arrives", func(t *testing.T) {
		r.alma.signIn(alma, demoPassword)
		r.tom.signIn(tom, demoPassword)
		r.nadia.signIn(nad, demoPassword)
		r.iris.signIn(iris, demoPassword)
		r.paul.signIn(paul, demoPassword)
		r.greta.joins(r.alma, newcomer.name, newcomer.email, "privacy_officer")
		require.Contains(t, r.alma.get("/campaigns").text(), "None yet.")
		require.Contains(t, r.iris.get("/my-reviews").text(), "Nothing waits for you.")
		require.Equal(t, http.StatusForbidden, r.iris.get("/campaigns").status)
		require.Equal(t, http.StatusForbidden, r.iris.post("/campaigns", url.Values{"name": {"Mine"}, "days": {"10"}}).status)
	})
}

func (r *recerting) begin() {
	r.step("a_review_needs_people_who_can_review", func(t *testing.T) {
		greta := r.alma.get("/campaigns").match(t, `<option value="([^"]+)">`+newcomer.name)
		form := url.Values{"name": {"Spring review"}, "days": {"10"}, "every": {"12"}, "reviewer": {greta}}
		at := r.alma.post("/campaigns", form)
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Contains(t, at.text(), "Nobody would be left to review some of these people")
		form["reviewer"] = []string{greta, tomID, nadiaID}
		for field, wrong := range map[string]string{"name": " ", "days": "0", "every": "5"} {
			bad := url.Values{"name": form["name"], "days": form["days"], "every": form["every"], "reviewer": form["reviewer"]}
			bad.Set(field, wrong)
			require.Equal(t, http.StatusUnprocessableEntity, r.alma.post("/campaigns", bad).status, field)
		}
		at = r.alma.post("/campaigns", form)
		require.Equal(t, http.StatusOK, at.status, at.text())
		r.path, _, _ = strings.Cut(at.path, "?")
		require.Contains(t, at.text(), "The review has begun.")
		require.Contains(t, at.text(), "0 of 6")
		require.Contains(t, at.text(), "every year, next on")
		require.Equal(t, []string{r.path}, r.alma.get("/campaigns").links(campaignLink))
	})
}

// waits returns the form of what waits for somebody about a person, "" if nothing does.
func (p *person) waits(who string) string {
	p.t.Helper()
	_, after, found := strings.Cut(p.get("/my-reviews").body, ">"+who+": ")
	if !found {
		return ""
	}
	return regexp.MustCompile(`action="(/my-reviews/[^"]+)"`).FindStringSubmatch(after)[1]
}

// judges decides about a person's access.
func (p *person) judges(who, do, why string, more url.Values) page {
	p.t.Helper()
	path := p.waits(who)
	require.NotEmpty(p.t, path, "%s waits for nobody here", who)
	form := url.Values{"do": {do}, "why": {why}}
	for name, values := range more {
		form[name] = values
	}
	return p.post(path, form)
}

func (r *recerting) decide() {
	r.step("taken_away_is_denied_with_the_next_click", func(t *testing.T) {
		require.Equal(t, http.StatusOK, r.paul.get("/claims").status)
		at := r.greta.get("/my-reviews")
		require.Contains(t, at.text(), "Paul Serra: Finance")
		require.Contains(t, at.text(), "It reaches patients’ data.")
		require.NotContains(t, at.text(), newcomer.name+":", "nobody reviews themselves")
		at = r.greta.judges("Paul Serra", "revoke", "", nil)
		require.Equal(t, http.StatusUnprocessableEntity, at.status)
		require.Contains(t, at.text(), "Please say in a few words why.")
		require.Equal(t, "/my-reviews?done=decided", r.greta.judges("Paul Serra", "revoke", recertLeft, nil).path)
		require.NotEqual(t, http.StatusOK, r.paul.get("/claims").status)
		require.Empty(t, r.greta.waits("Paul Serra"))
		row := r.row("Paul Serra")
		require.Contains(t, row, "Taken away")
		require.Contains(t, row, "really denied after")
	})
	r.step("handed_on_and_kept_for_a_while", func(t *testing.T) {
		path := r.greta.waits("Iris Lund")
		require.Equal(t, http.StatusForbidden, r.nadia.post(path, url.Values{"do": {"certify"}, "why": {recertKeep}}).status, "it waits for somebody else")
		require.Equal(t, http.StatusForbidden, r.greta.judges("Iris Lund", "delegate", recertKeep, url.Values{"to": {irisID}}).status, "not to herself")
		require.Equal(t, "/my-reviews?done=decided", r.greta.judges("Iris Lund", "delegate", recertKeep, url.Values{"to": {nadiaID}}).path)
		until := time.Now().AddDate(0, 6, 0).Format(time.DateOnly)
		require.Equal(t, http.StatusUnprocessableEntity, r.nadia.judges("Iris Lund", "certify_until", recertKeep, url.Values{"until": {"2001-01-01"}}).status)
		require.Equal(t, "/my-reviews?done=decided", r.nadia.judges("Iris Lund", "certify_until", recertKeep, url.Values{"until": {until}}).path)
		require.Contains(t, r.row("Iris Lund"), "Stays until")
		require.Equal(t, http.StatusOK, r.iris.get("/patients/new").status)
		require.Equal(t, http.StatusConflict, r.alma.sure(r.alma.post(r.path+"/sign", nil)).status, "something is open")
	})
}

// row is what the page of the review says about somebody.
func (r *recerting) row(who string) string {
	for _, row := range r.alma.get(r.path).table() {
		if row[0] == who {
			return strings.Join(row, " | ")
		}
	}
	return ""
}

// later is what the clinic's server does so many days from now.
func (r *recerting) later(t *testing.T, days int) {
	t.Helper()
	r.clinic.stop()
	c, err := parseConfig(append([]string{"-url", "http://localhost:8080"}, r.args...))
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = a.campaigns.Tick(t.Context(), time.Now().AddDate(0, 0, days))
	a.close()
	require.NoError(t, err)
	r.restart(t)
}

func (r *recerting) overdue() {
	r.step("what_nobody_decided_is_suspended_and_given_back", func(t *testing.T) {
		r.later(t, 11)
		require.Contains(t, r.row(newcomer.name), "Suspended")
		require.Equal(t, http.StatusForbidden, r.greta.get("/campaigns").status)
		require.Contains(t, r.row("Alma Reyes"), "Nobody else administers the clinic")
		require.Contains(t, r.row("Tomas Berg"), "Some patients have nobody else")
		require.Contains(t, r.row("Nadia Okafor"), "Some patients have nobody else")
		require.Equal(t, http.StatusOK, r.alma.get("/team").status)
		reviewer := r.tom
		if r.tom.waits(newcomer.name) == "" {
			reviewer = r.nadia
		}
		require.Equal(t, "/my-reviews?done=decided", reviewer.judges(newcomer.name, "give_back", "She was on holiday.", nil).path)
		require.Equal(t, http.StatusOK, r.greta.get("/campaigns").status)
		r.later(t, 12)
		require.Contains(t, r.row("Alma Reyes"), "Nobody else administers the clinic", "also the day after")
	})
}

func (r *recerting) sign() {
	r.step("everything_is_decided_and_signed", func(t *testing.T) {
		for _, who := range []string{"Alma Reyes", "Tomas Berg", "Nadia Okafor", newcomer.name} {
			done := false
			for _, by := range []*person{r.greta, r.tom, r.nadia, r.alma} {
				if by.waits(who) != "" {
					at := by.judges(who, "certify", recertKeep, nil)
					require.Equal(t, "/my-reviews?done=decided", at.path, at.text())
					done = true
				}
			}
			require.True(t, done, "%s waits for nobody: %s", who, r.row(who))
		}
		at := r.alma.get(r.path)
		require.Contains(t, at.text(), "Waits to be signed off")
		require.Equal(t, http.StatusForbidden, r.tom.post(r.path+"/sign", nil).status)
		at = r.alma.sure(r.alma.post(r.path+"/sign", url.Values{"why": {"All is in order."}}))
		require.Contains(t, at.text(), "The review is signed off.")
		require.Contains(t, at.text(), "by Alma Reyes")
		require.Equal(t, http.StatusConflict, r.alma.sure(r.alma.post(r.path+"/sign", nil)).status, "once")
	})
}

func (r *recerting) proof() {
	r.step("the_evidence_proves_itself", func(t *testing.T) {
		at := r.alma.get(r.path + "/evidence")
		require.Contains(t, at.header.Get("Content-Disposition"), "attachment")
		require.Equal(t, at.body, r.greta.get(r.path+"/evidence").body, "the same for everybody")
		require.Equal(t, http.StatusForbidden, r.tom.get(r.path+"/evidence").status)
		z, err := zip.NewReader(strings.NewReader(at.body), int64(len(at.body)))
		require.NoError(t, err)
		files := map[string][]byte{}
		for _, f := range z.File {
			in, err := f.Open()
			require.NoError(t, err)
			files[f.Name], err = io.ReadAll(in)
			require.NoError(t, err)
		}
		bundle := files["access-review.jsonl"]
		v, err := recert.VerifyBundle(bytes.NewReader(bundle))
		require.NoError(t, err)
		require.NoError(t, v.VerifyTable(bytes.NewReader(files["access-review.csv"])))
		require.Len(t, v.Items, 6)
		require.EqualValues(t, almaID, v.SignOff.By)
		require.Equal(t, 1, v.Summary.Outcomes[recert.Revoked])
		require.Empty(t, v.Summary.NotReviewed)
		require.Equal(t, v.Summary.Effects, v.Summary.Confirmed)
		require.NotContains(t, string(bundle), recertLeft, "words are in the audit alone")
		bundle[len(bundle)/2] ^= 1
		_, err = recert.VerifyBundle(bytes.NewReader(bundle))
		require.ErrorIs(t, err, recert.ErrBundle)

		check := r.alma.post(r.path+"/check", nil).text()
		require.Contains(t, check, "The evidence is whole.")
		require.Contains(t, check, "The audit has the same from the moment it was signed.")
		require.Contains(t, check, v.Digest)
		require.Contains(t, r.alma.get("/audit").text(), "Evidence of an access review handed out")
	})
}
