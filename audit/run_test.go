package audit_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
)

const platform audit.Tenant = "platform"

// keeper is a log that Run keeps, in a bubble of its own time.
type keeper struct {
	*audit.Log
	t      *testing.T
	store  *faulty
	staged *staged
	ahead  atomic.Int64 // the wall clock against the real one
	clock  atomic.Pointer[audit.Clock]
	stop   context.CancelFunc
	ended  chan error
}

// keep starts Run in a bubble and calls story.
func keep(t *testing.T, story func(t *testing.T, k *keeper)) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		k := &keeper{t: t, staged: newStaged(), ended: make(chan error, 1)}
		k.store = newFaulty(k.staged)
		k.clock.Store(&audit.Clock{Known: true, Synced: true})
		k.Log = newLog(t, k.store, &audit.Options{
			Now:   func() time.Time { return time.Now().Add(time.Duration(k.ahead.Load())) },
			Clock: func() audit.Clock { return *k.clock.Load() },
		})
		k.start()
		story(t, k)
		require.ErrorIs(t, k.end(), context.Canceled)
		synctest.Wait()
	})
}

func (k *keeper) start() {
	var ctx context.Context
	ctx, k.stop = context.WithCancel(context.Background())
	go func() { k.ended <- k.Run(ctx, platform) }()
}

// end stops Run and returns what it returned; again if it was stopped before.
func (k *keeper) end() error {
	k.stop()
	err := <-k.ended
	k.ended <- err
	return err
}

