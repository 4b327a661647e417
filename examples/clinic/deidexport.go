package main

import (
	"bytes"
	"context"
	"iter"
	"net/http"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi/deid"
	"github.com/wardkit/wardkit/rbac"
)

// deidHome is the page from which figures without names are taken.
const deidHome = "/deidentified"

// Whoever answers for what leaves the clinic may take patients' data without what identifies them.
var (
	deidRead = rbac.Define[rbac.InTenant]("deidentified.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Exports))
	deidMake = rbac.Define[rbac.InTenant]("deidentified.make", rbac.Columns{}, rbac.Verb(audit.Execute), rbac.PHI(), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Exports))
)

func deidWords() []option {
	return []option{
		{"deidentified.read", "Look at the export without names"},
		{"deidentified.make", "Ask for an export without names"},
		{string(deid.ActionExport), "Export without names begun"},
		{string(deid.ActionExported), "Export without names ended"},
	}
}

func deidTypes() []option { return []option{{"deidentified", "Export without names"}} }

// deidRules say what becomes of each field of a patient's record. A field that is not here stops the
// server from starting, until somebody has decided about it.
func deidRules() deid.Rules {
	return deid.Rules{
		"birth": deid.Year(),
		"name":  deid.Drop(), "mrn": deid.Drop(), "phone": deid.Drop(), "email": deid.Drop(), "ssn": deid.Drop(), "note": deid.Drop(),
		"Tenant": deid.Drop(), "Version": deid.Drop(), "Created": deid.Drop(), "Therapist": deid.Drop(), "Destroyed": deid.Drop(),
	}
}

// newDeidentifier makes the exporter of patients' records.
func newDeidentifier(p *patients, log *audit.Log) (*deid.Exporter[Patient], error) {
	return deid.New(p.codec, deidRules(), log, &deid.Options{Now: p.now})
}

type deidData struct {
	Columns        []string
	Reason, Source string
	MayMake        bool
}

func (a *app) deidPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	v := view{}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Nothing was taken out. Please type a reason of a few words. It is kept with the record of who took the file."
	}
	v.Title, v.Data = "Export without names", deidData{
		Columns: a.deidentifier.Columns(), Source: deid.Census2000().Date(), MayMake: holds(r.Context(), a, deidMake),
	}
	a.render(w, r, http.StatusOK, "deidentified", v)
}

// deidentify gives out the file. It is made whole before its first byte leaves: a part would look like
// all of it.
func (a *app) deidentify(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	var file bytes.Buffer
	format, name := deid.CSV(&file), "patients.csv"
	switch r.PostForm.Get("format") {
	case "csv":
	case "jsonl":
		format, name = deid.JSONLines(&file), "patients.jsonl"
	default:
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	if _, err := a.deidentifier.Export(ctx, format, strings.TrimSpace(r.PostForm.Get("reason")), a.patients.everybody(ctx)); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(file.Bytes())
}

// everybody yields the records of all patients whose data is there, a page at a time.
func (s *patients) everybody(ctx context.Context) iter.Seq2[*Patient, error] {
	return func(yield func(*Patient, error) bool) {
		for after := ""; ; {
			page, last, err := s.page(ctx, "p.tenant = ? AND p.id > ? ORDER BY p.id LIMIT ?", []any{s.now().UnixMicro(), string(tenant), after, pageSize})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
			if after = last; last == "" {
				return
			}
		}
	}
}
