package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// option is a choice of a select box.
type option struct{ ID, Name string }

type auditPatient struct{ ID, Name string }

type auditRow struct {
	ID, Time, Who, What, More, Seen, Outcome, Tag string
	People                                        []string // of the team, whom it was done to
	Patients                                      []auditPatient
}

type auditData struct {
	Who, Period, Action, Outcome, Patient, PatientName string
	People                                             []option
	Periods, Actions, Outcomes                         []option
	Caption, Next                                      string
	Rows                                               []auditRow
}

// period is the time span of a choice; no choice is the last 24 hours.
func period(choice string) (last time.Duration, known bool) {
	switch choice {
	case "24h":
		return audit.Last24h, true
	case "7d":
		return audit.Last7d, true
	case "30d":
		return audit.Last30d, true
	case "90d":
		return audit.Last90d, true
	}
	return audit.Last24h, false
}

// auditPage answers "who did what?". The route's own decision records that it was asked.
func (a *app) auditPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, form := r.Context(), r.URL.Query()
	d := auditData{
		Who: form.Get("who"), Period: form.Get("period"), Action: form.Get("action"),
		Outcome: form.Get("outcome"), Patient: form.Get("patient"),
		Periods:  []option{{"24h", "Last 24 hours"}, {"7d", "Last 7 days"}, {"30d", "Last 30 days"}, {"90d", "Last 90 days"}},
		Outcomes: []option{{"", "All"}, {"ok", "Allowed"}, {"no", "Refused or failed"}},
		Actions:  actionWords(),
	}
	if _, ok := period(d.Period); !ok {
		d.Period = "24h"
	}
	page, err := a.log.Query(ctx, d.query(form.Get("page")))
	switch {
	case errors.Is(err, audit.ErrBadCursor), errors.Is(err, audit.ErrBadQuery):
		a.fail(w, r, http.StatusBadRequest)
		return
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if err := a.fillAudit(ctx, &d, page); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if page.Next != "" {
		form.Set("page", page.Next)
		d.Next = "/audit?" + form.Encode()
	}
	a.render(w, r, http.StatusOK, "audit", view{Title: "Audit", Data: d})
}

func (d *auditData) query(cursor string) audit.Query {
	last, _ := period(d.Period)
	q := audit.Query{Tenant: tenant, Last: last, Patient: audit.Patient(d.Patient), Limit: 100, Cursor: cursor}
	if d.Who != "" {
		q.Actors = []audit.ActorID{audit.ActorID(d.Who)}
	}
	if d.Action != "" {
		q.Actions = []audit.Action{audit.Action(d.Action)}
	}
	switch d.Outcome {
	case "ok":
		q.Outcomes = []audit.Outcome{audit.Success}
	case "no":
		q.Outcomes = []audit.Outcome{audit.MinorFailure, audit.Failure, audit.MajorFailure}
	}
	return q
}

// fillAudit puts names to identifiers: the team's, and the patients' as far as the reader may
// see them.
func (a *app) fillAudit(ctx context.Context, d *auditData, page audit.Page) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	for _, m := range byName(team) {
		d.People = append(d.People, option{string(m.ID), m.Name})
	}
	names := patientNames{a: a, known: map[audit.Patient]string{}}
	if d.Patient != "" {
		if d.PatientName, err = names.of(ctx, audit.Patient(d.Patient)); err != nil {
			return err
		}
	}
	for _, e := range page.Events {
		row, err := a.auditRow(ctx, e.Event, team, &names)
		if err != nil {
			return err
		}
		d.Rows = append(d.Rows, row)
	}
	d.Caption = fmt.Sprintf("%d events on this page", len(d.Rows))
	return nil
}

// maxNamed is how many patients of one event a row names.
const maxNamed = 3

func (a *app) auditRow(ctx context.Context, e audit.Event, team map[audit.ActorID]member, names *patientNames) (auditRow, error) {
	row := auditRow{ID: e.ID, Time: e.Recorded.UTC().Format("2 Jan 15:04:05"), Who: whoText(e.Actor, team), What: actionText(e.Action)}
	if e.Detail["continues"] != "" {
		row.What += ": what was shown" // the decision is an event of its own, on record before anything happens
	}
	row.Outcome, row.Tag = outcomeText(e)
	var fields []string
	for _, o := range e.Objects {
		fields = append(fields, o.Fields...)
		if m, ok := team[audit.ActorID(o.ID)]; ok && m.ID != e.Actor.ID {
			row.People = append(row.People, m.Name)
		}
	}
	slices.Sort(fields)
	row.Seen = strings.ReplaceAll(strings.Join(slices.Compact(fields), ", "), "_", " ")
	for i, p := range e.Patients {
		if i == maxNamed {
			row.More = fmt.Sprintf("and %d more", len(e.Patients)-maxNamed)
			break
		}
		name, err := names.of(ctx, p)
		if err != nil {
			return row, err
		}
		row.Patients = append(row.Patients, auditPatient{string(p), name})
	}
	return row, nil
}

// patientNames reveals each patient's name once for a page.
type patientNames struct {
	a     *app
	known map[audit.Patient]string
}

