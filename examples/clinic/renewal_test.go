package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// crowd is how many patients the clinic has when its keys are renewed: enough that it can be
// killed half-way, fewer where -short goes with the race detector, which makes each take longer.
func crowd() int {
	if testing.Short() {
		return 96
	}
	return 240
}

// renewing is the story of a renewal of keys in a clinic with many patients.
type renewing struct {
	*story
	alma, iris, tom *person

	list [][]string // all patients as the front desk sees them
	seen []float64  // how far the renewal was, each time somebody looked
}

func newRenewing(t *testing.T, args []string) *renewing {
	w := &renewing{story: tell(t, args...)}
	w.alma, w.iris, w.tom = w.enter(), w.enter(), w.enter()
	w.step("clinic_has_many_patients", func(t *testing.T) {
		w.alma.signIn(alma, demoPassword)
		w.iris.signIn(iris, demoPassword)
		w.tom.signIn(tom, demoPassword)
		w.fill(t)
		w.list = w.everybody(t)
		require.Equal(t, crowd(), len(w.list))
		w.iris.claim(w.iris.patient(demoPatient(0).Email))
	})
	return w
}

// fill registers patients from several connections at once.
func (w *renewing) fill(t *testing.T) {
	t.Helper()
	var work sync.WaitGroup
	for n := range 4 {
		work.Go(func() {
			for i := demoPatients + n; i < crowd(); i += 4 {
				at, err := w.iris.insist("/patients", url.Values{
					"name": {fmt.Sprintf("Crowd Member %d", i)}, "birth": {"1990-01-02"}, "phone": {fmt.Sprintf("917 555 01%02d", i%100)},
					"email": {fmt.Sprintf("crowd.%d@example.com", i)}, "therapist": {tomID},
				})
				if err != nil || at.status != http.StatusSeeOther {
					t.Errorf("patient %d: %v %s", i, err, at.text())
					return
				}
			}
		})
	}
	work.Wait()
}

// everybody reads the whole list of patients, page by page.
func (w *renewing) everybody(t *testing.T) (all [][]string) {
	t.Helper()
	for next := []string{"/patients"}; len(next) > 0; {
		at := w.iris.get(next[0])
		require.Equal(t, http.StatusOK, at.status)
		all = append(all, at.table()...)
		next = at.links(`href="(/patients\?after=[^"]+)">More`)
	}
	return all
}

var stagePattern = regexp.MustCompile(`<progress max="(\d+)" value="(\d+)"`)

// look reads on the page how far each stage is, in parts of 1; none when nothing is going on.
func (w *renewing) look(t *testing.T) (stages []float64) {
	t.Helper()
	at := w.alma.sure(w.alma.get("/settings/keys"))
	require.Equal(t, http.StatusOK, at.status, at.text())
	sum := 0.0
	for _, m := range stagePattern.FindAllStringSubmatch(at.body, -1) {
		total, err := strconv.ParseFloat(m[1], 64)
		require.NoError(t, err)
		done, err := strconv.ParseFloat(m[2], 64)
		require.NoError(t, err)
		stages = append(stages, done/total)
		sum += done / total
	}
	if stages != nil {
		require.GreaterOrEqual(t, sum, slices.Max(append(w.seen, 0)), "it went back")
		w.seen = append(w.seen, sum)
	}
	return stages
}

// killIn looks until a stage has begun and is not done, kills the clinic there and starts it
// again.
func (w *renewing) killIn(t *testing.T, stage int) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		at := w.look(t)
		require.NotEmpty(t, at, "it was over before anybody could interrupt it")
		if at[stage] > 0 {
			break
		}
		require.True(t, time.Now().Before(deadline), "the renewal does not get there: %v", at)
	}
	w.clinic.kill()
	w.restart(t)
	require.NotEmpty(t, w.look(t), "it is not forgotten")
}

func (w *renewing) requireDone(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for len(w.look(t)) > 0 {
		require.True(t, time.Now().Before(deadline), "the renewal does not end")
		time.Sleep(20 * time.Millisecond)
	}
}

