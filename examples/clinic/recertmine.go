package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// maxMine is how many items the page of one reviewer shows at a time.
const maxMine = 50

type myReviewsData struct {
	Items  []reviewItem
	More   bool
	People []member
	Typed  url.Values
	Bad    string // Key of the item whose form was not taken
}

// myReviewsPage shows what waits for the person who asks.
func (a *app) myReviewsPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showMyReviews(w, r, http.StatusOK, "", "", url.Values{})
}

func (a *app) showMyReviews(w http.ResponseWriter, r *http.Request, status int, problem, bad string, typed url.Values) {
	ctx := r.Context()
	d := myReviewsData{Typed: typed, Bad: bad}
	mine, err := a.campaigns.Mine(ctx, maxMine+1)
	if errors.Is(err, recert.ErrActor) { // signed in without a second factor: nothing waits for them yet
		problem, mine, err = cmp.Or(problem, "Please sign in with a code to see what waits for you."), nil, nil
	}
	var team map[audit.ActorID]member
	if err == nil {
		team, err = a.staff.all(ctx)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	me, _ := audit.ActorFrom(ctx)
	d.More = len(mine) > maxMine
	for _, i := range mine[:min(len(mine), maxMine)] {
		d.Items = append(d.Items, a.reviewItem(i, team))
	}
	for _, m := range byName(team) {
		if m.ID != me.ID {
			d.People = append(d.People, m)
		}
	}
	a.render(w, r, status, "myreviews", view{Title: "My reviews", Problem: problem, Data: d})
}

// decideReview takes one decision. What it says about somebody's access holds from their next click on.
func (a *app) decideReview(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	seq, err := strconv.ParseInt(r.PathValue("item"), 10, 64)
	if err != nil {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	campaign := r.PathValue("campaign")
	err = a.decide(r.Context(), campaign, seq, r.PostForm)
	words, status := campaignProblem(err)
	switch {
	case err == nil:
		http.Redirect(w, r, "/my-reviews?done=decided", http.StatusSeeOther)
	case words != "":
		a.showMyReviews(w, r, status, words, campaign+"-"+strconv.FormatInt(seq, 10), r.PostForm)
	case errors.Is(err, recert.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// decide reads a form and decides.
func (a *app) decide(ctx context.Context, campaign string, seq int64, f url.Values) error {
	v := recert.Verdict{Do: recert.Do(f.Get("do")), Why: strings.TrimSpace(strings.ReplaceAll(f.Get("why"), "\r\n", "\n"))}
	switch v.Do {
	case recert.GiveBack:
		_, err := a.campaigns.Resume(ctx, campaign, seq, v.Why)
		return err
	case recert.CertifyUntil:
		day, err := time.ParseInLocation(time.DateOnly, f.Get("until"), a.config.zone)
		if err != nil || day.Year() > 2999 {
			return recert.ErrVerdict
		}
		v.Until = day.AddDate(0, 0, 1) // the last day counts whole
	case recert.Reduce:
		v.Reach = recert.Reach{Practices: f["practice"], Locations: f["location"], Queues: f["queue"]}
	case recert.Delegate:
		if v.To = audit.ActorID(f.Get("to")); v.To == "" {
			return recert.ErrVerdict
		}
	}
	_, err := a.campaigns.Decide(ctx, campaign, seq, v)
	return err
}
