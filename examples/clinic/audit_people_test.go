package main

import (
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func parseDay(day string) (string, error) {
	at, err := time.Parse("2 Jan 2006", day)
	return at.Format(time.DateOnly), err
}

// visitor is a line of the report of who viewed a patient.
func (p page) visitor(t *testing.T, name string) []string {
	t.Helper()
	for _, row := range p.table() {
		if strings.HasPrefix(row[0], name) {
			return row
		}
	}
	require.Fail(t, "no such visitor", "%s in %s", name, p.text())
	return nil
}

// visitors: who viewed the patient, one line for each person.
func (w *watch) visitors() {
	w.step("privacy_officer_sees_who_viewed_the_patient", func(t *testing.T) {
		at := w.alma.get(w.record + "/access?period=24h")
		require.Equal(t, http.StatusOK, at.status)
		tom := at.visitor(t, "Tomas Berg Therapist")
		require.Contains(t, tom[4], "open the record")
		require.Contains(t, tom[4], "reveal a social security number")
		require.Contains(t, tom[4], "clinical note saved")
		require.Contains(t, tom[5], "social security number")
		require.Equal(t, "1", tom[6], "he tried to move a claim on")
		nadia := at.visitor(t, "Nadia Okafor Therapist")
		require.Equal(t, []string{"0", "", "", "2"}, nadia[3:], "she tried, and saw nothing")
		iris := at.visitor(t, "Iris Lund Front Desk")
		require.NotContains(t, iris[4], "note")
		require.NotContains(t, iris[5], "note")
		paul := at.visitor(t, "Paul Serra Finance")
		require.Contains(t, paul[4], "claim denied by the insurer")
		require.Contains(t, paul[5], "phone (in part)")
		events := w.alma.get(at.links(`href="([^"]+)" aria-label="Events of Nadia Okafor"`)[0])
		require.Len(t, events.table(), 2)
	})
	w.step("looking_at_the_report_is_in_the_report", func(t *testing.T) {
		at := w.alma.get(w.record + "/access?period=24h")
		require.Contains(t, at.visitor(t, "Alma Reyes")[4], "look who viewed a patient")
		form := url.Values{"period": {"24h"}, "action": {"access_report.read"}, "patient": {w.id()}}
		require.Len(t, w.alma.events(form), 2, "each look is an event that names the patient")
	})
	w.step("being_in_a_list_is_told_from_being_looked_at", func(t *testing.T) {
		quiet := w.alma.patient(demoPatient(8).Email)
		for _, row := range w.alma.get(quiet + "/access?period=24h").table() {
			require.NotContains(t, row[0], "Nadia")
			require.NotContains(t, row[4], "open the record", row[0])
			require.Equal(t, "0", row[6])
		}
	})
}

// histories: the lives of a record and of its note.
func (w *watch) histories() {
	w.step("note_has_a_history_of_reading_and_writing", func(t *testing.T) {
		all := w.alma.get(w.record + "/note/history").moments()
		require.Contains(t, all, "Clinical note saved version 3 Tomas Berg")
		require.Contains(t, all, "Clinical note saved version 2 the clinic's server")
		require.Contains(t, all, "Read a clinical note Tomas Berg")
		require.Contains(t, all, "Read a clinical note Refused Nadia Okafor")
		require.NotContains(t, strings.Join(all, " "), "Ask to change", "that it was allowed is part of the line that says it was done")
		changes := w.alma.get(w.record + "/note/history?show=changes").moments()
		require.Equal(t, []string{"Clinical note saved version 3 Tomas Berg", "Clinical note saved version 2 the clinic's server"}, changes)
		require.NotContains(t, w.alma.get(w.record+"/note/history").text(), walkNote, "a history tells no contents")
	})
	w.step("record_has_a_history_from_its_registration_on", func(t *testing.T) {
		var all []string
		for next := []string{w.record + "/history"}; len(next) > 0; {
			at := w.alma.get(next[0])
			all = append(all, at.moments()...)
			next = at.links(`<a href="([^"]+)">Older</a>`)
		}
		require.Equal(t, "Patient registered version 1 the clinic's server", all[len(all)-1])
		require.Contains(t, all, "Open the record Iris Lund")
		require.Contains(t, all, "Open the record Refused Nadia Okafor")
		require.Contains(t, all, "Reveal a social security number Tomas Berg")
		require.Contains(t, all, "Claim submitted Paul Serra")
		require.Contains(t, all, "Look at the history of a record Alma Reyes", "reading it is part of it")
	})
}

// therapist: the treating clinician sees who was there, not who looks after that.
func (w *watch) therapist() {
	w.step("treating_clinician_sees_colleagues_and_no_auditors", func(t *testing.T) {
		at := w.tom.get(w.record + "/access")
		require.Contains(t, at.visitor(t, "Iris Lund")[4], "open the record")
		require.Equal(t, "2", at.visitor(t, "Nadia Okafor")[6])
		for _, row := range at.table() {
			require.NotContains(t, row[4], "audit")
			require.NotContains(t, row[4], "who viewed")
		}
		require.NotContains(t, at.body, `href="/audit`, "no way into the audit")
		for _, path := range []string{w.record + "/history", w.record + "/note/history"} {
			at := w.tom.get(path)
			require.Equal(t, http.StatusOK, at.status)
			require.NotEmpty(t, at.moments())
			require.NotContains(t, at.text(), "audit")
			require.NotContains(t, at.body, `href="/audit`)
		}
	})
	w.step("others_do_not_get_the_report", func(t *testing.T) {
		for _, path := range []string{"/access", "/history", "/note/history"} {
			require.Equal(t, http.StatusForbidden, w.iris.get(w.record+path).status, path)
			require.Equal(t, http.StatusForbidden, w.paul.get(w.record+path).status, path)
			require.Equal(t, http.StatusNotFound, w.nadia.get(w.record+path).status, path)
			require.NotContains(t, w.iris.get(w.record).body, w.record+path, "no link either")
		}
	})
}

// health: the state of recording in words.
func (w *watch) health() {
	w.step("state_of_recording_is_told_in_words", func(t *testing.T) {
		at := w.alma.get("/audit/health")
		require.Equal(t, http.StatusOK, at.status)
		require.Equal(t, "yes", at.fact(t, "Order and clock are watched"))
		require.Regexp(t, `^[\d,]{3,} events that survive`, at.fact(t, "Recorded since this server started"))
		require.Regexp(t, `^0 `, at.fact(t, "Could not be recorded"))
		require.Regexp(t, `^0 `, at.fact(t, "Written by somebody else"))
		require.Regexp(t, `^[\d.]+ ms`, at.fact(t, "99 of 100 writes took at most"))
		require.Regexp(t, `^(synchronised|not synchronised|unknown) `, at.fact(t, "Clock of this server"))
		require.NotContains(t, at.text(), "cannot be read")
		require.NotContains(t, at.text(), "Nobody watches")
		for _, who := range []*person{w.tom, w.iris, w.paul} {
			require.Equal(t, http.StatusForbidden, who.get("/audit/health").status)
		}
		require.Equal(t, "ready\n", newPerson(t, w.clinic).get("/readyz").body)
	})
}

// restartedServer: recording begins and ends with the server, and says so.
func (w *watch) restartedServer() {
	w.step("end_and_beginning_of_recording_are_on_record", func(t *testing.T) {
		w.clinic.stop()
		w.restart(t)
		require.Eventually(t, func() bool {
			return len(w.alma.events(url.Values{"period": {"24h"}, "action": {"audit.enabled"}})) == 2
		}, 2*time.Minute, 50*time.Millisecond)
		if runtime.GOOS != "windows" { // where a process cannot be asked to stop
			require.Len(t, w.alma.events(url.Values{"period": {"24h"}, "action": {"audit.disabled"}}), 1)
		}
		require.Contains(t, w.alma.get(w.record+"/note/history").moments(), "Clinical note saved version 3 Tomas Berg")
		w.alma.speaksPlainly()
	})
}
