package tail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Options of New. The zero value of each field is the default named there.
type Options struct {
	Tenants  []audit.Tenant   // whose events are sent; all
	Batch    int              // events in a batch, 1 to 10,000; 200
	Interval time.Duration    // between two looks at a log with nothing new; 1 s
	Timeout  time.Duration    // bound of one Send, and of one read; 30 s. A lease is three times as long
	Backoff  time.Duration    // longest pause after failures, which double from Interval on; 5 min
	MaxLag   time.Duration    // how long events may wait before AlarmLag; 10 min
	Holder   string           // names this process in leases; random
	Now      func() time.Time // time.Now
	Logger   *slog.Logger     // failures, without values; silent
}

// Tail is one feed. It is safe for concurrent use, starts no goroutine and needs no closing.
type Tail struct {
	src     Source
	cursors Cursors
	sink    Sink
	feed    string
	rec     audit.Recorder
	o       Options

	stepping   sync.Mutex // one step at a time; guards remembered
	remembered bool

	mu    sync.Mutex // guards what is below
	known map[audit.Tenant]*progress
	stats Health
}

// progress is what this process knows of one tenant.
type progress struct {
	next, size int64
	behind     time.Time // since when events wait; zero if none does
	failing    int       // steps in a row
	again      time.Time // when to try next, after failures
	err        error
}

// New returns a feed of the events in src. The name, 1 to 64 letters, digits, dots, dashes and
// underscores, is what its cursors are stored under: another name is another feed, which begins at
// each tenant's first event. The recorder hears of Reset.
func New(src Source, cursors Cursors, sink Sink, feed string, rec audit.Recorder, o *Options) (*Tail, error) {
	t := &Tail{src: src, cursors: cursors, sink: sink, feed: feed, rec: rec, known: map[audit.Tenant]*progress{}}
	if o != nil {
		t.o = *o
	}
	var problems []error
	if src == nil || cursors == nil || sink == nil || rec == nil {
		problems = append(problems, errors.New("no source, no cursors, no sink or no recorder"))
	}
	if !isName(feed) {
		problems = append(problems, errors.New("not a name of a feed"))
	}
	if err := errors.Join(append(problems, t.o.complete())...); err != nil {
		return nil, fmt.Errorf("tail: new: %w", err)
	}
	return t, nil
}

func isName(s string) bool {
	for _, b := range []byte(s) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '.', b == '-', b == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func (o *Options) complete() error {
	for _, d := range []struct {
		to      *time.Duration
		usually time.Duration
	}{{&o.Interval, time.Second}, {&o.Timeout, 30 * time.Second}, {&o.Backoff, 5 * time.Minute}, {&o.MaxLag, 10 * time.Minute}} {
		if *d.to == 0 {
			*d.to = d.usually
		}
		if *d.to < 0 || *d.to > 24*time.Hour {
			return errors.New("durations must be positive and at most a day")
		}
	}
	if o.Batch == 0 {
		o.Batch = 200
	}
	if o.Batch < 1 || o.Batch > 10_000 {
		return errors.New("a batch has 1 to 10,000 events")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Holder == "" {
		o.Holder = audit.NewID(o.Now())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Tenants = slices.Clone(o.Tenants)
	return nil
}

func (t *Tail) now() time.Time { return t.o.Now().UTC().Truncate(time.Microsecond) }

// lease is how long nobody else sends a tenant's events. It outlasts a read and a Send.
func (t *Tail) lease() time.Duration { return 3 * t.o.Timeout }

// bound gives one call of a store or of the sink its time.
func (t *Tail) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, t.o.Timeout)
}

// ActionReset is the action of the event that Reset records.
const ActionReset audit.Action = "tail.reset"

// Reset lets a feed go on, or begin again, at a place of a tenant's order: after ErrRolledBack, when
// people know what happened, or to send old events once more. That the actor in ctx does so is
// recorded first, in the tenant's log.
//
// Errors: ErrReset for a place that the order does not have; audit's, if it cannot be recorded;
// ErrSource; ErrCursors; ErrConflict if the feed moved meanwhile.
func (t *Tail) Reset(ctx context.Context, tenant audit.Tenant, next int64) error {
	size, err := t.sizeOf(ctx, tenant)
	if err != nil {
		return err
	}
	if next < 0 || next > size {
		return ErrReset
	}
	old, err := t.cursor(ctx, tenant)
	if err != nil {
		return err
	}
	c := old
	c.Next, c.Last, c.Holder, c.Until = next, [32]byte{}, "", time.Time{}
	if next > 0 {
		if c.Last, err = t.leaf(ctx, tenant, next-1); err != nil {
			return err
		}
	}
	err = t.rec.Record(ctx, audit.Event{
		Tenant: tenant, Action: ActionReset, Verb: audit.Update, Objects: []audit.Object{{Type: "audit_feed", ID: t.feed}},
		Detail: map[string]string{"was": strconv.FormatInt(old.Next, 10), "next": strconv.FormatInt(next, 10)},
	})
	if err != nil {
		return fmt.Errorf("tail: recording a reset: %w", err)
	}
	if err := t.put(ctx, &c); err != nil {
		return err
	}
	t.mu.Lock()
	delete(t.known, tenant)
	t.mu.Unlock()
	return nil
}

func (t *Tail) sizeOf(ctx context.Context, tenant audit.Tenant) (size int64, err error) {
	err = t.orders(ctx, func(o audit.Order) {
		if o.Tenant == tenant {
			size = o.Size
		}
	})
	return size, err
}
