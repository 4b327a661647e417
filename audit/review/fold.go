package review

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// What is remembered of everybody together.
const (
	anonymous audit.ActorID = "~anonymous" // who is not signed in
	others    audit.ActorID = "~others"    // who came when there were MaxActors
	itself    audit.ActorID = "~review"    // the review
)

// fold goes through events in their order. What it makes of them depends on them, on what was
// remembered, on the settings and on the host's answers, and on nothing else: where a tick ends
// makes no difference.
type fold struct {
	tenant   audit.Tenant
	settings *Settings
	zone     *time.Location
	house    tenantState
	actors   map[audit.ActorID]*state
	stored   map[audit.ActorID][]byte // what they were read from
	asks     bool                     // the host can be asked
	ties     map[Pair]Tie
	load     func(id string) (Finding, error)
	findings map[string]*Finding // read or made
	changed  []string            // of those, in order
	err      error               // of load
}

// now is the event that is looked at.
type now struct {
	*audit.Event
	index int64
	st    *state
}

// mark is what a window keeps of an event.
func (f *fold) mark(e *now, n int, key uint32) mark {
	return mark{At: f.house.Clock.Now, Rec: e.Recorded.UnixMicro(), N: n, Key: key, ID: e.ID}
}

// keeper returns under which ID an actor is remembered; system jobs are not.
func keeper(a *audit.Actor) audit.ActorID {
	switch {
	case a.Kind == audit.KindSystem:
		return ""
	case a.Kind == audit.KindAnonymous || a.ID == "":
		return anonymous
	}
	return a.ID
}

// state returns what is remembered of an actor.
func (f *fold) state(id audit.ActorID) *state {
	if s := f.actors[id]; s != nil {
		return s
	}
	common := id == anonymous || id == others || id == itself
	if !common && f.house.Actors >= MaxActors {
		return f.state(others)
	}
	s := newState(f.house.Clock.Day)
	f.actors[id] = s
	if !common {
		f.house.Actors++
	}
	return s
}

// event takes one event in.
func (f *fold) event(e *audit.Event, index int64) {
	f.house.Clock.tick(e.Recorded, f.zone)
	id := keeper(&e.Actor)
	if id == "" {
		return
	}
	n := &now{Event: e, index: index, st: f.state(id)}
	if id != anonymous && n.st == f.actors[others] {
		f.report(n, f.state(itself), hit{rule: Rule{Name: Crowd, Limit: 1}, count: 1, marks: []mark{f.mark(n, 1, 0)}})
	}
	f.woken(n)
	n.st.Seen = f.house.Clock.Day
	switch e.Outcome {
	case audit.Failure:
		f.denied(n)
		f.sequence(n)
	case audit.Success:
		f.sequence(n)
		f.data(n)
	}
}

// unreadable takes in an event that is not what was recorded.
func (f *fold) unreadable(id string, recorded time.Time, index int64) {
	// When it was recorded is not to be believed either.
	if f.house.Clock.Day > 0 {
		recorded = time.UnixMicro(f.house.Clock.High)
	}
	n := &now{Event: &audit.Event{ID: id, Recorded: recorded}, index: index, st: f.state(itself)}
	f.counted(n, n.st, Rule{Name: Unreadable, Limit: 1, Window: day}, 1, 0)
}

// hit is what a rule found.
type hit struct {
	rule        Rule
	count       int
	usual, days int
	marks       []mark
	about       bool // the actor of the event, not the review itself
}

