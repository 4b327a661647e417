package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

func (a *app) shredRoutes(mux *rbac.Mux) {
	one := rbac.For(mux, a.patientOrDestroyed)
	one.Handle("GET /patients/{patient}", patientRead, a.patientPage)
	one.Handle("GET /patients/{patient}/destroy", shredOpen, a.shredPage)
	one.Handle("POST /patients/{patient}/destroy", patientShred, a.shred)
	one.Handle("GET /patients/{patient}/access", accessRead, a.accessPage)
	one.Handle("GET /patients/{patient}/history", historyRead, a.recordHistory)
}

// patientOrDestroyed is a patient's record, or what is left of one: its identifier.
func (a *app) patientOrDestroyed(ctx context.Context, r *http.Request) (Patient, error) {
	id := r.PathValue("patient")
	p, err := a.patients.get(ctx, id)
	if !errors.Is(err, rbac.ErrNotFound) {
		return p, err
	}
	gone, e := a.destroyed(ctx, id)
	if e != nil || !gone {
		return p, errors.Join(e, err)
	}
	return Patient{ID: id, Tenant: tenant, Destroyed: true}, nil
}

type shredData struct {
	ID, Name, Typed string
	May             bool
	Hold            bool
	Until           string // until when the record is kept, "" for no longer
	Gone            bool
	Facts           []fact // of the certificate
}

// shredPage is where a patient's data is destroyed and, afterwards, the certificate.
func (a *app) shredPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	v := view{}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Nothing was destroyed. Please type a reason of a few words; it is kept on record."
	}
	a.showShred(w, r, http.StatusOK, g.Resource(), v, "")
}

