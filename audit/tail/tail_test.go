package tail_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/tail"
	"github.com/wardkit/wardkit/audit/tail/tailsql"
	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// TestEveryEventOnceAndInOrder, tenant by tenant, and the next process goes on where the first ended.
func TestEveryEventOnceAndInOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first, second := h.record(t, clinic, 25), h.record(t, other, 3)
	f := h.feed(t, "one", nil)
	n, err := f.Step(t.Context())
	require.NoError(t, err)
	require.Equal(t, 13, n, "a batch of each tenant")
	require.Equal(t, 15, drain(t, f))
	require.Equal(t, first, h.sink.ids(clinic))
	require.Equal(t, second, h.sink.ids(other))
	for _, b := range h.sink.batches {
		require.Len(t, b.Entries, int(b.To-b.From))
		require.LessOrEqual(t, len(b.Entries), 10)
		for i, e := range b.Entries {
			require.Equal(t, b.From+int64(i), e.Index)
			require.Equal(t, audit.Leaf(e.Body), e.Leaf)
		}
	}
	health := f.Health()
	require.Equal(t, []string{tail.AlarmRun}, health.Alarms)
	require.Equal(t, uint64(28), health.Sent)
	require.Zero(t, health.Lag)
	require.Equal(t, []tail.Progress{{Tenant: clinic, Next: 25, Size: 25}, {Tenant: other, Next: 3, Size: 3}}, health.Tenants)

	third := h.record(t, clinic, 4)
	h.clock.add(time.Hour) // the first process died, its lease is over
	require.Equal(t, 4, drain(t, h.feed(t, "two", nil)))
	require.Equal(t, slices.Concat(first, third), h.sink.ids(clinic))
}

// TestOnStores: the log and the cursors in a database, with a purged span.
func TestOnStores(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		events, err := auditsql.SQLite(e.Pool)
		cursors, err2 := tailsql.SQLite(e.Pool)
		if e.Dialect == sqlkit.Postgres {
			events, err = auditsql.Postgres(e.Pool, make([]byte, 32))
			cursors, err2 = tailsql.Postgres(e.Pool)
		}
		require.NoError(t, errors.Join(err, err2, events.Migrate(t.Context()), cursors.Migrate(t.Context())))
		log, err := audit.New(events, audit.DropOpenings{}, nil)
		require.NoError(t, err)
		var ids []string
		for range 30 {
			e := audit.Event{ID: audit.NewID(noon), Tenant: clinic, Action: "note.read", Verb: audit.Read, Actor: audit.System(clinic, "test")}
			require.NoError(t, log.Record(t.Context(), e))
			ids = append(ids, e.ID)
		}
		_, err = events.Sequence(t.Context(), 1000)
		require.NoError(t, err)
		sink := &receiver{}
		f, err := tail.New(events, cursors, sink, "siem", log, &tail.Options{Batch: 7})
		require.NoError(t, err)
		require.Equal(t, 30, drain(t, f))
		require.Equal(t, ids, sink.ids(clinic))
		c, err := cursors.Get(t.Context(), "siem", clinic)
		require.NoError(t, err)
		require.Equal(t, int64(30), c.Next)
	})
}

