package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// survive: the power fails, and nothing that was acknowledged is lost.
func (w *walk) survive() {
	w.step("after_kill_and_restart_audit_sessions_and_patients_are_there", func(t *testing.T) {
		before := w.alma.events(url.Values{"period": {"24h"}})
		list := w.iris.get("/patients").table()
		w.clinic.kill()
		w.restart(t)
		for _, who := range []*person{w.alma, w.greta, w.iris, w.paul} {
			require.Equal(t, "/dashboard", who.get("/dashboard").path, "still signed in")
		}
		w.tom.cookies[sessionCookie] = w.deadToken
		require.Equal(t, "/sign-in?out=ended", w.tom.get("/dashboard").path, "still signed out")
		after := w.alma.events(url.Values{"period": {"24h"}})
		require.Subset(t, after, before)
		require.Greater(t, len(after), len(before), "and it goes on")
		require.Equal(t, list, w.iris.get("/patients").table())
		require.Contains(t, w.greta.get("/patients").text(), "Matteo Villanueva")
		require.Len(t, w.alma.get("/team").table(), 6, "the demo is seeded once")
	})
	w.step("after_kill_under_load_every_acknowledged_change_and_its_event_is_there", func(t *testing.T) {
		w.tom.cookies = map[string]string{}
		w.tom.signIn(tom, demoPassword)
		got := w.load(t)
		w.restart(t)
		for _, email := range got.registered {
			w.alma.patient(email)
		}
		registered := w.alma.events(url.Values{"period": {"24h"}, "who": {"demo-desk"}, "action": {"patient.register"}, "outcome": {"ok"}})
		require.GreaterOrEqual(t, len(registered), len(got.registered)+1, "each has an event, and the one of the walk")
		c, err := parseConfig(w.args)
		require.NoError(t, err)
		made := w.alma.events(url.Values{"period": {"all"}, "action": {string(actionRegistered)}})
		require.Len(t, made, count(t, c, allPatients), "a record for each event, an event for each record: the kill came between none of them")
		for patient, n := range got.revealed {
			found := w.alma.events(url.Values{"period": {"24h"}, "who": {tomID}, "action": {"patient.reveal_ssn"}, "patient": {patient}})
			require.GreaterOrEqual(t, len(found), n, "a number was shown without a record of it")
		}
		t.Logf("acknowledged before the kill: %d registrations, %d patients' numbers", len(got.registered), len(got.revealed))
	})
}

// acknowledged is what the clinic said was done before it was killed.
type acknowledged struct {
	registered []string       // e-mail addresses
	revealed   map[string]int // patients and how often
}

// answer is what one request of the load got.
type answer struct {
	email, patient string
	status         int // 0: the connection broke
	ok             bool
}

// load registers patients and reveals numbers from several connections at once, and kills
// the clinic in the middle.
func (w *walk) load(t *testing.T) acknowledged {
	t.Helper()
	answers := make(chan answer)
	stop := make(chan struct{})
	const workers = 4
	own := w.tom.get("/patients").links(patientLink)
	ended := make(chan struct{}, workers)
	for n := range workers {
		go func() {
			defer func() { ended <- struct{}{} }()
			for i := 0; ; i++ {
				a := w.one(n, i, own)
				select {
				case answers <- a:
				case <-stop:
				}
				if !a.ok {
					return
				}
			}
		}()
	}
	got := acknowledged{revealed: map[string]int{}}
	for shown, left := 0, workers; left > 0; {
		select {
		case a := <-answers:
			switch {
			case !a.ok:
				require.Zero(t, a.status, "the clinic answered, but did not do it")
			case a.email != "":
				got.registered = append(got.registered, a.email)
			default:
				shown++
				got.revealed[a.patient]++
			}
			if len(got.registered) >= 8 && shown >= 8 {
				w.clinic.kill() // again and again does no harm
			}
		case <-ended:
			left--
		}
	}
	close(stop)
	require.NotEmpty(t, got.registered)
	require.NotEmpty(t, got.revealed)
	return got
}

// one sends request i of a worker: even workers register, odd ones reveal.
func (w *walk) one(n, i int, own []string) answer {
	who, path := w.iris, "/patients"
	email := fmt.Sprintf("load.%d.%d@example.com", n, i)
	form := url.Values{
		"name": {fmt.Sprintf("Load Test %d %d", n, i)}, "birth": {"1990-01-02"}, "phone": {"212 555 0199"},
		"email": {email}, "ssn": {"987-65-4320"}, "therapist": {tomID},
	}
	a := answer{email: email}
	if n%2 == 1 {
		a = answer{patient: own[(n*7+i)%len(own)]}
		who, path, form = w.tom, "/patients/"+a.patient+"/reveal", url.Values{"reason": {"load"}}
	}
	at, err := who.insist(path, form)
	a.status = at.status
	a.ok = err == nil && (at.status == http.StatusSeeOther || at.status == http.StatusOK && strings.Contains(at.body, "recorded with your reason"))
	return a
}
