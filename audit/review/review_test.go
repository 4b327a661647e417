package review_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/review"
)

// TestNewNamesWhatIsWrong.
func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, f := range map[string]func() (*review.Reviewer, error){
		"source":   func() (*review.Reviewer, error) { return review.New(nil, h.store, h.log, sealer{}, nil) },
		"store":    func() (*review.Reviewer, error) { return review.New(h.events, nil, h.log, sealer{}, nil) },
		"recorder": func() (*review.Reviewer, error) { return review.New(h.events, h.store, nil, sealer{}, nil) },
		"sealer":   func() (*review.Reviewer, error) { return review.New(h.events, h.store, h.log, nil, nil) },
	} {
		_, err := f()
		require.Error(t, err, name)
	}
	for name, o := range map[string]review.Options{
		"AskTimeout": {AskTimeout: time.Hour}, "Every": {Every: time.Millisecond}, "Past": {Past: -1}, "Batch": {Batch: 5000},
		"Standard": {Standard: &review.Settings{}},
	} {
		_, err := review.New(h.events, h.store, h.log, sealer{}, &o)
		require.ErrorContains(t, err, name)
	}
	_, err := review.New(h.events, h.store, h.log, sealer{}, nil)
	require.NoError(t, err)
}

// TestRunAndHealth: nobody calls Run: that is no state to be in.
func TestRunAndHealth(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.ErrorIs(t, h.r.Health(t.Context()), review.ErrNotRunning)
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.r.Run(ctx) }()
	require.Eventually(t, func() bool { return len(findings(t, h.r)) == 1 }, 30*time.Second, time.Millisecond)
	require.NoError(t, h.r.Health(t.Context()))
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.ErrorIs(t, h.r.Health(t.Context()), review.ErrNotRunning)
}

// TestSettings: versioned, checked, recorded with what was and is, and in force at the next tick.
func TestSettings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 8 {
		h.refused(staff("ada"))
	}
	s, err := h.r.Settings(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, review.Standard(), s)
	s = s.Set(review.Rule{Name: review.Denied, Limit: 9, Window: 10 * time.Minute})
	s, err = h.r.SetSettings(h.as("officer"), clinic, s)
	require.NoError(t, err)
	require.Empty(t, h.found(review.Denied))
	h.refused(staff("ada"))
	h.one(review.Denied)

	_, err = h.r.SetSettings(h.as("officer"), clinic, review.Standard())
	require.ErrorIs(t, err, review.ErrConflict, "somebody changed them since")
	s.Zone = "America/New_York"
	s, err = h.r.SetSettings(h.as("second"), clinic, s)
	require.NoError(t, err)
	require.Equal(t, int64(2), s.Version)
	events := h.recorded(audit.ActionPolicyChanged)
	require.Len(t, events, 2)
	require.Equal(t, map[string]string{
		"denied.before": "on limit=8 times=0 window=10m0s days=0", "denied.after": "on limit=9 times=0 window=10m0s days=0",
	}, events[0].Detail)
	require.Equal(t, map[string]string{"zone.before": "UTC", "zone.after": "America/New_York"}, events[1].Detail)
	require.Equal(t, audit.ActorID("second"), events[1].Actor.ID)
	again, err := h.r.Settings(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, s, again)
	other, err := h.r.Settings(t.Context(), "other")
	require.NoError(t, err)
	require.Equal(t, review.Standard(), other)

	ours := review.Standard()
	ours.Zone = "Europe/Berlin"
	r := h.reviewer(&review.Options{Standard: &ours, Now: func() time.Time { return h.at }})
	other, err = r.Settings(t.Context(), "other")
	require.NoError(t, err)
	require.Equal(t, ours, other, "a host may have a standard of its own")
	other.Rules[0].Off = true
	other, err = r.Settings(t.Context(), "other")
	require.NoError(t, err)
	require.Equal(t, ours, other, "which nobody changes by looking at it")
}

