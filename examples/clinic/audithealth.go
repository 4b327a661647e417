package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/rbac"
)

// sign is one line of the page about the state of recording.
type sign struct{ Name, Value, Tag, Hint string }

// auditHealthPage says in words how recording goes on this server. /readyz asks less: whether
// this server can take requests.
func (a *app) auditHealthPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	h := a.log.Health(r.Context())
	d := struct {
		Well   bool
		Alarms []string
		Signs  []sign
	}{Signs: a.healthSigns(h)}
	for _, code := range h.Alarms {
		d.Alarms = append(d.Alarms, alarmText(code))
	}
	covered, alarm := coverSign(a.trees.Health(r.Context()))
	d.Signs = append(d.Signs, covered)
	if alarm != "" {
		d.Alarms = append(d.Alarms, alarm)
	}
	d.Well = len(d.Alarms) == 0
	a.render(w, r, http.StatusOK, "audithealth", view{Title: "State of recording", Data: d})
}

// alarmText says what an alarm means and what to do.
func alarmText(code string) string {
	switch code {
	case audit.AlarmStore:
		return "The audit cannot be read, so this server shows no patient to anybody. Look at the database."
	case audit.AlarmCommits:
		return "The last attempt to record something failed. What cannot be recorded does not happen: people see errors now. Look at the database and its disk."
	case audit.AlarmQueue:
		return "Many events wait to be written. The database is too slow for what is going on."
	case audit.AlarmRun:
		return "Nobody watches the audit on this server. Nothing is lost, but the clock is not checked. Start the server again."
	case audit.AlarmOrder:
		return "Recorded events could not be put in order just now. Nothing is lost; the audit page may fail until it works again."
	case audit.AlarmLag:
		return "Recorded events wait long for their place in the audit. Nothing is lost; a long-running transaction may hold them up."
	case audit.AlarmRefused:
		return "Somebody wrote into the audit's tables beside this application. Those rows were kept apart and are shown nowhere. Treat this as a security incident."
	case audit.AlarmUnsynced:
		return "The server's clock is not synchronised, so the times in the audit may be off. Turn on the system's time service."
	case audit.AlarmStepped:
		return "The server's clock was set by more than a second within the last day. The order of events is right all the same."
	}
	return code
}

func (a *app) healthSigns(h audit.Health) []sign {
	signs := []sign{
		{"Recorded since this server started", thousands(int(h.Recorded)), "", "events that survive a crash of the machine"},
		{"Could not be recorded", thousands(int(h.Refused)), tagIf(h.Failing > 0, "tag-bad"), "each of these was answered with an error and did not happen"},
		{"Last recorded", a.ago(h.LastCommit), "", ""},
		{"Last failure", a.ago(h.LastFailure), tagIf(h.Failing > 0, "tag-bad"), ""},
		{"Being written now", fmt.Sprintf("%s of %s", thousands(h.Queued), thousands(h.Capacity)), tagIf(2*h.Queued > h.Capacity, "tag-warn"), "requests that wait for the disk"},
		{"99 of 100 writes took at most", milliseconds(h.P99), "", "of the last 1,024"},
		{"Waiting for a place in the order", thousands(h.Backlog.Waiting), "", "recorded, and found as soon as somebody asks"},
		{"The oldest of them waits for", seconds(h.Lag), tagIf(h.Lag > audit.MaxLag, "tag-warn"), ""},
		{"Written by somebody else", thousands(h.Backlog.Refused), tagIf(h.Backlog.Refused > 0, "tag-bad"), "rows in the audit's tables that this application did not write"},
	}
	running := sign{"Order and clock are watched", "yes", "tag-good", ""}
	if !h.Running {
		running.Value, running.Tag = "no", "tag-bad"
	}
	return append(signs, running, clockSign(h.Clock))
}

// coverSign says whether events are covered by signed checkpoints, and what to do where something
// is wrong. It does not take the server out of service: what is recorded goes on being recorded.
func coverSign(err error) (s sign, alarm string) {
	s = sign{"Covered by signed checkpoints", "yes", "tag-good", "so nobody can change the past unnoticed"}
	switch {
	case err == nil:
		return s, ""
	case errors.Is(err, tlog.ErrTampered):
		s.Value, s.Tag, s.Hint = "what is stored is not what was signed", "tag-bad", ""
		return s, "The audit was changed behind the application’s back, or the database was put back to a backup. Treat this as a security incident, and repair nothing: first let somebody check it with the command auditverify and an old checkpoint."
	case errors.Is(err, tlog.ErrNotRunning):
		s.Value, s.Tag, s.Hint = "no", "tag-bad", ""
		return s, "Nothing new is covered by signed checkpoints on this server. Nothing is lost. Start the server again."
	case errors.Is(err, tlog.ErrSink):
		s.Value, s.Tag, s.Hint = "yes, but kept in the database alone", "tag-warn", ""
		return s, "Checkpoints cannot be written to their file. Somebody who owns the database could put it back to a backup unnoticed. Look at the disk."
	}
	s.Value, s.Tag, s.Hint = "not just now", "tag-warn", ""
	return s, "New events could not be covered by a checkpoint just now. They are recorded all the same. Look at the database if this stays."
}

func clockSign(c audit.Clock) sign {
	s := sign{"Clock of this server", "synchronised", "tag-good", fmt.Sprintf("right to about %s", milliseconds(time.Duration(c.ErrMicros)*time.Microsecond))}
	switch {
	case !c.Known:
		s.Value, s.Tag, s.Hint = "unknown", "tag-warn", "this system does not say whether its clock is synchronised"
	case !c.Synced:
		s.Value, s.Tag, s.Hint = "not synchronised", "tag-bad", "times in the audit may be off"
	}
	return s
}

func tagIf(wrong bool, tag string) string {
	if wrong {
		return tag
	}
	return ""
}

// ago tells when something last happened.
func (a *app) ago(t time.Time) string {
	if t.IsZero() {
		return "never since this server started"
	}
	return a.config.exactly(t)
}

func milliseconds(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)), ".0") + " ms"
}

func seconds(d time.Duration) string {
	if d <= 0 {
		return "nothing waits"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