// let lets time pass.
func (k *keeper) let(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// told returns the system events so far, oldest first, as "action", "action code" or
// "action code detail".
func (k *keeper) told() (out []string) {
	page, err := k.Query(k.t.Context(), audit.Query{Tenant: platform, Limit: 500})
	require.NoError(k.t, err)
	for _, e := range slices.Backward(page.Events) {
		require.Equal(k.t, audit.System(platform, "audit"), e.Actor)
		require.Equal(k.t, audit.Execute, e.Verb)
		require.Equal(k.t, e.Code != "", e.Outcome != audit.Success)
		s := string(e.Action)
		if e.Code != "" {
			s += " " + e.Code
		}
		for _, v := range e.Detail {
			s += " " + v
		}
		out = append(out, s)
	}
	return out
}

func TestRunRecordsThatItBeginsAndEnds(t *testing.T) {
	keep(t, func(t *testing.T, k *keeper) {
		k.let(time.Second)
		require.Equal(t, []string{"audit.enabled"}, k.told())
		require.True(t, k.Health(t.Context()).Running)
		require.ErrorIs(t, k.Run(t.Context(), platform), audit.ErrRunning)
		require.True(t, k.Health(t.Context()).Running)
		require.ErrorIs(t, k.end(), context.Canceled)
		require.Equal(t, []string{"audit.enabled", "audit.disabled"}, k.told())
		require.False(t, k.Health(t.Context()).Running)

		<-k.ended
		k.start() // again
		k.let(time.Second)
		require.Equal(t, []string{"audit.enabled", "audit.disabled", "audit.enabled"}, k.told())
	})
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	store := newFaulty(audit.NewMemory())
	log := newLog(t, store, nil)
	for _, tenant := range []audit.Tenant{"", "a\x00b", "\xff"} {
		require.ErrorIs(t, log.Run(t.Context(), tenant), audit.ErrInvalid)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, log.Run(ctx, platform), context.Canceled)
	require.Zero(t, store.called("Append"), "what never began did not end")
	require.False(t, log.Health(t.Context()).Running)
}

// TestRunOrders: what was recorded gets its place without anybody asking for it, soon while
// there is something to do and seldom while there is not.
func TestRunOrders(t *testing.T) {
	keep(t, func(t *testing.T, k *keeper) {
		k.let(10 * time.Second)
		idle := k.store.called("Sequence")
		k.let(10 * time.Second)
		require.Equal(t, 10, k.store.called("Sequence")-idle, "once a second")
		require.NoError(t, k.Record(t.Context(), event(1, "a")))
		require.Equal(t, 1, k.Health(t.Context()).Backlog.Waiting)
		k.let(time.Second)
		require.Zero(t, k.Health(t.Context()).Backlog.Waiting)
		busy := k.store.called("Sequence")
		for i := range 20 {
			require.NoError(t, k.Record(t.Context(), event(100+i, "a")))
			k.let(50 * time.Millisecond)
		}
		require.GreaterOrEqual(t, k.store.called("Sequence")-busy, 15, "every 50 ms")
		entry, err := k.staged.Memory.Get(t.Context(), staff.Tenant, event(1, "a").ID)
		require.NoError(t, err)
		require.Zero(t, entry.Index)
	})
}

// TestRunDrains: what waited while nobody kept the order is placed in one go.
func TestRunDrains(t *testing.T) {
	keep(t, func(t *testing.T, k *keeper) {
		k.let(time.Second)
		require.ErrorIs(t, k.end(), context.Canceled)
		<-k.ended
		events := make([]audit.Event, 10_000)
		for i := range events {
			events[i] = audit.Event{Action: "a", Verb: audit.Read, Actor: staff}
		}
		require.NoError(t, k.Record(t.Context(), events...))
		k.start()
		synctest.Wait()
		require.LessOrEqual(t, k.Health(t.Context()).Backlog.Waiting, 4096)
		k.let(100 * time.Millisecond)
		require.Zero(t, k.Health(t.Context()).Backlog.Waiting)
	})
}

func TestRunWatchesTheSynchronisation(t *testing.T) {
	keep(t, func(t *testing.T, k *keeper) {
		k.let(time.Minute)
		k.clock.Store(&audit.Clock{Known: true})
		k.let(5 * time.Second)
		k.clock.Store(&audit.Clock{Known: true, Synced: true})
		k.let(time.Minute)
		require.Equal(t, []string{"audit.enabled"}, k.told(), "a short loss is no news")

		k.clock.Store(&audit.Clock{Known: true})
		k.let(2 * time.Second)
		require.Contains(t, k.Health(t.Context()).Alarms, audit.AlarmUnsynced)
		k.let(time.Minute)
		require.Equal(t, []string{"audit.enabled", "clock.unsynced unsynchronised 10"}, k.told())
		k.clock.Store(&audit.Clock{})
		k.let(5 * time.Second)
		require.NotContains(t, k.Health(t.Context()).Alarms, audit.AlarmUnsynced, "unknown is not unsynchronised")
		k.clock.Store(&audit.Clock{Known: true, Synced: true})
		k.let(time.Minute)
		require.Equal(t, []string{"audit.enabled", "clock.unsynced unsynchronised 10", "clock.synced"}, k.told())
		require.NotContains(t, k.Health(t.Context()).Alarms, audit.AlarmUnsynced)
	})
}

func TestRunNoticesThatTheClockIsSet(t *testing.T) {
	keep(t, func(t *testing.T, k *keeper) {
		k.let(time.Minute)
		k.ahead.Add(int64(-90 * time.Second))
		k.let(2 * time.Second)
		require.Equal(t, []string{"audit.enabled", "clock.step set_back -90000"}, k.told())
		h := k.Health(t.Context())
		require.Equal(t, uint64(1), h.ClockSteps)
		require.Contains(t, h.Alarms, audit.AlarmStepped)
		k.let(time.Hour)
		require.Len(t, k.told(), 2, "said once")
		k.ahead.Add(int64(time.Hour))
		k.let(2 * time.Second)
		require.Equal(t, "clock.step set_forward 3600000", k.told()[2])
		require.Equal(t, uint64(2), k.Health(t.Context()).ClockSteps)
		k.let(25 * time.Hour)
		require.NotContains(t, k.Health(t.Context()).Alarms, audit.AlarmStepped)
	})
}

// TestRunNoticesManySmallSteps: a clock that somebody pushes bit by bit is noticed; one that
// NTP corrects slowly is not.
func TestRunNoticesManySmallSteps(t *testing.T) {
	keep(t, func(t *testing.T, k *keeper) {
		for range 3600 {
			k.ahead.Add(int64(500 * time.Microsecond)) // 500 ppm, what adjtime does
			k.let(time.Second)
		}
		require.Equal(t, []string{"audit.enabled"}, k.told())
		for range 10 {
			k.ahead.Add(int64(-300 * time.Millisecond))
			k.let(5 * time.Second)
		}
		require.Contains(t, k.told()[1], "clock.step set_back")
	})
}

func TestRunNoticesForeignEntries(t *testing.T) {
	keep(t, func(t *testing.T, k *keeper) {
		k.let(time.Minute)
		k.staged.refuse(3)
		k.let(20 * time.Second)
		require.Equal(t, []string{"audit.enabled", "audit.refused not_authentic 3"}, k.told())
		k.let(time.Hour)
		require.Len(t, k.told(), 2, "said once")
		h := k.Health(t.Context())
		require.Contains(t, h.Alarms, audit.AlarmRefused)
		require.True(t, h.OK, "one forged row takes no server down")
		k.staged.refuse(0) // looked at and removed
		k.let(20 * time.Second)
		k.staged.refuse(1)
		k.let(20 * time.Second)
		require.Equal(t, "audit.refused not_authentic 1", k.told()[2])
	})
}

// TestRunOutlivesAFailingStore: whatever every call of the store does, Run goes on, and says
// afterwards what it had to say, once.
func TestRunOutlivesAFailingStore(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context, method string) error{
		"fails":  func(context.Context, string) error { return errors.New("down") },
		"panics": func(context.Context, string) error { panic("down") },
		"stalls": func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			keep(t, func(t *testing.T, k *keeper) {
				k.let(time.Minute)
				k.store.set(fail)
				k.ahead.Add(int64(-time.Hour))
				k.clock.Store(&audit.Clock{Known: true})
				k.let(time.Hour)
				h := k.Health(t.Context())
				require.True(t, h.Running)
				require.False(t, h.OK)
				require.Positive(t, h.OrderFailing)
				for _, alarm := range []string{audit.AlarmStore, audit.AlarmCommits, audit.AlarmOrder, audit.AlarmStepped, audit.AlarmUnsynced} {
					require.Contains(t, h.Alarms, alarm)
				}
				k.store.set(nil)
				k.let(time.Minute)
				told := k.told()
				require.Len(t, told, 3)
				require.Equal(t, "clock.step set_back -3600000", told[1])
				require.Contains(t, told[2], "clock.unsynced")
				require.Empty(t, k.Health(t.Context()).OrderFailing)
			})
		})
	}
}

