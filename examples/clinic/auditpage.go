package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// option is a choice of a select box.
type option struct{ ID, Name string }

// link is somewhere to go.
type link struct{ Href, Name string }

type auditRow struct {
	ID, Time, Who, What, Sorted, More, Seen, Outcome, Tag string
	Also                                                  []string // further events of the line
	People                                                []string // of the team, whom it was done to
	Patients                                              []link
}

type auditData struct {
	auditFilter
	People, Periods, Outcomes, Types []option
	Actions                          []optionGroup
	Sorts                            []sortChoice
	Columns                          []column
	Hidden                           []option // the filter, for the form that finds a patient
	Matches                          []link   // patients that were found, if more than one
	PatientName, Whole               string   // of the only patient, and the address without
	MaySeeAccess, MaySeeHealth       bool
	MaySeeProof, MayExport           bool
	Here                             string // the filter, for the form of an export
	Caption, Next                    string
	Tail                             string // of the addresses of events: the way back here
	Rows                             []auditRow
}

// auditPage answers "who did what?". The route's own decision records that it was asked.
func (a *app) auditPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	form := r.URL.Query()
	a.showAudit(w, r, view{}, auditData{auditFilter: newAuditFilter(form)}, form.Get("page"))
}

// auditFind looks a patient up by phone number or e-mail address and leads to the events
// about that patient. It is a post, like every search: what was typed stays out of addresses.
func (a *app) auditFind(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	d := auditData{auditFilter: newAuditFilter(r.PostForm)}
	typed := strings.TrimSpace(r.PostForm.Get("q"))
	ids, err := a.patients.find(ctx, typed)
	if typeOf(typed) == "patient" {
		ids, err = a.patients.known(ctx, typed)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	switch len(ids) {
	case 0:
		a.showAudit(w, r, view{Problem: "No patient has this phone number, e-mail address or medical record number. Type the whole of it."}, d, "")
		return
	case 1:
		d.Patient = ids[0]
		// The address tells whose number it is, whether or not anybody follows it.
		if err := audit.Seen(ctx, audit.Patient(d.Patient), audit.Object{}); err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, d.href(), http.StatusSeeOther)
		return
	}
	names := a.names()
	for _, id := range ids {
		f := d.auditFilter
		f.Patient = id
		name, err := names.of(ctx, audit.Patient(id))
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		d.Matches = append(d.Matches, link{f.href(), name})
	}
	a.showAudit(w, r, view{}, d, "")
}

