package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// disclosedRow is one disclosure, or a series, in plain words.
type disclosedRow struct {
	When, Recipient, Address, What, Why, Authority string
	Many                                           string // of a series
	Erased                                         bool
}

type accountingData struct {
	ID, Name, From, To string
	Own, Print, May    bool // the patient's own; on paper; the reader may record more
	Rows               []disclosedRow
	Held               int
	Authorities        []authority
	Kinds              []option
	Typed              typedDisclosure
}

// accountingOf reads what was disclosed about a patient within six years. Opening the recipients is
// an event of its own (audit.ActionOpen), and it is recorded before anybody sees them.
func (a *app) accountingOf(ctx context.Context, p Patient, d *accountingData) error {
	all, err := a.log.Disclosures(ctx, audit.Subject{Tenant: tenant, Patient: audit.Patient(p.ID)}, a.heldBack(&d.Held))
	if err != nil {
		return err
	}
	d.ID, d.From, d.To = p.ID, a.day(all.Period.Start), a.day(all.Period.End)
	for _, one := range all.Disclosures {
		d.Rows = append(d.Rows, a.disclosedRow(one))
	}
	return a.log.Record(ctx, recordEvent(audit.ActionOpen, audit.Read, p.ID, audit.Object{Type: "accounting", ID: p.ID, Category: string(rbac.Exports), Fields: []string{"recipient", "address"}}))
}

func (a *app) day(t time.Time) string { return t.In(a.config.zone).Format("2 Jan 2006") }

func (a *app) disclosedRow(d audit.Disclosed) disclosedRow {
	row := disclosedRow{
		When: a.day(d.First), Recipient: d.Recipient, Address: d.Address, What: d.Description,
		Why: authorityWords(d.Authority), Authority: d.Authority, Erased: d.Erased,
	}
	if row.Authority == row.Why {
		row.Authority = ""
	}
	if d.Count > 1 {
		row.Many = strconv.Itoa(d.Count) + " times, the last on " + a.day(d.Last)
		if d.Frequency != "" {
			row.Many += ", " + d.Frequency
		}
	}
	return row
}

func (a *app) accountingPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	a.showAccounting(w, r, http.StatusOK, g.Resource(), view{}, typedDisclosure{})
}

// accountingPrint is the same for paper: what a patient is handed, so nothing of what is held back.
func (a *app) accountingPrint(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	d := accountingData{Print: true}
	err := a.accountingOf(r.Context(), g.Resource(), &d)
	if err == nil {
		err = show(r.Context(), into{g.Resource().Name, &d.Name})
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, http.StatusOK, "disclosures", view{Title: "Accounting of disclosures", Plain: true, Data: d})
}

func (a *app) showAccounting(w http.ResponseWriter, r *http.Request, status int, p Patient, v view, typed typedDisclosure) {
	ctx := r.Context()
	d := accountingData{Typed: typed, Authorities: authorities()}
	for _, k := range disclosable() {
		d.Kinds = append(d.Kinds, option{string(k.category), k.name})
	}
	reading, err := rbac.Authorize(ctx, a.access, accountingRead, p)
	if err == nil {
		err = a.accountingOf(ctx, p, &d)
	}
	if err == nil {
		err = show(reading.Context(ctx), into{p.Name, &d.Name})
	}
	if err == nil {
		var may rbac.Permitted
		may, err = rbac.May(ctx, a.access, p, disclosureRecord)
		d.May = may.Allows(disclosureRecord)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "Accounting of disclosures", d
	a.render(w, r, status, "disclosures", v)
}

// accountingCSV is the same as a table for programs.
func (a *app) accountingCSV(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	var d accountingData
	if err := a.accountingOf(r.Context(), g.Resource(), &d); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	var b bytes.Buffer
	table := csv.NewWriter(&b)
	table.UseCRLF = true // RFC 4180
	_ = table.Write([]string{"day", "recipient", "address", "what", "why", "authority", "series"})
	for _, row := range d.Rows {
		_ = table.Write([]string{row.When, harmless(row.Recipient), harmless(row.Address), harmless(row.What), harmless(row.Why), row.Authority, harmless(row.Many)})
	}
	table.Flush()
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="disclosures.csv"`)
	_, _ = w.Write(b.Bytes())
}

// harmless is a cell that no spreadsheet takes for a formula.
func harmless(s string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + s
	}
	return s
}

// ownDisclosures is the patient's own page. What an agency has held back is not in it, and nothing
// says that something is missing.
func (a *app) ownDisclosures(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	d := accountingData{Own: true}
	if err := a.accountingOf(r.Context(), g.Resource(), &d); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.ID, d.Held = "", 0
	a.render(w, r, http.StatusOK, "disclosures", view{Title: "Who got something from my record", Data: d})
}