// TestRunBeginsWithoutAStore: the beginning is recorded when the store comes, even if it was
// durable all the time and the answer was lost.
func TestRunBeginsWithoutAStore(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		store := newGated()
		log := newLog(t, store, nil)
		store.set(func(ctx context.Context, entries []audit.Entry) error {
			_ = store.Memory.Append(ctx, entries)
			return errors.New("connection reset")
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- log.Run(ctx, platform) }()
		time.Sleep(time.Minute)
		store.set(nil)
		time.Sleep(time.Minute)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		page, err := log.Query(t.Context(), audit.Query{Tenant: platform})
		require.NoError(t, err)
		require.Len(t, page.Events, 2)
		require.Equal(t, audit.ActionDisabled, page.Events[0].Action)
		require.Equal(t, audit.ActionEnabled, page.Events[1].Action)
	})
}

// TestRunEndsWithoutAStore: it returns in bounded time and says what it could not record.
func TestRunEndsWithoutAStore(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		store := newFaulty(audit.NewMemory())
		log := newLog(t, store, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- log.Run(ctx, platform) }()
		time.Sleep(time.Second)
		store.set(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		cancel()
		began := time.Now()
		err := <-done
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, audit.ErrUnconfirmed)
		require.LessOrEqual(t, time.Since(began), 10*time.Second)
		require.False(t, log.Health(t.Context()).Running)
	})
}

// TestRunOnSeveralServers: each keeps the same store and speaks for itself.
func TestRunOnSeveralServers(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		store := newStaged()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var logs []*audit.Log
		for _, id := range []string{"api-1", "api-2", "api-3"} {
			log := newLog(t, store, &audit.Options{Server: audit.Server{ID: id}})
			logs = append(logs, log)
			wg.Go(func() { _ = log.Run(ctx, platform) })
		}
		for i := range 300 {
			require.NoError(t, logs[i%3].Record(t.Context(), event(i, "a")))
			time.Sleep(7 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		servers := map[string]int{}
		for _, e := range pages(t, logs[0], audit.Query{Tenant: platform}) {
			servers[e.Server.ID]++
		}
		require.Equal(t, map[string]int{"api-1": 2, "api-2": 2, "api-3": 2}, servers)
		events := pages(t, logs[0], audit.Query{Tenant: staff.Tenant})
		require.Len(t, events, 300)
		for i, e := range events {
			require.Equal(t, int64(299-i), e.Index)
		}
	})
}

func TestKernelClock(t *testing.T) {
	t.Parallel()
	c := audit.KernelClock()
	if runtime.GOOS != "linux" {
		require.Zero(t, c)
		return
	}
	if c.Known {
		require.GreaterOrEqual(t, c.ErrMicros, int64(0))
	} else {
		require.Zero(t, c)
	}
	log := newLog(t, audit.NewMemory(), &audit.Options{Clock: audit.KernelClock})
	require.NoError(t, log.Record(t.Context(), event(1, "a")), "whatever it says can be recorded")
}
