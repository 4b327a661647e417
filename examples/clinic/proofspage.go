package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/rbac"
)

// checkView is a check as the page shows it.
type checkView struct {
	ID, Asked, Who, Text, Tag string
	Compared, Took            string
	Findings                  []findingView
	Running, Well             bool
	Done, Many                int64
	Href                      string
}

// findingView is something that is not as it was signed, in words, with the events about it.
type findingView struct {
	Text   string
	Events []link
}

type proofData struct {
	Checkpoint, Key, ExportKey  string
	Signs                       []sign
	Alarm                       string
	Open                        bool // the form with the old checkpoint
	Old                         string
	Shown                       *checkView
	Past                        []checkView
	MayCheck, MayExport, Tamper bool
	Tampered                    []string
	Again                       string // makes the address a new one
}

// proofPage shows what the audit is proven with, and how the last check of it went.
func (a *app) proofPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showProof(w, r, http.StatusOK, view{}, proofData{})
}

func (a *app) showProof(w http.ResponseWriter, r *http.Request, status int, v view, d proofData) {
	ctx := r.Context()
	err := a.fillChecks(ctx, &d, r.URL.Query().Get("check"))
	if err == nil && a.demo != nil {
		d.Tampered, err = a.tampered(ctx)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.Checkpoint, d.Key, d.ExportKey = string(a.trees.Checkpoint()), a.trees.VerifierKey(), a.exporter.VerifierKey()
	_, d.Alarm = coverSign(a.trees.Health(ctx))
	d.Signs = a.proofSigns(ctx)
	d.MayCheck, d.MayExport, d.Tamper = holds(ctx, a, proofCheck), holds(ctx, a, exportMake), a.demo != nil
	d.Again = fmt.Sprintf("%x", time.Now().UnixMilli())
	v.Title, v.Data = "Proof of the audit", d
	a.render(w, r, status, "proof", v)
}

// proofSigns say how much is covered, and where checkpoints are kept.
func (a *app) proofSigns(ctx context.Context) []sign {
	covered, _ := coverSign(a.trees.Health(ctx))
	signs := []sign{covered}
	if proof, err := a.trees.Range(ctx, tenant, 0); err == nil {
		signs = append(signs,
			sign{"Events covered", thousands(int(proof.Head.Size)), "", "new ones follow within about ten seconds"},
			sign{"The last of them was covered", a.config.exactly(proof.Head.At), "", ""})
	}
	kept := sign{"Also kept outside the database", "yes", "tag-good", "in a file in the server’s data folder. Better still: a copy where nobody who runs this server can write"}
	last, err := a.sink.Last(ctx)
	switch {
	case err != nil:
		kept.Value, kept.Tag, kept.Hint = "the file cannot be read", "tag-bad", "look at the server’s disk"
	case last == nil:
		kept.Value, kept.Tag, kept.Hint = "not yet", "tag-warn", "the first checkpoint follows within about ten seconds"
	case string(last) != string(a.trees.Checkpoint()):
		kept.Value, kept.Tag = "not the latest one", "tag-warn"
	}
	return append(signs, kept)
}

// checkpointText is the latest checkpoint as a file.
func (a *app) checkpointText(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	note := a.trees.Checkpoint()
	if note == nil {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="checkpoint.txt"`)
	_, _ = w.Write(note)
}

// beginCheck has the whole audit checked, and compared with an old checkpoint if one was pasted.
func (a *app) beginCheck(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	old := pasted(r.PostForm.Get("old"))
	if old != "" {
		if _, err := tlog.OpenCheckpoint([]byte(old), a.trees.VerifierKey()); err != nil {
			problem := "This is no checkpoint of this clinic’s audit, so nothing was begun. Paste all of its lines, the last one that begins with a dash too. If they are complete, somebody may have changed them: keep them, and ask."
			a.showProof(w, r, http.StatusUnprocessableEntity, view{Problem: problem}, proofData{Open: true, Old: r.PostForm.Get("old")})
			return
		}
	}
	err := a.checks.begin(r.Context(), old)
	if err != nil && !errors.Is(err, errChecking) { // one that runs is as good
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if errors.Is(err, errChecking) && old != "" { // but it does not compare with this one
		problem := "Somebody is having the audit checked just now. Wait until that has ended, then begin yours."
		a.showProof(w, r, http.StatusConflict, view{Problem: problem}, proofData{Open: true, Old: old})
		return
	}
	http.Redirect(w, r, "/audit/proof?done=checking", http.StatusSeeOther)
}

// pasted is a checkpoint as it was before a form, a mail or a file with many of them added to it.
func pasted(text string) string {
	var lines []string
	for _, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if line = strings.TrimSpace(line); line != "" && line != "====" {
			lines = append(lines, line)
		}
	}
	if len(lines) < 4 {
		return strings.TrimSpace(text)
	}
	return strings.Join(lines[:3], "\n") + "\n\n" + strings.Join(lines[3:], "\n") + "\n"
}

// fillChecks shows the check that is asked for, or the latest, and lists them.
func (a *app) fillChecks(ctx context.Context, d *proofData, id string) error {
	all, err := a.checks.list(ctx, 20)
	if err != nil {
		return err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	for i, c := range all {
		v := a.checkView(c, nameOf(audit.ActorID(c.person), team))
		d.Past = append(d.Past, v)
		if c.id != id && (id != "" || i > 0) {
			continue
		}
		for _, f := range c.result.Findings {
			shown, err := a.findingView(ctx, f)
			if err != nil {
				return err
			}
			v.Findings = append(v.Findings, shown)
		}
		if c.result.More > 0 {
			v.Findings = append(v.Findings, findingView{Text: "And " + plural(c.result.More, "more finding") + "."})
		}
		d.Shown = &v
	}
	return nil
}

func (a *app) checkView(c check, who string) checkView {
	v := checkView{ID: c.id, Asked: a.config.when(c.asked), Who: who, Done: c.done, Many: max(c.many, 1), Href: "/audit/proof?check=" + c.id + "#check"}
	if c.ended.IsZero() {
		v.Running, v.Text, v.Tag = true, "running", "tag-warn"
		return v
	}
	v.Text, v.Tag, v.Well = resultText(c.result), "tag-bad", c.result.Outcome == outcomeWhole
	if v.Well {
		v.Tag = "tag-good"
	}
	v.Compared, v.Took = comparedText(c.result.Old), seconds(c.ended.Sub(c.asked))
	return v
}

// resultText says in one sentence how a check ended.
func resultText(r checkResult) string {
	switch r.Outcome {
	case outcomeWhole:
		text := "Whole: all " + plural(int(r.Events), "event") + " are as they were signed"
		if r.Purged > 0 {
			text += "; " + thousands(int(r.Purged)) + " older ones were destroyed as two people agreed"
		}
		return text
	case outcomeTampered:
		return "Changed: not all events are as they were signed"
	case outcomeRolledBack:
		return "Put back: there is less than the old checkpoint says"
	case outcomeRewritten:
		return "Written anew: this is another history than the one that was signed"
	}
	return "Not finished: the audit could not be read"
}

func comparedText(old string) string {
	switch old {
	case oldPasted:
		return "the checkpoint that was pasted"
	case oldFile:
		return "the last checkpoint in the server’s file"
	}
	return "no old checkpoint: there was none yet"
}

// maxLinked is how many events a finding leads to.
const maxLinked = 12

// findingView tells a finding in words, and leads to the events that can still be read.
func (a *app) findingView(ctx context.Context, f finding) (v findingView, err error) {
	numbers := fmt.Sprintf("Event number %d", f.From)
	if f.To-f.From > 1 {
		numbers = fmt.Sprintf("Events number %d to %d", f.From, f.To-1)
	}
	from, to := f.From, f.To
	switch {
	case f.What == "missing":
		v.Text = numbers + ": gone. The database says nothing of it any more. These were recorded just before and after:"
		from, to = f.From-1, f.To+1
	case f.What == "altered" && f.To-f.From == 1 && a.readable(ctx, f.From):
		v.Text = numbers + ": changed, and its hash with it. This is what the database says now:"
	case f.What == "altered" && f.To-f.From == 1:
		v.Text = numbers + ": changed. It is not what was recorded, and cannot be read any more. These were recorded just before and after:"
		from, to = f.From-1, f.To+1
	case f.What == "purged":
		v.Text = numbers + ": destroyed, and not as two people agreed."
		return v, nil
	case f.What == "altered":
		v.Text = numbers + ": at least one of them was changed, or they are in another order. Their hashes were changed as well, so it cannot be told which:"
	default:
		v.Text = "The history of this clinic is another one than the one that was signed."
		return v, nil
	}
	for at := max(from, 0); at < to && len(v.Events) < maxLinked; at++ {
		l, err := a.eventAt(ctx, at)
		if err != nil {
			return v, err
		}
		if l.Href != "" {
			v.Events = append(v.Events, l)
		}
	}
	return v, nil
}

// readable reports whether the database has an event at a place that looks like one.
func (a *app) readable(ctx context.Context, at int64) bool {
	l, err := a.eventAt(ctx, at)
	return err == nil && l.Href != ""
}

// eventAt leads to the event at a place, the zero link if there is none that can be read.
func (a *app) eventAt(ctx context.Context, at int64) (link, error) {
	for e, err := range a.events.List(ctx, audit.Filter{Tenant: tenant}, at+1, 1) {
		if errors.Is(err, audit.ErrDamaged) {
			return link{}, nil
		}
		if err != nil {
			return link{}, err
		}
		if e.Index != at || audit.Leaf(e.Body) != e.Leaf {
			return link{}, nil
		}
		return link{"/audit/" + e.ID, fmt.Sprintf("%d: %s, %s", at, actionText(e.Action), a.config.exactly(e.Recorded))}, nil
	}
	return link{}, nil
}
