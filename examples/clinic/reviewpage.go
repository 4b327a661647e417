package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/rbac"
)

// findingRow is a finding in the queue.
type findingRow struct {
	ID, Rule, Who, Text, When, State, Tag, Assignee string
}

type reviewData struct {
	Tabs  []queueTab
	Rows  []findingRow
	Next  string
	Empty string
	Alarm string
	Demo  bool
}

// queueTab is a part of the queue.
type queueTab struct {
	Href, Text string
	Current    bool
	N          int
}

// queues are the parts of the queue.
func queues() []struct {
	option
	states []review.State
} {
	return []struct {
		option
		states []review.State
	}{
		{option{"", "To do"}, []review.State{review.Open, review.InReview}},
		{option{"escalated", "Escalated"}, []review.State{review.Escalated}},
		{option{"done", "Done"}, []review.State{review.Explained, review.Closed}},
		{option{"all", "All"}, nil},
	}
}

// reviewPage is the queue of findings. The route's own decision records that it was looked at.
func (a *app) reviewPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx := r.Context()
	which := r.URL.Query().Get("show")
	d := reviewData{Demo: a.demo != nil}
	if err := a.reviewer.Health(ctx); err != nil {
		d.Alarm = "Nothing new is being reviewed just now. What happens is recorded all the same; somebody should look at the server."
	}
	counts, err := a.reviewer.Count(ctx, tenant)
	var q review.Query
	found := false
	for _, part := range queues() {
		n := 0
		for _, s := range part.states {
			n += counts[s]
		}
		if part.states == nil {
			for _, of := range counts {
				n += of
			}
		}
		current := part.ID == which
		d.Tabs = append(d.Tabs, queueTab{"/audit/review?show=" + part.ID, part.Name, current, n})
		if current {
			q.States, found = part.states, true
		}
	}
	if !found {
		a.fail(w, r, http.StatusBadRequest)
		return
	}
	q.Cursor = r.URL.Query().Get("page")
	if err == nil {
		err = a.fillQueue(ctx, &d, q, which)
	}
	switch {
	case errors.Is(err, review.ErrQuery):
		a.fail(w, r, http.StatusBadRequest)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		a.render(w, r, http.StatusOK, "review", view{Title: "Review", Data: d})
	}
}

func (a *app) fillQueue(ctx context.Context, d *reviewData, q review.Query, which string) error {
	page, err := a.reviewer.Findings(ctx, tenant, q)
	if err != nil {
		return err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	for _, f := range page.Findings {
		d.Rows = append(d.Rows, a.findingRow(f, team))
	}
	if page.Next != "" {
		d.Next = "/audit/review?" + url.Values{"show": {which}, "page": {page.Next}}.Encode()
	}
	return nil
}

func (a *app) findingRow(f review.Finding, team map[audit.ActorID]member) findingRow {
	row := findingRow{
		ID: f.ID, Rule: wordOf(ruleWords(), string(f.Rule)), Who: a.subject(f, team), Text: f.Explanation(), When: a.config.when(f.To),
	}
	row.State, row.Tag = findingState(f.State)
	if f.Assignee != "" {
		row.Assignee = nameOf(f.Assignee, team)
	}
	return row
}

// subject is whom a finding is about.
func (a *app) subject(f review.Finding, team map[audit.ActorID]member) string {
	switch {
	case f.Actor == "" && f.Kind == "":
		return "the review itself"
	case f.Actor == "":
		return "nobody signed in"
	}
	return whoText(audit.Actor{ID: f.Actor, Kind: f.Kind, OnBehalfOf: f.For}, team)
}

type findingData struct {
	findingRow
	Version                       int64
	From, To, Verdict, Case, Note string
	Noted                         bool
	Own, MayTake, Mine, MayClose  bool
	Verdicts                      []option
	Events                        []auditRow
	Left, Missing                 int
	History                       string
	Typed                         string
}

// findingPage shows one finding with its own events, and with nobody else's.
func (a *app) findingPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showFinding(w, r, http.StatusOK, view{}, "")
}