// TestARuleThatCameLater is on for tenants that made their settings before.
func TestARuleThatCameLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	old := review.Standard()
	old.Rules, old.Version = old.Rules[:3], 1
	require.NoError(t, h.store.SaveSettings(t.Context(), clinic, old))
	s, err := h.r.Settings(t.Context(), clinic)
	require.NoError(t, err)
	require.NoError(t, s.Validate())
	require.Equal(t, review.Standard().Rule(review.Export), s.Rule(review.Export))
}

// TestSettingsThatCannotBe.
func TestSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	standard := review.Standard()
	require.NoError(t, standard.Validate())
	bad := map[string]func(*review.Settings){
		"no zone":      func(s *review.Settings) { s.Zone = "" },
		"local zone":   func(s *review.Settings) { s.Zone = "Local" },
		"another zone": func(s *review.Settings) { s.Zone = "Mars/Olympus" },
		"hours":        func(s *review.Settings) { s.OpenFrom = 22 },
		"late":         func(s *review.Settings) { s.OpenTo = 25 },
		"early":        func(s *review.Settings) { s.OpenFrom = -1 },
		"list":         func(s *review.Settings) { s.ListFrom = 1 },
		"repeat":       func(s *review.Settings) { s.Repeat = time.Minute },
		"rule missing": func(s *review.Settings) { s.Rules = s.Rules[1:] },
		"rule twice":   func(s *review.Settings) { s.Rules[0] = s.Rules[1] },
		"another rule": func(s *review.Settings) { s.Rules[0].Name = "score" },
		"its own rule": func(s *review.Settings) { s.Rules[0].Name = review.Unasked },
		"zero limit":   func(s *review.Settings) { *s = s.Set(review.Rule{Name: review.Volume, Times: 1, Days: 1}) },
		"zero times":   func(s *review.Settings) { *s = s.Set(review.Rule{Name: review.Volume, Limit: 1, Days: 1}) },
		"no days":      func(s *review.Settings) { *s = s.Set(review.Rule{Name: review.Woken}) },
		"no window":    func(s *review.Settings) { *s = s.Set(review.Rule{Name: review.Denied, Limit: 5}) },
		"long window": func(s *review.Settings) {
			*s = s.Set(review.Rule{Name: review.Denied, Limit: 5, Window: 48 * time.Hour})
		},
		"needless days": func(s *review.Settings) {
			*s = s.Set(review.Rule{Name: review.Denied, Limit: 5, Window: time.Hour, Days: 1})
		},
		"huge limit": func(s *review.Settings) { *s = s.Set(review.Rule{Name: review.Sequence, Limit: 51, Window: time.Hour}) },
	}
	h := newHouse(t)
	for name, f := range bad {
		s := review.Standard()
		f(&s)
		require.ErrorIs(t, s.Validate(), review.ErrSettings, name)
		_, err := h.r.SetSettings(h.as("officer"), clinic, s)
		require.ErrorIs(t, err, review.ErrSettings, name)
	}
	require.Empty(t, h.recorded(audit.ActionPolicyChanged))
}

// TestFirstStart: over an old log, what is long past tells what is usual and makes no findings.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *review.Options) { o.Past = 10 * 24 * time.Hour })
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("old")})
	h.works("ada", 10, 12)
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("new")})
	for i := range 40 {
		h.at = h.at.Add(time.Minute)
		h.looks("ada", patient("ada", i%12))
	}
	require.Equal(t, audit.ActorID("new"), h.one(review.Export).Actor)
	require.Equal(t, 12, h.one(review.Volume).Usual)
}

