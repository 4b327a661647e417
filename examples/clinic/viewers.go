package main

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// viewerRow is somebody who had to do with the patient's own record, as the patient reads it: names
// and roles, and no identifier of anybody.
type viewerRow struct {
	Who, Role, First, Last string
	Times                  int
	Did                    []string
	Emergency              bool
}

type viewersData struct {
	Period, Caption string
	Periods         []option
	Rows            []viewerRow
}

// viewersPage answers a patient's "who viewed my record?". That it was asked is on record by the
// route's own decision.
func (a *app) viewersPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	ctx := r.Context()
	d := viewersData{Period: r.URL.Query().Get("period"), Periods: periods()}
	if _, known := lastOf(d.Period); !known {
		d.Period = "90d"
	}
	rows, err := a.viewers(ctx, g.Resource().ID, d.Period, time.Now())
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.Rows, d.Caption = rows, plural(len(rows), "line")
	a.render(w, r, http.StatusOK, "viewers", view{Title: "Who viewed my record", Data: d})
}

func (a *app) viewers(ctx context.Context, patient, period string, now time.Time) ([]viewerRow, error) {
	s := audit.Subject{Tenant: tenant, Patient: audit.Patient(patient)}
	if last, _ := lastOf(period); last > 0 {
		s.Period.Start = now.Add(-last)
	}
	found, err := a.log.Viewers(ctx, s)
	if err != nil {
		return nil, err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	me, _ := audit.ActorFrom(ctx)
	rows := make([]viewerRow, 0, len(found.Viewers))
	for _, v := range found.Viewers {
		rows = append(rows, a.viewerRow(v, me, team))
	}
	return rows, nil
}

func (a *app) viewerRow(v audit.Viewer, me audit.Actor, team map[audit.ActorID]member) viewerRow {
	row := viewerRow{
		Who: viewerName(v, me, team), First: a.config.when(v.First), Last: a.config.when(v.Last), Times: v.Times, Emergency: v.Emergency,
	}
	if v.Kind == audit.KindStaff {
		roles := make([]rbac.RoleName, len(v.Roles))
		for i, name := range v.Roles {
			roles[i] = rbac.RoleName(name)
		}
		row.Role = a.access.Policy().Label(roles...)
	}
	for _, action := range v.Actions {
		if word := viewerDeed(action); !slices.Contains(row.Did, word) {
			row.Did = append(row.Did, word)
		}
	}
	slices.SortFunc(row.Did, func(a, b string) int { // what says least comes last
		return cmp.Or(cmp.Compare(strings.Count(a, otherDeed), strings.Count(b, otherDeed)), cmp.Compare(a, b))
	})
	return row
}

// viewerName is what a patient reads of an actor.
func viewerName(v audit.Viewer, me audit.Actor, team map[audit.ActorID]member) string {
	switch v.Kind {
	case audit.KindStaff:
		if m, ok := team[v.Actor]; ok {
			return m.Name
		}
		return "Somebody who worked here then"
	case audit.KindPatient:
		if v.Actor == me.ID {
			return "You"
		}
		return "An earlier account of this record"
	case audit.KindProxy:
		return "Somebody who acts for you"
	case audit.KindSystem:
		return "The clinic’s server"
	case audit.KindAgent:
		if m, ok := team[v.OnBehalfOf]; ok {
			return "An AI agent, for " + m.Name
		}
		return "An AI agent"
	case audit.KindService:
		return "A program of the clinic"
	}
	return "Somebody who was not signed in"
}

const otherDeed = "worked with your record"

// viewerDeed says what was done, for the patient. What has no words of its own is work with the
// record: that something was told to an agency is among it, which a patient may not always know.
func viewerDeed(action audit.Action) string {
	switch action {
	case patientRead.Name():
		return "looked at your record"
	case noteRead.Name():
		return "read your clinical note"
	case noteWrite.Name(), noteDraft.Name(), actionNoteSaved, actionDraftKept, actionDraftDiscarded:
		return "wrote your clinical note"
	case patientReveal.Name():
		return "looked at your social security number"
	case letterRead.Name(), formRead.Name():
		return "read your letters and questionnaires"
	case claimRead.Name(), claimHistory.Name():
		return "looked at your claims"
	case claimSubmit.Name(), claimChange.Name(), claimSubmitted:
		return "worked on your claims"
	case accessRead.Name(), historyRead.Name(), auditRead.Name(), auditOpen.Name():
		return "looked at who had viewed your record"
	case emergencyAsk.Name(), emergencyOpen.Name(): // what became of it has an event of its own
		return "asked to open your record in an emergency"
	case emergency.ActionOpen:
		return "opened your record in an emergency"
	case emergencyLeave.Name(), emergency.ActionEnd:
		return "closed your record after an emergency"
	case emergency.ActionReview, emergencyRead.Name():
		return "reviewed an emergency"
	case registerSubmit.Name(), actionRegistered:
		return "registered you"
	case portalRead.Name(), portalManage.Name(), portalReset.Name():
		return "looked after your account here"
	}
	return otherDeed
}
