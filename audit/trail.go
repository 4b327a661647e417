package audit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// FlushTimeout bounds how long a flush waits for the recorder, because a flush does not
// obey the request's own context: the client going away must not lose the record.
const FlushTimeout = 10 * time.Second

// Trail collects the events of one request: what was decided and what was seen.
// audithttp.Hold makes one for each HTTP request and lets no byte leave before the
// trail is durable. A job makes its own with WithTrail.
//
// A Trail is safe for concurrent use.
type Trail struct {
	rec  Recorder
	base Event // correlation, client and server of the request

	mu       sync.Mutex
	pending  []*pending // decided or seen, not yet durable
	last     *Event     // the decision under which things are seen now, the pattern for further events
	open     *pending   // the event of it that collects what is seen
	decided  bool
	returned bool
	checks   []func(context.Context) error
}

// pending is an event on its way. Once a recorder has seen it, it no longer changes: the
// recorder may have made it durable although it reported an error, and the same ID with
// another content would be refused for ever.
type pending struct {
	Event
	shown bool
}

type trailKey struct{}

// WithTrail returns a context with a new Trail that records to rec. Every event inherits
// base's Correlation and Client unless it has its own, and base's Server.
func WithTrail(ctx context.Context, rec Recorder, base Event) (context.Context, *Trail) {
	t := &Trail{rec: rec, base: base}
	c, cl := &t.base.Correlation, &t.base.Client
	c.Request, c.Trace = FitID(c.Request), FitID(c.Trace)
	cl.App, cl.Location = FitID(cl.App), FitID(cl.Location)
	return context.WithValue(ctx, trailKey{}, t), t
}

func trailFrom(ctx context.Context) (*Trail, error) {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	if t == nil {
		return nil, ErrNoTrail
	}
	return t, nil
}

