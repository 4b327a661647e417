package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// visitor is what one person did with one patient's record.
type visitor struct {
	actor       audit.Actor
	roles       []string
	first, last time.Time
	times       int // what was allowed
	refused     int
	did         map[string]int // in words, how often
	fields      []string
}

// visits counts lines by person.
type visits map[audit.ActorID]*visitor

func (v visits) add(l *line) {
	one := v[l.Actor.ID]
	if one == nil { // events come newest first
		one = &visitor{actor: l.Actor, roles: l.Actor.Roles, last: l.Recorded, did: map[string]int{}}
		v[l.Actor.ID] = one
	}
	one.first = l.Recorded
	if len(one.roles) == 0 {
		one.roles = l.Actor.Roles
	}
	if l.Outcome != audit.Success {
		one.refused++
		return
	}
	if l.Detail["continues"] == "" { // its beginning is on the next page of the log
		one.times++
		one.did[lowerFirst(momentText(l))]++
	}
	fields, _ := l.fields()
	one.fields = append(one.fields, fields...)
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

type accessRow struct {
	Who, Role, First, Last, Did, Seen, Events string
	Times, Refused                            int
}

type accessData struct {
	ID, Name, Period, Caption string
	Periods                   []option
	Whole, Audit              bool // everything was counted; the reader may open events
	Rows                      []accessRow
}

// accessLimit is how many events a report counts. One that leaves older ones out says so.
const accessLimit = 10_000

// accessPage answers "who viewed this patient?", one line for each person. That it was asked,
// and about whom, is on record by the route's own decision, and shows in the next report.
func (a *app) accessPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	ctx, p := r.Context(), g.Resource()
	d := accessData{ID: p.ID, Period: r.URL.Query().Get("period"), Periods: periods(), Audit: holds(ctx, a, auditRead)}
	if s, _ := session.From(ctx); s.Kind == audit.KindPatient {
		http.Redirect(w, r, "/me/access", http.StatusSeeOther)
		return
	}
	if _, known := lastOf(d.Period); !known {
		d.Period = "90d"
	}
	seen, err := a.visitsOf(ctx, &d)
	if err == nil {
		err = show(ctx, into{p.Name, &d.Name})
	}
	if err == nil {
		d.Rows, err = a.accessRows(ctx, d, seen)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.Caption = fmt.Sprintf("%d people", len(d.Rows))
	if len(d.Rows) == 1 {
		d.Caption = "1 person"
	}
	a.render(w, r, http.StatusOK, "access", view{Title: "Who viewed a patient", Data: d})
}

// visitsOf counts what the log holds about the patient in the period, page by page.
func (a *app) visitsOf(ctx context.Context, d *accessData) (visits, error) {
	last, _ := lastOf(d.Period)
	q := audit.Query{Tenant: tenant, Patient: audit.Patient(d.ID), Last: last, Limit: audit.MaxLimit}
	if !d.Audit {
		q.Actions = careActions()
	}
	seen := visits{}
	for n := 0; n < accessLimit; n += audit.MaxLimit {
		page, err := a.log.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		lines := fold(page.Events)
		for i := range lines {
			seen.add(&lines[i])
		}
		if q.Cursor = page.Next; page.Next == "" {
			d.Whole = true
			break
		}
	}
	return seen, nil
}

func (a *app) accessRows(ctx context.Context, d accessData, seen visits) ([]accessRow, error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	var rows []accessRow
	for id, v := range seen {
		row := accessRow{
			Who: whoText(v.actor, team), First: a.config.when(v.first), Last: a.config.when(v.last),
			Times: v.times, Refused: v.refused, Did: v.words(), Seen: plainly(v.fields),
		}
		var roles []rbac.RoleName
		for _, name := range v.roles {
			roles = append(roles, rbac.RoleName(name))
		}
		row.Role = a.access.Policy().Label(roles...)
		if d.Audit && id != "" {
			row.Events = auditFilter{Who: string(id), Period: d.Period, Patient: d.ID}.href()
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b accessRow) int {
		return cmp.Or(b.Times-a.Times, b.Refused-a.Refused, strings.Compare(a.Who, b.Who))
	})
	return rows, nil
}

// words lists what a person did, most often first.
func (v *visitor) words() string {
	type done struct {
		what string
		n    int
	}
	var all []done
	for what, n := range v.did {
		all = append(all, done{what, n})
	}
	slices.SortFunc(all, func(a, b done) int { return cmp.Or(b.n-a.n, strings.Compare(a.what, b.what)) })
	var words []string
	for _, d := range all {
		if d.n > 1 {
			d.what += fmt.Sprintf(" (%d times)", d.n)
		}
		words = append(words, d.what)
	}
	return strings.Join(words, ", ")
}
