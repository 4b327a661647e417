package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// wireEmergency makes the desk at which patients are opened in an emergency.
func (a *app) wireEmergency(s *stores) (err error) {
	a.told = newDeliveries()
	a.emergency, err = emergency.New(emergency.Parts[Patient]{
		Store: s.emergency, Recorder: a.log, Authorizer: a.access, Notices: emergencyNotices{a},
		Action: emergencyOpen, Reads: []rbac.Action[Patient]{patientRead, noteRead},
	}, &emergency.Options{
		Settings: func(context.Context, audit.Tenant) (emergency.Settings, error) { return emergencySettings(), nil },
		Every:    10 * time.Second, Logger: a.logger,
	})
	return err
}

// patientOf is whom a page is about.
func (a *app) patientOf(ctx context.Context, r *http.Request) (Patient, error) {
	return a.patients.get(ctx, r.PathValue("patient"))
}

// glass is the open emergency on each page of a patient.
type glass struct{ Patient, Until, Left string }

// glass returns the emergency by which the person is on a page about a patient, nil for none. What cannot
// be found out is not shown; what may be read does not depend on it.
func (a *app) glass(r *http.Request, patient string) *glass {
	if patient = strings.TrimSpace(patient + r.PathValue("patient")); patient == "" {
		return nil
	}
	g, open, err := a.emergency.Current(r.Context(), audit.Patient(patient))
	if err != nil || !open {
		return nil
	}
	return &glass{patient, a.config.when(g.Until), left(time.Until(g.Until))}
}

type emergencyData struct {
	ID, Initials          string
	Reasons, Hours        []option
	Reason, Words, Length string
	Asked                 bool // words are needed
	Min                   int
	Review                string
}

// emergencyPage says what will happen, and asks why. It shows initials: who came here has typed two facts
// about the patient, and learns no others before somebody is told. Who needs no emergency is led to the record.
func (a *app) emergencyPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if already, err := a.readsAnyhow(r.Context(), g.Resource()); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	} else if already {
		http.Redirect(w, r, "/patients/"+g.Resource().ID, http.StatusSeeOther)
		return
	}
	a.showEmergency(w, r, http.StatusOK, g.Resource(), view{}, emergencyData{Length: "1"})
}

func (a *app) readsAnyhow(ctx context.Context, p Patient) (bool, error) {
	may, err := rbac.May(ctx, a.access, p, patientRead, noteRead)
	return may.Allows(patientRead) && may.Allows(noteRead), err
}

func (a *app) showEmergency(w http.ResponseWriter, r *http.Request, status int, p Patient, v view, d emergencyData) {
	ctx := r.Context()
	form, err := a.emergency.Form(ctx, audit.Patient(p.ID))
	if err == nil && form.Left <= 0 {
		a.stopEmergencies(w, r)
		return
	}
	if err == nil {
		initials := phi.NewSight(map[phi.Class]phi.Level{phi.ClassName: min(p.Name.Level(ctx), phi.Partial)})
		err = show(phi.WithSight(ctx, initials), into{p.Name, &d.Initials})
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.ID, d.Reasons, d.Hours, d.Asked, d.Min = p.ID, emergencyReasons(), emergencyHours(), form.Words, form.Settings.MinWords
	d.Review = plural(int(form.Settings.Review/time.Hour), "hour")
	v.Title, v.Data = "Emergency", d
	a.render(w, r, status, "emergency", v)
}

// openEmergency opens the record. The route has asked who is there.
func (a *app) openEmergency(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	p := g.Resource()
	d := emergencyData{Reason: r.PostForm.Get("reason"), Words: strings.TrimSpace(r.PostForm.Get("words")), Length: r.PostForm.Get("hours")}
	again := func(status int, problem string) { a.showEmergency(w, r, status, p, view{Problem: problem}, d) }
	hours, err := strconv.Atoi(d.Length)
	if err != nil || hours < 1 || hours > 24 { // the package takes zero for the most there is, and refuses less
		hours = -1
	}
	_, err = a.emergency.Open(r.Context(), g, emergency.Request{Reason: d.Reason, Words: d.Words, For: time.Duration(hours) * time.Hour})
	var input *emergency.InputError
	switch {
	case err == nil:
		http.Redirect(w, r, "/patients/"+p.ID+"?done=emergency", http.StatusSeeOther)
	case errors.Is(err, emergency.ErrOpen), errors.Is(err, emergency.ErrNotNeeded):
		http.Redirect(w, r, "/patients/"+p.ID, http.StatusSeeOther)
	case errors.As(err, &input) && input.Field == "words":
		again(http.StatusUnprocessableEntity, "Please say in a sentence what happened. At least "+plural(emergencySettings().MinWords, "character")+".")
	case errors.As(err, &input):
		again(http.StatusUnprocessableEntity, "Please choose why, and for how long.")
	case errors.Is(err, emergency.ErrLimited):
		a.stopEmergencies(w, r)
	case errors.Is(err, emergency.ErrClosed):
		again(http.StatusForbidden, "This record stays closed, in an emergency too. Call a colleague who cares for the patient.")
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// stopEmergencies answers who has opened as many as the rules allow: of one more patient nothing is shown.
func (a *app) stopEmergencies(w http.ResponseWriter, r *http.Request) {
	me, _ := audit.ActorFrom(r.Context())
	a.alert(r.Context(), me.ID, "emergency.limited")
	a.render(w, r, http.StatusTooManyRequests, "emergencyfind", view{
		Title: "Emergency", Data: emergencyFindData{},
		Problem: "You have opened many records in the last 24 hours, so this one stays closed. The privacy officer was told. If a patient is in danger, call a colleague who cares for them.",
	})
}

// leaveEmergency ends one's own access.
func (a *app) leaveEmergency(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	ctx := r.Context()
	open, ok, err := a.emergency.Current(ctx, audit.Patient(g.Resource().ID))
	if err == nil && ok {
		_, err = a.emergency.End(ctx, open.ID)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/dashboard?"+url.Values{"done": {"emergency-over"}}.Encode(), http.StatusSeeOther)
}
