package audit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// gated is a memory store whose Append asks a hook first.
type gated struct {
	*audit.Memory
	mu    sync.Mutex
	hook  func(ctx context.Context, entries []audit.Entry) error
	sizes []int // of the calls
}

func newGated() *gated { return &gated{Memory: audit.NewMemory()} }

func (g *gated) Append(ctx context.Context, entries []audit.Entry) error {
	g.mu.Lock()
	hook := g.hook
	g.sizes = append(g.sizes, len(entries))
	g.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, entries); err != nil {
			return err
		}
	}
	return g.Memory.Append(ctx, entries)
}

func (g *gated) set(hook func(context.Context, []audit.Entry) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hook = hook
}

func (g *gated) calls() []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.sizes)
}

// stall makes the next calls wait; entered receives one value per waiting call.
func (g *gated) stall() (entered chan context.Context, release func()) {
	entered, gate := make(chan context.Context, 100), make(chan struct{})
	g.set(func(ctx context.Context, _ []audit.Entry) error {
		entered <- ctx
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return entered, sync.OnceFunc(func() { close(gate) })
}

func event(id int, action audit.Action) audit.Event {
	return audit.Event{
		ID:     fmt.Sprintf("0193a5c0-7c4f-7abc-8def-%012x", id),
		Action: action, Verb: audit.Read, Actor: staff,
	}
}

// waitQueued waits until n events stand in the queue.
func waitQueued(t *testing.T, log *audit.Log, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return log.Health(t.Context()).Queued == n }, 30*time.Second, 100*time.Microsecond)
}

func count(t *testing.T, log *audit.Log) int {
	t.Helper()
	n := 0
	for q := (audit.Query{Tenant: staff.Tenant, Limit: audit.MaxLimit}); ; {
		page, err := log.Query(t.Context(), q)
		require.NoError(t, err)
		n += len(page.Events)
		if q.Cursor = page.Next; q.Cursor == "" {
			return n
		}
	}
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	entered, release := store.stall()
	var wg sync.WaitGroup
	errs := make([]error, 64)
	wg.Go(func() { errs[0] = log.Record(t.Context(), event(0, "a")) })
	<-entered
	for i := 1; i < 64; i++ {
		wg.Go(func() { errs[i] = log.Record(t.Context(), event(i, "a")) })
	}
	waitQueued(t, log, 63)
	release()
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, []int{1, 63}, store.calls(), "what queued during the first commit shared the second")
	require.Equal(t, 64, count(t, log))
	h := log.Health(t.Context())
	require.True(t, h.OK)
	require.Equal(t, uint64(64), h.Recorded)
	require.Equal(t, uint64(2), h.Commits)
	require.Zero(t, h.Failures+h.Refused+uint64(h.Queued))
}

func TestGroupBatchLimit(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	events := make([]audit.Event, 1200)
	for i := range events {
		events[i] = event(i, "a")
	}
	require.NoError(t, log.Record(t.Context(), events...))
	require.Equal(t, []int{512, 512, 176}, store.calls())
	require.Equal(t, 1200, count(t, log))

	// Waiting calls fill a commit up to the limit, never beyond, and stay whole.
	entered, release := store.stall()
	var wg sync.WaitGroup
	failures := make([]error, 4)
	wg.Go(func() { failures[0] = log.Record(t.Context(), event(5000, "b")) })
	<-entered
	for i := 1; i < 4; i++ {
		batch := make([]audit.Event, 200)
		for j := range batch {
			batch[j] = event(5000+200*i+j, "b")
		}
		wg.Go(func() { failures[i] = log.Record(t.Context(), batch...) })
	}
	waitQueued(t, log, 600)
	release()
	wg.Wait()
	require.NoError(t, errors.Join(failures...))
	require.Equal(t, []int{1, 400, 200}, store.calls()[3:])
}

func TestGroupWaiterGivesUp(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	entered, release := store.stall()
	defer release()
	var wg sync.WaitGroup
	var first error
	wg.Go(func() { first = log.Record(t.Context(), event(0, "a")) })
	<-entered

	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- log.Record(ctx, event(1, "a")) }()
	waitQueued(t, log, 1)
	cancel()
	err := <-second // while the store still stalls
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.ErrorIs(t, err, context.Canceled)
	waitQueued(t, log, 0)
	release()
	wg.Wait()
	require.NoError(t, first)
	require.Equal(t, 1, count(t, log), "who gave up in the queue was not recorded")
	require.ErrorIs(t, log.Record(ctx, event(2, "a")), audit.ErrUnconfirmed, "an ended context records nothing")
	require.Equal(t, 1, count(t, log))
	require.NoError(t, log.Record(t.Context(), event(3, "a")), "the log goes on")
}

