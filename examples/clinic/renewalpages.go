package main

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// stageView is one part of a renewal as the page shows it.
type stageView struct {
	Title, Text, Tag string
	Done, Total      int
}

type renewalView struct{ Started, Finished, Records string }

type keysData struct {
	Since, Generation string
	Running, Stuck    bool
	MayRenew, Audit   bool // the person may renew; may read the audit
	Confirm           bool // the box was left empty
	Reason            string
	Stages            []stageView
	Past              []renewalView
}

// keysPage says how the keys stand and how far a renewal has come.
func (a *app) keysPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	v := view{}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Please type a reason of a few words. It is kept with the record of who renewed the keys."
	}
	a.showKeys(w, r, http.StatusOK, v, keysData{})
}

func (a *app) showKeys(w http.ResponseWriter, r *http.Request, status int, v view, d keysData) {
	ctx := r.Context()
	all, err := a.renewals.list(ctx)
	var keys phi.KeyStatus
	if err == nil {
		keys, err = a.renewals.rotator.Status(ctx, tenant)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.MayRenew, d.Audit = holds(ctx, a, keysRenew), holds(ctx, a, auditRead)
	d.Since, d.Generation = a.config.when(keys.Since), strconv.Itoa(int(keys.Epoch))
	for i, one := range all {
		if i == 0 && !one.done() {
			d.Running, d.Stages = true, a.stages(one)
			d.Stuck = time.Since(one.moved()) > stillAfter
			continue
		}
		d.Past = append(d.Past, a.past(one))
	}
	v.Title, v.Data = "Keys of the records", d
	a.render(w, r, status, "keys", v)
}

// stillAfter is how long a renewal may stand still before the page says so.
const stillAfter = 2 * time.Minute

// moved is when a renewal last came further.
func (r renewal) moved() time.Time {
	last := r.keys.Updated
	for _, job := range append(slices.Collect(maps.Values(r.rows)), r.index) {
		if job.Updated.After(last) {
			last = job.Updated
		}
	}
	return last
}

func (a *app) stages(r renewal) []stageView {
	all := []stageView{stageOf("New keys", r.keys)}
	for _, t := range a.renewals.tables {
		all = append(all, stageOf(t.title, r.rows[t.name]))
	}
	return append(all, stageOf("What patients are found by", r.index))
}

// stageOf says how far one part has come; a job that does not exist has not begun.
func stageOf(title string, job phi.Rotation) stageView {
	s := stageView{Title: title, Done: job.Done, Total: max(job.Total, job.Done, 1)}
	switch {
	case job.ID == "":
		s.Text, s.Tag = "waits", ""
	case !job.Finished.IsZero():
		s.Text, s.Tag, s.Done = "done", "tag-good", s.Total
	default:
		s.Text, s.Tag = thousands(job.Done)+" of "+thousands(s.Total), "tag-warn"
	}
	return s
}

func (a *app) past(r renewal) renewalView {
	records := 0
	for _, job := range r.rows {
		records += job.Done
	}
	return renewalView{a.config.when(r.keys.Started), a.config.when(r.moved()), thousands(records)}
}

// renewKeys begins a renewal. The reason is in the audit before this runs; the work is done by
// the server, whoever closes this page.
func (a *app) renewKeys(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if r.PostForm.Get("confirm") != "yes" {
		v := view{Problem: "Nothing was begun. Please tick the box to say that you want to renew the keys."}
		a.showKeys(w, r, http.StatusUnprocessableEntity, v, keysData{Confirm: true, Reason: r.PostForm.Get("reason")})
		return
	}
	if err := a.renewals.begin(r.Context()); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/settings/keys?done=renewing", http.StatusSeeOther)
}

// settingsPage leads to what administrators set up.
func (a *app) settingsPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	tiles := []tile{
		{"/settings/sign-in", "Signing in", "How long people stay signed in, and before what they are asked again", ""},
		{"/settings/accounts", "Accounts", "Codes from a phone, approval, and when unused accounts are locked", ""},
		{"/settings/network", "Networks", "From where people may sign in and work", ""},
		{maskHome, "Who sees how much", "How much each role sees of names, numbers and notes", ""},
		{"/settings/banner", "Banner", "Words that everybody confirms before going on", ""},
		{"/programs", "API keys and agents", "Programs that use the clinic’s data, and for whom", ""},
		{"/settings/controls", "Security controls", "What protects this clinic, and how one knows", ""},
		{"/settings/retention", "How long the audit is kept", "Years, legal holds, and what may be destroyed", ""},
		{"/settings/keys", "Keys of the records", "Renew the keys under which records are locked", ""},
	}
	a.render(w, r, http.StatusOK, "settings", view{Title: "Settings", Data: struct{ Tiles []tile }{a.tilesFor(r.Context(), tiles)}})
}