// TestClockSteps: a server's clock that is set, forward or back, or two that differ, neither crash
// the review nor flood it, and the rules go on.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(h *house, i int){
		"a year forward":   func(h *house, i int) { h.jump(i == 100, 365*24*time.Hour) },
		"a century":        func(h *house, i int) { h.jump(i == 100, 100*365*24*time.Hour) },
		"a month back":     func(h *house, i int) { h.jump(i == 100, -30*24*time.Hour) },
		"there and back":   func(h *house, i int) { h.jump(i == 100, 200*24*time.Hour); h.jump(i == 101, -200*24*time.Hour) },
		"a minute to, fro": func(h *house, i int) { h.jump(i%2 == 0, time.Minute); h.jump(i%2 == 1, -time.Minute) },
		"ages to, fro": func(h *house, i int) {
			h.at = h.at.AddDate(7800*(1-2*(i%2)), 0, 0)
			h.reset()
		},
		"an hour to, fro": func(h *house, i int) { h.jump(i%2 == 0, time.Hour); h.jump(i%2 == 1, -time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			for i := range 200 {
				h.at = h.at.Add(15 * time.Second)
				step(h, i)
				who := audit.ActorID(fmt.Sprintf("u-%d", i%20))
				h.looks(who, patient(who, i/20))
			}
			h.tick()
			for rule, n := range rulesOf(findings(t, h.r)) {
				require.Equal(t, review.OffHours, rule, "an hour that is none of the day's is all there may be, not %d of %s", n, rule)
			}
			before := len(findings(t, h.r))
			for range 8 {
				h.refused(staff("u-1"))
			}
			h.one(review.Denied)
			for i := range 20 {
				h.looks("u-2", patient("u-2", 100+i))
			}
			h.one(review.ManyPatients)
			require.LessOrEqual(t, len(findings(t, h.r)), before+4)
		})
	}
}

// jump sets the server's clock.
func (h *house) jump(now bool, by time.Duration) {
	if now {
		h.at = h.at.Add(by)
		h.reset()
	}
}

// TestServersClocksDoNotRun: two servers whose clocks differ by seconds do not make time pass
// faster.
func TestServersClocksDoNotRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 7 {
		for range 100 { // 100 events, each a minute after or before the last
			h.jump(true, time.Minute)
			h.looks("bob", patient("bob", 1))
			h.jump(true, -time.Minute)
			h.looks("bob", patient("bob", 1))
		}
		h.refused(staff("ada"))
		_ = i
	}
	require.Empty(t, h.found(review.Denied))
	h.refused(staff("ada"))
	h.one(review.Denied)
}

// TestPurgedPlaces are passed over, wherever they lie.
func TestPurgedPlaces(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *review.Options) { o.Batch = 5 })
	for i := range 40 {
		h.looks("ada", patient("ada", i%7))
	}
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
	h.looks("ada", patient("ada", 1))
	require.NoError(t, h.events.Purge(t.Context(), clinic, []audit.Span{{From: 0, To: 13}, {From: 15, To: 16}, {From: 41, To: 42}}))
	h.one(review.Export)
	require.Len(t, findings(t, h.r), 1)
	p, err := h.store.Place(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, int64(42), p.Next)
}

// lying is a source that changes what it lists.
type lying struct {
	*audit.Memory
	lie func(*audit.Entry)
}

func (s lying) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range s.Memory.List(ctx, f, below, limit) {
			s.lie(&e)
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestDamagedEvents are a finding; the others are reviewed all the same.
func TestDamagedEvents(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(*audit.Entry){
		"cut":     func(e *audit.Entry) { e.Body = e.Body[:len(e.Body)-1] },
		"empty":   func(e *audit.Entry) { e.Body = nil },
		"changed": func(e *audit.Entry) { e.Body = []byte(strings.Replace(string(e.Body), `"ada"`, `"eve"`, 1)) },
		"ancient": func(e *audit.Entry) { e.Body, e.Recorded = nil, time.Time{} },
		"renamed": func(e *audit.Entry) { e.ID = "00000000-0000-7000-8000-00000000ffff" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.looks("bob", patient("bob", 1))
			h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
			h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("bob")})
			src := lying{h.events, func(e *audit.Entry) {
				if e.Index == 1 {
					lie(e)
				}
			}}
			r, err := review.New(src, h.store, h.log, sealer{}, &review.Options{Now: func() time.Time { return h.at.AddDate(0, 0, 5) }, Past: 4 * 24 * time.Hour})
			require.NoError(t, err)
			require.NoError(t, r.Tick(t.Context()))
			require.Equal(t, map[review.Name]int{review.Unreadable: 1}, rulesOf(findings(t, r)), "however old")
			require.Contains(t, findings(t, r)[0].Explanation(), "1 event in the log could not be read")
		})
	}
}

