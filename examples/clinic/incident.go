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
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// wireIncidents makes the desk at which problems are reported and worked on.
func (a *app) wireIncidents(s *stores) (err error) {
	a.incidents, err = incident.New(incident.Parts{
		Store: s.incident, Sealer: phi.NewSealer(a.vault), Recorder: a.log, Events: s.audit, Limits: s.authn,
		Holds: caseHolds{a}, Notices: deadlines{a},
		Law: func(context.Context, audit.Tenant) (incident.Law, error) {
			return incident.Law{Zone: a.config.zone}, nil
		},
	}, &incident.Options{Logger: a.logger})
	return err
}

// caseHolds keeps the whole audit while a case is open. People release the hold, when nothing more is
// to come; a case that is opened again gets another.
type caseHolds struct{ *app }

// Place satisfies incident.Holds.
func (h caseHolds) Place(ctx context.Context, t audit.Tenant, id string) error {
	id = strings.ReplaceAll(id, "/", ".")
	for n := 1; ; n++ {
		hold := purge.Hold{Tenant: t, ID: id, All: true, Matter: "An incident"}
		if n > 1 {
			hold.ID += "." + strconv.Itoa(n)
		}
		_, err := h.keeper.Place(ctx, hold, "An incident is being looked into.")
		if !errors.Is(err, purge.ErrConflict) {
			return err
		}
		if kept, err := h.holds(ctx, t, hold.ID); kept || err != nil {
			return err
		}
	}
}

// holds reports whether the hold of this ID is there and nobody has released it.
func (h caseHolds) holds(ctx context.Context, t audit.Tenant, id string) (bool, error) {
	all, err := h.keeper.Holds(ctx, t)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(one purge.Hold) bool { return one.ID == id && one.Released.IsZero() }), nil
}

// Release satisfies incident.Holds.
func (caseHolds) Release(context.Context, audit.Tenant, string) error { return nil }

// deadlines tells the operator's log that something is due: the number of the case and nothing of it.
// The page of the cases shows it to who works on them.
type deadlines struct{ *app }

// Remind satisfies incident.Notices.
func (d deadlines) Remind(ctx context.Context, r incident.Reminder) error {
	d.logger.WarnContext(ctx, "an incident needs somebody", "number", r.Number, "what", r.Name, "last day", r.Last.String(), "overdue", r.Overdue)
	return nil
}

// watchIncidents gives reminders every hour until ctx ends.
func (a *app) watchIncidents(ctx context.Context) error {
	every := time.NewTicker(time.Hour)
	defer every.Stop()
	for {
		if err := a.incidents.Tick(ctx, tenant); err != nil && ctx.Err() == nil {
			a.logger.ErrorContext(ctx, "looking after the incidents failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

func (a *app) incidentRoutes(mux *rbac.Mux) {
	const everybody = "everybody who is signed in may report a problem; package incident records it"
	mux.SignedIn("GET /report", everybody, http.HandlerFunc(a.reportPage))
	mux.SignedIn("POST /report", everybody, http.HandlerFunc(a.report))
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /incidents", incidentList, a.incidentsPage)
	one := rbac.For(mux, a.incidentOf)
	one.Handle("GET /incidents/{incident}", incidentRead, a.incidentPage)
	one.Handle("GET /incidents/{incident}/packet", incidentRead, a.incidentPacket)
	one.Handle("POST /incidents/{incident}/{step}", incidentWork, a.changeIncident)
}

// incidentOf finds a case. To whom it is about there is none.
func (a *app) incidentOf(ctx context.Context, r *http.Request) (Incident, error) {
	c, err := a.incidents.Get(ctx, r.PathValue("incident"))
	if errors.Is(err, incident.ErrNotFound) || errors.Is(err, incident.ErrNoActor) {
		return Incident{}, rbac.ErrNotFound
	}
	return Incident{c.ID}, err
}

// incidentStatus is the HTTP status of an error of package incident.
func incidentStatus(err error) int {
	var refusal interface{ HTTPStatus() int }
	if errors.As(err, &refusal) {
		return refusal.HTTPStatus()
	}
	return http.StatusServiceUnavailable
}

// incidentProblem is what went wrong in plain words, "" where there are no better ones than the status.
func incidentProblem(err error) string {
	var in *incident.InputError
	switch {
	case errors.Is(err, incident.ErrSecond):
		return "This takes a second person: somebody else than who did the step before."
	case errors.Is(err, incident.ErrSubject):
		return "Whom a case is about can neither own it nor work on it."
	case errors.Is(err, incident.ErrAssessment):
		return "The answers do not allow this conclusion. A low probability needs all four answers, each with its reason, and at least one of them low."
	case errors.Is(err, incident.ErrOwed):
		return "This cannot be closed yet: somebody still has to be told, or nobody has said how many people are affected."
	case errors.Is(err, incident.ErrState):
		return "That is not possible any more, or not yet. The page shows how the case stands now."
	case errors.Is(err, incident.ErrConflict):
		return "Somebody else changed this case meanwhile, so nothing was saved. Here is how it stands now."
	case errors.Is(err, incident.ErrAssurance):
		return "Please sign in with a code first: cases are worked on with a second factor."
	case errors.Is(err, incident.ErrLimited):
		return "That are many reports in a short time. Please wait an hour, or call the privacy officer."
	case errors.Is(err, incident.ErrFull):
		return "There is no room for more of these."
	case errors.As(err, &in):
		return "Please check what you typed: " + incidentField(in.Field) + "."
	case errors.Is(err, incident.ErrNotFound):
		return "There is no such event in the audit."
	}
	return ""
}

func incidentField(field string) string {
	words := map[string]string{
		"text": "the text is missing or too long", "why": "a reason is missing", "factors": "an answer is too long", "kind": "choose what it is", "about": "choose whom it is about",
		"owner": "choose who takes care of it", "discovered": "the day has to be earlier than the one on record", "affected": "a patient’s record and a state such as NY",
		"estimate": "a number and a state such as NY", "for": "choose who was told", "on": "the day has to be between the discovery and today", "how": "choose how",
		"said": "the day on which the official said it", "until": "the last day; without a letter at most 30 days later", "target": "the event is missing, or linked already",
	}
	if w := words[field]; w != "" {
		return w
	}
	return "something is missing"
}
