package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// campaignRow is a review in the list.
type campaignRow struct {
	ID, Name, State, Tag, Begun, Due, Again string
	Decided, Count, Exceptions              int
}

type campaignsData struct {
	Rows     []campaignRow
	More     bool
	MayStart bool
	People   []member
	Typed    url.Values
}

// maxCampaigns is how many reviews the list shows.
const maxCampaigns = 50

func (a *app) campaignsPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showCampaigns(w, r, http.StatusOK, "", url.Values{})
}

func (a *app) showCampaigns(w http.ResponseWriter, r *http.Request, status int, problem string, typed url.Values) {
	ctx := r.Context()
	d := campaignsData{MayStart: holds(ctx, a, campaignStart), Typed: typed}
	team, err := a.staff.all(ctx)
	for c, lerr := range a.campaigns.List(ctx, "") {
		if err = errors.Join(err, lerr); err != nil {
			break
		}
		if d.More = len(d.Rows) == maxCampaigns; d.More {
			break
		}
		d.Rows = append(d.Rows, a.campaignRow(c))
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.People = byName(team)
	a.render(w, r, status, "campaigns", view{Title: "Access reviews", Problem: problem, Data: d})
}

func (a *app) campaignRow(c recert.Campaign) campaignRow {
	row := campaignRow{
		ID: c.ID, Name: c.Spec.Name, Begun: a.config.when(c.Started), Due: c.Due.In(a.config.zone).Format("2 Jan 2006"),
		Decided: c.Snapshot.Count - c.Counts.Open, Count: c.Snapshot.Count, Exceptions: c.Counts.Exception, Again: againText(c.Spec.Every),
	}
	switch {
	case c.State == recert.Signed:
		row.State, row.Tag = "Signed off", "tag-good"
	case c.Counts.Closed == c.Snapshot.Count:
		row.State, row.Tag = "Waits to be signed off", "tag-warn"
	default:
		row.State, row.Tag = "Open", "tag-warn"
	}
	return row
}

func againText(months int) string {
	return map[int]string{0: "once", 1: "every month", 3: "every quarter", 6: "twice a year", 12: "every year"}[months]
}

// startCampaign freezes who has which access and asks the reviewers. Whoever begins it answers for it.
func (a *app) startCampaign(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	f := r.PostForm
	days, _ := strconv.Atoi(f.Get("days")) // no number is refused like -1
	every, _ := strconv.Atoi(f.Get("every"))
	me, _ := audit.ActorFrom(r.Context())
	s := recert.Spec{Name: strings.TrimSpace(f.Get("name")), Days: cmp.Or(days, -1), Every: every, Owner: me.ID}
	for _, who := range f["reviewer"] {
		if id := audit.ActorID(who); id != "" && !slices.Contains(s.Named, id) {
			s.Named = append(s.Named, id)
		}
	}
	c, err := a.campaigns.Start(r.Context(), s)
	if err == nil {
		http.Redirect(w, r, "/campaigns/"+url.PathEscape(c.ID)+"?done=campaign", http.StatusSeeOther)
		return
	}
	if words, status := campaignProblem(err); words != "" {
		a.showCampaigns(w, r, status, words, f)
		return
	}
	a.fail(w, r, http.StatusServiceUnavailable)
}

type campaignData struct {
	campaignRow
	Left, Percent           int
	By, Owner, Policy       string
	OnDue, Late, Next       string
	Items                   []reviewItem
	MaySign, MayTake, Ready bool
	SignedBy, SignedAt      string
	Event                   string
	Check                   *bundleCheck
}

func (a *app) campaignPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showCampaign(w, r, http.StatusOK, "", nil)
}

// showCampaign shows a review with all its items, and what a check of its evidence came to.
func (a *app) showCampaign(w http.ResponseWriter, r *http.Request, status int, problem string, check *bundleCheck) {
	ctx, id := r.Context(), r.PathValue("campaign")
	c, err := a.campaigns.Get(ctx, id)
	if errors.Is(err, recert.ErrNotFound) {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	d := campaignData{Check: check}
	if err == nil { // which one was looked at is on record too
		err = audit.Seen(ctx, "", audit.Object{Type: recert.ObjectCampaign, ID: c.ID})
	}
	if err == nil {
		err = a.fillCampaign(ctx, &d, c)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, status, "campaign", view{Title: "Access review", Problem: problem, Data: d})
}

func (a *app) fillCampaign(ctx context.Context, d *campaignData, c recert.Campaign) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	d.campaignRow = a.campaignRow(c)
	d.Left, d.Percent = c.Counts.Open, 100*(c.Snapshot.Count-c.Counts.Open)/max(1, c.Snapshot.Count)
	d.By, d.Owner, d.Policy = nameOf(c.StartedBy, team), nameOf(c.Spec.Owner, team), c.Snapshot.Policy
	d.OnDue = "It is suspended, can be given back for " + plural(c.Spec.Hold, "day") + ", and is then taken away. The last administrator and a patient’s only therapist stay, and stand out here."
	if c.Late.Count > 0 {
		d.Late = thousands(c.Late.Count) + " given since the review began: for the next one"
	}
	if !c.Next.IsZero() {
		d.Next = c.Next.In(a.config.zone).Format("2 Jan 2006")
	}
	for i, err := range a.campaigns.Items(ctx, c.ID, recert.ItemFilter{}) {
		if err != nil {
			return err
		}
		d.Items = append(d.Items, a.reviewItem(i, team))
	}
	d.Ready = c.State == recert.Open && c.Counts.Closed == c.Snapshot.Count
	d.MaySign, d.MayTake = d.Ready && holds(ctx, a, campaignSign), holds(ctx, a, campaignEvidence)
	if !c.SignOff.IsZero() {
		d.SignedBy, d.SignedAt, d.Event = nameOf(c.SignOff.By, team), a.config.when(c.SignOff.At), c.SignOff.Event
	}
	return nil
}

// signCampaign says in somebody's name that a review is complete, after they proved who they are.
func (a *app) signCampaign(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	_, err := a.campaigns.SignOff(r.Context(), r.PathValue("campaign"), strings.TrimSpace(r.PostForm.Get("why")))
	words, status := campaignProblem(err)
	switch {
	case err == nil:
		http.Redirect(w, r, "/campaigns/"+url.PathEscape(r.PathValue("campaign"))+"?done=signed", http.StatusSeeOther)
	case errors.Is(err, recert.ErrStepUp):
		a.owes(w, r)
	case words != "":
		a.showCampaign(w, r, status, words, nil)
	case errors.Is(err, recert.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// Labels are whom the form asks for.
func (campaignsData) Labels() []string {
	return []string{"First reviewer", "Second reviewer", "Third reviewer"}
}

// Chosen is who was chosen as the i-th reviewer.
func (d campaignsData) Chosen(i int) string {
	if list := d.Typed["reviewer"]; i < len(list) {
		return list[i]
	}
	return ""
}
