package audittest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Recorder is an audit.Recorder for unit tests. It keeps what was recorded, refuses what a
// real log would refuse, and fails or stalls when told to. It is safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex
	events  []audit.Event
	ids     map[string]audit.Event
	err     error
	stalled chan struct{} // closed by Release; nil while not stalled
	calls   int
	waiting int
}

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder { return &Recorder{ids: map[string]audit.Event{}} }

// Record keeps the events, in order. An event is kept once per ID, and one of another action
// or outcome under the same ID is audit.ErrConflict; one without ID gets one.
// Like a real log it returns an *audit.InvalidError for an event that lacks something, and
// then keeps nothing of the call.
func (r *Recorder) Record(ctx context.Context, events ...audit.Event) error {
	if err := r.gate(ctx); err != nil {
		return err
	}
	done := make([]audit.Event, len(events))
	for i := range events {
		done[i] = complete(events[i])
		if err := done[i].Validate(); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range done {
		if old, ok := r.ids[e.ID]; ok && (old.Action != e.Action || old.Outcome != e.Outcome) {
			return audit.ErrConflict
		}
	}
	for _, e := range done {
		if _, ok := r.ids[e.ID]; ok {
			continue
		}
		r.ids[e.ID] = e
		r.events = append(r.events, e)
	}
	return nil
}

// gate counts the call, waits while the recorder is stalled and returns the planned failure.
func (r *Recorder) gate(ctx context.Context) error {
	r.mu.Lock()
	r.calls++
	stalled := r.stalled
	if stalled != nil {
		r.waiting++
	}
	r.mu.Unlock()
	if stalled != nil {
		defer func() { r.mu.Lock(); r.waiting--; r.mu.Unlock() }()
		select {
		case <-stalled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	return ctx.Err()
}

// complete does what a log does to an event before it validates it, and detaches it from the
// caller's memory.
func complete(e audit.Event) audit.Event {
	if e.Tenant == "" {
		e.Tenant = e.Actor.Tenant
	}
	if e.Recorded.IsZero() {
		e.Recorded = time.Now().UTC().Truncate(time.Microsecond)
	}
	if e.ID == "" {
		e.ID = audit.NewID(e.Recorded)
	}
	e.Patients = slices.Clone(e.Patients)
	e.Objects = slices.Clone(e.Objects)
	return e
}

// Events returns a copy of everything recorded so far, oldest first.
func (r *Recorder) Events() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Find returns the recorded events of one action, oldest first.
func (r *Recorder) Find(action audit.Action) []audit.Event {
	return slices.DeleteFunc(r.Events(), func(e audit.Event) bool { return e.Action != action })
}

// Last returns the newest event of the action; it reports false if there is none.
func (r *Recorder) Last(action audit.Action) (audit.Event, bool) {
	found := r.Find(action)
	if len(found) == 0 {
		return audit.Event{}, false
	}
	return found[len(found)-1], true
}

// Len returns how many events were recorded.
func (r *Recorder) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// Calls returns how often Record was called, failed calls included.
func (r *Recorder) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// Waiting returns how many calls of Record are held up by Stall.
func (r *Recorder) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

// Reset forgets all events; a planned failure or stall stays.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.ids, r.calls = nil, map[string]audit.Event{}, 0
}

// FailWith makes every following Record return err and keep nothing; nil heals it.
func (r *Recorder) FailWith(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// Stall makes every following Record wait for Release or for the end of its context.
func (r *Recorder) Stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stalled == nil {
		r.stalled = make(chan struct{})
	}
}

// Release lets all waiting and following calls go on.
func (r *Recorder) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stalled != nil {
		close(r.stalled)
		r.stalled = nil
	}
}
