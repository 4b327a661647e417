package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/rbac"
)

type exportRow struct {
	Made, Who, What, Events, Href string
	Bad                           bool
}

type exportsData struct {
	auditFilter
	Q, Format        string // whose patient, and in which form
	Reason           string
	People, Periods  []option
	Actions          []optionGroup
	Outcomes         []option
	Formats          []exportFormat
	PatientName      string
	Past             []exportRow
	Command          string
	Key, ExportKey   string
	MayMake, Limited bool
}

// exportsPage has the form, and what was taken out so far.
func (a *app) exportsPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	v, form := view{}, r.URL.Query()
	if form.Get("reason") == "missing" {
		v.Problem = "Nothing was taken out. Please type a reason of a few words. It is kept with the record of who took the copy."
	}
	d := exportsData{auditFilter: newAuditFilter(form), Format: "jsonl"}
	if form.Get("period") == "" && d.Period != byDates {
		d.Period = allTime
	}
	a.showExports(w, r, http.StatusOK, v, d)
}

func (a *app) showExports(w http.ResponseWriter, r *http.Request, status int, v view, d exportsData) {
	ctx := r.Context()
	if err := a.fillExports(ctx, &d); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "Copies of the audit", d
	a.render(w, r, status, "exports", v)
}

func (a *app) fillExports(ctx context.Context, d *exportsData) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	for _, m := range byName(team) {
		d.People = append(d.People, option{string(m.ID), m.Name})
	}
	d.People, d.Actions, d.Periods, d.Formats = withChoice(d.People, d.Who), actionWords(), periods(), exportFormats()
	if d.Period == byDates {
		d.Periods = append(d.Periods, option{byDates, "Between the dates"})
	}
	d.Outcomes = []option{{"", "All"}, {"ok", "Allowed or done"}, {"no", "Refused or failed"}}
	d.MayMake, d.Command = holds(ctx, a, exportMake), a.command("audit.jsonl")
	d.Key, d.ExportKey = a.trees.VerifierKey(), a.exporter.VerifierKey()
	if d.Patient != "" {
		if d.PatientName, err = a.names().of(ctx, audit.Patient(d.Patient)); err != nil {
			return err
		}
	}
	kept, err := a.exports(ctx, "")
	for _, k := range kept {
		d.Past = append(d.Past, a.exportRow(k, nameOf(audit.ActorID(k.person), team)))
	}
	return err
}

func (a *app) exportRow(k keptExport, who string) exportRow {
	row := exportRow{Who: who, Href: "/audit/exports/" + k.id}
	m, ok := a.manifestOf(k)
	if !ok {
		row.Bad, row.What = true, "The signature does not hold: somebody changed what is kept of this copy"
		return row
	}
	row.Made, row.Events = a.config.when(m.Made), thousands(int(m.Count))
	row.What = "Everything"
	if m.Filter != nil {
		row.What = a.filterText(m.Filter)
	}
	if f, ok := formatOf(m.Format); ok {
		row.What += ", " + strings.ToLower(f.Name[:1]) + f.Name[1:]
	}
	return row
}

// filterText says what was selected, without a name.
func (a *app) filterText(f *export.Filter) string {
	var parts []string
	if !f.Start.IsZero() {
		parts = append(parts, "from "+a.config.when(f.Start))
	}
	if !f.End.IsZero() {
		parts = append(parts, "until "+a.config.when(f.End))
	}
	if len(f.Actors) > 0 {
		parts = append(parts, "of one person")
	}
	if f.Patient != "" {
		parts = append(parts, "about one patient")
	}
	if len(f.Actions) > 0 {
		parts = append(parts, "“"+actionText(f.Actions[0])+"”")
	}
	if len(f.Outcomes) > 0 {
		parts = append(parts, "by outcome")
	}
	if f.ResourceType != "" {
		parts = append(parts, "about one kind of record")
	}
	return "Events " + strings.Join(parts, ", ")
}

