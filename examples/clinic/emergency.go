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
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// wireEmergency makes the desk at which patients are opened in an emergency.
func (a *app) wireEmergency(s *stores) (err error) {
	a.emergency, err = emergency.New(emergency.Parts[Patient]{
		Store: s.emergency, Recorder: a.log, Authorizer: a.access, Notices: emergencyNotices{a},
		Action: emergencyOpen, Reads: []rbac.Action[Patient]{patientRead, noteRead},
	}, &emergency.Options{
		Settings: func(context.Context, audit.Tenant) (emergency.Settings, error) { return emergencySettings(), nil },
		Every:    10 * time.Second, Logger: a.logger,
	})
	return err
}

// emergencyNotices mails those who answer for privacy, but for the person it is about. The mail says no
// more than that there is something to look at, and the dashboard says it too.
type emergencyNotices struct{ *app }

// Tell satisfies emergency.Notices.
func (n emergencyNotices) Tell(ctx context.Context, what emergency.Notice) error {
	holders, err := n.grants.Holders(ctx, what.Grant.Tenant, []rbac.RoleName{rbac.PrivacyOfficer, rbac.ClinicAdmin})
	if err != nil {
		return err
	}
	told := map[audit.ActorID]bool{what.Grant.Person: true}
	for _, g := range holders {
		if told[g.Person] || !g.InForce(time.Now()) {
			continue
		}
		told[g.Person] = true
		err := n.people.Notify(ctx, audit.Message{
			ID: what.ID + "/" + string(g.Person), Kind: audit.MessageNotice, Tenant: what.Grant.Tenant, Person: g.Person,
			Topic: "emergency." + string(what.Kind), Created: time.Now(),
		})
		if err != nil && (n.config.smtp != "" || n.demo != nil) {
			return err // without a mail server the dashboard has to do
		}
	}
	return nil
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

type emergencyFindData struct{ Query string }

// emergencyFindPage asks for whom the emergency is.
func (a *app) emergencyFindPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.render(w, r, http.StatusOK, "emergencyfind", view{Title: "Emergency", Data: emergencyFindData{}})
}

// emergencyFind leads to one patient, by the whole of a number: it lists nobody.
func (a *app) emergencyFind(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	text := strings.TrimSpace(r.PostForm.Get("q"))
	found, err := a.patients.find(r.Context(), text)
	switch {
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	case len(found) == 1:
		http.Redirect(w, r, "/patients/"+found[0]+"/emergency", http.StatusSeeOther)
	default:
		problem := "No patient has this record number, phone number or e-mail address. Check the digits and try again."
		if len(found) > 1 {
			problem = "Several patients have this. Use the record number."
		}
		a.render(w, r, http.StatusUnprocessableEntity, "emergencyfind", view{Title: "Emergency", Problem: problem, Data: emergencyFindData{text}})
	}
}

type emergencyData struct {
	ID, Name, Birth, MRN  string
	Reasons, Hours        []option
	Reason, Words, Length string
	Asked                 bool // words are needed
	Min                   int
	Review                string
}

// emergencyPage says who the patient is, what will happen, and asks why. Who needs no emergency is led
// to the record.
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
	if err == nil {
		err = show(ctx, into{p.Name, &d.Name}, into{p.Birth, &d.Birth}, into{p.MRN, &d.MRN})
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
	hours, _ := strconv.Atoi(r.PostForm.Get("hours"))
	d := emergencyData{Reason: r.PostForm.Get("reason"), Words: strings.TrimSpace(r.PostForm.Get("words")), Length: r.PostForm.Get("hours")}
	_, err := a.emergency.Open(r.Context(), g, emergency.Request{Reason: d.Reason, Words: d.Words, For: time.Duration(hours) * time.Hour})
	again := func(status int, problem string) { a.showEmergency(w, r, status, p, view{Problem: problem}, d) }
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
		again(http.StatusTooManyRequests, "You have opened many records in the last 24 hours, so this one stays closed. The privacy officer was told. If a patient is in danger, call a colleague who cares for them.")
	case errors.Is(err, emergency.ErrClosed):
		again(http.StatusForbidden, "This record stays closed, in an emergency too. Call a colleague who cares for the patient.")
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
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
