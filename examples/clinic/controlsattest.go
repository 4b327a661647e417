package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/rbac"
)

// claimable is something that no program sees, and that somebody of the clinic can attest.
type claimable struct {
	ID, What  string
	citations []string
}

func claimables() []claimable {
	return []claimable{
		{"host.risk_analysis", "A risk analysis was done and written down.", []string{"45 CFR 164.308(a)(1)(ii)(A)"}},
		{"host.training", "Everybody of the team was trained in privacy and security.", []string{"45 CFR 164.308(a)(5)", "45 CFR 164.530(b)"}},
		{"host.sanctions", "There are rules for what happens to those who break the rules, and the team knows them.", []string{"45 CFR 164.308(a)(1)(ii)(C)"}},
		{"host.agreements", "Every business associate has signed an agreement.", []string{"45 CFR 164.308(b)(1)", "45 CFR 164.504(e)"}},
		{"host.drill", "A backup was restored in a drill, with its keys.", []string{"45 CFR 164.308(a)(7)(ii)(B)", "45 CFR 164.308(a)(7)(ii)(D)"}},
		{"host.doors", "Rooms with servers and papers are locked, and it is known who enters.", []string{"45 CFR 164.310(a)(1)"}},
		{"host.disposal", "Disks and papers are destroyed before they leave.", []string{"45 CFR 164.310(d)(2)(i)"}},
		{"host.notice", "The notice of privacy practices is handed out and hangs in the clinic.", []string{"45 CFR 164.520"}},
	}
}

// wireEvidence makes the place where people attest. A packet calls them by name and role.
func (a *app) wireEvidence(s *stores) (err error) {
	a.attested, err = evidence.NewAttestations(s.attest, a.log, &evidence.AttestationOptions{Author: a.author})
	return err
}

func (a *app) author(ctx context.Context, who audit.Actor) (string, error) {
	m, err := a.staff.get(ctx, who.ID)
	if err != nil {
		return "", err
	}
	label, err := a.access.Label(ctx)
	return m.Name + ", " + label, err
}

// typedAttestation is the form of an attestation.
type typedAttestation struct {
	ID, Detail, Until string
	version           int64
}

func readAttestation(r *http.Request) (typedAttestation, error) {
	f := r.PostForm
	t := typedAttestation{ID: f.Get("id"), Detail: strings.TrimSpace(strings.ReplaceAll(f.Get("detail"), "\r\n", "\n")), Until: f.Get("until")}
	var err error
	if v := f.Get("version"); v != "" {
		t.version, err = strconv.ParseInt(v, 10, 64)
	}
	return t, err
}

// attestedRow is an attestation with the forms to renew and to withdraw it.
type attestedRow struct {
	ID, What, Detail, By, Until string
	Version                     int64
}

func (a *app) attestedRows(ctx context.Context) (rows []attestedRow, err error) {
	all, err := a.attested.List(ctx, tenant)
	for _, k := range all {
		rows = append(rows, attestedRow{k.ID, k.What, k.Detail, k.By, k.Expires.In(a.config.zone).Format("2 Jan 2006"), k.Version})
	}
	return rows, err
}

// attest makes an attestation, or renews one, in the name of the person who sends the form.
func (a *app) attest(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	typed, err := readAttestation(r)
	until, badDay := time.ParseInLocation(time.DateOnly, typed.Until, a.config.zone)
	known := claimables()
	i := slices.IndexFunc(known, func(c claimable) bool { return c.ID == typed.ID })
	if err != nil || i < 0 || badDay != nil {
		a.showControls(w, r, http.StatusUnprocessableEntity, view{Problem: "Please choose what you attest, and until which day."}, typed)
		return
	}
	_, err = a.attested.Attest(r.Context(), evidence.Spoken{
		ID: typed.ID, What: known[i].What, Detail: typed.Detail, Expires: until.AddDate(0, 0, 1), Citations: known[i].citations, Expect: typed.version,
	})
	switch {
	case errors.Is(err, evidence.ErrAttestation):
		a.showControls(w, r, http.StatusUnprocessableEntity, view{Problem: "Please check the form: the day lies within the next twelve months, and the text has at most 2,000 characters."}, typed)
	case errors.Is(err, evidence.ErrConflict):
		a.showControls(w, r, http.StatusConflict, view{Problem: "Somebody attested this meanwhile. Please read what they wrote before you go on; nothing was saved."}, typed)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/settings/controls?done=attested", http.StatusSeeOther)
	}
}

// withdrawAttestation has an attestation count no more.
func (a *app) withdrawAttestation(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	typed, err := readAttestation(r)
	if err != nil {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	err = a.attested.Withdraw(r.Context(), typed.ID, typed.version)
	switch {
	case errors.Is(err, evidence.ErrConflict), errors.Is(err, evidence.ErrNotFound):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/settings/controls?done=withdrawn", http.StatusSeeOther)
	}
}