// selection is what a form asks for; nil is everything.
func (a *app) selection(f auditFilter) (*export.Filter, error) {
	q, err := f.query(a.config.zone, "")
	if err != nil {
		return nil, err
	}
	x := export.Filter{
		Start: q.Period.Start, End: q.Period.End, Actors: q.Actors, Actions: q.Actions, Outcomes: q.Outcomes,
		Patient: q.Patient, ResourceType: q.ResourceType, ResourceID: q.ResourceID,
	}
	if q.Last > 0 {
		x.Start = time.Now().Add(-q.Last).UTC().Truncate(time.Microsecond)
	}
	if f.Period == allTime && f.Who+f.Action+f.Outcome+f.Patient+f.Type+f.ID == "" {
		return nil, nil
	}
	return &x, nil
}

// makeExport gives out a copy. Why is on record before, and that it was given before its first byte.
func (a *app) makeExport(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, form := r.Context(), r.PostForm
	d := exportsData{auditFilter: newAuditFilter(form), Q: strings.TrimSpace(form.Get("q")), Format: form.Get("format"), Reason: form.Get("reason")}
	refuse := func(status int, problem string) { a.showExports(w, r, status, view{Problem: problem}, d) }
	format, ok := formatOf(d.Format)
	if !ok {
		refuse(http.StatusUnprocessableEntity, "Nothing was taken out. Please choose a form for the file.")
		return
	}
	if d.Q != "" {
		problem, err := a.onlyPatient(ctx, &d)
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		if problem != "" {
			refuse(http.StatusUnprocessableEntity, problem)
			return
		}
	}
	filter, err := a.selection(d.auditFilter)
	if err != nil {
		_, words, _ := strings.Cut(err.Error(), ": ")
		refuse(http.StatusUnprocessableEntity, "Nothing was taken out. Please check the form: "+words+".")
		return
	}
	if errors.Is(a.trees.Health(ctx), tlog.ErrTampered) { // better told here than by a file that breaks off
		a.broken(ctx)
		a.damaged(w, r)
		return
	}
	z := newArchive(w, format.File, time.Now())
	err = a.give(ctx, z, format, filter)
	if err == nil {
		return
	}
	if z.begun() {
		a.broken(ctx)
		panic(http.ErrAbortHandler) // the browser learns that the file is not whole
	}
	switch {
	case errors.Is(err, tlog.ErrTampered), errors.Is(err, tlog.ErrProof):
		a.broken(ctx)
		a.damaged(w, r)
	case errors.Is(err, tlog.ErrUncovered):
		refuse(http.StatusConflict, "Nothing was taken out: no checkpoint covers the events yet. Wait ten seconds and try again.")
	case errors.Is(err, export.ErrRequest):
		refuse(http.StatusUnprocessableEntity, "Nothing was taken out. Please check the form.")
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// onlyPatient looks up whose events are asked for.
func (a *app) onlyPatient(ctx context.Context, d *exportsData) (problem string, err error) {
	ids, err := a.patients.find(ctx, d.Q)
	if typeOf(d.Q) == "patient" {
		ids, err = a.patients.known(ctx, d.Q)
	}
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "Nothing was taken out. No patient has this phone number, e-mail address or medical record number. Type the whole of it.", nil
	case len(ids) > 1:
		return "Nothing was taken out. Several patients have this. Give the medical record number.", nil
	}
	d.Patient = ids[0]
	return "", audit.Seen(ctx, audit.Patient(d.Patient), audit.Object{})
}

// broken records that a copy which was asked for is none.
func (a *app) broken(ctx context.Context) {
	e := proofEvent(actionExportBroken, exportObject, "")
	e.Outcome, e.Code = audit.Failure, "broken"
	_ = a.log.Record(context.WithoutCancel(ctx), e) // that it was begun is on record
}

// exportManifest is the manifest of a copy that was taken out.
func (a *app) exportManifest(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	kept, err := a.exports(r.Context(), r.PathValue("export"))
	switch {
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	case len(kept) != 1:
		a.fail(w, r, http.StatusNotFound)
		return
	}
	m, ok := a.manifestOf(kept[0])
	if !ok {
		a.damaged(w, r)
		return
	}
	f, _ := formatOf(m.Format)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+manifestName(f.File)+`"`)
	_, _ = w.Write([]byte(kept[0].manifest))
}
