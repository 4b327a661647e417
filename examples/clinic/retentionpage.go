package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/rbac"
)

type holdRow struct {
	ID, Matter, What, Placed, By, State string
	InForce, MayRelease, Own            bool
}

type planRow struct {
	ID, Events, Dates, Proposed, By, Second, State, Tag, Ends string
	Waiting, Own, Copy                                        bool
	Kept                                                      string
}

type retentionData struct {
	Period, Why                                          string
	Later                                                string // what a shorter period will be, and when
	Years                                                int
	Version                                              int64
	Holds                                                []holdRow
	Plans                                                []planRow
	Open                                                 *planRow
	Looked                                               bool
	Old, Held, From, To                                  string // what a proposal would name
	None, More                                           bool
	MayChange                                            bool
	MayHold, MayRelease, MayPropose, MayApprove, MayCopy bool
	Type                                                 string // of a hold, as it was typed
	Covers, Matter                                       string
	Typed                                                string // the reason
}

// retentionPage says how long the audit is kept, what is held, and what was destroyed.
func (a *app) retentionPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	v := view{}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Nothing was changed. Please type a reason of a few words. It is kept on record."
	}
	a.showRetention(w, r, http.StatusOK, v, retentionData{Looked: r.URL.Query().Get("look") == "old"})
}

func (a *app) showRetention(w http.ResponseWriter, r *http.Request, status int, v view, d retentionData) {
	if err := a.fillRetention(r.Context(), &d); err != nil {
		a.failPurge(w, r, err)
		return
	}
	v.Title, v.Data = "How long the audit is kept", d
	a.render(w, r, status, "retention", v)
}

func (a *app) fillRetention(ctx context.Context, d *retentionData) error {
	s, err := a.keeper.Settings(ctx, tenant)
	if err != nil {
		return err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	who := func(id audit.ActorID) string { return nameOf(id, team) }
	now := time.Now()
	d.Period, d.Version, d.Years = years(s.Effective(now)), s.Version, (s.Effective(now)+11)/12
	d.Why = "This is what the clinic starts with. The law asks for six years."
	if s.Version > 0 {
		d.Why = "Set by " + who(s.By) + " on " + a.config.when(s.Changed) + ". The law asks for six years."
	}
	if now.Before(s.From) {
		d.Later = "From " + a.config.when(s.From) + " on it is " + years(max(s.Months, audit.Floor)) + "."
	}
	d.MayChange, d.MayHold, d.MayRelease = holds(ctx, a, retentionChange), holds(ctx, a, holdPlace), holds(ctx, a, holdRelease)
	d.MayPropose, d.MayApprove, d.MayCopy = holds(ctx, a, purgePropose), holds(ctx, a, purgeApprove), holds(ctx, a, purgeExport)
	me, _ := audit.ActorFrom(ctx)
	if err := a.fillHolds(ctx, d, me.ID, who); err != nil {
		return err
	}
	if err := a.fillPlans(ctx, d, me.ID, who); err != nil {
		return err
	}
	if d.Looked && d.MayPropose {
		return a.fillOld(ctx, d)
	}
	d.Looked = false
	return nil
}

// years says months in words.
func years(months int) string {
	n, rest := months/12, months%12
	switch {
	case rest == 0:
		return fmt.Sprintf("%d years", n)
	case rest == 1:
		return fmt.Sprintf("%d years and a month", n)
	}
	return fmt.Sprintf("%d years and %d months", n, rest)
}

func (a *app) fillHolds(ctx context.Context, d *retentionData, me audit.ActorID, who func(audit.ActorID) string) error {
	all, err := a.keeper.Holds(ctx, tenant)
	now := time.Now()
	for _, h := range all {
		row := holdRow{
			ID: h.ID, Matter: h.Matter, What: heldWords(&h, who), Placed: a.config.when(h.Placed), By: who(h.By),
			InForce: h.InForce(now), MayRelease: d.MayRelease && h.Released.IsZero(), Own: h.By == me,
		}
		switch {
		case h.Released.IsZero():
			row.State = "In force"
		case row.InForce:
			row.State = "Released by " + who(h.ReleasedBy) + ", in force until " + a.config.when(h.Ends)
		default:
			row.State = "Released by " + who(h.ReleasedBy) + " on " + a.config.when(h.Released)
		}
		d.Holds = append(d.Holds, row)
	}
	return err
}

// heldWords says what a hold covers.
func heldWords(h *purge.Hold, who func(audit.ActorID) string) string {
	switch {
	case h.All:
		return "The whole audit"
	case h.Patient != "":
		return "Everything about one patient"
	case h.Actor != "":
		return "Everything that " + who(h.Actor) + " did"
	case h.ObjectID != "":
		return "Everything about one record"
	}
	return "Everything about one kind of record"
}

func (a *app) fillPlans(ctx context.Context, d *retentionData, me audit.ActorID, who func(audit.ActorID) string) error {
	all, err := a.keeper.Plans(ctx, tenant)
	for _, p := range all {
		row := planRow{
			ID: p.ID, Events: thousands(int(p.Count)), Dates: a.config.when(p.Oldest) + " to " + a.config.when(p.Newest),
			Proposed: a.config.when(p.Proposed), By: who(p.ProposedBy), Ends: a.config.when(p.Expires), Waiting: p.State == purge.Proposed,
			Own: p.ProposedBy == me, Copy: d.MayCopy,
		}
		if p.ApprovedBy != "" {
			row.Second = who(p.ApprovedBy)
		}
		if p.Kept > 0 {
			row.Kept = thousands(int(p.Kept))
		}
		row.State, row.Tag = planWords(p.State)
		d.Plans = append(d.Plans, row)
		if p.Open() {
			d.Open = &row
		}
	}
	return err
}

func planWords(s purge.State) (text, tag string) {
	switch s {
	case purge.Proposed:
		return "Waits for a second person", ""
	case purge.Approved, purge.Recorded:
		return "Being carried out", ""
	case purge.Destroyed:
		return "Destroyed", "tag-good"
	case purge.Withdrawn:
		return "Withdrawn", ""
	case purge.Expired:
		return "Nobody agreed in time", ""
	}
	return "Stopped: it named what has to be kept", "tag-bad"
}

// fillOld says what a proposal made now would name.
func (a *app) fillOld(ctx context.Context, d *retentionData) error {
	p, err := a.keeper.Preview(ctx, tenant)
	if err != nil {
		return err
	}
	d.None, d.More = p.Count == 0, p.More
	d.Old, d.Held = thousands(int(p.Count)), thousands(int(p.Held))
	if !d.None {
		d.From, d.To = a.config.when(p.Oldest), a.config.when(p.Newest)
	}
	return nil
}
