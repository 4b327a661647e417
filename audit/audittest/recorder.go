package audittest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Recorder is an audit.Recorder for unit tests. It is a real audit.Log in memory, so it refuses
// what a log would refuse and completes events as a log does; it keeps what was recorded, and
// fails or stalls when told to. It is safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex
	log     *audit.Log
	events  []audit.Event
	known   map[key]bool
	err     error
	stalled chan struct{} // closed by Release; nil while not stalled
	calls   int
	waiting int
}

type key struct {
	tenant audit.Tenant
	id     string
}

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder {
	r := &Recorder{}
	r.empty()
	return r
}

func (r *Recorder) empty() {
	log, err := audit.New(audit.NewMemory(), plain{}, nil)
	if err != nil {
		panic(err) // a mistake in this package
	}
	r.log, r.events, r.known = log, nil, map[key]bool{}
}

// plain seals nothing, so that the log can compare private values of repeated events.
type plain struct{}

func (plain) Seal(_ context.Context, _ audit.Tenant, _ string, text []byte) ([]byte, error) {
	return text, nil
}

func (plain) Unseal(_ context.Context, _ audit.Tenant, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// Record keeps the events, in order, as audit.Log's Record would: the actor is the one in ctx
// where an event names none, an event without ID gets one, an event is kept once per ID, and
// another one under the same ID is audit.ErrConflict. It returns the log's errors, or the one
// of FailWith; nothing of a failed call is kept.
func (r *Recorder) Record(ctx context.Context, events ...audit.Event) error {
	if err := r.gate(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	done := make([]audit.Event, len(events))
	for i := range events {
		var err error
		if done[i], err = complete(ctx, events[i]); err != nil {
			return err
		}
	}
	if err := r.log.Record(ctx, done...); err != nil {
		return err
	}
	for _, e := range done {
		if k := (key{e.Tenant, e.ID}); !r.known[k] {
			r.known[k] = true
			r.events = append(r.events, e)
		}
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

// complete does what a log does to an event before it writes it, and detaches it from the
// caller's memory.
func complete(ctx context.Context, e audit.Event) (audit.Event, error) {
	e, err := audit.Attribute(ctx, e)
	if err != nil {
		return e, err
	}
	e.Recorded = time.Now().UTC().Truncate(time.Microsecond)
	if e.ID == "" {
		e.ID = audit.NewID(e.Recorded)
	}
	if e.Actor.Tenant == "" {
		e.Actor.Tenant = e.Tenant
	}
	e.Patients, e.Objects, e.Detail = slices.Clone(e.Patients), slices.Clone(e.Objects), maps.Clone(e.Detail)
	return e, nil
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
	r.empty()
	r.calls = 0
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