// requireReadable reads everything again, as people do and under the hood: nothing is under an
// old key any more.
func (w *renewing) requireReadable(t *testing.T) {
	t.Helper()
	require.Equal(t, w.list, w.everybody(t))
	w.requireUnique(t)
	path := w.tom.patient(demoPatient(0).Email)
	at := w.tom.post(path+"/reveal", url.Values{"reason": {revealReason}})
	require.Contains(t, at.text(), demoPatient(0).SSN)
	require.Contains(t, at.text(), demoNote(0))
	require.Contains(t, w.iris.get("/claims").text(), "Lighthouse Mutual")
	require.Contains(t, w.alma.get("/team").text(), "Nadia Okafor")
}

// requireUnique: whatever goes on, an address is one patient's, and finds that one.
func (w *renewing) requireUnique(t *testing.T) {
	t.Helper()
	taken := demoPatient(3)
	at := w.iris.post("/patients", url.Values{
		"name": {"Somebody Else"}, "birth": {"1990-01-02"}, "phone": {taken.Phone}, "email": {taken.Email}, "therapist": {tomID},
	})
	require.Equal(t, http.StatusConflict, at.status)
	for _, typed := range []string{taken.Email, taken.MRN} {
		require.Len(t, w.iris.post("/patients/find", url.Values{"q": {typed}}).links(patientLink), 1, typed)
	}
}

func requireFresh(t *testing.T, args []string) {
	t.Helper()
	c, err := parseConfig(append(args, "-url", "http://localhost:8080"))
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer a.close()
	for _, table := range a.renewals.tables {
		rows, err := a.renewals.page(t.Context(), table, "", 1000)
		require.NoError(t, err)
		require.True(t, len(rows) > 0 || table.name == "draft", table.name)
		for _, row := range rows {
			stale, err := table.codec.Reseal(t.Context(), tenant, row)
			require.NoError(t, err)
			require.Empty(t, stale, "columns of %s under an old key", table.name)
		}
	}
	status, err := a.renewals.rotator.Status(t.Context(), tenant)
	require.NoError(t, err)
	require.Zero(t, status.Behind)
	require.EqualValues(t, 2, status.Epoch, "one renewal, not two")
}

// TestRenewalSurvivesKills: keys are renewed from the page while people work, the clinic is
// killed in both halves, goes on by itself, and nothing is lost.
func TestRenewalSurvivesKills(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		w := newRenewing(t, args)
		w.step("nothing_begins_without_reason_and_confirmation", func(t *testing.T) {
			w.look(t) // the settings are open now
			at := w.alma.post("/settings/keys/renew", url.Values{"confirm": {"yes"}})
			require.Equal(t, "/settings/keys?reason=missing", at.path)
			require.Contains(t, at.text(), "Please type a reason of a few words.")
			at = w.alma.post("/settings/keys/renew", url.Values{"reason": {"a laptop was lost"}})
			require.Contains(t, at.text(), "Is it you?", "each time, also where the settings are open")
			at = w.alma.sure(at)
			require.Equal(t, http.StatusUnprocessableEntity, at.status)
			require.Contains(t, at.text(), "Nothing was begun.")
			require.Contains(t, at.body, `value="a laptop was lost"`, "what was typed is still there")
			require.Empty(t, w.look(t))
		})
		w.step("killed_while_keys_are_made_it_goes_on", func(t *testing.T) {
			form := url.Values{"reason": {"a laptop was lost"}, "confirm": {"yes"}}
			at := w.alma.sure(w.alma.post("/settings/keys/renew", form))
			require.Equal(t, "/settings/keys?done=renewing", at.path)
			require.Contains(t, at.text(), "Keys are being renewed")
			w.killIn(t, 0)
			require.Contains(t, w.alma.sure(w.alma.post("/settings/keys/renew", form)).text(), "Keys are being renewed", "once is enough")
			require.Equal(t, w.list, w.everybody(t), "half-way")
		})
		w.step("killed_while_rows_are_sealed_anew_it_goes_on", func(t *testing.T) {
			w.killIn(t, 1)
			require.Equal(t, w.list, w.everybody(t), "half-way")
		})
		w.step("killed_while_the_index_is_renewed_it_goes_on", func(t *testing.T) {
			w.killIn(t, 4)
			w.requireUnique(t)
		})
		w.step("it_ends_and_everything_is_readable", func(t *testing.T) {
			w.requireDone(t)
			require.Greater(t, len(w.seen), 8, "somebody looked")
			require.Len(t, w.alma.sure(w.alma.get("/settings/keys")).table(), 1, "it is in the list of renewals")
			w.requireReadable(t)
		})
		w.step("audit_says_who_and_why", func(t *testing.T) {
			found := w.alma.events(url.Values{"period": {"24h"}, "action": {"keys.renew"}, "outcome": {"ok"}})
			require.Contains(t, w.alma.get("/audit/"+found[0]).text(), "a laptop was lost")
			require.GreaterOrEqual(t, len(w.alma.events(url.Values{"period": {"24h"}, "action": {string(audit.ActionKeyRotated)}})), 8)
			w.alma.speaksPlainly()
			w.clinic.stop()
			requireFresh(t, args)
		})
	})
}

