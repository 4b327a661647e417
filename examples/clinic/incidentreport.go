package main

import (
	"net/http"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

// reportData is the form on which everybody reports a problem, and what was typed.
type reportData struct {
	Kinds       []option
	People      []member // whom it may be about; only the team sees the team
	Kind, About string
	Text        string
	Number      int64 // of the report that was just taken in
	Home        string
}

// incidentKinds are the choices, with those that happen most often first.
func incidentKinds() []option {
	return []option{
		{"wrong_recipient", "Something went to the wrong person"},
		{"lost_device", "A device or papers are lost or stolen"},
		{"snooping", "Somebody looked at a record without need"},
		{"wrong_record", "Something is in the wrong record"},
		{"strange_message", "A strange mail, call or visitor"},
		{"account", "Somebody else may have used my account"},
		{"other", "Something else"},
	}
}

func kindText(id string) string {
	for _, k := range incidentKinds() {
		if k.ID == id {
			return k.Name
		}
	}
	for _, rule := range ruleWords() {
		if rule.ID == id {
			return "Found in the audit: " + strings.ToLower(rule.Name[:1]) + rule.Name[1:]
		}
	}
	return "Found in the audit: " + id
}

func (a *app) reportPage(w http.ResponseWriter, r *http.Request) {
	a.showReport(w, r, http.StatusOK, reportData{}, "")
}

func (a *app) showReport(w http.ResponseWriter, r *http.Request, status int, d reportData, problem string) {
	actor, _ := audit.ActorFrom(r.Context())
	d.Kinds, d.Home = incidentKinds(), "/"
	if actor.Kind == audit.KindStaff {
		team, err := a.staff.all(r.Context())
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		delete(team, actor.ID)
		d.People = byName(team)
	}
	a.render(w, r, status, "incidentreport", view{Title: "Report a problem", Problem: problem, Data: d})
}

// report takes a report in. Whoever made it is told its number and nothing more of what becomes of it.
func (a *app) report(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	actor, _ := audit.ActorFrom(ctx)
	d := reportData{Kind: r.PostForm.Get("kind"), Text: r.PostForm.Get("text"), About: r.PostForm.Get("about")}
	if !offers(incidentKinds(), d.Kind) {
		d.Kind = ""
	}
	if d.About != "" {
		if _, err := a.staff.get(ctx, audit.ActorID(d.About)); err != nil || actor.Kind != audit.KindStaff {
			d.About = ""
		}
	}
	receipt, err := a.incidents.Report(ctx, incident.Report{Kind: d.Kind, Text: d.Text, About: audit.ActorID(d.About)})
	if err != nil {
		if words := incidentProblem(err); words != "" {
			a.showReport(w, r, incidentStatus(err), d, words)
			return
		}
		a.fail(w, r, incidentStatus(err))
		return
	}
	a.showReport(w, r, http.StatusOK, reportData{Number: receipt.Number}, "")
}

// offers reports whether a list has a choice.
func offers(list []option, id string) bool {
	for _, o := range list {
		if o.ID == id {
			return true
		}
	}
	return false
}
