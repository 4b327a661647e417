package main

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/rbac"
)

const retentionHome = "/settings/retention"

// failPurge answers what the keeper does not do.
func (a *app) failPurge(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, tlog.ErrTampered), errors.Is(err, purge.ErrPlan):
		a.damaged(w, r)
	case errors.Is(err, purge.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	case errors.Is(err, purge.ErrSamePerson), errors.Is(err, purge.ErrPerson):
		a.fail(w, r, http.StatusForbidden)
	case errors.Is(err, purge.ErrConflict), errors.Is(err, purge.ErrOpen):
		a.fail(w, r, http.StatusConflict)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// changeRetention sets how many years the audit is kept.
func (a *app) changeRetention(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	form := r.PostForm
	version, err1 := strconv.ParseInt(form.Get("version"), 10, 64)
	n, err2 := strconv.Atoi(strings.TrimSpace(form.Get("years")))
	err := errors.Join(err1, err2)
	if err != nil || n < 0 || n > 1000 {
		err = purge.ErrSettings
	} else {
		_, err = a.keeper.Change(r.Context(), tenant, 12*n, version, form.Get("reason"))
	}
	switch {
	case err == nil:
		http.Redirect(w, r, retentionHome+"?done=retention", http.StatusSeeOther)
	case errors.Is(err, purge.ErrFloor):
		a.showRetention(w, r, http.StatusUnprocessableEntity, view{Problem: "Nothing was changed. The law asks for six years; the clinic can only keep the audit longer."}, retentionData{Typed: form.Get("reason")})
	case errors.Is(err, purge.ErrSettings):
		a.showRetention(w, r, http.StatusUnprocessableEntity, view{Problem: "Nothing was changed. Please type a number of years from 6 to 100."}, retentionData{Typed: form.Get("reason")})
	default:
		a.failPurge(w, r, err)
	}
}

// placeHold keeps something for as long as a case needs it.
func (a *app) placeHold(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, form := r.Context(), r.PostForm
	d := retentionData{Type: form.Get("type"), Covers: strings.TrimSpace(form.Get("covers")), Matter: strings.TrimSpace(form.Get("matter")), Typed: form.Get("reason")}
	h := purge.Hold{Tenant: tenant, Matter: d.Matter}
	refuse := func(problem string) {
		a.showRetention(w, r, http.StatusUnprocessableEntity, view{Problem: "Nothing was placed. " + problem}, d)
	}
	switch d.Type {
	case "all":
		h.All = true
	case "patient":
		id, problem, err := a.heldPatient(ctx, d.Covers)
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		if problem != "" {
			refuse(problem)
			return
		}
		h.Patient = id
	case "member":
		id, err := a.heldMember(ctx, d.Covers)
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		if id == "" {
			refuse("Nobody of the team has this name. Type it as the page Team shows it.")
			return
		}
		h.Actor = id
	}
	_, err := a.keeper.Place(ctx, h, form.Get("reason"))
	switch {
	case err == nil:
		http.Redirect(w, r, retentionHome+"?done=held#holds", http.StatusSeeOther)
	case errors.Is(err, purge.ErrHold):
		refuse("Please say what is kept, and give the case a number or a short name of at most 64 characters.")
	default:
		a.failPurge(w, r, err)
	}
}

// heldPatient looks up the patient that a hold is about.
func (a *app) heldPatient(ctx context.Context, q string) (id audit.Patient, problem string, err error) {
	ids, err := a.patients.find(ctx, q)
	switch {
	case err != nil:
		return "", "", err
	case len(ids) == 0:
		return "", "No patient has this phone number, e-mail address or medical record number. Type the whole of it.", nil
	case len(ids) > 1:
		return "", "Several patients have this. Give the medical record number.", nil
	}
	return audit.Patient(ids[0]), "", audit.Seen(ctx, audit.Patient(ids[0]), audit.Object{})
}

// heldMember looks up somebody of the team by name, "" for nobody, and for a name that two have.
func (a *app) heldMember(ctx context.Context, name string) (id audit.ActorID, err error) {
	team, err := a.staff.all(ctx)
	for _, m := range team {
		if !strings.EqualFold(m.Name, name) {
			continue
		}
		if id != "" {
			return "", nil
		}
		id = m.ID
	}
	return id, err
}

func (a *app) releaseHold(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	_, err := a.keeper.Release(r.Context(), tenant, r.PathValue("hold"), r.PostForm.Get("reason"))
	switch {
	case err == nil:
		http.Redirect(w, r, retentionHome+"?done=released#holds", http.StatusSeeOther)
	case errors.Is(err, purge.ErrSamePerson):
		a.showRetention(w, r, http.StatusForbidden, view{Problem: "Nothing was released. You placed this hold; somebody else has to release it."}, retentionData{})
	default:
		a.failPurge(w, r, err)
	}
}

// proposePurge makes a plan, and the copy of what it would destroy.
func (a *app) proposePurge(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	_, err := a.keeper.Propose(r.Context(), tenant, r.PostForm.Get("reason"))
	switch {
	case err == nil:
		http.Redirect(w, r, retentionHome+"?done=proposed#purge", http.StatusSeeOther)
	case errors.Is(err, purge.ErrNothing):
		a.showRetention(w, r, http.StatusConflict, view{Problem: "Nothing was proposed: no event is old enough, or what is old enough is held."}, retentionData{})
	default:
		a.failPurge(w, r, err)
	}
}

// approvePurge agrees as the second person, and carries it out. What is not done at once the server
// goes on with.
func (a *app) approvePurge(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, id := r.Context(), r.PathValue("plan")
	if r.PostForm.Get("confirm") != "yes" {
		a.showRetention(w, r, http.StatusUnprocessableEntity, view{Problem: "Nothing was destroyed. Please tick the box to say that you have looked at the copy."}, retentionData{Typed: r.PostForm.Get("reason")})
		return
	}
	_, err := a.keeper.Approve(ctx, tenant, id, r.PostForm.Get("reason"))
	if problem := approvalProblem(err); problem != "" {
		status := http.StatusConflict
		if errors.Is(err, purge.ErrSamePerson) {
			status = http.StatusForbidden
		}
		a.showRetention(w, r, status, view{Problem: "Nothing was destroyed. " + problem}, retentionData{})
		return
	}
	if err != nil {
		a.failPurge(w, r, err)
		return
	}
	done := "purging"
	if _, err := a.keeper.Resume(context.WithoutCancel(ctx), tenant, id); err == nil {
		done = "purged"
	}
	http.Redirect(w, r, retentionHome+"?done="+done+"#purge", http.StatusSeeOther)
}

func approvalProblem(err error) string {
	switch {
	case errors.Is(err, purge.ErrSamePerson):
		return "You proposed this purge; somebody else has to agree."
	case errors.Is(err, purge.ErrExpired):
		return "Nobody agreed in time, so the proposal is closed. Propose it again."
	case errors.Is(err, purge.ErrStopped):
		return "Something it named has to be kept now, so the proposal is closed. Propose it again without that."
	case errors.Is(err, purge.ErrBundle):
		return "The copy of what it would destroy is missing or was changed. Withdraw the proposal, and make another one."
	}
	return ""
}

func (a *app) withdrawPurge(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if _, err := a.keeper.Withdraw(r.Context(), tenant, r.PathValue("plan"), r.PostForm.Get("reason")); err != nil {
		a.failPurge(w, r, err)
		return
	}
	http.Redirect(w, r, retentionHome+"?done=purge-withdrawn#purge", http.StatusSeeOther)
}

// purgeCopy gives out the copy of what a plan destroys. The route's own decision records who takes it.
func (a *app) purgeCopy(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	events, manifest, err := a.keeper.Bundle(r.Context(), tenant, r.PathValue("plan"))
	if errors.Is(err, purge.ErrBundle) {
		a.damaged(w, r)
		return
	}
	if err != nil {
		a.failPurge(w, r, err)
		return
	}
	defer events.Close()
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="purged-`+r.PathValue("plan")+`.zip"`)
	if err := zipped(unhurried{w, http.NewResponseController(w)}, events, manifest); err != nil {
		panic(http.ErrAbortHandler) // the browser learns that the file is not whole
	}
}

// unhurried gives each piece of a file its own time: the server's limit is for requests, not for a
// file that takes an hour.
type unhurried struct {
	w       io.Writer
	control *http.ResponseController
}

// Write implements io.Writer.
func (u unhurried) Write(p []byte) (int, error) {
	_ = u.control.SetReadDeadline(time.Time{})
	_ = u.control.SetWriteDeadline(time.Now().Add(pieceTime))
	return u.w.Write(p)
}

// zipped writes a bundle as one file.
func zipped(w io.Writer, events io.Reader, manifest []byte) error {
	z := zip.NewWriter(w)
	f, err := z.CreateHeader(&zip.FileHeader{Name: "audit.jsonl", Method: zip.Deflate, Modified: time.Now()})
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, events); err != nil {
		return err
	}
	if f, err = z.Create("audit.jsonl.manifest"); err != nil {
		return err
	}
	if _, err := f.Write(manifest); err != nil {
		return err
	}
	return z.Close()
}
