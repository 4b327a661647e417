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
	"github.com/wardkit/wardkit/rbac/emergency"
)

type emergencyFindData struct{ Query, Birth string }

// findLimit is how many times in an hour somebody looks for patients in an emergency without opening
// one: the pages that ask count, and the answers.
const findLimit = 20

// emergencyFindPage asks for whom the emergency is.
func (a *app) emergencyFindPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.render(w, r, http.StatusOK, "emergencyfind", view{Title: "Emergency", Data: emergencyFindData{}})
}

// emergencyFind leads to one patient, by the whole of a number and the date of birth: it lists nobody, and
// does not say which of the two was wrong.
func (a *app) emergencyFind(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	d := emergencyFindData{strings.TrimSpace(r.PostForm.Get("q")), r.PostForm.Get("birth")}
	again := func(status int, problem string) {
		a.render(w, r, status, "emergencyfind", view{Title: "Emergency", Problem: problem, Data: d})
	}
	many, err := a.looksTooOften(ctx)
	if err == nil && many {
		again(http.StatusTooManyRequests, "You have looked for many patients within an hour and opened none. The privacy officer was told. If a patient is in danger, call a colleague who cares for them.")
		return
	}
	var found []string
	if err == nil {
		found, err = a.patients.born(ctx, d.Query, d.Birth)
	}
	switch {
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	case len(found) == 1:
		http.Redirect(w, r, "/patients/"+found[0]+"/emergency", http.StatusSeeOther)
	case len(found) > 1:
		again(http.StatusUnprocessableEntity, "Several patients have this. Use the record number.")
	default:
		again(http.StatusUnprocessableEntity, "No patient has both this number or address and this date of birth. Check them and try again.")
	}
}

// born returns the patients with this number or address who were born on this day.
func (s *patients) born(ctx context.Context, text, day string) (all []string, err error) {
	birth, err := phi.ParseDate(day)
	if err != nil || birth.IsZero() {
		return nil, nil
	}
	found, err := s.find(ctx, text)
	if err != nil {
		return nil, err
	}
	for _, id := range found {
		p, err := s.get(ctx, id)
		switch {
		case errors.Is(err, rbac.ErrNotFound):
		case err != nil:
			return nil, err
		case !p.Destroyed && p.Birth.Equal(birth):
			all = append(all, id)
		}
	}
	return all, nil
}

// looksTooOften counts, in the log, how often the person looked within an hour since the last opening. The
// guard's own record of this request is among them. Who looks too often is told about, once an hour.
func (a *app) looksTooOften(ctx context.Context) (bool, error) {
	me, _ := audit.ActorFrom(ctx)
	page, err := a.log.Query(ctx, audit.Query{
		Tenant: tenant, Last: time.Hour, Actors: []audit.ActorID{me.ID}, Outcomes: []audit.Outcome{audit.Success},
		Actions: []audit.Action{emergencyFind.Name(), emergency.ActionOpen}, Limit: findLimit + 1,
	})
	if err != nil {
		return false, err
	}
	for _, e := range page.Events {
		if e.Action == emergency.ActionOpen {
			return false, nil
		}
	}
	if len(page.Events) <= findLimit {
		return false, nil
	}
	a.logger.WarnContext(ctx, "somebody looks for many patients in an emergency and opens none")
	a.alert(ctx, me.ID, "emergency.asked")
	return true, nil
}
