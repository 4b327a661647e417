package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/rbac"
)

// incidentRow is a case in the list.
type incidentRow struct {
	ID, Kind, Owner, State, Tag, Opened string
	Number                              int64
	Due, DueTag                         string
}

type incidentsData struct {
	Open, Over []incidentRow
	More       bool // there are older ones that are not shown
}

// maxOver is how many cases that are over the list shows.
const maxOver = 50

func (a *app) incidentsPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx := r.Context()
	team, err := a.staff.all(ctx)
	var due []incident.Item
	if err == nil {
		due, err = a.incidents.Due(ctx)
	}
	var d incidentsData
	for _, i := range due {
		d.Open = append(d.Open, a.incidentRow(i, team))
	}
	if err == nil {
		for c, lerr := range a.incidents.List(ctx, false, incident.Newest) {
			if err = lerr; err != nil || len(d.Over) == maxOver {
				d.More = err == nil
				break
			}
			if !c.State.Open() {
				d.Over = append(d.Over, a.incidentRow(incident.Item{Case: c}, team))
			}
		}
	}
	if err != nil {
		a.fail(w, r, incidentStatus(err))
		return
	}
	a.render(w, r, http.StatusOK, "incidents", view{Title: "Incidents", Data: d})
}

func (a *app) incidentRow(i incident.Item, team map[audit.ActorID]member) incidentRow {
	c := i.Case
	row := incidentRow{ID: c.ID, Number: c.Number, Kind: kindText(c.Kind), Owner: "nobody yet", Opened: a.config.when(c.Opened), Due: "nothing"}
	row.State, row.Tag = incidentState(c.State)
	if c.Owner != "" {
		row.Owner = nameOf(c.Owner, team)
	}
	if next, ok := i.Next(); ok {
		row.Due, row.DueTag = dutyText(next.Name)+" by "+next.Last.String(), "tag-warn"
		if next.Overdue(i.Today) {
			row.Due, row.DueTag = row.Due+": overdue", "tag-bad"
		}
	}
	return row
}

func incidentState(s incident.State) (text, tag string) {
	switch s {
	case incident.Reported:
		return "New", "tag-bad"
	case incident.Triaged:
		return "Sorted", "tag-warn"
	case incident.Investigating:
		return "Being looked into", "tag-warn"
	case incident.Assessed:
		return "Assessed", "tag-warn"
	case incident.Notifying:
		return "People are being told", "tag-warn"
	case incident.Dismissed:
		return "Dismissed", "tag-good"
	}
	return "Closed", "tag-good"
}

func dutyText(name string) string {
	words := map[string]string{
		incident.Individuals: "Tell the people affected", incident.HHS: "Tell HHS", incident.Media: "Tell the media", incident.CoveredEntity: "Tell the covered entity",
	}
	return cmp.Or(words[name], name)
}

func conclusionText(c incident.Conclusion) string {
	return map[incident.Conclusion]string{
		incident.Breach: "It is a breach", incident.LowProbability: "Low probability that anything was compromised",
		incident.Excepted: "One of the law’s exceptions", incident.Secured: "It was encrypted, the key was safe",
	}[c]
}

// dueRow is a deadline on the page of a case.
type dueRow struct {
	Name, ID, Last, Note, Citation, State, Tag string
}

// assessmentRow is an assessment on the page.
type assessmentRow struct {
	By, At, Conclusion, Signed string
	Answers                    []option // of the factors, with reasons
}

// subject is somebody whom a case can be about.
type subject struct {
	ID   audit.ActorID
	Name string
	Is   bool
}

type incidentData struct {
	incidentRow
	Version           int64
	Text, From        string
	About             []string
	PHI, Discovered   string
	Affected          string
	Deadlines         []dueRow
	Assessments       []assessmentRow
	Moments           []moment
	Links             []option
	Delay             string
	People            []member
	Subjects          []subject
	Part2             bool
	Kinds, Owners     []option
	CanTriage         bool
	CanStart          bool
	CanAssess         bool
	CanSign, MayAgree bool
	CanDismiss        bool
	CanClose          bool
	IsOpen, IsOver    bool
	Factors           []option
	Today             string
}

// incidentFactors are the four questions of 45 CFR 164.402(2).
func incidentFactors() []option {
	return []option{
		{"nature", "What was it, and how easily does it lead to a person?"},
		{"recipient", "Who used it, or got it?"},
		{"acquired", "Was it really taken or looked at?"},
		{"mitigated", "What was done so that it does no harm?"},
	}
}

func (a *app) incidentPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Incident]) {
	a.showIncident(w, r, http.StatusOK, g.Resource().ID, "")
}

func (a *app) showIncident(w http.ResponseWriter, r *http.Request, status int, id, problem string) {
	ctx := r.Context()
	item, err := a.incidents.Item(ctx, id)
	var moments []incident.Moment
	if err == nil {
		moments, err = a.incidents.Timeline(ctx, id)
	}
	var team map[audit.ActorID]member
	if err == nil {
		team, err = a.staff.all(ctx)
	}
	if err != nil {
		a.fail(w, r, incidentStatus(err))
		return
	}
	actor, _ := audit.ActorFrom(ctx)
	d := a.incidentData(item, team)
	d.fill(a, moments, team)
	d.may(item.Case, actor.ID)
	a.render(w, r, status, "incident", view{Title: fmt.Sprint("Incident ", d.Number), Problem: problem, Data: d})
}

