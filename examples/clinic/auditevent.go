package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// fact is a line of an event's page; Href is empty where it leads nowhere.
type fact struct{ Name, Value, Href string }

// auditEvent shows one event with its typed reason and its address, which are sealed.
func (a *app) auditEvent(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx := r.Context()
	e, err := a.log.Open(ctx, tenant, r.PathValue("event"))
	if errors.Is(err, audit.ErrNotFound) || errors.Is(err, audit.ErrBadQuery) {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	if errors.Is(err, audit.ErrDamaged) {
		a.damaged(w, r)
		return
	}
	if err == nil { // which event was opened is on record too
		err = audit.Seen(ctx, "", audit.Object{Type: "audit_event", ID: e.ID, Category: string(rbac.AuditLog), Fields: []string{"address", "reason"}})
	}
	var facts []fact
	if err == nil {
		facts, err = a.auditFacts(ctx, e)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	back := newAuditFilter(r.URL.Query()).values()
	if page := r.URL.Query().Get("page"); page != "" {
		back.Set("page", page)
	}
	a.render(w, r, http.StatusOK, "auditevent", view{Title: "Event", Data: struct {
		What, Back string
		Facts      []fact
	}{actionText(e.Action), "/audit?" + back.Encode(), facts}})
}

func (a *app) auditFacts(ctx context.Context, e audit.Event) ([]fact, error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	l := line{Stored: audit.Stored{Event: e}}
	row, err := a.auditRow(ctx, &l, team, a.names())
	if err != nil {
		return nil, err
	}
	var patients []string
	for _, p := range row.Patients {
		patients = append(patients, p.Name)
	}
	if row.More != "" {
		patients = append(patients, row.More)
	}
	_, categories := l.fields()
	address := ""
	if e.Actor.Origin.IsValid() {
		address = e.Actor.Origin.String()
	}
	facts := []fact{
		{Name: "Time", Value: e.Recorded.In(a.config.zone).Format("2 January 2006 15:04:05.000000 MST")},
		{Name: "Who", Value: row.Who},
		{Name: "As", Value: strings.Join(e.Actor.Roles, ", ")},
		{Name: "Proven by", Value: strings.Join(e.Actor.Methods, ", ")},
		{Name: "From address", Value: address},
		{Name: "Device", Value: e.Actor.Device},
		{Name: "About", Value: strings.Join(row.People, ", ")},
		{Name: "Patients", Value: strings.Join(patients, ", ")},
		{Name: "Kind of data", Value: plainly(categories)},
		{Name: "Seen", Value: row.Seen},
		{Name: "Changed", Value: changed(e)},
		{Name: "Reason given", Value: a.reasonOf(ctx, e)},
		{Name: "Outcome", Value: row.Outcome},
		{Name: "Code", Value: e.Code},
		{Name: "Decided by", Value: strings.TrimSpace(e.Decision.Rule + " " + e.Decision.Scope)},
	}
	facts = append(append(facts, maskFacts(e)...), a.recordFacts(e)...)
	facts = append(append(facts, fact{Name: "Event", Value: e.ID}), a.coverFacts(ctx, e.ID)...)
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" }), nil
}

// reasonOf is the typed reason of an event. Whom an incident, a finding or an emergency is about reads
// nothing of what others wrote there; of emergencies, only who answers for privacy reads it.
func (a *app) reasonOf(ctx context.Context, e audit.Event) string {
	me, _ := audit.ActorFrom(ctx)
	for _, o := range e.Objects {
		var err error
		switch o.Type {
		case incident.ObjectIncident:
			_, err = a.incidents.Get(ctx, o.ID)
		case rbac.EmergencyObject:
			if e.Actor.ID != me.ID {
				err = a.judges(ctx, o.ID, me)
			}
		case review.FindingObject:
			var f review.Finding
			if f, err = a.reviewer.Finding(ctx, tenant, o.ID); err == nil && isAbout(f, me) {
				return ""
			}
		}
		if err != nil {
			return ""
		}
	}
	why, _ := e.Why.Reveal()
	return why
}

// judges is an error unless somebody answers for privacy and the emergency is not their own.
func (a *app) judges(ctx context.Context, id string, me audit.Actor) error {
	if !holds(ctx, a, emergencyRead) {
		return rbac.ErrDenied
	}
	g, err := a.emergency.Get(ctx, tenant, id)
	switch {
	case errors.Is(err, emergency.ErrNotFound): // it was recorded and then not opened: nobody reviews it
		return nil
	case err == nil && g.Person == me.ID:
		return rbac.ErrDenied
	}
	return err
}

// recordFacts name the records of an event, with what else happened to them, and its details.
func (a *app) recordFacts(e audit.Event) (facts []fact) {
	for _, o := range e.Objects {
		if o.ID == "" {
			continue
		}
		text := wordOf(recordTypes(), o.Type) + " " + o.ID
		if o.Version != "" {
			text += ", version " + o.Version
		}
		facts = append(facts, fact{"Record", text, auditFilter{Period: allTime, Type: o.Type, ID: o.ID}.href()})
		if len(facts) == maxNamed {
			break
		}
	}
	if first := e.Detail["continues"]; first != "" {
		facts = append(facts, fact{"Belongs to", "the event in which it was allowed", "/audit/" + first})
	}
	if reason := e.Detail["reason"]; reason != "" {
		facts = append(facts, fact{Name: "Because", Value: denialText(reason)})
	}
	if version := e.Detail["banner"]; version != "" {
		facts = append(facts, fact{Name: "Banner", Value: "version " + version})
	}
	return facts
}

// changed names the fields that an event says were changed; their values are in no event.
func changed(e audit.Event) string {
	var fields []string
	for _, c := range e.Changes {
		fields = append(fields, c.Field)
	}
	return plainly(fields)
}
