package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

func (a *app) supportRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /support", supportRead, a.supportPage)
	one := rbac.For(mux, func(ctx context.Context, r *http.Request) (Visit, error) {
		access, err := a.support.Get(ctx, tenant, r.PathValue("access"))
		if errors.Is(err, support.ErrNotFound) || errors.Is(err, support.ErrNoActor) || errors.Is(err, support.ErrSelf) {
			return Visit{}, rbac.ErrNotFound
		}
		return Visit{access.ID}, err
	})
	one.Handle("POST /support/{access}/approve", supportAnswer, a.approveSupport)
	one.Handle("POST /support/{access}/refuse", supportAnswer, a.refuseSupport)
	one.Handle("POST /support/{access}/end", supportEnd, a.endSupport)
	a.platformRoutes(mux)
}

// visitRow is an access as pages show it.
type visitRow struct {
	ID, Who, Why, Text, Ticket, Asked, Length, State, Tag string
	Version                                               int64
	Waits, Stands, Inside                                 bool
	Lapses, Until, Entered, Approved, Closed, By, Words   string
	Lengths                                               []option // to choose from, the longest first
}

type supportData struct {
	Open, Over []visitRow
	More       bool
	MayAnswer  bool
	MayEnd     bool
}

func (a *app) supportPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showSupport(w, r, http.StatusOK, "")
}

func (a *app) showSupport(w http.ResponseWriter, r *http.Request, status int, problem string) {
	ctx := r.Context()
	team, err := a.staff.all(ctx)
	d := supportData{MayAnswer: holds(ctx, a, supportAnswer), MayEnd: holds(ctx, a, supportEnd)}
	for access, lerr := range a.support.List(ctx, "") {
		if err != nil || lerr != nil || len(d.Over) == maxOver {
			err, d.More = errors.Join(err, lerr), len(d.Over) == maxOver
			break
		}
		row := a.visitRow(&access, team)
		if row.Waits || row.Stands {
			d.Open = append(d.Open, row)
		} else {
			d.Over = append(d.Over, row)
		}
	}
	if err != nil {
		a.fail(w, r, supportStatus(err))
		return
	}
	a.render(w, r, status, "support", view{Title: "Platform support", Problem: problem, Data: d})
}

func (a *app) visitRow(v *support.Access, team map[audit.ActorID]member) visitRow {
	row := visitRow{
		ID: v.ID, Version: v.Version, Who: visitorName(v.Visitor()), Why: reasonText(v.Code), Text: v.Text, Ticket: v.Ticket, Words: v.Words,
		Asked: a.config.when(v.Requested), Length: lengthText(v.Length), Lapses: a.config.when(v.Lapses),
		Waits: v.State == support.Requested, Stands: v.State == support.Approved, Inside: v.Inside(time.Now()),
	}
	row.State, row.Tag = visitState(v)
	for _, t := range []struct {
		at time.Time
		to *string
	}{{v.Until, &row.Until}, {v.Entered, &row.Entered}, {v.Approved, &row.Approved}, {v.Closed, &row.Closed}} {
		if !t.at.IsZero() {
			*t.to = a.config.when(t.at)
		}
	}
	if v.Approver != "" {
		row.By = nameOf(v.Approver, team)
	}
	for _, l := range []time.Duration{8 * time.Hour, 4 * time.Hour, 2 * time.Hour, time.Hour, 30 * time.Minute} {
		if l <= v.Length {
			row.Lengths = append(row.Lengths, option{strconv.Itoa(int(l / time.Minute)), lengthText(l)})
		}
	}
	return row
}

func lengthText(d time.Duration) string {
	if d < time.Hour {
		return plural(int(d/time.Minute), "minute")
	}
	return plural(int(d/time.Hour), "hour")
}

func visitState(v *support.Access) (text, tag string) {
	switch v.State {
	case support.Requested:
		return "Waits for an answer", "tag-warn"
	case support.Approved:
		if v.Entered.IsZero() {
			return "Approved, not here yet", "tag-warn"
		}
		return "Inside", "tag-bad"
	case support.Refused:
		return "Refused", ""
	case support.Withdrawn:
		return "Withdrawn", ""
	case support.Lapsed:
		return "Nobody answered in time", ""
	case support.Expired:
		return "Over", "tag-good"
	}
	return map[support.Closing]string{
		support.ByTenant: "Ended by the clinic", support.ByOperator: "Left", support.OperatorGone: "Ended: no longer with the platform",
		support.NotGranted: "Ended: it could not be given", support.RoleChanged: "Ended: the role was changed",
	}[v.Closing], "tag-good"
}

// supported goes back to the page after a change, or says why there was none.
func (a *app) supported(w http.ResponseWriter, r *http.Request, err error, done string) {
	problem := supportProblem(err)
	switch {
	case err == nil:
		http.Redirect(w, r, "/support?done="+done, http.StatusSeeOther)
	case problem != "":
		a.showSupport(w, r, max(supportStatus(err), http.StatusForbidden), problem)
	default:
		a.fail(w, r, supportStatus(err))
	}
}

func (a *app) approveSupport(w http.ResponseWriter, r *http.Request, g rbac.Granted[Visit]) {
	if !a.form(w, r) {
		return
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	minutes, err2 := strconv.Atoi(r.PostForm.Get("minutes"))
	if err != nil || err2 != nil || minutes <= 0 || minutes > 24*60 {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	_, err = a.support.Approve(r.Context(), g.Resource().ID, version, support.Answer{Length: time.Duration(minutes) * time.Minute, Text: r.PostForm.Get("words")})
	a.supported(w, r, err, "support-approved")
}

func (a *app) refuseSupport(w http.ResponseWriter, r *http.Request, g rbac.Granted[Visit]) {
	if !a.form(w, r) {
		return
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	_, err = a.support.Refuse(r.Context(), g.Resource().ID, version, r.PostForm.Get("words"))
	a.supported(w, r, err, "support-refused")
}

func (a *app) endSupport(w http.ResponseWriter, r *http.Request, g rbac.Granted[Visit]) {
	if !a.form(w, r) {
		return
	}
	_, err := a.support.End(r.Context(), tenant, g.Resource().ID, r.PostForm.Get("words"))
	a.supported(w, r, err, "support-ended")
}

// supportBar is the strip on top of pages while support waits or is inside: for who answers, and for the visitor.
type supportBar struct {
	Who, Until, ID  string
	Waits, Inside   bool
	Stands, Visitor bool
	MayEnd          bool
}

// supportBars are the strips of a page. What cannot be read is said as well: nobody may be inside unseen.
func (a *app) supportBars(r *http.Request, may rbac.Permitted) (bars []supportBar, unread bool) {
	ctx := r.Context()
	if access, ok := insideOf(ctx); ok {
		return []supportBar{{Until: a.config.when(access.Until), ID: access.ID, Visitor: true}}, false
	}
	actor, _ := audit.ActorFrom(ctx)
	if actor.Tenant != tenant || !may.Allows(supportRead) {
		return nil, false
	}
	open, err := a.support.Standing(ctx)
	if err != nil {
		return nil, true
	}
	for i := range open {
		v := &open[i]
		bar := supportBar{Who: visitorName(v.Visitor()), ID: v.ID, Waits: v.State == support.Requested, Stands: v.State == support.Approved, MayEnd: may.Allows(supportEnd)}
		if bar.Inside = v.Inside(time.Now()); bar.Stands {
			bar.Until = a.config.when(v.Until)
		}
		bars = append(bars, bar)
	}
	return bars, false
}