// sorting fills in what the form says already, so that saving it again forgets nothing: least of all
// whom the case is about.
func (d *incidentData) sorting(c incident.Case, team map[audit.ActorID]member) {
	d.Part2 = c.Part2
	for _, m := range d.People {
		d.Subjects = append(d.Subjects, subject{m.ID, m.Name, c.Is(m.ID)})
	}
	for _, id := range c.About {
		d.About = append(d.About, nameOf(id, team))
		if _, ok := team[id]; !ok {
			d.Subjects = append(d.Subjects, subject{id, nameOf(id, team), true})
		}
	}
	if !slices.ContainsFunc(d.Kinds, func(k option) bool { return k.ID == c.Kind }) {
		d.Kinds = append([]option{{c.Kind, kindText(c.Kind)}}, d.Kinds...)
	}
}

func (a *app) incidentData(i incident.Item, team map[audit.ActorID]member) incidentData {
	c := i.Case
	d := incidentData{
		incidentRow: a.incidentRow(i, team), Version: c.Version, Text: c.Text, From: "a " + string(c.Source.Kind), Discovered: c.Discovered.String(),
		PHI: map[incident.Involved]string{incident.Yes: "yes", incident.No: "no"}[c.PHI], People: byName(team), Kinds: incidentKinds(), Factors: incidentFactors(), Today: i.Today.String(),
	}
	if c.Source.Kind == audit.KindStaff {
		d.From = nameOf(c.Source.By, team)
	}
	d.PHI = cmp.Or(d.PHI, "nobody has said")
	d.Affected = "nobody has said; until then the deadlines are those of a large breach"
	if n, _ := c.Affected(); n > 0 {
		d.Affected = plural(n, "person")
	}
	d.sorting(c, team)
	if c.Delay != nil {
		d.Delay = c.Delay.Until.String()
	}
	for _, l := range c.Links {
		href := ""
		if l.Kind == incident.LinkEvent {
			href = "/audit/" + l.ID
		}
		d.Links = append(d.Links, option{href, string(l.Kind) + " " + l.ID})
	}
	for _, dl := range i.Deadlines {
		d.Deadlines = append(d.Deadlines, deadlineRow(dl, i.Today))
	}
	for _, as := range c.Assessments {
		d.Assessments = append(d.Assessments, a.assessmentRow(as, team))
	}
	slices.Reverse(d.Assessments)
	return d
}

func deadlineRow(dl incident.Deadline, today incident.Day) dueRow {
	row := dueRow{Name: dutyText(dl.Name), ID: dl.Name, Last: dl.Last.String(), Citation: dl.Citation, State: "open", Tag: "tag-warn"}
	switch {
	case dl.Done != 0:
		row.State, row.Tag = "done on "+dl.Done.String(), "tag-good"
	case dl.Overdue(today):
		row.State, row.Tag = "overdue", "tag-bad"
	}
	if dl.Guess {
		row.Note = "unless fewer than 500 people are affected"
	}
	if dl.Delayed {
		row.Note = "law enforcement asked to wait"
	}
	return row
}

func (a *app) assessmentRow(as incident.Assessment, team map[audit.ActorID]member) assessmentRow {
	row := assessmentRow{By: nameOf(as.By, team), At: a.config.when(as.At), Conclusion: conclusionText(as.Conclusion), Signed: "waits for a second person"}
	switch {
	case as.Declined:
		row.Signed = "a second person did not agree"
	case as.Signed != "":
		row.Signed = "agreed by " + nameOf(as.Signed, team)
	}
	for i, f := range []incident.Answer{as.Nature, as.Recipient, as.Acquired, as.Mitigated} {
		if f.Why != "" || f.Rating != "" {
			row.Answers = append(row.Answers, option{incidentFactors()[i].Name, cmp.Or(string(f.Rating), "no rating") + ": " + f.Why})
		}
	}
	for _, why := range []string{as.ExceptionWhy, as.SecuredWhy} {
		if why != "" {
			row.Answers = append(row.Answers, option{"Why", why})
		}
	}
	return row
}

// fill adds the timeline, the newest first.
func (d *incidentData) fill(a *app, moments []incident.Moment, team map[audit.ActorID]member) {
	for _, m := range moments {
		who := nameOf(m.By, team)
		if _, ok := team[m.By]; !ok && m.Action == incident.ActionReport {
			who = "a patient"
		}
		d.Moments = append(d.Moments, moment{Time: a.config.when(m.At), What: actionText(m.Action), Who: who, Why: strings.TrimSpace(m.Text), Event: m.Event})
	}
	slices.Reverse(d.Moments)
}

// may says what the page offers to somebody: no more than what would be done.
func (d *incidentData) may(c incident.Case, who audit.ActorID) {
	in := func(states ...incident.State) bool { return slices.Contains(states, c.State) }
	latest := c.Latest()
	d.IsOpen, d.IsOver = c.State.Open(), !c.State.Open()
	d.CanTriage = in(incident.Reported, incident.Triaged, incident.Investigating)
	d.CanStart = in(incident.Triaged)
	d.CanAssess = in(incident.Investigating, incident.Assessed, incident.Notifying)
	d.CanSign = in(incident.Investigating) && latest != nil && latest.Signed == "" && !latest.Declined
	d.MayAgree = d.CanSign && latest.By != who
	d.CanDismiss = in(incident.Triaged, incident.Investigating) && c.PHI == incident.No && c.Triaged != who
	d.CanClose = in(incident.Assessed, incident.Notifying)
}
