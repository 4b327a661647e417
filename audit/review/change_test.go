package review_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

// export makes a finding about ada.
func (h *house) export() review.Finding {
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
	all := h.found(review.Export)
	return all[len(all)-1]
}

// change has somebody make a step that works.
func (h *house) change(by audit.ActorID, f review.Finding, c review.Change) review.Finding {
	h.t.Helper()
	is, err := h.r.Change(h.as(by), clinic, f.ID, f.Version, c)
	require.NoError(h.t, err)
	again, err := h.r.Finding(h.t.Context(), clinic, f.ID)
	require.NoError(h.t, err)
	require.Equal(h.t, is, again)
	return is
}

// TestTheWayOfAFinding: taken, escalated, closed, taken up again, explained; each step is recorded
// with its reason, and the last note can be read by who may.
func TestTheWayOfAFinding(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := h.export()
	h.at = h.at.Add(time.Hour)
	f = h.change("officer", f, review.Change{To: review.InReview})
	require.Equal(t, audit.ActorID("officer"), f.Assignee)
	require.Equal(t, h.at, f.Changed)
	f = h.change("officer", f, review.Change{To: review.Escalated, Incident: "inc-7", Note: "Nobody asked for it."})
	require.Equal(t, "inc-7", f.Incident)
	f = h.change("second", f, review.Change{To: review.Closed, Verdict: review.Violation, Note: "See the incident."})
	require.Equal(t, audit.ActorID("second"), f.Assignee)
	note, err := h.r.Note(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, "See the incident.", note)
	require.NotContains(t, string(f.Note), "incident", "sealed")
	f = h.change("officer", f, review.Change{To: review.InReview})
	require.Empty(t, f.Verdict)
	note, err = h.r.Note(t.Context(), f)
	require.NoError(t, err)
	require.Empty(t, note)
	f = h.change("officer", f, review.Change{To: review.Explained, Note: "It was for the auditor."})
	require.Equal(t, "inc-7", f.Incident, "what it was once is not forgotten")

	var steps []string
	for _, e := range h.recorded(review.ActionChanged) {
		steps = append(steps, fmt.Sprintf("%s: %s → %s %s%s", e.Actor.ID, e.Detail["from"], e.Detail["to"], e.Detail["verdict"], e.Detail["incident"]))
		require.Equal(t, f.ID, e.Objects[0].ID)
	}
	require.Equal(t, []string{
		"officer: open → in_review ", "officer: in_review → escalated inc-7", "second: escalated → closed violation",
		"officer: closed → in_review ", "officer: in_review → explained ",
	}, steps)
	last, err := h.log.Open(t.Context(), clinic, h.recorded(review.ActionChanged)[4].ID)
	require.NoError(t, err)
	why, _ := last.Why.Reveal()
	require.Equal(t, "It was for the auditor.", why)

	moved := f
	moved.Version++
	_, err = h.r.Note(t.Context(), moved)
	require.ErrorIs(t, err, review.ErrUnavailable, "a note belongs to its step")
}

// TestChangesThatLeadNowhere.
func TestChangesThatLeadNowhere(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", review.MaxNote+1)
	for name, c := range map[string]review.Change{
		"no state":                 {},
		"another state":            {To: "forgotten"},
		"closed without a verdict": {To: review.Closed, Note: "n"},
		"closed without a note":    {To: review.Closed, Verdict: review.NoIssue},
		"closed with blanks":       {To: review.Closed, Verdict: review.NoIssue, Note: " \n"},
		"another verdict":          {To: review.Closed, Verdict: "fine", Note: "n"},
		"explained without a note": {To: review.Explained},
		"explained with a verdict": {To: review.Explained, Note: "n", Verdict: review.NoIssue},
		"escalated to nothing":     {To: review.Escalated, Note: "n"},
		"incident without need":    {To: review.Closed, Verdict: review.NoIssue, Note: "n", Incident: "i"},
		"incident with a space":    {To: review.Escalated, Note: "n", Incident: "i 1"},
		"incident without end":     {To: review.Escalated, Note: "n", Incident: strings.Repeat("i", 129)},
		"note without end":         {To: review.Explained, Note: long},
		"note that is no text":     {To: review.Explained, Note: "\xff"},
		"taken twice":              {To: review.InReview},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			f := h.change("officer", h.export(), review.Change{To: review.InReview})
			_, err := h.r.Change(h.as("officer"), clinic, f.ID, f.Version, c)
			require.ErrorIs(t, err, review.ErrChange)
			is, err := h.r.Finding(t.Context(), clinic, f.ID)
			require.NoError(t, err)
			require.Equal(t, f, is)
			require.Len(t, h.recorded(review.ActionChanged), 1)
		})
	}
}