func (a *app) showAudit(w http.ResponseWriter, r *http.Request, v view, d auditData, cursor string) {
	ctx, status := r.Context(), http.StatusOK
	q, err := d.query(a.config.zone, cursor)
	if err == nil {
		err = a.readAudit(ctx, &d, q)
	}
	switch {
	case errors.Is(err, errInput):
		_, words, _ := strings.Cut(err.Error(), ": ")
		status, v.Problem = http.StatusUnprocessableEntity, "Please check the form: "+words+"."
	case errors.Is(err, audit.ErrTooMany):
		status, v.Problem = http.StatusUnprocessableEntity, "More than 100,000 events match. So many can only be shown newest first: choose that, or a shorter time."
	case errors.Is(err, audit.ErrBadCursor):
		a.render(w, r, http.StatusBadRequest, "message", view{Title: "Begin at the first page again", Data: message{
			Text: "This link to further events belongs to another question, or it is too old. Nothing is lost.", Href: d.href(), Link: "To the first page",
		}})
		return
	case errors.Is(err, audit.ErrBadQuery):
		a.fail(w, r, http.StatusBadRequest)
		return
	case errors.Is(err, audit.ErrDamaged):
		a.damaged(w, r)
		return
	}
	if err == nil || v.Problem != "" {
		err = a.fillAuditForm(ctx, &d)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "Audit", d
	a.render(w, r, status, "audit", v)
}

// readAudit asks the log for one page and for how many events there are in all.
func (a *app) readAudit(ctx context.Context, d *auditData, q audit.Query) error {
	page, err := a.log.Query(ctx, q)
	if err != nil {
		return err
	}
	n, err := a.log.Count(ctx, q)
	if err != nil {
		return err
	}
	if q.Patient != "" { // on record also where nothing was found
		if err := audit.Seen(ctx, q.Patient, audit.Object{}); err != nil {
			return err
		}
	}
	lines := fold(page.Events)
	if d.Rows, err = a.auditRows(ctx, d.Sort, lines); err != nil {
		return err
	}
	d.Caption = countText(n)
	if len(page.Events) < n.N || n.More {
		d.Caption += fmt.Sprintf(", %d on this page", len(page.Events))
	}
	if len(lines) < len(page.Events) {
		d.Caption += ", in " + plural(len(lines), "line")
	}
	here := d.values()
	if q.Cursor != "" {
		here.Set("page", q.Cursor)
	}
	d.Tail = "?" + here.Encode()
	if page.Next != "" {
		here.Set("page", page.Next)
		d.Next = "/audit?" + here.Encode()
	}
	return nil
}

// countText says how many events there are, as far as they were counted.
func countText(n audit.Count) string {
	if n.More {
		return "More than " + plural(n.N, "event")
	}
	return plural(n.N, "event")
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands writes a number the way people read it.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// fillAuditForm fills the choices of the form and the name of the patient it is limited to.
func (a *app) fillAuditForm(ctx context.Context, d *auditData) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	for _, m := range byName(team) {
		d.People = append(d.People, option{string(m.ID), m.Name})
	}
	d.People = withChoice(d.People, d.Who)
	d.Actions = actionWords()
	if d.Action != "" && actionText(audit.Action(d.Action)) == d.Action {
		d.Actions = append(d.Actions, optionGroup{"Other", withChoice(nil, d.Action)})
	}
	d.Periods, d.Types, d.Sorts = periods(), withChoice(recordTypes(), d.Type), sortChoices()
	if d.Period == byDates {
		d.Periods = append(d.Periods, option{byDates, "Between the dates"})
	}
	d.MaySeeAccess, d.MaySeeHealth = holds(ctx, a, accessRead), holds(ctx, a, auditHealth)
	d.MaySeeProof, d.MayExport, d.Here = holds(ctx, a, proofRead), holds(ctx, a, exportMake), d.values().Encode()
	d.Outcomes = []option{{"", "All"}, {"ok", "Allowed or done"}, {"no", "Refused or failed"}}
	d.Columns = d.columns(a.config.place())
	for name, values := range d.values() {
		d.Hidden = append(d.Hidden, option{name, values[0]})
	}
	slices.SortFunc(d.Hidden, func(a, b option) int { return strings.Compare(a.ID, b.ID) })
	if d.Patient == "" {
		return nil
	}
	whole := d.auditFilter
	whole.Patient = ""
	d.Whole = whole.href()
	d.PatientName, err = a.names().of(ctx, audit.Patient(d.Patient))
	return err
}

// withChoice adds what was chosen by an address rather than from the list, so that the form
// shows every filter that is in force.
func withChoice(options []option, id string) []option {
	if id == "" || slices.ContainsFunc(options, func(o option) bool { return o.ID == id }) {
		return options
	}
	return append(options, option{id, whoText(audit.Actor{ID: audit.ActorID(id), Kind: kindOf(id)}, nil)})
}

// kindOf tells the clinic's own jobs from people by their id.
func kindOf(id string) audit.Kind {
	if strings.HasPrefix(id, string(audit.System(tenant, "").ID)) {
		return audit.KindSystem
	}
	return audit.KindStaff
}

// auditRows puts names to identifiers: the team's, and the patients' as far as the reader may
// see them.
func (a *app) auditRows(ctx context.Context, sorted string, lines []line) ([]auditRow, error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	names := a.names()
	rows := make([]auditRow, len(lines))
	for i := range lines {
		if rows[i], err = a.auditRow(ctx, &lines[i], team, names); err != nil {
			return nil, err
		}
		rows[i].Sorted = sortedBy(sorted, &lines[i])
	}
	return rows, nil
}

// sortedBy is what a line was sorted by, where no column says it.
func sortedBy(sort string, l *line) string {
	switch sort {
	case "category":
		_, categories := l.fields()
		return plainly(categories)
	case "record":
		if len(l.Objects) > 0 {
			return strings.TrimSpace(wordOf(recordTypes(), l.Objects[0].Type) + " " + l.Objects[0].ID)
		}
	case "verb":
		return verbText(l.Verb)
	case "device":
		return l.Actor.Device
	case "app":
		return l.Client.App
	case "place":
		return l.Client.Location
	}
	return ""
}

// maxNamed is how many patients of one event a row names.
const maxNamed = 3

func (a *app) auditRow(ctx context.Context, l *line, team map[audit.ActorID]member, names *patientNames) (auditRow, error) {
	row := auditRow{ID: l.ID, Time: a.config.exactly(l.Recorded), Who: whoText(l.Actor, team), What: actionText(l.Action)}
	if l.Detail["continues"] != "" {
		row.What += ": what was shown" // its first event is on another page
	}
	for _, e := range l.also {
		row.Also = append(row.Also, e.ID)
	}
	row.Outcome, row.Tag = outcomeText(l.Event)
	for _, o := range l.Objects {
		if m, ok := team[audit.ActorID(o.ID)]; ok && m.ID != l.Actor.ID {
			row.People = append(row.People, m.Name)
		}
	}
	fields, _ := l.fields()
	row.Seen = plainly(fields)
	patients := l.patients()
	for i, p := range patients {
		if i == maxNamed {
			row.More = fmt.Sprintf("and %d more", len(patients)-maxNamed)
			break
		}
		name, err := names.of(ctx, p)
		if err != nil {
			return row, err
		}
		row.Patients = append(row.Patients, link{auditFilter{Period: "90d", Patient: string(p)}.href(), name})
	}
	return row, nil
}

// patientNames reveals each patient's name once for a page.
type patientNames struct {
	a     *app
	known map[audit.Patient]string
}

func (a *app) names() *patientNames { return &patientNames{a, map[audit.Patient]string{}} }

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
