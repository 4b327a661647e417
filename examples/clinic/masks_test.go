package main

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/deid"
	"github.com/wardkit/wardkit/rbac"
)

// sights is the story of who sees how much, and of what leaves without names.
type sights struct {
	*story
	alma, iris, tom, privacy *person
	record                   string
}

// TestMasksStory: the settings show the table that decides; a level that is lowered holds on the next
// request and is in every event from then on; an export leaves without what identifies patients.
func TestMasksStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		s := &sights{story: tell(t, args...)}
		s.alma, s.iris, s.tom, s.privacy = s.enter(), s.enter(), s.enter(), s.enter()
		s.step("everybody_arrives", func(t *testing.T) {
			s.alma.signIn(alma, demoPassword)
			s.iris.signIn(iris, demoPassword)
			s.tom.signIn(tom, demoPassword)
			s.privacy.joins(s.alma, "Dana Okafor", "dana.okafor@example.com", "privacy_officer")
			s.record = s.iris.patient(demoPatient(0).Email)
		})
		s.lowers()
		s.refuses()
		s.exports()
		s.alma.speaksPlainly()
	})
}

// row is the front desk's form as the page has it.
func (s *sights) row(t *testing.T) url.Values {
	t.Helper()
	at := s.alma.sure(s.alma.get(maskHome))
	require.Equal(t, http.StatusOK, at.status, at.text())
	_, card, ok := strings.Cut(at.body, `<div class="card" id="front_desk">`)
	require.True(t, ok)
	card, _, _ = strings.Cut(card, "</form>")
	form := url.Values{"role": {"front_desk"}, "reason": {"minimum necessary"}, "version": {page{body: card}.match(t, `name="version" value="([^"]+)"`)}}
	for _, m := range regexp.MustCompile(`(?s)<select [^>]*name="([^"]+)">.*?<option value="([^"]+)" selected`).FindAllStringSubmatch(card, -1) {
		form.Set(m[1], m[2])
	}
	require.Equal(t, "full", form.Get("sees-name"))
	return form
}

func (s *sights) digest(t *testing.T) string {
	t.Helper()
	return s.alma.sure(s.alma.get(maskHome)).match(t, `<code id="digest"[^>]*>([0-9a-f]{64})<`)
}

func (s *sights) lowers() {
	s.step("a_level_that_is_lowered_holds_on_the_next_request", func(t *testing.T) {
		phone, email := demoPatient(0).Phone, demoPatient(0).Email
		last := phone[len(phone)-4:]
		at := s.iris.get(s.record)
		require.Contains(t, at.text(), phone)
		before := s.digest(t)
		form := s.row(t)
		form.Set("sees-phone", "partial")
		saved := s.alma.sure(s.alma.post(maskHome, form))
		require.Equal(t, maskHome+"?done=masks", saved.path, saved.text())
		after := s.digest(t)
		require.NotEqual(t, before, after)
		require.Equal(t, "partial", s.row(t).Get("sees-phone"))

		at = s.iris.get(s.record)
		require.Equal(t, http.StatusOK, at.status)
		require.NotContains(t, at.text(), phone)
		require.Contains(t, at.text(), "•••-•••-"+last)
		require.Contains(t, at.text(), email, "the rest stays")
		require.Contains(t, s.tom.get(s.tom.patient(email)).text(), phone, "another role sees what it saw")
		require.Empty(t, s.iris.named(phone), "whoever sees four digits does not learn the others by guessing")
		require.Equal(t, []string{s.record}, s.iris.named(email))
		require.Equal(t, []string{s.record}, s.tom.named(phone))

		id := s.alma.events(url.Values{"period": {"24h"}, "action": {"patient.read"}, "who": {irisID}})[0]
		require.Contains(t, s.alma.get("/audit/"+id).body, after, "the event says by which table")
		changed := s.alma.events(url.Values{"period": {"24h"}, "action": {string(rbac.ActionMask)}})
		require.Len(t, changed, 1)
		said := s.alma.get("/audit/" + changed[0]).text()
		for _, says := range []string{before, after, "front_desk", "Telephone numbers: A part, such as the last four digits (was: All of it)", "minimum necessary"} {
			require.Contains(t, said, says)
		}
	})
	s.step("and_can_be_let_up_to_what_the_program_allows", func(t *testing.T) {
		form := s.row(t)
		form.Set("sees-phone", "full")
		require.Equal(t, maskHome+"?done=masks", s.alma.sure(s.alma.post(maskHome, form)).path)
		require.Contains(t, s.iris.get(s.record).text(), demoPatient(0).Phone)
	})
}