// TestGroupNextLeaderGivesUp: whoever is told to lead at the moment its context ends passes
// the lead on. It may also lead all the same, so it takes some tries to meet both.
func TestGroupNextLeaderGivesUp(t *testing.T) {
	t.Parallel()
	gaveUp := 0
	for range 40 {
		store := newGated()
		log := newLog(t, store, nil)
		entered, release := store.stall()
		var wg sync.WaitGroup
		errs := make([]error, 3)
		wg.Go(func() { errs[0] = log.Record(t.Context(), event(0, "a")) })
		<-entered
		late := &lateContext{Context: t.Context(), promoted: make(chan struct{})}
		wg.Go(func() { errs[1] = log.Record(late, event(1, "a")) })
		waitQueued(t, log, 1)
		wg.Go(func() { errs[2] = log.Record(t.Context(), event(2, "a")) })
		waitQueued(t, log, 2)
		wg.Go(func() { // once the first commit is through, the second caller has the lead
			for log.Health(t.Context()).Commits < 1 {
				runtime.Gosched()
			}
			close(late.promoted)
		})
		store.set(nil)
		release()
		wg.Wait()
		require.NoError(t, errs[0])
		require.NoError(t, errs[2], "the third does not wait for ever")
		if errs[1] != nil {
			require.ErrorIs(t, errs[1], audit.ErrUnconfirmed)
			gaveUp++
		}
		require.Zero(t, log.Health(t.Context()).Queued)
	}
	require.Positive(t, gaveUp)
}

// lateContext ends while its caller looks at it for the first time, in the queue.
type lateContext struct {
	context.Context
	promoted chan struct{}
	ended    atomic.Bool
}

func (c *lateContext) Done() <-chan struct{} {
	<-c.promoted
	c.ended.Store(true)
	return c.promoted
}

func (c *lateContext) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

func TestGroupWaiterGivesUpDuringItsCommit(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	entered, release := store.stall()
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() { errs[0] = log.Record(t.Context(), event(0, "a")) })
	<-entered
	wg.Go(func() { errs[1] = log.Record(t.Context(), event(1, "a")) }) // leads the next commit
	waitQueued(t, log, 1)
	ctx, cancel := context.WithCancel(t.Context())
	third := make(chan error, 1)
	go func() { third <- log.Record(ctx, event(2, "a")) }() // follows
	waitQueued(t, log, 2)
	againEntered, again := store.stall()
	release()
	<-againEntered
	cancel()
	require.ErrorIs(t, <-third, audit.ErrUnconfirmed)
	again()
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 3, count(t, log), "unconfirmed, but there")
	require.Zero(t, log.Health(t.Context()).Queued)
	require.NoError(t, log.Record(t.Context(), event(2, "a")), "recording it again confirms it")
	require.Equal(t, 3, count(t, log))
}

func TestGroupLeaderGoesAway(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	entered, release := store.stall()
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() { errs[0] = log.Record(t.Context(), event(0, "a")) })
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { errs[1] = log.Record(ctx, event(1, "a")) })
	waitQueued(t, log, 1)
	wg.Go(func() { errs[2] = log.Record(t.Context(), event(2, "a")) })
	waitQueued(t, log, 2)
	againEntered, again := store.stall()
	release()
	during := <-againEntered
	cancel()
	require.NoError(t, during.Err(), "the leader's context is not the commit's")
	_, bounded := during.Deadline()
	require.True(t, bounded)
	again()
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 3, count(t, log))
}

func TestGroupLoneCallerGoesAway(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	entered, release := store.stall()
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Record(ctx, event(0, "a")) }()
	<-entered
	cancel()
	err := <-done
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.ErrorIs(t, err, context.Canceled)
}

func TestGroupBusy(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, &audit.Options{MaxQueue: 2})
	entered, release := store.stall()
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() { errs[0] = log.Record(t.Context(), event(0, "a")) })
	<-entered
	wg.Go(func() { errs[1] = log.Record(t.Context(), event(1, "a")) })
	waitQueued(t, log, 1)
	wg.Go(func() { errs[2] = log.Record(t.Context(), event(2, "a")) })
	waitQueued(t, log, 2)
	require.ErrorIs(t, log.Record(t.Context(), event(3, "a")), audit.ErrBusy)
	require.Equal(t, uint64(1), log.Health(t.Context()).Refused)
	release()
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 3, count(t, log))
	require.NoError(t, log.Record(t.Context(), event(4, "a"), event(5, "a"), event(6, "a")), "an idle log takes any call")
}