// TestWhoMayMakeWhichStep: what is open is taken first; what somebody has is theirs until it is
// taken over.
func TestWhoMayMakeWhichStep(t *testing.T) {
	t.Parallel()
	steps := map[review.State]review.Change{
		review.Open: {To: review.Open}, review.InReview: {To: review.InReview}, review.Explained: {To: review.Explained, Note: "n"},
		review.Escalated: {To: review.Escalated, Incident: "i"}, review.Closed: {To: review.Closed, Verdict: review.NoIssue, Note: "n"},
	}
	allowed := map[string]bool{
		"open officer in_review": true, "open second in_review": true,
		"in_review officer open": true, "in_review officer explained": true, "in_review officer escalated": true, "in_review officer closed": true,
		"in_review second in_review": true,
		"escalated officer closed":   true, "escalated second closed": true,
		"explained officer in_review": true, "explained second in_review": true, "escalated officer in_review": true,
		"escalated second in_review": true, "closed officer in_review": true, "closed second in_review": true,
	}
	for _, from := range review.States() {
		for _, by := range []audit.ActorID{"officer", "second"} {
			for _, to := range review.States() {
				name := fmt.Sprintf("%s %s %s", from, by, to)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					h := newHouse(t)
					f := h.export()
					if from != review.Open {
						f = h.change("officer", f, steps[review.InReview])
						if from != review.InReview {
							f = h.change("officer", f, steps[from])
						}
					}
					_, err := h.r.Change(h.as(by), clinic, f.ID, f.Version, steps[to])
					if allowed[name] {
						require.NoError(t, err)
						return
					}
					require.ErrorIs(t, err, review.ErrChange)
				})
			}
		}
	}
}

// TestNobodyReviewsThemselves, whichever name they act under, and the attempt is recorded.
func TestNobodyReviewsThemselves(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := h.export()
	for _, c := range []review.Change{{To: review.InReview}, {To: review.Closed, Verdict: review.NoIssue, Note: "nothing to see"}} {
		_, err := h.r.Change(h.as("ada"), clinic, f.ID, f.Version, c)
		require.ErrorIs(t, err, review.ErrOwn)
	}
	_, err := h.r.Change(h.as("ada"), clinic, f.ID, 99, review.Change{To: review.InReview})
	require.ErrorIs(t, err, review.ErrOwn)
	helper := staff("helper")
	helper.OnBehalfOf = "ada"
	_, err = h.r.Change(audit.WithActor(t.Context(), helper), clinic, f.ID, f.Version, review.Change{To: review.InReview})
	require.ErrorIs(t, err, review.ErrOwn)
	events := h.recorded(review.ActionChanged)
	require.Len(t, events, 4)
	for _, e := range events {
		require.Equal(t, audit.Failure, e.Outcome)
		require.Equal(t, "own_finding", e.Code)
	}
	is, err := h.r.Finding(t.Context(), clinic, f.ID)
	require.NoError(t, err)
	require.Equal(t, f, is)
}