// TestNothingIsLost: whatever fails or is cut off at whichever call, every event arrives, in order,
// and only what was not confirmed comes again.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	for at := 1; at < 14; at++ {
		h := newHouse(t)
		ids := h.record(t, clinic, 25)
		h.cursors.failAt(at, errIO)
		f := h.feed(t, "one", nil)
		failures := 0
		for range 40 {
			if _, err := f.Step(t.Context()); err != nil {
				require.ErrorIs(t, err, tail.ErrCursors)
				require.ErrorIs(t, err, errIO)
				require.NotContains(t, err.Error(), "192.0.2.1")
				require.Contains(t, f.Health().Alarms, tail.AlarmCursors)
				failures++
			}
			h.clock.add(time.Minute)
		}
		got := h.sink.ids(clinic)
		require.Equal(t, ids, distinct(got), at)
		require.LessOrEqual(t, len(got)-len(ids), 10, "one batch twice")
		require.Equal(t, []string{tail.AlarmRun}, f.Health().Alarms)
		require.LessOrEqual(t, failures, 1)
		require.True(t, failures == 1 || at > 8, at)
	}
	// The sink has the batch, and its answer is lost.
	h := newHouse(t)
	ids := h.record(t, clinic, 25)
	lost := 0
	h.sink.after = func(tail.Batch) error {
		if lost++; lost%2 == 1 {
			return errIO
		}
		return nil
	}
	f := h.feed(t, "one", nil)
	for range 40 {
		_, _ = f.Step(t.Context())
		h.clock.add(time.Minute)
	}
	require.Equal(t, ids, distinct(h.sink.ids(clinic)))
	require.Len(t, h.sink.ids(clinic), 50)
}

// distinct keeps the first of each id: what a receiver does.
func distinct(ids []string) (out []string) {
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			out = append(out, id)
		}
		seen[id] = true
	}
	return out
}

// TestAFailingSink: nothing advances, the pauses double, another tenant is not held up, and it goes
// on where it stopped.
func TestAFailingSink(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids, others := h.record(t, clinic, 25), h.record(t, other, 25)
	h.sink.fail = func(b tail.Batch) error {
		if b.Tenant == clinic {
			return errIO
		}
		return nil
	}
	f := h.feed(t, "one", func(o *tail.Options) { o.MaxLag, o.Backoff = time.Minute, 8*time.Second })
	_, err := f.Step(t.Context())
	require.ErrorIs(t, err, tail.ErrSink)
	require.ErrorIs(t, err, errIO)
	require.NotContains(t, err.Error(), "192.0.2.1")
	require.Equal(t, 15, drain(t, f), "the other tenant; the clinic's pause is not over")
	require.Equal(t, others, h.sink.ids(other))
	var pauses []time.Duration
	for waited := time.Duration(0); len(pauses) < 6; {
		h.clock.add(500 * time.Millisecond)
		waited += 500 * time.Millisecond
		if _, err := f.Step(t.Context()); err != nil {
			pauses, waited = append(pauses, waited), 0
		}
	}
	require.Equal(t, []time.Duration{1e9, 2e9, 4e9, 8e9, 8e9, 8e9}, pauses)
	require.NotContains(t, f.Health().Alarms, tail.AlarmLag)
	h.clock.add(time.Minute)
	health := f.Health()
	require.Equal(t, []string{tail.AlarmLag, tail.AlarmRun, tail.AlarmSink}, health.Alarms)
	require.Equal(t, int64(25), health.Lag)
	require.Equal(t, 7, health.Tenants[0].Failing)
	h.sink.fail = func(b tail.Batch) error {
		if h.sink.batches == nil || b.From == 10 {
			panic("a value that nobody prints")
		}
		return nil
	}
	_, err = f.Step(t.Context())
	require.NoError(t, err)
	_, err = f.Step(t.Context())
	require.ErrorIs(t, err, tail.ErrSink, "a sink that panics has failed")
	require.NotContains(t, err.Error(), "nobody")
	h.sink.fail = nil
	h.clock.add(time.Minute)
	drain(t, f)
	require.Equal(t, ids, h.sink.ids(clinic))
	require.Equal(t, []string{tail.AlarmRun}, f.Health().Alarms)
}