// TestRenewalCommandSurvivesKill: the command is killed half-way; given again it goes on.
func TestRenewalCommandSurvivesKill(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		w := newRenewing(t, args)
		w.step("without_a_reason_it_refuses", func(t *testing.T) {
			stderr, code := runClinic(t, append(args, "-rotate")...)
			require.NotZero(t, code)
			require.Contains(t, stderr, "give -why")
		})
		var last string
		w.step("killed_half_way_it_is_not_done", func(t *testing.T) {
			w.clinic.stop()
			lines, code := renewByCommand(t, args, "rows of patient")
			require.NotZero(t, code)
			require.Contains(t, lines[0], fmt.Sprintf("keys: 0%%, 0 of %d", crowd()))
			require.NotContains(t, strings.Join(lines, "\n"), "All keys are renewed.")
			last = lines[len(lines)-1]
			require.Contains(t, last, "rows of patient: ")
		})
		w.step("given_again_it_goes_on_and_ends", func(t *testing.T) {
			lines, code := renewByCommand(t, args, "")
			require.Zero(t, code, lines)
			text := strings.Join(lines, "\n")
			require.NotContains(t, text, "keys: ", "those were done")
			require.NotContains(t, text, last, "nor the first rows")
			require.Contains(t, text, fmt.Sprintf("rows of patient: 100%%, %d of %[1]d", crowd()))
			require.Contains(t, text, "rows of staff: 100%, 5 of 5")
			require.Contains(t, text, fmt.Sprintf("index: 100%%, %d of %[1]d", crowd()))
			require.Equal(t, "All keys are renewed.", lines[len(lines)-1])
			requireFresh(t, args)
		})
		w.step("everything_is_readable_and_on_record", func(t *testing.T) {
			w.restart(t)
			w.requireReadable(t)
			w.enter().signIn(paul, demoPassword) // whom an index finds as well
			ordered := w.alma.events(url.Values{"period": {"24h"}, "action": {string(actionRenewalOrdered)}})
			require.Len(t, ordered, 2)
			require.Contains(t, w.alma.get("/audit/"+ordered[0]).text(), "yearly renewal")
		})
	})
}

// renewByCommand runs clinic -rotate and returns what it printed and its exit code. It is killed
// when it prints a line that begins with until.
func renewByCommand(t *testing.T, args []string, until string) (lines []string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append(slices.Clone(args), "-rotate", "-why", "yearly renewal")...)
	cmd.Env = append(os.Environ(), childVariable+"=1", haltVariable+"="+until)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	for s := bufio.NewScanner(out); s.Scan(); {
		lines = append(lines, s.Text())
		if until != "" && strings.HasPrefix(s.Text(), until) {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	require.NotEmpty(t, lines)
	return lines, cmd.ProcessState.ExitCode()
}