// TestOnlyStaffReviews.
func TestOnlyStaffReviews(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := h.export()
	foreign := staff("officer")
	foreign.Tenant = "other"
	for name, a := range map[string]audit.Actor{
		"patient": {ID: "p", Kind: audit.KindPatient, Tenant: clinic}, "agent": {ID: "a", Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: "officer"},
		"system": audit.System(clinic, "x"), "nobody": {Kind: audit.KindAnonymous, Tenant: clinic}, "other tenant": foreign, "nameless": staff(""),
	} {
		ctx := audit.WithActor(t.Context(), a)
		_, err := h.r.Change(ctx, clinic, f.ID, f.Version, review.Change{To: review.InReview})
		require.ErrorIs(t, err, review.ErrReviewer, name)
		_, err = h.r.SetSettings(ctx, clinic, review.Standard())
		require.ErrorIs(t, err, review.ErrReviewer, name)
	}
	_, err := h.r.Change(t.Context(), clinic, f.ID, f.Version, review.Change{To: review.InReview})
	require.ErrorIs(t, err, review.ErrReviewer)
	require.Empty(t, h.recorded(review.ActionChanged))
}

// TestOthersFindings: a finding is its tenant's.
func TestOthersFindings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := h.export()
	foreign := staff("officer")
	foreign.Tenant = "other"
	_, err := h.r.Change(audit.WithActor(t.Context(), foreign), "other", f.ID, f.Version, review.Change{To: review.InReview})
	require.ErrorIs(t, err, review.ErrNotFound)
	_, err = h.r.Finding(t.Context(), "other", f.ID)
	require.ErrorIs(t, err, review.ErrNotFound)
}

// TestTwoPeopleTakeIt: of several who take a finding at once one has it.
func TestTwoPeopleTakeIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := h.export()
	var won atomic.Int64
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			_, err := h.r.Change(h.as(audit.ActorID(fmt.Sprintf("officer-%d", i))), clinic, f.ID, f.Version, review.Change{To: review.InReview})
			if err == nil {
				won.Add(1)
			} else {
				require.ErrorIs(t, err, review.ErrConflict)
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(1), won.Load())
}

// TestRepeats: while a finding waits the rule adds to it; when somebody has reviewed it, what was
// counted is done with, and what comes then is a new one.
func TestRepeats(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	burst := func(n int) {
		for range n {
			h.at = h.at.Add(time.Second)
			h.refused(staff("ada"))
		}
	}
	burst(8)
	f := h.one(review.Denied)
	f = h.change("officer", f, review.Change{To: review.InReview})
	burst(2)
	g := h.one(review.Denied)
	require.Equal(t, f.ID, g.ID)
	require.Equal(t, 10, g.Count)
	require.Equal(t, review.InReview, g.State)
	_, err := h.r.Change(h.as("officer"), clinic, f.ID, f.Version, review.Change{To: review.Explained, Note: "n"})
	require.ErrorIs(t, err, review.ErrConflict, "whoever closes it has seen all of it")
	g = h.change("officer", g, review.Change{To: review.Explained, Note: "n"})
	burst(1)
	require.Len(t, h.found(review.Denied), 1, "the ten are explained")
	burst(6)
	require.Len(t, h.found(review.Denied), 1)
	burst(1)
	all := h.found(review.Denied)
	require.Len(t, all, 2)
	require.Equal(t, g.ID, all[0].ID)
	require.Equal(t, 10, all[0].Count)
	require.Equal(t, 8, all[1].Count)
	h.at = h.at.Add(25 * time.Hour)
	burst(8)
	require.Len(t, h.found(review.Denied), 3, "a day later it is another one")
}