func (s *sights) refuses() {
	s.step("nothing_above_the_ceiling_and_nothing_stale", func(t *testing.T) {
		good, before := s.row(t), s.digest(t)
		try := func(change func(url.Values)) page {
			form := url.Values{}
			for k, v := range good {
				form[k] = append([]string{}, v...)
			}
			form.Set("sees-phone", "mask")
			change(form)
			return s.alma.sure(s.alma.post(maskHome, form))
		}
		for name, change := range map[string]func(url.Values){
			"above the ceiling": func(f url.Values) { f.Set("sees-ssn", "full") },
			"no level":          func(f url.Values) { f.Del("sees-name") },
			"an unknown level":  func(f url.Values) { f.Set("sees-name", "everything") },
			"no such role":      func(f url.Values) { f.Set("role", "ghost") },
			"no version":        func(f url.Values) { f.Del("version") },
		} {
			require.Equal(t, http.StatusUnprocessableEntity, try(change).status, name)
		}
		require.Equal(t, http.StatusConflict, try(func(f url.Values) { f.Set("version", "1") }).status)
		require.Equal(t, maskHome+"?reason=missing", try(func(f url.Values) { f.Set("reason", " ") }).path)
		for _, p := range []*person{s.iris, s.tom, s.privacy} {
			require.Equal(t, http.StatusForbidden, p.post(maskHome, good).status)
		}
		require.Equal(t, before, s.digest(t))
		require.Contains(t, s.iris.get(s.record).text(), demoPatient(0).Phone)
	})
}

func (s *sights) exports() {
	form := url.Values{"format": {"csv"}, "reason": {"yearly figures"}}
	s.step("an_export_leaves_without_names", func(t *testing.T) {
		for _, p := range []*person{s.iris, s.tom} {
			require.Equal(t, http.StatusForbidden, p.get(deidHome).status)
			require.Equal(t, http.StatusForbidden, p.post(deidHome, form).status)
		}
		require.Contains(t, s.privacy.get("/dashboard").body, `href="`+deidHome+`"`)
		at := s.privacy.certain(s.privacy.post(deidHome, form))
		require.Equal(t, http.StatusOK, at.status, at.text())
		require.Contains(t, at.header.Get("Content-Disposition"), "patients.csv")
		rows, err := csv.NewReader(strings.NewReader(at.body)).ReadAll()
		require.NoError(t, err)
		require.Equal(t, []string{"record", "birth"}, rows[0])
		require.Greater(t, len(rows), 3)
		for _, row := range rows[1:] {
			require.Regexp(t, `^[0-9a-f]{32}$`, row[0])
			require.Regexp(t, `^(\d{4}|90\+)$`, row[1])
		}
		for i := range 3 {
			p := demoPatient(i)
			for _, secret := range []string{p.Name, p.Email, p.Phone, p.Birth} {
				require.NotContains(t, at.body, secret)
			}
		}
		form.Set("format", "jsonl")
		at = s.privacy.certain(s.privacy.post(deidHome, form))
		lines := strings.Split(strings.TrimSpace(at.body), "\n")
		require.Len(t, lines, len(rows)-1)
		require.True(t, json.Valid([]byte(lines[0])))
	})
	s.step("and_is_on_record", func(t *testing.T) {
		require.Len(t, s.alma.events(url.Values{"period": {"24h"}, "action": {string(deid.ActionExported)}}), 2)
		require.GreaterOrEqual(t, len(s.alma.events(url.Values{"period": {"24h"}, "action": {string(deid.ActionExport)}})), 4, "begun, and who is in it")
		form.Set("format", "exe")
		require.Equal(t, http.StatusUnprocessableEntity, s.privacy.certain(s.privacy.post(deidHome, form)).status)
		form.Set("reason", "")
		require.Equal(t, deidHome+"?reason=missing", s.privacy.certain(s.privacy.post(deidHome, form)).path)
	})
}

// TestMasksOutliveARelease: what the clinic chose under an earlier release, and the policy no longer has, does not
// keep it from lowering the rest, and nothing comes back higher than it is in force.
func TestMasksOutliveARelease(t *testing.T) {
	t.Parallel()
	p := opened(t, "-data", t.TempDir()).access.Policy()
	was := rbac.Toggles{
		Version: 7, Choices: []rbac.Choice{{Role: "ghost", Action: "letter.delete", On: true}},
		Masks: rbac.Masks{
			"ghost":       {phi.ClassName: phi.Full},
			"therapist":   {phi.ClassName: phi.Full, phi.ClassSSN: phi.Full, "shoes": phi.Full},
			"front_desk":  {phi.ClassName: phi.Partial},
			"clinic_cook": {},
		},
	}
	require.Error(t, was.Validate(p))
	form := url.Values{"version": {"7"}, "role": {"front_desk"}}
	for class := range p.Masks()["front_desk"] {
		form.Set("sees-"+string(class), "hide")
	}
	next, err := typedMasks(p, was, form)
	require.NoError(t, err)
	require.Equal(t, int64(7), next.Version)
	require.Empty(t, next.Choices)
	require.Len(t, next.Masks, 2)
	require.Empty(t, next.Masks["front_desk"])
	inForce, _ := p.MasksUnder(was)
	require.Equal(t, inForce["therapist"], next.Masks["therapist"])
	require.Less(t, next.Masks.Level("therapist", phi.ClassSSN), phi.Full)
}
