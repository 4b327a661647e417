package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

func (a *app) paperRoutes(mux *rbac.Mux) {
	patient := rbac.For(mux, func(ctx context.Context, r *http.Request) (Patient, error) {
		return a.patients.get(ctx, r.PathValue("patient"))
	})
	for _, k := range paperKinds() {
		one := rbac.For(mux, func(ctx context.Context, r *http.Request) (Paper, error) {
			return a.papers.get(ctx, k, r.PathValue(k.noun()))
		})
		patient.Handle("POST /patients/{patient}/"+k.Path, k.add, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
			a.addPaper(w, r, g, k)
		})
		one.Handle("GET /"+k.Path+"/{"+k.noun()+"}", k.read, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[Paper]) {
			a.paperPage(w, r, g, k)
		})
		one.Handle("POST /"+k.Path+"/{"+k.noun()+"}/delete", k.remove, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[Paper]) {
			a.paperDone(w, r, g, k, "deleted", a.papers.setAside(r.Context(), g, k, true))
		})
		one.Handle("POST /"+k.Path+"/{"+k.noun()+"}/restore", k.remove, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[Paper]) {
			a.paperDone(w, r, g, k, "restored", a.papers.setAside(r.Context(), g, k, false))
		})
		one.Handle("POST /"+k.Path+"/{"+k.noun()+"}/purge", k.purge, func(w http.ResponseWriter, r *http.Request, g rbac.Granted[Paper]) {
			a.paperDone(w, r, g, k, "purged", a.papers.purge(r.Context(), g, k))
		})
	}
}

// paperList is a kind of papers on a patient's page.
type paperList struct {
	Path, One, Many, Noun string
	Patient               string
	MayRead, MayAdd       bool
	Rows                  []paperRow
}

type paperRow struct {
	ID, Title, When, Who string
	Deleted              bool
	Closed               bool // may be deleted and not be read
}

// paperLists are the papers of a patient, as far as the person may see them or add to them.
func (a *app) paperLists(ctx context.Context, p Patient) (all []paperList, err error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range paperKinds() {
		l := paperList{Path: k.Path, One: k.One, Many: k.Many, Noun: strings.ToLower(k.One), Patient: p.ID}
		may, err := rbac.May(ctx, a.access, p, k.add)
		if err != nil {
			return nil, err
		}
		l.MayAdd = may.Allows(k.add)
		if l.Rows, l.MayRead, err = a.paperRows(ctx, p, k, team); err != nil {
			return nil, err
		}
		if l.MayRead || l.MayAdd {
			all = append(all, l)
		}
	}
	return all, nil
}

// paperRows lists the papers that the person may read, with their titles, or may at least delete,
// without. What was deleted is for those who can put it back or destroy it.
func (a *app) paperRows(ctx context.Context, p Patient, k paperKind, team map[audit.ActorID]member) (rows []paperRow, may bool, err error) {
	reads, removes, purges := holds(ctx, a, k.read), holds(ctx, a, k.remove), holds(ctx, a, k.purge)
	action := k.read
	if !reads {
		action = k.remove
	}
	if !reads && !removes {
		return nil, false, nil
	}
	f, err := rbac.Visible(ctx, a.access, action)
	if err != nil {
		return nil, false, err
	}
	found, err := a.papers.of(ctx, f, k, p.ID)
	for i := 0; err == nil && i < len(found); i++ {
		d := found[i]
		row := paperRow{ID: d.ID, When: a.config.when(d.Created), Who: whoText(actorOf(d.Author), team), Deleted: !d.Deleted.IsZero(), Closed: !reads}
		if row.Deleted && !removes && !purges {
			continue
		}
		if reads {
			err = show(f.Context(ctx), into{d.Title, &row.Title})
		}
		rows = append(rows, row)
	}
	return rows, true, err
}

// actorOf is somebody of whom only the id is known.
func actorOf(id audit.ActorID) audit.Actor { return audit.Actor{ID: id, Kind: kindOf(string(id))} }

type paperData struct {
	paperRow
	Path, One, Patient, Body string
	MayDelete, MayPurge      bool
}

func (a *app) paperPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Paper], k paperKind) {
	ctx, p := r.Context(), g.Resource()
	team, err := a.staff.all(ctx)
	var may rbac.Permitted
	if err == nil {
		may, err = rbac.May(ctx, a.access, p, k.remove, k.purge)
	}
	d := paperData{Path: k.Path, One: k.One, Patient: string(p.Patient), MayDelete: may.Allows(k.remove), MayPurge: may.Allows(k.purge)}
	d.paperRow = paperRow{ID: p.ID, When: a.config.when(p.Created), Who: whoText(actorOf(p.Author), team), Deleted: !p.Deleted.IsZero()}
	if err == nil && (!d.Deleted || d.MayDelete || d.MayPurge) {
		err = show(ctx, into{p.Title, &d.Title}, into{p.Body, &d.Body})
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if d.Deleted && !d.MayDelete && !d.MayPurge {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	v := view{Title: k.One, Data: d, Patient: d.Patient}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Please type a reason of a few words. It is kept with the record of who destroyed this."
	}
	a.render(w, r, http.StatusOK, "paper", v)
}

func (a *app) addPaper(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient], k paperKind) {
	if !a.form(w, r) {
		return
	}
	typed := typedPaper{strings.TrimSpace(r.PostForm.Get("title")), strings.TrimSpace(r.PostForm.Get("body"))}
	_, err := a.papers.add(r.Context(), g, k, typed)
	switch {
	case errors.Is(err, errInput):
		_, words, _ := strings.Cut(err.Error(), ": ")
		a.showPatient(w, r, http.StatusUnprocessableEntity, g.Resource(), view{Problem: "Please check what you typed: " + words + "."}, patientData{Paper: typed, PaperKind: k.Path})
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/patients/"+g.Resource().ID+"?done=paper", http.StatusSeeOther)
	}
}

// paperDone answers what was done to a paper.
func (a *app) paperDone(w http.ResponseWriter, r *http.Request, g rbac.Granted[Paper], k paperKind, done string, err error) {
	p := g.Resource()
	switch {
	case errors.Is(err, errChanged):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	case done == "purged" || !holds(r.Context(), a, k.read):
		http.Redirect(w, r, a.backTo(r.Context(), p)+"?done=paper-"+done, http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/"+k.Path+"/"+p.ID+"?done=paper-"+done, http.StatusSeeOther)
	}
}

// backTo is the patient's page, for who may open it.
func (a *app) backTo(ctx context.Context, p Paper) string {
	if holds(ctx, a, patientRead) {
		return "/patients/" + string(p.Patient)
	}
	return "/dashboard"
}