func (a *app) showFinding(w http.ResponseWriter, r *http.Request, status int, v view, typed string) {
	ctx := r.Context()
	f, err := a.reviewer.Finding(ctx, tenant, r.PathValue("finding"))
	if errors.Is(err, review.ErrNotFound) {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	d := findingData{Typed: typed}
	if err == nil { // which one was looked at is on record too
		err = audit.Seen(ctx, "", audit.Object{Type: review.FindingObject, ID: f.ID, Category: string(rbac.AuditLog)})
	}
	if err == nil {
		err = a.fillFinding(ctx, &d, f)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "Finding", d
	a.render(w, r, status, "finding", v)
}

func (a *app) fillFinding(ctx context.Context, d *findingData, f review.Finding) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	d.findingRow, d.Version, d.From, d.To = a.findingRow(f, team), f.Version, a.config.exactly(f.From), a.config.exactly(f.To)
	d.Verdict, d.Case, d.Left = wordOf(verdicts(), string(f.Verdict)), f.Incident, f.Left
	d.History = auditFilter{Period: allTime, Type: review.FindingObject, ID: f.ID}.href()
	me, _ := audit.ActorFrom(ctx)
	if d.Own = isAbout(f, me); d.Own { // what others wrote about them, and where, is not for them
		d.Case = ""
	} else if d.Note, err = a.reviewer.Note(ctx, f); err != nil {
		return err
	}
	d.Noted = !d.Own && len(f.Note) > 0
	if holds(ctx, a, reviewChange) && !d.Own {
		d.Mine = f.State == review.InReview && f.Assignee == me.ID
		d.MayTake, d.MayClose = !d.Mine, d.Mine || f.State == review.Escalated
		d.Verdicts = verdicts()
	}
	lines, err := a.findingLines(ctx, d, f)
	if err == nil {
		d.Events, err = a.auditRows(ctx, "", lines)
	}
	return err
}

// isAbout reports whether a finding is about somebody, or about a program of theirs.
func isAbout(f review.Finding, who audit.Actor) bool { return who.ID == f.Actor || who.ID == f.For }

// findingLines reads the events of a finding, without their private values.
func (a *app) findingLines(ctx context.Context, d *findingData, f review.Finding) (lines []line, err error) {
	for _, id := range f.Events {
		entry, err := a.events.Get(ctx, tenant, id)
		if errors.Is(err, audit.ErrNotFound) { // destroyed after its retention
			d.Missing++
			continue
		}
		if err != nil {
			return nil, err
		}
		e, err := audit.Decode(entry.Body)
		if err != nil {
			d.Missing++
			continue
		}
		lines = append(lines, line{Stored: audit.Stored{Event: e, Index: entry.Index}})
	}
	return lines, nil
}

// changeFinding makes a step with a finding.
func (a *app) changeFinding(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		a.fail(w, r, http.StatusBadRequest)
		return
	}
	note := strings.TrimSpace(r.PostForm.Get("note"))
	c := review.Change{To: review.State(r.PostForm.Get("to")), Note: note}
	id := r.PathValue("finding")
	switch c.To {
	case review.Closed:
		c.Verdict = review.Verdict(r.PostForm.Get("verdict"))
	case review.Escalated:
		c.Incident, err = a.escalate(r.Context(), id, version)
	}
	if err == nil {
		_, err = a.reviewer.Change(r.Context(), tenant, id, version, c)
	}
	switch {
	case err == nil:
		http.Redirect(w, r, "/audit/review/"+url.PathEscape(id)+"?done=finding", http.StatusSeeOther)
	case errors.Is(err, review.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	case errors.Is(err, review.ErrOwn):
		a.showFinding(w, r, http.StatusForbidden, view{Problem: "This finding is about you, so somebody else has to look into it. That you tried is recorded."}, "")
	case errors.Is(err, review.ErrConflict):
		a.showFinding(w, r, http.StatusConflict, view{Problem: "Something was added to this finding, or somebody else went on with it. Nothing was saved: look at it again, below."}, note)
	case errors.Is(err, review.ErrChange):
		a.showFinding(w, r, http.StatusUnprocessableEntity, view{Problem: problemOf(c)}, note)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// escalate makes an incident of a finding, for who has it in review. Made again it is the same one.
func (a *app) escalate(ctx context.Context, id string, version int64) (string, error) {
	f, err := a.reviewer.Finding(ctx, tenant, id)
	if err != nil {
		return "", err
	}
	me, _ := audit.ActorFrom(ctx)
	switch {
	case f.Version != version:
		return "", review.ErrConflict
	case f.State != review.InReview || f.Assignee != me.ID:
		return "", review.ErrChange
	}
	d := incident.Finding{ID: f.ID, Kind: string(f.Rule), Text: f.Explanation(), Events: f.Events}
	for _, who := range []audit.ActorID{f.Actor, f.For} {
		if who != "" {
			d.About = append(d.About, who)
		}
	}
	made, err := a.incidents.Open(ctx, d)
	if errors.Is(err, incident.ErrNotFound) { // an event was destroyed after its retention
		d.Events = nil
		made, err = a.incidents.Open(ctx, d)
	}
	return made.ID, err
}

// problemOf says what a step lacks, in words for people.
func problemOf(c review.Change) string {
	switch {
	case (c.To == review.Explained || c.To == review.Closed) && c.Note == "":
		return "Please say in a few words what you found out."
	case c.To == review.Closed && c.Verdict == "":
		return "Please choose what it came to."
	}
	return "That is not possible with this finding now. Take it first."
}
