package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Log records events durably and finds them again. It holds all logic over a Store. It is
// safe for concurrent use, starts no goroutine and needs no closing.
type Log struct {
	store  guard
	sealer Sealer
	o      Options
	group  group

	mu      sync.Mutex
	last    time.Time // Recorded of the newest event of this Log
	clock   Clock     // what Options.Clock said
	asked   time.Time // when it was asked
	stats   Health
	commits durations
}

// Options of New. The zero value of each field is the default named there.
type Options struct {
	Now    func() time.Time // time.Now
	Server Server           // this process, for events that name none
	Clock  func() Clock     // how far Now can be trusted, asked once a second; unknown. KernelClock on Linux

	MaxQueue      int           // events that may wait for the store, 1 to 1,000,000; 8,192
	CommitTimeout time.Duration // bound of one commit, at most an hour; 10 s

	// CursorKey authenticates page cursors, 32 bytes or more. Servers that share it accept
	// each other's cursors; a random key of this process otherwise.
	CursorKey []byte

	Logger *slog.Logger // failed commits, without values; silent
}

// New returns a Log over store. The sealer keeps the private values of events: package phi
// has one; DropOpenings{} gives them up by name. A nil store, a nil sealer and senseless
// options are errors.
func New(store Store, sealer Sealer, o *Options) (*Log, error) {
	if store == nil {
		return nil, errors.New("audit: new log: no store")
	}
	if sealer == nil {
		return nil, errors.New("audit: new log: no sealer; DropOpenings{} names the choice to keep no private values")
	}
	l := &Log{sealer: sealer}
	if o != nil {
		l.o = *o
	}
	if err := l.o.complete(); err != nil {
		return nil, err
	}
	l.store = guard{store, l.o.Logger}
	l.clock, l.asked = l.o.Clock(), time.Now()
	l.stats.Capacity = l.o.MaxQueue
	return l, nil
}

