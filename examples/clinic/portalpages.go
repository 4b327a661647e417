package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
)

// portalData is what the team sees of a patient's own access.
type portalData struct {
	ID, Name, Email string
	Account         accountRow
	Changes         accountChanges
	None            bool // no account, or one that was closed
	May             bool // change it
}

// portalPage shows whether a patient can sign in, to those who care for the record.
func (a *app) portalPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	a.showPortal(w, r, http.StatusOK, g.Resource(), view{})
}

func (a *app) showPortal(w http.ResponseWriter, r *http.Request, status int, p Patient, v view) {
	ctx, d := r.Context(), portalData{ID: p.ID}
	reading, err := rbac.Authorize(ctx, a.access, patientRead, p)
	if err == nil {
		err = show(reading.Context(ctx), into{p.Name, &d.Name}, into{p.Email, &d.Email})
	}
	if err == nil {
		d.Account, err = a.portalAccount(ctx, p.ID)
	}
	if err == nil {
		var may rbac.Permitted
		may, err = rbac.May(ctx, a.access, p, portalManage)
		d.May = err == nil && may.Allows(portalManage)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.None = d.Account.ID == "" || d.Account.state == authn.Removed
	d.Changes = changesOf(ctx, d.Account, "/patients/"+p.ID+"/portal", d.May)
	v.Title, v.Data = "Patient portal", d
	a.render(w, r, status, "portal", v)
}

// portalAccount returns the account of a patient, an empty one if there is none.
func (a *app) portalAccount(ctx context.Context, patient string) (accountRow, error) {
	id, err := a.portal.account(ctx, patient)
	if errors.Is(err, rbac.ErrNotFound) {
		return accountRow{}, nil
	}
	if err != nil {
		return accountRow{}, err
	}
	row, err := a.account(ctx, id)
	if errors.Is(err, authn.ErrNotFound) {
		return accountRow{}, nil // an invitation that was interrupted; the next one goes on with it
	}
	return row, err
}

// invitePatient sends the invitation to the address on record.
func (a *app) invitePatient(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	ctx, p := r.Context(), g.Resource()
	email, err := a.mailOf(ctx, p)
	if err == nil {
		err = a.openPortal(ctx, p.ID, email)
	}
	switch {
	case errors.Is(err, authn.ErrExists):
		a.showPortal(w, r, http.StatusConflict, p, view{Problem: "This patient has an account already, or somebody else signs in with this e-mail address."})
	case errors.Is(err, authn.ErrIdentifier), errors.Is(err, errInput):
		a.showPortal(w, r, http.StatusUnprocessableEntity, p, view{Problem: "The record has no e-mail address that an invitation can go to."})
	case errors.Is(err, rbac.ErrDenied):
		a.fail(w, r, http.StatusForbidden)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/patients/"+p.ID+"/portal?done=portal-invited", http.StatusSeeOther)
	}
}

// mailOf returns the address on record, for those who see it in full.
func (a *app) mailOf(ctx context.Context, p Patient) (string, error) {
	reading, err := rbac.Authorize(ctx, a.access, patientRead, p)
	if err != nil {
		return "", err
	}
	if p.Email.IsZero() {
		return "", errInput
	}
	email, err := p.Email.View(reading.Context(ctx))
	if err == nil {
		err = checkMember("x", email) // what a Sight masks is no address
	}
	return email, err
}

// changePortal carries out one of the changes that the desk can make to a patient's account.
func (a *app) changePortal(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	ctx, p, done := r.Context(), g.Resource(), ""
	id, err := a.portal.account(ctx, p.ID)
	if err == nil {
		done, err = a.carry(ctx, r.PathValue("change"), id, whyOf(r))
	}
	a.changedAt(w, r, "/patients/"+p.ID+"/portal", done, err)
}

// resetPatientFactor is for a patient whose phone is gone.
func (a *app) resetPatientFactor(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	ctx, p := r.Context(), g.Resource()
	id, err := a.portal.account(ctx, p.ID)
	if err == nil {
		err = a.resetFactor(ctx, id, whyOf(r))
	}
	a.changedAt(w, r, "/patients/"+p.ID+"/portal", "factor-reset", err)
}

// myRecord is what a patient sees: their own record, as far as it is for them to see.
type myRecord struct {
	Name, MRN, Birth, Phone, Email, SSN, Therapist, Note string
	Claims                                               []claimRow
	Recovered                                            *recovered
}

// ownPatient finds the record of the patient who asks. Nobody else has one.
func (a *app) ownPatient(ctx context.Context, _ *http.Request) (Patient, error) {
	actor, _ := audit.ActorFrom(ctx)
	if actor.Kind != audit.KindPatient || actor.ID == "" {
		return Patient{}, rbac.ErrNotFound
	}
	id, err := a.portal.patient(ctx, actor.ID)
	if err != nil {
		return Patient{}, err
	}
	return a.patients.get(ctx, id)
}

func (a *app) myRecordPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	ctx, p := r.Context(), g.Resource()
	var d myRecord
	err := show(ctx, into{p.Name, &d.Name}, into{p.MRN, &d.MRN}, into{p.Birth, &d.Birth}, into{p.Phone, &d.Phone}, into{p.Email, &d.Email}, into{p.SSN, &d.SSN})
	if err == nil {
		d.Note, err = a.readNote(ctx, p)
	}
	if err == nil {
		d.Claims, err = a.myClaims(ctx, p.ID)
	}
	if err == nil {
		d.Recovered, err = a.recoveredHere(ctx)
	}
	if err == nil && p.Therapist != "" {
		var therapist member
		therapist, err = a.staff.get(ctx, p.Therapist)
		d.Therapist = therapist.Name
		if errors.Is(err, rbac.ErrNotFound) {
			err = nil
		}
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, http.StatusOK, "myrecord", view{Title: "My record", Data: d})
}

// myClaims are the newest claims of a record, by the rule that lists them.
func (a *app) myClaims(ctx context.Context, patient string) (rows []claimRow, err error) {
	f, err := rbac.Visible(ctx, a.access, claimRead)
	if err != nil {
		return nil, err
	}
	found, err := a.claims.list(ctx, f, patient, "")
	for i := 0; err == nil && i < len(found); i++ {
		var row claimRow
		row.State, row.Tag = stateWords(found[i].State)
		var one rbac.Granted[Claim]
		if one, err = rbac.Authorize(ctx, a.access, claimRead, *found[i]); err == nil {
			err = show(one.Context(ctx), into{found[i].Served, &row.Served}, into{found[i].Payer, &row.Payer}, into{found[i].Amount, &row.Amount})
		}
		rows = append(rows, row)
	}
	return rows, err
}