// TestALogThatIsShorter: after a backup was put back nothing is reviewed until somebody looks.
func TestALogThatIsShorter(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.looks("ada", "p")
	h.tick()
	h.events = audit.NewMemory()
	h.reset()
	h.looks("ada", "p")
	require.NoError(t, h.store.Commit(t.Context(), review.Commit{Place: review.Place{Tenant: clinic, Version: 2, Next: 5, Data: []byte("{}")}}))
	r := h.reviewer(&review.Options{Now: func() time.Time { return h.at }})
	require.ErrorIs(t, r.Tick(t.Context()), review.ErrBehind)
	require.ErrorIs(t, r.Health(t.Context()), review.ErrBehind)
}

// TestMemoryHasABound: whatever one actor does, and however many there are.
func TestMemoryHasABound(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 6000 {
		h.at = h.at.Add(time.Duration(r.IntN(20)) * time.Second)
		long := audit.Patient(fmt.Sprintf("%0200d-%d", i, r.IntN(1e9)))
		h.looks("eve", long, long+"a", long+"b")
		if i%3 == 0 {
			h.refused(staff("eve"), audit.Object{Type: strings.Repeat("t", 100), ID: fmt.Sprintf("%0200d", i)})
			h.record(audit.Event{Action: audit.ActionRead, Actor: staff("eve")})
		}
	}
	h.tick()
	all, err := h.store.Actors(t.Context(), clinic, []audit.ActorID{"eve", "~review", "~anonymous", "~others"})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, a := range all {
		require.Less(t, len(a.Data), 100<<10, "%s: no more than 4,096 patients, and the marks of a few rules", a.ID)
	}
	require.Less(t, 100<<10, review.MaxMemory, "which is for all of them at once")
	require.LessOrEqual(t, len(findings(t, h.r)), 12, "who does much is found once for each rule")
	p, err := h.store.Place(t.Context(), clinic)
	require.NoError(t, err)
	require.Less(t, len(p.Data), 1024)
}

// TestACrowd: an attacker who makes actors without end is watched as one.
func TestACrowd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.looks("ada", patient("ada", 1))
	h.tick()
	p, err := h.store.Place(t.Context(), clinic)
	require.NoError(t, err)
	var data map[string]any
	require.NoError(t, json.Unmarshal(p.Data, &data))
	data["actors"] = review.MaxActors - 1
	p.Data, err = json.Marshal(data)
	require.NoError(t, err)
	p.Version++
	require.NoError(t, h.store.Commit(t.Context(), review.Commit{Place: p}))
	var ids []audit.ActorID
	for i := range 500 {
		id := audit.ActorID(fmt.Sprintf("bot-%d", i))
		ids = append(ids, id)
		h.refused(staff(id))
	}
	h.tick()
	kept, err := h.store.Actors(t.Context(), clinic, ids)
	require.NoError(t, err)
	require.Len(t, kept, 1, "the last one that there is room for")
	require.Contains(t, h.one(review.Crowd).Explanation(), "More than 100000 actors")
	require.Equal(t, 80, h.one(review.Denied).Limit)
	for i := range 20 {
		h.looks("ada", patient("ada", i)) // who was there before is watched as before
	}
	require.Equal(t, audit.ActorID("ada"), h.one(review.ManyPatients).Actor)
}