// report makes a finding, or adds to the one there is. It reports true where that one was reviewed
// meanwhile: then what was counted so far is done with.
func (f *fold) report(e *now, st *state, h hit) (done bool) {
	if f.err != nil || e.Recorded.UnixMicro() < f.house.Since && h.rule.Name != Unreadable {
		return false
	}
	if was, ok := st.Last[h.rule.Name]; ok && was.ID != "" && f.house.Clock.Now-was.At <= f.settings.Repeat.Microseconds() {
		old, err := f.finding(was.ID)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			f.err = err
			return false
		case !old.Waits():
			st.Last[h.rule.Name] = last{Done: f.house.Clock.Day}
			return true
		default:
			old.add(e, h)
			f.touch(old.ID)
			st.Last[h.rule.Name] = last{ID: was.ID, At: f.house.Clock.Now}
			return false
		}
	}
	made := f.newFinding(e, h)
	f.findings[made.ID] = made
	f.touch(made.ID)
	st.Last[h.rule.Name] = last{ID: made.ID, At: f.house.Clock.Now}
	return false
}

func (f *fold) newFinding(e *now, h hit) *Finding {
	made := &Finding{
		Tenant: f.tenant, Rule: h.rule.Name, Index: e.index,
		Count: h.count, Limit: h.rule.Limit, Window: h.rule.Window, Usual: h.usual, Days: h.days, Times: 1, State: Open,
		From: e.Recorded.UTC(), To: e.Recorded.UTC(),
	}
	if h.about {
		made.Kind = e.Actor.Kind
		if e.Actor.Kind != audit.KindAnonymous {
			made.Actor, made.For = e.Actor.ID, e.Actor.OnBehalfOf
		}
	}
	made.ID = findingID(f.tenant, made.Rule, made.Actor, e.index)
	shown := h.marks[max(0, len(h.marks)-MaxEvents):]
	for _, m := range shown {
		made.name(m.ID)
		if at := time.UnixMicro(m.Rec).UTC(); at.Before(made.From) {
			made.From = at
		}
	}
	if len(made.Events) == 0 {
		made.name(e.ID)
	}
	return made
}

// add adds what a rule counted at an event.
func (f *Finding) add(e *now, h hit) {
	if h.count >= f.Count {
		f.Count, f.Usual, f.Days = h.count, h.usual, h.days
	}
	f.Limit, f.Window = h.rule.Limit, h.rule.Window
	f.Times++
	if f.To.Before(e.Recorded) {
		f.To = e.Recorded.UTC()
	}
	f.name(e.ID)
}

// name names an event, once.
func (f *Finding) name(id string) {
	switch {
	case slices.Contains(f.Events, id):
	case len(f.Events) < MaxEvents:
		f.Events = append(f.Events, id)
	default:
		f.Left++
	}
}

// finding returns one that was made or read before, or reads it.
func (f *fold) finding(id string) (*Finding, error) {
	if old := f.findings[id]; old != nil {
		return old, nil
	}
	old, err := f.load(id)
	if err != nil {
		return nil, err
	}
	f.findings[id] = &old
	return &old, nil
}

// touch counts the version up, once in a commit.
func (f *fold) touch(id string) {
	if !slices.Contains(f.changed, id) {
		f.changed = append(f.changed, id)
		f.findings[id].Version++
	}
}

// pairs are those that the host is asked about.
func (s *Settings) pairs(events []audit.Event) (all []Pair) {
	seen := map[Pair]bool{}
	for i := range events {
		e := &events[i]
		who := person(&e.Actor)
		if who == "" || e.Outcome != audit.Success || len(e.Patients) >= s.ListFrom {
			continue
		}
		for _, p := range e.Patients {
			if pair := (Pair{who, p}); !seen[pair] {
				seen[pair] = true
				all = append(all, pair)
			}
		}
	}
	return all
}

// person is who of the staff is behind an actor; nobody is behind a patient or a service.
func person(a *audit.Actor) audit.ActorID {
	switch {
	case a.Kind == audit.KindStaff:
		return a.ID
	case a.Kind == audit.KindAgent || a.Kind == audit.KindService:
		return a.OnBehalfOf
	}
	return ""
}

// loader returns a function that reads findings.
func (r *Reviewer) loader(ctx context.Context, t audit.Tenant) func(string) (Finding, error) {
	return func(id string) (Finding, error) { return r.store.Finding(ctx, t, id) }
}