func TestGroupPoison(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	require.NoError(t, log.Record(t.Context(), event(7, "earlier")))
	entered, release := store.stall()
	var wg sync.WaitGroup
	errs := make([]error, 12)
	wg.Go(func() { errs[0] = log.Record(t.Context(), event(0, "a")) })
	<-entered
	for i := 1; i < 12; i++ {
		action := audit.Action("a")
		if i == 3 || i == 4 {
			action = "poison"
		}
		wg.Go(func() { errs[i] = log.Record(t.Context(), event(i, action)) }) // 7 is taken
	}
	waitQueued(t, log, 11)
	cause := errors.New(`pq: invalid byte in "patient Smith"`)
	store.set(func(_ context.Context, entries []audit.Entry) error {
		if slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Action == "poison" }) {
			return cause
		}
		return nil
	})
	release()
	wg.Wait()
	for i, err := range errs {
		switch i {
		case 3, 4:
			require.ErrorIs(t, err, audit.ErrUnconfirmed)
			require.ErrorIs(t, err, cause)
			require.Equal(t, audit.ErrUnconfirmed.Error(), err.Error(), "the store's words stay inside")
		case 7:
			require.ErrorIs(t, err, audit.ErrConflict)
		default:
			require.NoError(t, err, "event %d is sunk", i)
		}
	}
	require.Equal(t, 10, count(t, log))
}

func TestGroupStoreFails(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	down := errors.New("dial tcp 192.0.2.1:5432: refused")
	store.set(func(context.Context, []audit.Entry) error { return down })
	err := log.Record(t.Context(), event(0, "a"))
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.ErrorIs(t, err, down)
	require.NotContains(t, err.Error(), "192.0.2.1")
	h := log.Health(t.Context())
	require.True(t, h.OK, "reading works")
	require.Equal(t, uint64(1), h.Failing)
	require.False(t, h.LastFailure.IsZero())
	store.set(nil)
	require.NoError(t, log.Record(t.Context(), event(0, "a")))
	require.Zero(t, log.Health(t.Context()).Failing)
}

func TestGroupStoreHangs(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, &audit.Options{CommitTimeout: 5 * time.Millisecond})
	_, release := store.stall()
	err := log.Record(t.Context(), event(0, "a"))
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	release()
	require.Eventually(t, func() bool { // a busy machine may need more than the 5 ms
		return log.Record(t.Context(), event(0, "a")) == nil
	}, time.Minute, time.Millisecond)
}

func TestGroupStorePanics(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	entered, release := store.stall()
	var wg sync.WaitGroup
	errs := make([]error, 4)
	wg.Go(func() { errs[0] = log.Record(t.Context(), event(0, "a")) })
	<-entered
	for i := 1; i < len(errs); i++ {
		action := audit.Action("a")
		if i == 2 {
			action = "poison"
		}
		wg.Go(func() { errs[i] = log.Record(t.Context(), event(i, action)) })
	}
	waitQueued(t, log, 3)
	store.set(func(_ context.Context, entries []audit.Entry) error {
		if slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Action == "poison" }) {
			panic("no room for patient Smith")
		}
		return nil
	})
	release()
	wg.Wait()
	for i, err := range errs {
		if i == 2 {
			require.ErrorIs(t, err, audit.ErrUnconfirmed)
			require.NotContains(t, err.Error(), "Smith")
			continue
		}
		require.NoError(t, err, "event %d is sunk", i)
	}
	require.NoError(t, log.Record(t.Context(), event(9, "a")), "the log goes on")
}

// TestGroupStorm lets 64 goroutines record against a store that fails, stalls and lies, and
// give up at will. What was acknowledged is there, once; nobody waits for ever.
func TestGroupStorm(t *testing.T) {
	t.Parallel()
	const callers = 64
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	store := newGated()
	log := newLog(t, store, &audit.Options{MaxQueue: 200})
	var calls atomic.Int64
	store.set(func(ctx context.Context, entries []audit.Entry) error {
		switch n := calls.Add(1); {
		case n%5 == 0:
			return errors.New("down")
		case n%7 == 0: // durable, but the answer is lost
			_ = store.Memory.Append(ctx, entries)
			return errors.New("connection reset")
		}
		return nil
	})
	acknowledged := make([][]string, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for r := range rounds {
				e := event(c*1000+r, "a")
				ctx, cancel := context.WithCancel(t.Context())
				if (c+r)%3 == 0 {
					go cancel()
				}
				if log.Record(ctx, e) == nil {
					acknowledged[c] = append(acknowledged[c], e.ID)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	total := 0
	for _, ids := range acknowledged {
		for _, id := range ids {
			_, err := log.Open(t.Context(), staff.Tenant, id)
			require.NoError(t, err, "acknowledged and lost")
		}
		total += len(ids)
	}
	require.Positive(t, total)
	require.LessOrEqual(t, total, count(t, log))
	require.Zero(t, log.Health(t.Context()).Queued)
	store.set(nil)
	require.NoError(t, log.Record(t.Context(), event(999_999, "a")))
}