// TestTheNextOneCounts: what one event is enough for is found again as soon as it has been reviewed,
// for every rule of that kind.
func TestTheNextOneCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one := review.Standard()
	for i := range one.Rules {
		if one.Rules[i].Limit > 0 {
			one.Rules[i].Limit = 1
		}
		if one.Rules[i].Times > 0 {
			one.Rules[i].Times = 1
		}
	}
	_, err := h.r.SetSettings(h.as("officer"), clinic, one)
	require.NoError(t, err)
	h.ties.of[review.Pair{Person: "ada", Patient: "p-1"}] = review.Tie{VIP: true, Surname: true, Worker: true}
	h.ties.of[review.Pair{Person: "ada", Patient: "p-2"}] = review.Tie{VIP: true, Surname: true, Worker: true}
	h.ties.of[review.Pair{Person: "ada", Patient: "p-3"}] = review.Tie{Self: true}
	h.ties.of[review.Pair{Person: "ada", Patient: "p-4"}] = review.Tie{Self: true}
	page := make([]audit.Patient, 20)
	for i := range page {
		page[i] = patient("bob", i)
	}
	all := func(n int) {
		h.at = h.at.Add(time.Hour)
		h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
		h.record(audit.Event{Action: audit.ActionOpen, Actor: staff("ada")})
		h.refused(staff("ada"))
		h.looks("ada", page...)
		h.looks("ada", audit.Patient(fmt.Sprintf("p-%d", n)))
		h.looks("ada", audit.Patient(fmt.Sprintf("p-%d", n+2)))
		h.tick()
	}
	all(1)
	rules := map[review.Name]bool{}
	for _, f := range findings(t, h.r) {
		rules[f.Rule] = true
		f = h.change("officer", f, review.Change{To: review.InReview})
		h.change("officer", f, review.Change{To: review.Closed, Verdict: review.NoIssue, Note: "n"})
	}
	require.GreaterOrEqual(t, len(rules), 9, "%v", rules)
	all(2)
	again := map[review.Name]bool{}
	for _, f := range findings(t, h.r) {
		if f.State == review.Open {
			again[f.Rule] = true
		}
	}
	for rule := range rules {
		require.True(t, again[rule], rule)
	}
}

// TestAReviewedDay: what was reviewed of a day is done with for that day.
func TestAReviewedDay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.works("ada", 6, 6)
	busy := func(n int) {
		for i := range n {
			h.at = h.at.Add(30 * time.Second)
			h.looks("ada", patient("ada", i%6))
		}
	}
	busy(45)
	f := h.one(review.Volume)
	f = h.change("officer", f, review.Change{To: review.InReview})
	h.change("officer", f, review.Change{To: review.Explained, Note: "Vaccination day."})
	busy(45)
	require.Len(t, h.found(review.Volume), 1)
	h.workday()
	busy(45)
	require.Len(t, h.found(review.Volume), 2)
}

// TestEveryCallOfAStepMayFail: what is acknowledged has happened, what has happened is in the log,
// and what is in the log and has not happened is followed by an event that says so.
func TestEveryCallOfAStepMayFail(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"step", "settings"} {
		for _, mode := range []string{"fails", "stalls", "is cut off"} {
			t.Run(what+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					h := newHouse(t)
					f := h.export()
					ctx, cancel := context.WithCancel(h.as("officer"))
					fault := &faulty{mode: mode, at: at, end: cancel}
					r := h.breaks(fault, review.Options{Now: func() time.Time { return h.at }})
					action, done := review.ActionChanged, false
					var err error
					if what == "step" {
						_, err = r.Change(ctx, clinic, f.ID, f.Version, review.Change{To: review.InReview, Note: "n"})
						is, e := h.r.Finding(t.Context(), clinic, f.ID)
						require.NoError(t, e)
						done = is.State == review.InReview
					} else {
						action = audit.ActionPolicyChanged
						_, err = r.SetSettings(ctx, clinic, review.Standard())
						is, e := h.r.Settings(t.Context(), clinic)
						require.NoError(t, e)
						done = is.Version == 1
					}
					cancel()
					events := h.recorded(action)
					if fault.n < at {
						require.NoError(t, err)
						require.Greater(t, at, 3)
						return
					}
					require.ErrorIs(t, err, review.ErrUnavailable)
					if done {
						require.NotEmpty(t, events)
						require.Equal(t, audit.Success, events[0].Outcome)
					}
					if len(events) > 0 && !done && mode == "fails" {
						require.Equal(t, audit.MinorFailure, events[len(events)-1].Outcome)
					}
				}
			})
		}
	}
}
