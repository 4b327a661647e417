package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// emergencyRow is an emergency in the list of those who answer for privacy.
type emergencyRow struct {
	ID, Who, Patient, PatientName, Reason, Opened, State, Tag, Due string
}

type emergenciesData struct {
	Todo, Done []emergencyRow
	Alarm      string
}

// shownEmergencies is how many of those that are done the list shows.
const shownEmergencies = 50

// emergenciesPage is the list. The route's own decision records that it was looked at.
func (a *app) emergenciesPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx := r.Context()
	d := emergenciesData{}
	if err := a.emergency.Health(ctx); err != nil {
		d.Alarm = "Notices about emergencies are not getting through just now. What happens is on record, and on this page."
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	for g, err := range a.emergency.List(ctx, tenant, false) {
		var row emergencyRow
		if err == nil {
			row, err = a.emergencyRow(ctx, g, team)
		}
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		if g.Verdict == "" || g.Verdict == emergency.FollowUp {
			d.Todo = append(d.Todo, row)
		} else if d.Done = append(d.Done, row); len(d.Done) >= shownEmergencies {
			break
		}
	}
	a.render(w, r, http.StatusOK, "emergencies", view{Title: "Emergencies", Data: d})
}

func (a *app) emergencyRow(ctx context.Context, g emergency.Grant, team map[audit.ActorID]member) (emergencyRow, error) {
	now := time.Now()
	row := emergencyRow{
		ID: g.ID, Who: nameOf(g.Person, team), Patient: string(g.Patient), Reason: wordOf(emergencyReasons(), g.Reason), Opened: a.config.when(g.Opened),
	}
	switch {
	case g.OpenAt(now):
		row.State, row.Tag = "Open, "+left(g.Until.Sub(now))+" left", "tag-bad"
	case g.OverdueAt(now):
		row.State, row.Tag, row.Due = "Overdue", "tag-bad", a.config.when(g.Due)
	case g.Verdict == "":
		row.State, row.Tag, row.Due = "To review", "tag-warn", a.config.when(g.Due)
	case g.Verdict == emergency.FollowUp:
		row.State, row.Tag = "To find out more", "tag-warn"
	case g.Verdict == emergency.NotJustified:
		row.State, row.Tag = "Not justified", "tag-bad"
	default:
		row.State, row.Tag = "Justified", "tag-good"
	}
	p, err := a.patients.get(ctx, string(g.Patient))
	if errors.Is(err, rbac.ErrNotFound) || err == nil && p.Destroyed {
		row.PatientName = "a patient whose data was destroyed"
		return row, nil
	}
	if err == nil {
		err = show(ctx, into{p.Name, &row.PatientName})
	}
	return row, err
}

// waiting counts what waits for those who answer for privacy, for the alert on their first page.
func (a *app) waiting(ctx context.Context) (open, review int, err error) {
	now := time.Now()
	for g, err := range a.emergency.List(ctx, tenant, true) {
		if err != nil {
			return 0, 0, err
		}
		if g.OpenAt(now) {
			open++
		} else if g.Verdict == "" || g.Verdict == emergency.FollowUp {
			review++
		}
	}
	return open, review, nil
}

// emergencyAlert is what the first page says, "" for nothing.
func (a *app) emergencyAlert(ctx context.Context) (string, error) {
	open, review, err := a.waiting(ctx)
	var parts []string
	if open > 0 {
		parts = append(parts, plural(open, "record")+" open in an emergency now")
	}
	if review > 0 {
		parts = append(parts, plural(review, "emergency access")+" to review")
	}
	return strings.Join(parts, ", "), err
}

type emergencyCaseData struct {
	emergencyRow
	Version                                         int64
	Until, Ended, EndedBy, Words, Verdict, Reviewer string
	Again, Own, IsOpen, MayStop, MayReview          bool
	Verdicts                                        []option
	Events                                          []auditRow
	More                                            bool
	History, Typed                                  string
}

// emergencyCasePage shows one emergency with its words and what was read.
func (a *app) emergencyCasePage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showCase(w, r, http.StatusOK, view{}, "")
}