// Decide opens an event of the request: allowed or denied, it was decided. The event's
// actor is the one in ctx unless e names one. It is durable at the next Flush, or before
// Decide returns if the request's handler has already returned. What is seen from here on
// belongs to it, unless it is a refusal and something was allowed before: what is seen then
// was allowed by that.
//
// What comes from the request, such as an object's ID or a request ID, may be any bytes: where
// an event could not hold it, FitID's form of it is recorded.
//
// It returns ErrNoTrail without a trail, ErrNoActor without an actor, and an *InvalidError for
// an event that no log would take; nothing was decided then.
func Decide(ctx context.Context, e Event) error {
	t, err := trailFrom(ctx)
	if err != nil {
		return err
	}
	if err := e.attribute(ctx); err != nil {
		return err
	}
	t.fill(&e)
	if err := e.Validate(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decided = true
	next := &pending{Event: e}
	t.pending = append(t.pending, next)
	if t.last == nil || e.Outcome == Success || t.last.Outcome != Success {
		t.last, t.open = &e, next
	}
	if t.returned {
		return t.flush(ctx)
	}
	return nil
}

// Exempt marks the request as decided without an event of its own: a health probe, a
// style sheet, a 404 for an unknown path. Why says so in the code, for whoever reads it.
func Exempt(ctx context.Context, why string) error {
	if why == "" {
		return errors.New("audit: exempting a request: no reason given")
	}
	t, err := trailFrom(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decided = true
	return nil
}

// Seen adds to the open event that o, of patient p, was seen; o.Fields names what was
// revealed. Either may be zero. After a flush, and when the event is full, what is seen opens
// a further event with the same decision, whose Detail "continues" holds the ID of the first, and
// which names again every object of type EmergencyObject that the first was decided with.
// Once the handler has returned, Seen waits until its own event is durable.
// It returns ErrUndecided if nothing was decided before, and an *InvalidError for a patient
// or an object that no log would take.
func Seen(ctx context.Context, p Patient, o Object) error {
	t, err := trailFrom(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		return ErrUndecided
	}
	fitObject(&o)
	if err := checkSighting(p, o); err != nil {
		return err
	}
	t.collector(&o).see(p, o)
	if t.returned {
		return t.flush(ctx)
	}
	return nil
}

// Flush makes everything decided and seen so far durable. Call it before an effect
// outside the response: a text message, a file, a call to another service.
func Flush(ctx context.Context) error {
	t, err := trailFrom(ctx)
	if err != nil {
		return err
	}
	return t.Flush(ctx)
}

// OnRecheck adds a question that a long response asks again and again, for example
// whether the session is still alive. A non-nil answer cuts the response off.
func OnRecheck(ctx context.Context, check func(context.Context) error) error {
	t, err := trailFrom(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checks = append(t.checks, check)
	return nil
}

// Flush records what is pending. It ignores ctx's cancellation but not its values, and
// waits FlushTimeout at most. After an error the events stay pending.
func (t *Trail) Flush(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flush(ctx)
}

// Decided reports whether Decide or Exempt was called.
func (t *Trail) Decided() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.decided
}

// Return marks the handler as returned: from now on every Decide and Seen waits for its
// own record.
func (t *Trail) Return() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.returned = true
}

// Recheck asks every question added with OnRecheck and returns the first error.
func (t *Trail) Recheck(ctx context.Context) error {
	t.mu.Lock()
	checks := slices.Clone(t.checks)
	t.mu.Unlock()
	for _, check := range checks {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fill completes e, detaches it from the caller's memory and makes what a stranger can choose
// recordable.
func (t *Trail) fill(e *Event) {
	if e.ID == "" {
		e.ID = NewID(time.Now())
	}
	e.Server = t.base.Server
	e.Actor.Device = FitID(e.Actor.Device)
	e.Patients = slices.Clone(e.Patients)
	e.Objects = slices.Clone(e.Objects)
	for i := range e.Objects {
		fitObject(&e.Objects[i])
	}
}

func fitObject(o *Object) { o.ID = FitID(o.ID) }

// checkSighting validates what Seen is about to add, on its own, so that one bad sighting
// does not spoil the event.
func checkSighting(p Patient, o Object) error {
	c := &checker{}
	c.text("patients", string(p), MaxID)
	if o.Type != "" {
		c.object(&o)
	} else if o.ID != "" {
		c.missing("objects.type")
	}
	return c.err()
}

// collector returns the event that collects what is seen, with room for o.
func (t *Trail) collector(o *Object) *Event {
	if !t.open.shown && t.open.hasRoom(o) {
		return &t.open.Event
	}
	e := *t.last
	e.ID = NewID(time.Now())
	e.Patients, e.Objects = nil, emergencies(t.last.Objects)
	// What happened once is said once: nobody may count it twice.
	e.Changes, e.Disclosure = nil, nil
	e.Detail = map[string]string{"continues": t.last.ID}
	t.open = &pending{Event: e}
	t.pending = append(t.pending, t.open)
	return &t.open.Event
}

// emergencies are the grants of emergency access among objects. A further event names them again: what is
// in it was seen under them, and whoever reviews one asks for the events that name it.
func emergencies(objects []Object) (out []Object) {
	for i := range objects {
		if objects[i].Type == EmergencyObject {
			out = append(out, Object{Type: EmergencyObject, ID: objects[i].ID})
		}
	}
	return out
}

// hasRoom reports whether one more patient and o fit, well below the limits of an event.
func (e *Event) hasRoom(o *Object) bool {
	if len(e.Patients) >= MaxPatients/2 || len(e.Objects) >= MaxObjects/2 {
		return false
	}
	size := o.size()
	for _, p := range e.Patients {
		size += len(p)
	}
	for i := range e.Objects {
		have := &e.Objects[i]
		size += have.size()
		if have.Type == o.Type && have.ID == o.ID && len(mergeSorted(have.Fields, o.Fields)) > MaxFields {
			return false
		}
	}
	return size <= MaxBody/4
}

// size is about the number of bytes that o takes.
func (o *Object) size() int {
	size := 64 + len(o.Type) + len(o.ID) + len(o.Version) + len(o.Category) + len(o.Origin)
	for _, s := range o.Labels {
		size += len(s) + 3
	}
	for _, s := range o.Fields {
		size += len(s) + 3
	}
	return size
}

func (t *Trail) flush(ctx context.Context) error {
	if len(t.pending) == 0 {
		return nil
	}
	if t.rec == nil {
		return errors.New("audit: the trail has no recorder")
	}
	events := make([]Event, len(t.pending))
	for i, p := range t.pending {
		p.shown = true
		events[i] = p.Event
	}
	// The recorder gets a context without the trail: one that decided something itself would
	// wait for this flush for ever.
	ctx = context.WithValue(context.WithoutCancel(ctx), trailKey{}, (*Trail)(nil))
	ctx, cancel := context.WithTimeout(ctx, FlushTimeout)
	defer cancel()
	if err := t.rec.Record(ctx, events...); err != nil {
		return err
	}
	t.pending = t.pending[:0]
	return nil
}

// see merges one sighting into the event: each patient once, each object once, fields sorted.
func (e *Event) see(p Patient, o Object) {
	if p != "" && !slices.Contains(e.Patients, p) {
		e.Patients = append(e.Patients, p)
	}
	if o.Type == "" {
		return
	}
	for i := range e.Objects {
		have := &e.Objects[i]
		if have.Type == o.Type && have.ID == o.ID {
			have.Fields = mergeSorted(have.Fields, o.Fields)
			return
		}
	}
	o.Fields = mergeSorted(nil, o.Fields)
	e.Objects = append(e.Objects, o)
}

// mergeSorted returns the union of both, sorted, in fresh memory.
func mergeSorted(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
