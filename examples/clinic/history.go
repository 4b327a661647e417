package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// moment is one line of a record's history.
type moment struct {
	Time, Who, What, Why, Version, Outcome, Tag, Event string
	Change                                             bool // the record was another one afterwards
}

type historyData struct {
	ID, Name, Next string
	Of             string // "patient" or "note"
	Reads          bool
	Moments        []moment
}

// recordHistory is the life of a patient's record, noteHistory that of the clinical note:
// created, read, changed, and by whom.
func (a *app) recordHistory(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	a.showHistory(w, r, g.Resource(), "patient")
}

func (a *app) noteHistory(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	a.showHistory(w, r, g.Resource(), "note")
}

func (a *app) showHistory(w http.ResponseWriter, r *http.Request, p Patient, of string) {
	ctx, form := r.Context(), r.URL.Query()
	d := historyData{ID: p.ID, Of: of, Reads: form.Get("show") != "changes"}
	q := audit.Query{Tenant: tenant, ResourceType: of, ResourceID: p.ID, Cursor: form.Get("page")}
	switch {
	case !d.Reads:
		q.Actions = []audit.Action{actionRegistered, actionNoteSaved, claimSubmitted, noteWrite.Name()}
	case !holds(ctx, a, auditRead):
		q.Actions = careActions()
	}
	next, err := a.moments(ctx, &d.Moments, q)
	if err == nil {
		err = show(ctx, into{p.Name, &d.Name})
	}
	switch {
	case errors.Is(err, audit.ErrBadCursor):
		a.fail(w, r, http.StatusBadRequest)
		return
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if next != "" {
		form.Set("page", next)
		d.Next = r.URL.Path + "?" + form.Encode()
	}
	a.render(w, r, http.StatusOK, "history", view{Title: "History", Data: d})
}

// moments reads a page of a history, newest first. The events behind its lines are for those
// who may read all of the audit.
func (a *app) moments(ctx context.Context, all *[]moment, q audit.Query) (next string, err error) {
	return a.momentsBut(ctx, all, q, func(*line) (bool, error) { return false, nil })
}

// momentsBut are moments but for the lines to leave out.
func (a *app) momentsBut(ctx context.Context, all *[]moment, q audit.Query, leave func(*line) (bool, error)) (next string, err error) {
	page, err := a.log.Query(ctx, q)
	if err != nil {
		return "", err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return "", err
	}
	auditor := holds(ctx, a, auditRead)
	for _, l := range fold(page.Events) {
		if out, err := leave(&l); err != nil {
			return "", err
		} else if out {
			continue
		}
		m := moment{Time: a.config.exactly(l.Recorded), Who: whoText(l.Actor, team), What: momentText(&l)}
		if i := slices.IndexFunc(l.Objects, func(o audit.Object) bool { return o.Type == q.ResourceType }); i >= 0 {
			m.Version = l.Objects[i].Version
		}
		m.Change = m.Version != ""
		if l.Outcome != audit.Success {
			m.Outcome, m.Tag = outcomeText(l.Event)
		}
		m.Why = becauseText(&l, team, q.ResourceType == "")
		if auditor {
			m.Event = l.ID
		}
		*all = append(*all, m)
	}
	return page.Next, nil
}

// becauseText is what else a line says: an insurer's reason, why a session ended, and, where a log is
// not one record's own, whom of the team it was done to.
func becauseText(l *line, team map[audit.ActorID]member, named bool) string {
	var words []string
	if named {
		for _, o := range l.Objects {
			if m, ok := team[audit.ActorID(o.ID)]; ok && m.ID != l.Actor.ID && !slices.Contains(words, m.Name) {
				words = append(words, m.Name)
			}
		}
	}
	reason := l.Detail["reason"]
	if text := wordOf(slices.Concat(denials(), endings()), reason); text != reason {
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}

// endings are why sessions end.
func endings() []option {
	return []option{
		{session.ReasonSignOut, "signed out"},
		{session.ReasonExpired, "nothing happened for a while"},
		{session.ReasonReplaced, "signed in again"},
		{session.ReasonLimit, "signed in at too many places"},
		{session.ReasonSwitched, "somebody else signed in there"},
		{"ended_by_admin", "by an administrator"},
		{"password_changed", "a new password"},
		{"suspended", "the account was suspended"},
	}
}

// momentText says what happened to a record.
func momentText(l *line) string {
	if l.Action == patientRead.Name() {
		if l.Verb == audit.Execute {
			return "See it in a list"
		}
		return "Open the record"
	}
	return actionText(l.Action)
}
