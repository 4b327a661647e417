package tail_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/audit/tail"
)

const clinic, other audit.Tenant = "clinic", "other"

var (
	noon  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	errIO = errors.New("connection to 192.0.2.1 refused")
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// receiver is a sink that keeps what it got.
type receiver struct {
	mu      sync.Mutex
	got     map[audit.Tenant][]string // ids, in order, repeated ones too
	batches []tail.Batch
	fail    func(tail.Batch) error // before it is kept
	after   func(tail.Batch) error // after it was kept
}

func (r *receiver) Send(_ context.Context, b tail.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(b); err != nil {
			return err
		}
	}
	if r.got == nil {
		r.got = map[audit.Tenant][]string{}
	}
	for _, e := range b.Entries {
		r.got[b.Tenant] = append(r.got[b.Tenant], e.ID)
	}
	r.batches = append(r.batches, b)
	if r.after != nil {
		return r.after(b)
	}
	return nil
}

func (r *receiver) ids(t audit.Tenant) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got[t]...)
}

// store is a log's store that can be made to fail, and forgets.
type store struct {
	*audit.Memory
	fail   error
	lose   int64 // the place that List leaves out, though nobody purged it
	alter  int64 // the place whose body List changes
	sizes  map[audit.Tenant]int64
	orders func()
}

func newStore() *store { return &store{Memory: audit.NewMemory(), lose: -1, alter: -1} }

func (s *store) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		if s.fail != nil {
			yield(audit.Entry{}, s.fail)
			return
		}
		for e, err := range s.Memory.List(ctx, f, below, limit) {
			if e.Index == s.lose {
				continue
			}
			if e.Index == s.alter {
				e.Body = append([]byte("x"), e.Body...)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func (s *store) Orders(ctx context.Context) iter.Seq2[audit.Order, error] {
	return func(yield func(audit.Order, error) bool) {
		for o, err := range s.Memory.Orders(ctx) {
			if n, ok := s.sizes[o.Tenant]; ok {
				o.Size = n
			}
			if !yield(o, err) {
				return
			}
		}
		if s.orders != nil {
			s.orders()
		}
	}
}

// house is a log, its store and what a feed needs.
type house struct {
	store   *store
	log     *audit.Log
	cursors *cursors
	sink    *receiver
	rec     *audittest.Recorder
	clock   *clock
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{store: newStore(), cursors: &cursors{Memory: tail.NewMemory()}, sink: &receiver{}, rec: audittest.NewRecorder(), clock: &clock{t: noon}}
	var err error
	h.log, err = audit.New(h.store, audit.DropOpenings{}, &audit.Options{Now: h.clock.now})
	require.NoError(t, err)
	return h
}

// feed returns a feed of a process.
func (h *house) feed(t testing.TB, holder string, change func(*tail.Options)) *tail.Tail {
	t.Helper()
	o := tail.Options{Batch: 10, Now: h.clock.now, Holder: holder}
	if change != nil {
		change(&o)
	}
	f, err := tail.New(h.store, h.cursors, h.sink, "siem", h.rec, &o)
	require.NoError(t, err)
	return f
}

// record records n events and returns their ids.
func (h *house) record(t testing.TB, tenant audit.Tenant, n int) (ids []string) {
	t.Helper()
	for i := range n {
		h.clock.add(time.Millisecond)
		e := audit.Event{
			ID: audit.NewID(h.clock.now()), Tenant: tenant, Action: "note.read", Verb: audit.Read,
			Actor: audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: tenant}, Objects: []audit.Object{{Type: "note", ID: fmt.Sprint("n-", i)}},
		}
		require.NoError(t, h.log.Record(context.Background(), e))
		ids = append(ids, e.ID)
	}
	_, err := h.store.Sequence(context.Background(), 1<<20)
	require.NoError(t, err)
	return ids
}

// drain steps until nothing more is sent.
func drain(t testing.TB, f *tail.Tail) (sent int) {
	t.Helper()
	for {
		n, err := f.Step(t.Context())
		require.NoError(t, err)
		if n == 0 {
			return sent
		}
		sent += n
	}
}

// cursors is a store of cursors that can be made to fail.
type cursors struct {
	*tail.Memory
	mu    sync.Mutex
	calls int
	at    int // the call that fails, 0 for none, -1 for all
	err   error
}

func (c *cursors) gate() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.at == -1 || c.calls == c.at {
		return c.err
	}
	return nil
}

func (c *cursors) failAt(n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls, c.at, c.err = 0, n, err
}

func (c *cursors) Get(ctx context.Context, feed string, tenant audit.Tenant) (tail.Cursor, error) {
	if err := c.gate(); err != nil {
		return tail.Cursor{}, err
	}
	return c.Memory.Get(ctx, feed, tenant)
}

func (c *cursors) Put(ctx context.Context, x tail.Cursor) error {
	if err := c.gate(); err != nil {
		return err
	}
	return c.Memory.Put(ctx, x)
}

func (c *cursors) All(ctx context.Context, feed string) iter.Seq2[tail.Cursor, error] {
	return func(yield func(tail.Cursor, error) bool) {
		if err := c.gate(); err != nil {
			yield(tail.Cursor{}, err)
			return
		}
		c.Memory.All(ctx, feed)(yield)
	}
}