// TestASinkThatHangsForEver: recording does not know that there is a feed.
func TestASinkThatHangsForEver(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.record(t, clinic, 5)
	hanging, release := make(chan struct{}), make(chan struct{})
	h.sink.fail = func(tail.Batch) error { // it does not look at its context
		close(hanging)
		<-release
		return errIO
	}
	f := h.feed(t, "one", nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	<-hanging
	ids := h.record(t, clinic, 1000)
	require.Len(t, ids, 1000)
	health := h.log.Health(t.Context())
	require.True(t, health.OK)
	require.Zero(t, health.Failures)
	require.Zero(t, health.Refused)
	require.Zero(t, health.Queued)
	require.Equal(t, uint64(1005), health.Recorded)
	page, err := h.log.Query(t.Context(), audit.Query{Tenant: clinic, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, ids[999], page.Events[0].ID)
	cancel()
	close(release)
	require.ErrorIs(t, <-ended, context.Canceled)
}

// TestSeveralServers: one of them sends, all agree how far it has come, nothing is left out and
// nothing comes twice while leases are kept.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.record(t, clinic, 300)
	var wg sync.WaitGroup
	for _, name := range []string{"one", "two", "three", "four"} {
		f := h.feed(t, name, nil)
		wg.Go(func() {
			for range 400 {
				_, err := f.Step(context.Background())
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, ids, h.sink.ids(clinic))
}

// TestTakingOver: the lease of a process that hangs ends, another one goes on, the batch that hung
// comes twice and no more than that, and the late answer changes nothing.
func TestTakingOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.record(t, clinic, 30)
	one, two := h.feed(t, "one", nil), h.feed(t, "two", nil)
	h.sink.after = func(tail.Batch) error { // the first batch hangs for two minutes
		h.sink.after = nil
		h.sink.mu.Unlock()
		defer h.sink.mu.Lock()
		n, err := two.Step(t.Context())
		require.NoError(t, err)
		require.Zero(t, n, "the lease is not over")
		h.clock.add(2 * time.Minute)
		require.Equal(t, 30, drain(t, two))
		return nil
	}
	n, err := one.Step(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "another one has sent it")
	require.Equal(t, slices.Concat(ids[:10], ids), h.sink.ids(clinic))
	h.clock.add(2 * time.Minute)
	drain(t, one)
	more := h.record(t, clinic, 5)
	h.clock.add(2 * time.Minute)
	require.Equal(t, 5, drain(t, one))
	require.Equal(t, slices.Concat(ids[:10], ids, more), h.sink.ids(clinic))
}

// TestALeaseThatWasLost: who loses it during the last batch does not believe that all is sent.
func TestALeaseThatWasLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.record(t, clinic, 8)
	f := h.feed(t, "one", nil)
	h.sink.after = func(tail.Batch) error { // somebody takes the lease, and dies
		h.sink.after = nil
		h.clock.add(2 * time.Minute)
		c, err := h.cursors.Memory.Get(t.Context(), "siem", clinic)
		require.NoError(t, err)
		c.Holder, c.Until = "dead", h.clock.now().Add(time.Minute)
		return h.cursors.Memory.Put(t.Context(), c)
	}
	n, err := f.Step(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, int64(8), f.Health().Lag)
	h.clock.add(2 * time.Minute)
	require.Equal(t, 8, drain(t, f))
	require.Equal(t, slices.Concat(ids, ids), h.sink.ids(clinic))
}

// TestALeaseIsProlonged before it could end during a Send.
func TestALeaseIsProlonged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.record(t, clinic, 20)
	one, two := h.feed(t, "one", nil), h.feed(t, "two", nil)
	_, err := one.Step(t.Context())
	require.NoError(t, err)
	h.clock.add(80 * time.Second) // 10 s are left
	h.sink.after = func(tail.Batch) error {
		h.sink.after = nil
		h.sink.mu.Unlock()
		defer h.sink.mu.Lock()
		h.clock.add(25 * time.Second)
		n, err := two.Step(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		return nil
	}
	require.Equal(t, 10, drain(t, one))
	require.Equal(t, ids, h.sink.ids(clinic))
}

// TestALogThatWasPutBack is an alarm and an error at once, in processes that know the feed and in
// those that start, and nothing is sent until a person says where to go on.
func TestALogThatWasPutBack(t *testing.T) {
	t.Parallel()
	back := map[string]func(h *house){
		"shorter":    func(h *house) { h.store.Memory = audit.NewMemory(); h.relog(t); h.record(t, clinic, 12) },
		"as long":    func(h *house) { h.store.Memory = audit.NewMemory(); h.relog(t); h.record(t, clinic, 25) },
		"longer":     func(h *house) { h.store.Memory = audit.NewMemory(); h.relog(t); h.record(t, clinic, 40) },
		"not there":  func(h *house) { h.store.Memory = audit.NewMemory(); h.relog(t) },
		"other only": func(h *house) { h.store.Memory = audit.NewMemory(); h.relog(t); h.record(t, other, 40) },
	}
	for name, put := range back {
		h := newHouse(t)
		h.record(t, clinic, 25)
		old := h.feed(t, "one", nil)
		drain(t, old)
		put(h)
		h.clock.add(time.Hour)
		for who, f := range map[string]*tail.Tail{"one": old, "new": h.feed(t, "new", nil)} {
			if name == "as long" && who == "one" {
				continue // it looks again when something is new
			}
			before := len(h.sink.ids(clinic))
			_, err := f.Step(t.Context())
			require.ErrorIs(t, err, tail.ErrRolledBack, "%s, %s", name, who)
			require.Contains(t, f.Health().Alarms, tail.AlarmRolledBack)
			require.Len(t, h.sink.ids(clinic), before)
			require.NotContains(t, err.Error(), string(clinic))
		}
		if name != "longer" {
			continue
		}
		f := h.feed(t, "three", nil)
		ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-op", Kind: audit.KindStaff, Tenant: clinic})
		require.ErrorIs(t, f.Reset(ctx, clinic, 41), tail.ErrReset)
		require.ErrorIs(t, f.Reset(ctx, clinic, -1), tail.ErrReset)
		h.rec.FailWith(errIO)
		require.ErrorIs(t, f.Reset(ctx, clinic, 5), errIO)
		_, err := f.Step(t.Context())
		require.ErrorIs(t, err, tail.ErrRolledBack, "what cannot be recorded does not happen")
		h.rec.FailWith(nil)
		require.NoError(t, f.Reset(ctx, clinic, 5))
		e, ok := h.rec.Last(tail.ActionReset)
		require.True(t, ok)
		require.Equal(t, map[string]string{"was": "25", "next": "5"}, e.Detail)
		require.Equal(t, audit.ActorID("u-op"), e.Actor.ID)
		before := len(h.sink.ids(clinic))
		require.Equal(t, 35, drain(t, f))
		require.Len(t, h.sink.ids(clinic), before+35)
		require.NotContains(t, f.Health().Alarms, tail.AlarmRolledBack)
	}
}

// relog is a log over the store as it is now.
func (h *house) relog(t testing.TB) {
	t.Helper()
	var err error
	h.log, err = audit.New(h.store, audit.DropOpenings{}, &audit.Options{Now: h.clock.now})
	require.NoError(t, err)
}

// TestPurgedEvents are passed over; what is missing without a purge, or was changed, is not.
func TestPurgedEvents(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.record(t, clinic, 40)
	require.NoError(t, h.store.Purge(t.Context(), clinic, []audit.Span{{From: 3, To: 5}, {From: 9, To: 22}, {From: 39, To: 40}}))
	f := h.feed(t, "one", nil)
	require.Equal(t, 24, drain(t, f))
	want := slices.Concat(ids[:3], ids[5:9], ids[22:39])
	require.Equal(t, want, h.sink.ids(clinic))
	require.Equal(t, []string{tail.AlarmRun}, f.Health().Alarms)

	h.record(t, clinic, 20)
	for _, flaw := range []func(){func() { h.store.lose = 45 }, func() { h.store.lose, h.store.alter = -1, 47 }} {
		flaw()
		h.clock.add(time.Hour)
		_, err := f.Step(t.Context())
		require.ErrorIs(t, err, tail.ErrGap)
		require.Contains(t, f.Health().Alarms, tail.AlarmGap)
		require.Equal(t, want, h.sink.ids(clinic))
	}
	h.store.alter = -1
	h.clock.add(time.Hour)
	require.Equal(t, 20, drain(t, f))

	// Purged after it was sent: the feed's last place has no body any more.
	require.NoError(t, h.store.Purge(t.Context(), clinic, []audit.Span{{From: 40, To: 60}}))
	h.record(t, clinic, 1)
	require.Equal(t, 1, drain(t, h.feed(t, "one", nil)))
}

// TestALogThatCannotBeRead.
func TestALogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.record(t, clinic, 5)
	h.store.fail = errIO
	f := h.feed(t, "one", nil)
	_, err := f.Step(t.Context())
	require.ErrorIs(t, err, tail.ErrSource)
	require.Contains(t, f.Health().Alarms, tail.AlarmSource)
	h.store.fail = nil
	h.clock.add(time.Minute)
	require.Equal(t, 5, drain(t, f))
	require.Equal(t, ids, h.sink.ids(clinic))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Step(ctx)
	require.Error(t, err)
	require.NotContains(t, f.Health().Alarms, tail.AlarmSource, "the end of Run is nobody's fault")
}

// TestRun: it follows what is recorded, and gives its leases up when it ends.
func TestRun(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		h := newHouse(t)
		ids := h.record(t, clinic, 25)
		f := h.feed(t, "one", func(o *tail.Options) { o.Now = time.Now })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Run(ctx) }()
		time.Sleep(time.Second)
		require.Equal(t, ids, h.sink.ids(clinic))
		require.ErrorIs(t, f.Run(ctx), tail.ErrRunning)
		require.Empty(t, f.Health().Alarms)
		ids = append(ids, h.record(t, clinic, 7)...)
		time.Sleep(2 * time.Second)
		require.Equal(t, ids, h.sink.ids(clinic))
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.Equal(t, []string{tail.AlarmRun}, f.Health().Alarms)
		c, err := h.cursors.Memory.Get(context.Background(), "siem", clinic)
		require.NoError(t, err)
		require.Empty(t, c.Holder)
		require.Equal(t, int64(32), c.Next)
	})
}

func TestOnlySomeTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.record(t, clinic, 3)
	h.record(t, other, 4)
	f := h.feed(t, "one", func(o *tail.Options) { o.Tenants = []audit.Tenant{other} })
	require.Equal(t, 4, drain(t, f))
	require.Empty(t, h.sink.ids(clinic))
	require.Len(t, f.Health().Tenants, 1)
}

func TestNew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, bad := range []struct {
		src  tail.Source
		c    tail.Cursors
		sink tail.Sink
		feed string
		rec  audit.Recorder
		o    *tail.Options
	}{
		{nil, h.cursors, h.sink, "siem", h.rec, nil},
		{h.store, nil, h.sink, "siem", h.rec, nil},
		{h.store, h.cursors, nil, "siem", h.rec, nil},
		{h.store, h.cursors, h.sink, "siem", nil, nil},
		{h.store, h.cursors, h.sink, "", h.rec, nil},
		{h.store, h.cursors, h.sink, "a b", h.rec, nil},
		{h.store, h.cursors, h.sink, strings.Repeat("a", 65), h.rec, nil},
		{h.store, h.cursors, h.sink, "siem", h.rec, &tail.Options{Batch: -1}},
		{h.store, h.cursors, h.sink, "siem", h.rec, &tail.Options{Batch: 10_001}},
		{h.store, h.cursors, h.sink, "siem", h.rec, &tail.Options{Timeout: -1}},
		{h.store, h.cursors, h.sink, "siem", h.rec, &tail.Options{Interval: 25 * time.Hour}},
	} {
		_, err := tail.New(bad.src, bad.c, bad.sink, bad.feed, bad.rec, bad.o)
		require.Error(t, err)
	}
	var out bytes.Buffer
	_, err := tail.New(h.store, h.cursors, &tail.Lines{W: &out}, "siem", h.rec, nil)
	require.NoError(t, err)
}