// TestQueries: filters, pages, and what cannot be asked.
func TestQueries(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 23 {
		h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff(audit.ActorID(fmt.Sprintf("u-%02d", i)))})
	}
	h.tick()
	all := findings(t, h.r)
	require.Len(t, all, 23)
	taken := h.change("officer", all[3], review.Change{To: review.InReview})
	for _, c := range []struct {
		q    review.Query
		want int
	}{
		{review.Query{}, 23},
		{review.Query{States: []review.State{review.Open}}, 22},
		{review.Query{States: []review.State{review.InReview}}, 1},
		{review.Query{States: []review.State{review.Closed}}, 0},
		{review.Query{Rule: review.Export}, 23},
		{review.Query{Rule: review.VIP}, 0},
		{review.Query{Actor: "u-05"}, 1},
		{review.Query{Actor: taken.Actor, States: []review.State{review.InReview, review.Open}}, 1},
	} {
		p, err := h.r.Findings(t.Context(), clinic, c.q)
		require.NoError(t, err)
		require.Len(t, p.Findings, c.want)
	}
	for _, q := range []review.Query{
		{Limit: -1},
		{Limit: 501},
		{States: []review.State{"x"}},
		{Rule: "x"},
		{Cursor: "x"},
		{Cursor: "-1." + all[0].ID},
		{Cursor: "1.x"},
		{States: []review.State{review.Open, review.Open, review.Open, review.Open, review.Open, review.Open}},
	} {
		_, err := h.r.Findings(t.Context(), clinic, q)
		require.ErrorIs(t, err, review.ErrQuery)
	}
	_, err := h.r.Findings(t.Context(), "", review.Query{})
	require.ErrorIs(t, err, review.ErrQuery)
	n, err := h.r.Count(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, map[review.State]int{review.Open: 22, review.InReview: 1}, n)
}

// TestControls states what is so.
func TestControls(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	state := func(r *review.Reviewer) evidence.Control {
		list, err := r.Controls(t.Context(), clinic)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
	require.Equal(t, evidence.Failing, state(h.r).State, "nobody calls Run")
	require.Contains(t, state(h.r).Detail, "events not yet looked through: 1,")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = h.r.Run(ctx) }()
	require.Eventually(t, func() bool { return len(findings(t, h.r)) == 1 && h.r.Health(t.Context()) == nil }, 30*time.Second, time.Millisecond)
	require.Equal(t, evidence.InForce, state(h.r).State)
	require.Equal(t, "1 finding waits for somebody to look at it.", state(h.r).Warning)
	f := findings(t, h.r)[0]
	h.change("officer", f, review.Change{To: review.InReview})
	require.Empty(t, state(h.r).Warning)

	alone := h.reviewer(&review.Options{Now: func() time.Time { return h.at }})
	go func() { _ = alone.Run(ctx) }()
	require.Eventually(t, func() bool { return alone.Health(t.Context()) == nil }, 30*time.Second, time.Millisecond)
	require.Equal(t, evidence.Partly, state(alone).State, "nobody can be asked")
	s := review.Standard()
	s.Rules[3].Off = true
	s, err := h.r.SetSettings(h.as("officer"), clinic, s)
	require.NoError(t, err)
	require.Equal(t, evidence.Partly, state(h.r).State)
	require.Contains(t, state(h.r).Warning, "off_hours")
	for i := range s.Rules {
		s.Rules[i].Off = true
	}
	_, err = h.r.SetSettings(h.as("officer"), clinic, s)
	require.NoError(t, err)
	require.Equal(t, evidence.NotUsed, state(h.r).State)
	gone, end := context.WithCancel(t.Context())
	end()
	_, err = h.r.Controls(gone, clinic)
	require.ErrorIs(t, err, review.ErrUnavailable)
}

// TestErrorsSayNothing of people, values or a driver's words but where they are unwrapped.
func TestErrorsSayNothing(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		review.ErrNotFound, review.ErrConflict, review.ErrOwn, review.ErrReviewer, review.ErrChange, review.ErrSettings, review.ErrQuery, review.ErrBehind, review.ErrUnavailable, review.ErrNotRunning,
	} {
		require.True(t, strings.HasPrefix(err.Error(), "review: "), err)
	}
	require.False(t, errors.Is(review.ErrOwn, review.ErrChange))
}