func (a *app) showShred(w http.ResponseWriter, r *http.Request, status int, p Patient, v view, typed string) {
	ctx, d := r.Context(), shredData{ID: p.ID, Gone: p.Destroyed, Typed: typed}
	v.Title = "Destroy a patient’s data"
	may, err := rbac.May(ctx, a.access, p, patientShred)
	d.May = err == nil && may.Allows(patientShred)
	switch {
	case err != nil:
	case p.Destroyed:
		v.Title = "Certificate of destruction"
		d.Facts, err = a.certificate(ctx, audit.Patient(p.ID))
	default:
		var k retained
		k, err = a.retains(ctx, audit.Patient(p.ID))
		if d.Hold = k.Hold; !k.Until.IsZero() {
			d.Until = k.Until.In(a.config.zone).Format("2 January 2006")
		}
		if err == nil {
			err = show(ctx, into{p.Name, &d.Name})
		}
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Data = d
	a.render(w, r, status, "shred", v)
}

// shred destroys. The name is typed by hand, so that nobody destroys the record of the wrong tab.
func (a *app) shred(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	ctx, p, path := r.Context(), g.Resource(), "/patients/"+g.Resource().ID+"/destroy"
	if p.Destroyed {
		http.Redirect(w, r, path, http.StatusSeeOther)
		return
	}
	var name string
	if err := show(ctx, into{p.Name, &name}); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if !sameName(r.PostForm.Get("name"), name) {
		a.showShred(w, r, http.StatusUnprocessableEntity, p, view{Problem: "Nothing was destroyed. Type the name of the patient as it is written here."}, reason(r))
		return
	}
	// From here on it goes on whether or not the browser waits.
	_, err := a.shredder.Shred(context.WithoutCancel(ctx), tenant, audit.Patient(p.ID), reason(r))
	switch {
	case errors.Is(err, phi.ErrHeld):
		a.showShred(w, r, http.StatusConflict, p, view{Problem: "Nothing was destroyed: the record has to be kept."}, reason(r))
	case err != nil:
		m := message{
			Text: "It did not come to its end. What is destroyed stays destroyed; the rest follows when you try again, or when the server starts again.",
			Href: path, Link: "Look how far it is",
		}
		a.render(w, r, http.StatusServiceUnavailable, "message", view{Title: "Not finished", Data: m})
	default:
		http.Redirect(w, r, path+"?done=destroyed", http.StatusSeeOther)
	}
}

func sameName(typed, name string) bool {
	a, err := phi.Name().Normalise(typed)
	b, e := phi.Name().Normalise(name)
	return err == nil && e == nil && strings.TrimSpace(a) == strings.TrimSpace(b) && strings.TrimSpace(a) != ""
}

// certificate says what became of a patient's data, as the audit has it.
func (a *app) certificate(ctx context.Context, p audit.Patient) (facts []fact, err error) {
	page, err := a.log.Query(ctx, audit.Query{Tenant: tenant, Patient: p, Actions: []audit.Action{phi.ActionShredOrdered, phi.ActionShredded, phi.ActionShredReplayed}, Limit: 50})
	if err != nil {
		return nil, err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	auditor := holds(ctx, a, auditRead)
	keys, err := a.keysLeft(ctx, p)
	if err != nil {
		return nil, err
	}
	facts = []fact{{Name: "Patient", Value: string(p)}, {Name: "Keys in the clinic’s database", Value: keys}}
	for i := len(page.Events) - 1; i >= 0; i-- {
		e, err := a.log.Open(ctx, tenant, page.Events[i].ID)
		if err != nil {
			return nil, err
		}
		f := a.destruction(e, team)
		if auditor {
			f.Href = "/audit/" + e.ID
		}
		facts = append(facts, f)
		if e.Action == phi.ActionShredded {
			facts = append(facts, a.coverFacts(ctx, e.ID)[:1]...)
		}
	}
	return facts, audit.Seen(ctx, p, audit.Object{Type: "patient_keys", ID: string(p), Fields: []string{"reason"}})
}

// keysLeft says whether the patient has a key now: an old copy of the database may have been put back under a
// server that runs.
func (a *app) keysLeft(ctx context.Context, p audit.Patient) (string, error) {
	_, err := a.patients.terms.Current(ctx, phi.KeySlot{Namespace: namespace, Tenant: tenant, Purpose: phi.PurposePatient, Patient: p})
	switch {
	case errors.Is(err, phi.ErrKeyNotFound):
		return "none", nil
	case err != nil:
		return "", err
	}
	return "some, of an old copy that was put back. The clinic uses none of them, and destroys them when it starts again", nil
}

// destruction is one step in words.
func (a *app) destruction(e audit.Event, team map[audit.ActorID]member) fact {
	when := a.config.exactly(e.Recorded) + " (" + a.config.place() + ")"
	switch e.Action {
	case phi.ActionShredOrdered:
		why, _ := e.Why.Reveal()
		return fact{Name: "Ordered", Value: when + ", by " + whoText(e.Actor, team) + ": " + why}
	case phi.ActionShredReplayed:
		return fact{Name: "Destroyed again", Value: when + ", after an old copy of the database was put back. Keys in it: " + e.Detail["keys"]}
	}
	value := when + ". Keys destroyed then: " + e.Detail["keys"]
	if at, err := time.Parse(time.RFC3339, e.Detail["everywhere"]); err == nil {
		value += ". In no server’s memory since " + a.config.exactly(at)
	}
	return fact{Name: "Destroyed", Value: value}
}

// showDestroyed is in place of the record.
func (a *app) showDestroyed(w http.ResponseWriter, r *http.Request, p Patient) {
	m := message{
		Text: "The data of this patient was destroyed. Nobody can read it any more, here or in any copy. Who had seen it stays on record.",
		Href: "/patients", Link: "All patients",
	}
	if holds(r.Context(), a, shredOpen) {
		m.Href, m.Link = "/patients/"+p.ID+"/destroy", "Certificate of destruction"
	}
	a.render(w, r, http.StatusGone, "message", view{Title: "Destroyed", Data: m})
}
