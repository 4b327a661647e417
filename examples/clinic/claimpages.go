package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/rbac"
)

type claimRow struct{ ID, Patient, Name, Served, Payer, Amount, State, Tag string }

type claimListData struct {
	Patient, Next, Caption string
	Rows                   []claimRow
}

// claimList shows the claims that the person may see, of one patient where the address names one.
func (a *app) claimList(w http.ResponseWriter, r *http.Request, f rbac.Filter[Claim]) {
	ctx, form := r.Context(), r.URL.Query()
	d := claimListData{Patient: form.Get("patient")}
	found, err := a.claims.list(ctx, f, d.Patient, form.Get("before"))
	names := a.names()
	for i := 0; err == nil && i < len(found); i++ {
		var row claimRow
		row, err = a.claimRow(ctx, found[i], names)
		d.Rows = append(d.Rows, row)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.Caption = plural(len(found), "claim") + " on this page"
	if len(found) == claimPageSize {
		form.Set("before", found[claimPageSize-1].ID)
		d.Next = "/claims?" + form.Encode()
	}
	a.render(w, r, http.StatusOK, "claims", view{Title: "Claims", Data: d})
}

func (a *app) claimRow(ctx context.Context, c *Claim, names *patientNames) (row claimRow, err error) {
	row = claimRow{ID: c.ID, Patient: string(c.Patient)}
	row.State, row.Tag = stateWords(c.State)
	if row.Name, err = names.of(ctx, c.Patient); err == nil {
		err = show(ctx, into{c.Served, &row.Served}, into{c.Payer, &row.Payer}, into{c.Amount, &row.Amount})
	}
	return row, err
}

func stateWords(s claimState) (text, tag string) {
	switch s {
	case stateDenied:
		return "Denied", "tag-bad"
	case stateAppealed:
		return "Appealed", "tag-warn"
	case statePaid:
		return "Paid", "tag-good"
	}
	return "Submitted", "tag-warn"
}

type claimData struct {
	claimRow
	Version int64
	Steps   []claimStep
	Moments []moment
}

func (a *app) claimPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Claim]) {
	a.showClaim(w, r, http.StatusOK, g.Resource(), view{})
}

func (a *app) showClaim(w http.ResponseWriter, r *http.Request, status int, c Claim, v view) {
	ctx := r.Context()
	row, err := a.claimRow(ctx, &c, a.names())
	d := claimData{claimRow: row, Version: c.Version}
	var may rbac.Permitted
	if err == nil {
		may, err = rbac.May(ctx, a.access, c, claimChange)
	}
	if err == nil && may.Allows(claimChange) {
		d.Steps = stepsFrom(c.State)
	}
	if err == nil {
		d.Moments, err = a.claimMoments(ctx, c)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "Claim", d
	a.render(w, r, status, "claim", v)
}

// claimMoments are the steps of a claim. Reading them is a decision of its own, and narrower
// than reading the audit: what was done with the claim, not who looked at it.
func (a *app) claimMoments(ctx context.Context, c Claim) (all []moment, err error) {
	if _, err := rbac.Authorize(ctx, a.access, claimHistory, c); err != nil {
		return nil, err
	}
	q := a.claims.flow.History(tenant, c.ID)
	for _, step := range a.claims.flow.Steps() {
		q.Actions = append(q.Actions, step.Action)
	}
	_, err = a.moments(ctx, &all, q)
	return all, err
}

// submitClaim takes the form on a patient's page.
func (a *app) submitClaim(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	field := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	b := bill{Served: field("served"), Payer: field("payer"), Amount: field("amount")}
	id, err := a.claims.submit(r.Context(), g, b)
	switch {
	case errors.Is(err, errInput):
		_, words, _ := strings.Cut(err.Error(), ": ")
		a.showPatient(w, r, http.StatusUnprocessableEntity, g.Resource(), view{Problem: "Please check the claim: " + words + "."}, patientData{Bill: b})
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/claims/"+url.PathEscape(id)+"?done=claim", http.StatusSeeOther)
	}
}

// changeClaim takes a step that the claim's page offers.
func (a *app) changeClaim(w http.ResponseWriter, r *http.Request, g rbac.Granted[Claim]) {
	if !a.form(w, r) {
		return
	}
	steps := claimSteps()
	i := slices.IndexFunc(steps, func(s claimStep) bool { return s.ID == r.PathValue("step") })
	if i < 0 {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	err = a.claims.take(r.Context(), g, steps[i], version, r.PostForm.Get("reason"))
	switch {
	case errors.Is(err, errInput):
		a.showClaim(w, r, http.StatusUnprocessableEntity, g.Resource(), view{Problem: "Please choose the reason that the insurer gave."})
	case errors.Is(err, errChanged):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/claims/"+url.PathEscape(g.Resource().ID)+"?done=claim-moved", http.StatusSeeOther)
	}
}