func (n *patientNames) of(ctx context.Context, id audit.Patient) (string, error) {
	if name, ok := n.known[id]; ok {
		return name, nil
	}
	name := "a patient who is not in the records"
	p, err := n.a.patients.get(ctx, string(id))
	switch {
	case errors.Is(err, rbac.ErrNotFound):
	case err != nil:
		return "", err
	default:
		if err := show(ctx, into{p.Name, &name}); err != nil {
			return "", err
		}
	}
	n.known[id] = name
	return name, nil
}

func whoText(actor audit.Actor, team map[audit.ActorID]member) string {
	if m, ok := team[actor.ID]; ok {
		return m.Name
	}
	switch actor.Kind {
	case audit.KindAnonymous:
		return "not signed in"
	case audit.KindSystem:
		return "the clinic's server"
	}
	return string(actor.ID)
}

func outcomeText(e audit.Event) (text, tag string) {
	switch {
	case e.Outcome == audit.Success:
		return "Allowed", "tag-good"
	case e.Outcome == audit.MajorFailure:
		return "Failed", "tag-bad"
	}
	return "Refused", "tag-bad"
}

// actionWords are the clinic's words for what the library and the clinic record. They name
// what was asked for; the outcome says whether it happened.
func actionWords() []option {
	return []option{
		{"patient.read", "Look at patients"},
		{"patient.reveal_ssn", "Reveal a social security number"},
		{"note.read", "Read a clinical note"},
		{"note.write", "Write a clinical note"},
		{"patient.register_open", "Open the registration form"},
		{"patient.register", "Register a patient"},
		{"team.read", "Look at the team"},
		{"team.manage", "Change the team"},
		{"audit.read", "Read the audit"},
		{"authn.sign_in", "Sign in"},
		{"authn.step", "A step of signing in"},
		{"authn.throttle", "Slow down after wrong tries"},
		{"authn.link", "Open a link"},
		{"authn.set_up", "Prepare the first administrator"},
		{"authn.invite", "Invite somebody"},
		{"authn.resend", "Send an invitation again"},
		{"authn.join", "Accept an invitation"},
		{"authn.suspend", "Suspend an account"},
		{"authn.reinstate", "Reinstate an account"},
		{"authn.unlock", "Unlock an account"},
		{"authn.reset_factor", "End sign-ins before a second factor is reset"},
		{"mfa.begun", "Begin to set up a second factor"},
		{"mfa.enrolled", "Set up a second factor"},
		{"mfa.verified", "Give the right code"},
		{"mfa.failed", "Give a wrong code"},
		{"mfa.replayed", "Use a code twice"},
		{"mfa.locked", "Lock a second factor"},
		{"mfa.reset", "Reset a second factor"},
		{"session.start", "Begin a session"},
		{"session.check", "Send what no page sends"},
		{"session.end", "End a session"},
		{"session.end_all", "End all sessions of a person"},
		{"rbac.grant", "Give a role"},
		{"rbac.revoke", "Take a role away"},
		{"rbac.signed_in", "Open a page of one's own"},
		{"demo.seeded", "Fill the demo"},
	}
}

func actionText(action audit.Action) string {
	for _, o := range actionWords() {
		if o.ID == string(action) {
			return o.Name
		}
	}
	return string(action)
}

type auditFact struct{ Name, Value string }

// auditEvent shows one event with its typed reason and its address, which are sealed.
func (a *app) auditEvent(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx := r.Context()
	e, err := a.log.Open(ctx, tenant, r.PathValue("event"))
	if errors.Is(err, audit.ErrNotFound) || errors.Is(err, audit.ErrBadQuery) {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	if err == nil { // which event was opened is on record too
		err = audit.Seen(ctx, "", audit.Object{Type: "audit_event", ID: e.ID, Category: string(rbac.AuditLog), Fields: []string{"address", "reason"}})
	}
	var facts []auditFact
	if err == nil {
		facts, err = a.auditFacts(ctx, e)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, http.StatusOK, "auditevent", view{Title: "Event", Data: struct {
		What  string
		Facts []auditFact
	}{actionText(e.Action), facts}})
}

func (a *app) auditFacts(ctx context.Context, e audit.Event) ([]auditFact, error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	row, err := a.auditRow(ctx, e, team, &patientNames{a: a, known: map[audit.Patient]string{}})
	if err != nil {
		return nil, err
	}
	var patients []string
	for _, p := range row.Patients {
		patients = append(patients, p.Name)
	}
	if row.More != "" {
		patients = append(patients, row.More)
	}
	why, _ := e.Why.Reveal()
	address := ""
	if e.Actor.Origin.IsValid() {
		address = e.Actor.Origin.String()
	}
	facts := []auditFact{
		{"Time", e.Recorded.UTC().Format("2 January 2006 15:04:05.000000 UTC")},
		{"Who", row.Who},
		{"As", strings.Join(e.Actor.Roles, ", ")},
		{"Proven by", strings.Join(e.Actor.Methods, ", ")},
		{"From address", address},
		{"Device", e.Actor.Device},
		{"About", strings.Join(row.People, ", ")},
		{"Patients", strings.Join(patients, ", ")},
		{"Seen", row.Seen},
		{"Reason given", why},
		{"Outcome", row.Outcome},
		{"Code", e.Code},
		{"Decided by", strings.TrimSpace(e.Decision.Rule + " " + e.Decision.Scope)},
		{"Event", e.ID},
	}
	return slices.DeleteFunc(facts, func(f auditFact) bool { return f.Value == "" }), nil
}