// complete checks the options and fills in the defaults.
func (o *Options) complete() error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clock == nil {
		o.Clock = func() Clock { return Clock{} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxQueue == 0 {
		o.MaxQueue = 8192
	}
	if o.MaxQueue < 1 || o.MaxQueue > 1_000_000 {
		return errors.New("audit: options: MaxQueue must be 1 to 1,000,000 events")
	}
	if o.CommitTimeout == 0 {
		o.CommitTimeout = 10 * time.Second
	}
	if o.CommitTimeout < 0 || o.CommitTimeout > time.Hour {
		return errors.New("audit: options: CommitTimeout must be positive and at most an hour")
	}
	if o.CursorKey == nil {
		o.CursorKey = make([]byte, 32)
		rand.Read(o.CursorKey) // never fails (crypto/rand)
	}
	if len(o.CursorKey) < 32 {
		return errors.New("audit: options: CursorKey must have 32 bytes or more")
	}
	o.CursorKey = slices.Clone(o.CursorKey)
	return nil
}

// Record makes the events durable: nil means that they survive a crash. All are validated
// before any is written; then they are written in commits of up to 512 events, shared with
// other callers, each all or nothing.
//
// An event that names no actor gets the one in ctx, one without Correlation or Client those of
// the Trail in ctx. An empty ID is assigned, an empty Tenant is the actor's, and Recorded is
// always the Log's own time, which never goes backwards within one Log.
//
// Errors: ErrNoActor, *InvalidError, ErrBusy, nothing of the call was written; ErrConflict,
// another event has this ID; ErrSealing; ErrUnconfirmed, also when ctx ends: events may be
// durable or not. An event that carries an ID may be recorded again after any error; if it is
// there already, that is success. Compared is what the caller said: Recorded, Clock and Server
// are not, nor private values whose openings were dropped or erased. An event that was purged
// cannot be compared: ErrConflict.
func (l *Log) Record(ctx context.Context, events ...Event) error {
	err := l.record(ctx, events)
	if err != nil {
		l.refused()
	}
	return err
}

// bundle is the memory of one call of Record. Most are about one event of one patient and one
// object, and take a single allocation.
type bundle struct {
	call    call
	entry   [1]Entry
	patient [1]Patient
	object  [1]Ref
	sums    commitments
}

func (l *Log) record(ctx context.Context, events []Event) error {
	b := &bundle{}
	entries := b.entry[:]
	entries[0].Patients, entries[0].Objects = b.patient[:0], b.object[:0]
	if len(events) != 1 {
		entries = make([]Entry, len(events))
	}
	if err := l.prepare(ctx, entries, events, &b.sums); err != nil {
		return err
	}
	c := &b.call
	for start := 0; start < len(entries); start += maxBatch {
		if start > 0 {
			c = &call{}
		}
		end := min(start+maxBatch, len(entries))
		c.entries = entries[start:end]
		err := l.commit(ctx, c)
		if errors.Is(err, ErrConflict) {
			err = l.settle(ctx, events[start:end], entries[start:end])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Prepare does everything of Record but the writing: it completes, validates, encodes and
// seals the events, and returns them as a Store takes them. It is for recording inside a
// transaction of the host's own; see auditsql.Store.Prepare.
//
// Errors: ErrNoActor, *InvalidError, ErrSealing.
func (l *Log) Prepare(ctx context.Context, events ...Event) ([]Entry, error) {
	entries := make([]Entry, len(events))
	if err := l.prepare(ctx, entries, events, &commitments{}); err != nil {
		return nil, err
	}
	return entries, nil
}

// prepare makes entries of events.
func (l *Log) prepare(ctx context.Context, entries []Entry, events []Event, sums *commitments) error {
	for i := range events {
		if err := l.entry(ctx, &entries[i], events[i], sums); err != nil {
			return err
		}
	}
	return nil
}

// entry validates, commits, encodes and seals one event. It appends to the lists of out.
func (l *Log) entry(ctx context.Context, out *Entry, e Event, sums *commitments) error {
	if err := l.complete(ctx, &e); err != nil {
		return err
	}
	if err := e.Validate(); err != nil {
		return err
	}
	e.detach()
	openings := e.commit(sums)
	encoded, err := encode(make([]byte, 0, usualSize), &e)
	if err != nil {
		return err
	}
	sealed, err := l.seal(ctx, &e, openings)
	if err != nil {
		return err
	}
	*out = Entry{
		Index: -1, Tenant: e.Tenant, ID: e.ID, Recorded: e.Recorded,
		Actor: e.Actor.ID, Action: e.Action, Outcome: e.Outcome,
		Patients: unique(out.Patients, e.Patients), Objects: refs(out.Objects, e.Objects),
		Body: encoded[1:], Leaf: sha256.Sum256(encoded), Openings: sealed,
	}
	return nil
}

// complete fills in what the context and the Log know.
func (l *Log) complete(ctx context.Context, e *Event) error {
	if err := e.attribute(ctx); err != nil {
		return err
	}
	var clock Clock
	e.Recorded, clock = l.now()
	if e.ID == "" {
		e.ID = NewID(e.Recorded)
	}
	if e.Actor.Tenant == "" {
		e.Actor.Tenant = e.Tenant
	}
	if e.Server == (Server{}) {
		e.Server = l.o.Server
	}
	if e.Clock == (Clock{}) {
		e.Clock = clock
	}
	return nil
}

// clockAge is how old an answer of Options.Clock may be.
const clockAge = time.Second

// now returns the time, never earlier than before, and how far it can be trusted. One caller
// at a time asks the clock; the others take its last answer.
func (l *Log) now() (time.Time, Clock) {
	read := time.Now()
	l.mu.Lock()
	if t := l.o.Now().UTC().Truncate(time.Microsecond); t.After(l.last) {
		l.last = t
	}
	now, clock, old := l.last, l.clock, read.Sub(l.asked) >= clockAge
	if old {
		l.asked = read
	}
	l.mu.Unlock()
	if old {
		clock = l.o.Clock()
		l.mu.Lock()
		l.clock = clock
		l.mu.Unlock()
	}
	return now, clock
}

// settle finds out what a conflict means: events that are stored already, because an earlier
// call was not confirmed, count as done; the rest is appended again.
func (l *Log) settle(ctx context.Context, events []Event, entries []Entry) error {
	var rest []Entry
	for i := range entries {
		stored, err := l.store.Get(ctx, entries[i].Tenant, entries[i].ID)
		switch {
		case errors.Is(err, ErrPurged): // nobody can compare it any more
			return ErrConflict
		case errors.Is(err, ErrNotFound):
			rest = append(rest, entries[i])
		case err != nil:
			return because(ErrUnconfirmed, err)
		default:
			same, err := l.same(ctx, &stored, events[i])
			if err != nil {
				return err
			}
			if !same {
				return ErrConflict
			}
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return l.commit(ctx, &call{entries: rest})
}

// same reports whether the stored entry says what e says.
func (l *Log) same(ctx context.Context, stored *Entry, e Event) (bool, error) {
	old, err := Decode(stored.Body)
	if err != nil {
		return false, err
	}
	openings, err := l.unseal(ctx, stored)
	if err != nil {
		return false, err
	}
	if err := old.open(openings); err != nil {
		return false, err
	}
	if err := l.complete(ctx, &e); err != nil {
		return false, err
	}
	e.detach()
	e.Recorded, e.Clock, e.Server = old.Recorded, old.Clock, old.Server
	if !e.adopt(&old) {
		return false, nil
	}
	encoded, err := encode(make([]byte, 0, usualSize), &e)
	return err == nil && bytes.Equal(encoded[1:], stored.Body), err
}

// unique appends each patient once, in the given order.
func unique(out, patients []Patient) []Patient {
	for _, p := range patients {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// refs appends the name of each object once.
func refs(out []Ref, objects []Object) []Ref {
	for i := range objects {
		if r := (Ref{objects[i].Type, objects[i].ID}); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}