func (a *app) showCase(w http.ResponseWriter, r *http.Request, status int, v view, typed string) {
	ctx := r.Context()
	g, err := a.emergency.Get(ctx, tenant, r.PathValue("emergency"))
	if errors.Is(err, emergency.ErrNotFound) {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	d := emergencyCaseData{Typed: typed}
	if err == nil { // which one was looked at, and about whom, is on record too
		err = audit.Seen(ctx, g.Patient, audit.Object{Type: rbac.EmergencyObject, ID: g.ID, Category: string(rbac.AuditLog)})
	}
	if err == nil {
		err = a.fillCase(ctx, &d, g)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "Emergency", d
	a.render(w, r, status, "emergencycase", v)
}

func (a *app) fillCase(ctx context.Context, d *emergencyCaseData, g emergency.Grant) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	if d.emergencyRow, err = a.emergencyRow(ctx, g, team); err != nil {
		return err
	}
	me, _ := audit.ActorFrom(ctx)
	now := time.Now()
	d.Version, d.Until, d.Again, d.Own, d.IsOpen = g.Version, a.config.when(g.Until), g.Again != "", g.Person == me.ID, g.OpenAt(now)
	if !g.Ended.IsZero() {
		d.Ended, d.EndedBy = a.config.when(g.Ended), "by itself"
		if g.By != "" {
			d.EndedBy = "by " + nameOf(g.By, team)
		}
	}
	if g.Verdict != "" {
		d.Verdict, d.Reviewer = wordOf(emergencyVerdicts(), string(g.Verdict)), nameOf(g.Reviewer, team)
	}
	if holds(ctx, a, emergencyReview) && !d.Own {
		d.MayStop, d.Verdicts = d.IsOpen, emergencyVerdicts()
		d.MayReview = g.OverAt(now) && (g.Verdict == "" || g.Verdict == emergency.FollowUp)
	}
	d.History = auditFilter{Period: allTime, Type: rbac.EmergencyObject, ID: g.ID}.href()
	if d.Words, err = a.emergencyText(ctx, g); err != nil {
		return err
	}
	return a.fillReads(ctx, d, g)
}

// emergencyText returns what the person wrote; of an opening without words of its own, those before.
func (a *app) emergencyText(ctx context.Context, g emergency.Grant) (string, error) {
	id := g.ID
	if g.Again != "" {
		id = g.Again
	}
	e, err := a.log.Open(ctx, tenant, id)
	if errors.Is(err, audit.ErrNotFound) || errors.Is(err, audit.ErrPurged) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, _ := e.Why.Reveal()
	return text, nil
}

// fillReads lists what was done under the emergency.
func (a *app) fillReads(ctx context.Context, d *emergencyCaseData, g emergency.Grant) error {
	q := g.Query()
	q.Limit = 200
	page, err := a.log.Query(ctx, q)
	if err != nil {
		return err
	}
	var lines []line
	for _, e := range page.Events {
		if g.Read(e.Event) {
			lines = append(lines, line{Stored: e})
		}
	}
	slices.Reverse(lines)
	d.More = page.Next != ""
	d.Events, err = a.auditRows(ctx, "", lines)
	return err
}

// stopEmergency ends somebody's access at once.
func (a *app) stopEmergency(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	id := r.PathValue("emergency")
	_, err := a.emergency.Stop(r.Context(), id, "")
	a.changedEmergency(w, r, "emergency-stopped", err, "")
}

// reviewEmergency writes down what somebody found.
func (a *app) reviewEmergency(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		a.fail(w, r, http.StatusBadRequest)
		return
	}
	words := strings.TrimSpace(r.PostForm.Get("words"))
	_, err = a.emergency.Review(r.Context(), r.PathValue("emergency"), version, emergency.Verdict(r.PostForm.Get("verdict")), words)
	a.changedEmergency(w, r, "emergency-reviewed", err, words)
}

func (a *app) changedEmergency(w http.ResponseWriter, r *http.Request, done string, err error, typed string) {
	again := func(status int, problem string) { a.showCase(w, r, status, view{Problem: problem}, typed) }
	switch {
	case err == nil:
		http.Redirect(w, r, "/emergencies/"+url.PathEscape(r.PathValue("emergency"))+"?done="+done, http.StatusSeeOther)
	case errors.Is(err, emergency.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	case errors.Is(err, emergency.ErrOwn):
		again(http.StatusForbidden, "This was your own emergency, so somebody else reviews it. That you tried is recorded.")
	case errors.Is(err, emergency.ErrOpen):
		again(http.StatusConflict, "It is still open. End it first, or review it when it is over.")
	case errors.Is(err, emergency.ErrOver), errors.Is(err, emergency.ErrConflict):
		again(http.StatusConflict, "Somebody else went on with it meanwhile. Nothing was saved: look at it again, below.")
	case errors.Is(err, emergency.ErrInput):
		again(http.StatusUnprocessableEntity, "Please choose what you found, and say why in a few words.")
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}
