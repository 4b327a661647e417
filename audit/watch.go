package audit

import (
	"context"
	"strconv"
	"time"
)

// How Run watches.
const (
	watchClock   = time.Second
	watchBacklog = 10 * time.Second
	clockHold    = 10 * time.Second // how long the clock's state must last before it is news
	stepLimit    = time.Second      // how far wall clock and monotonic clock may part at once
	slewLimit    = 1000             // they may part by a thousandth for ever: NTP corrects like that
)

// watch is what Run has seen and what of it is recorded. It compares states and keeps no
// queue, so however long the store is away, what waits to be recorded stays small.
type watch struct {
	log      *Log
	platform Tenant
	began    time.Time // with the monotonic clock

	wall     time.Time     // the wall clock at began
	drift    time.Duration // of the wall clock against the monotonic one, at the last look
	lookedAt time.Duration // since began, as all that follow
	counted  time.Duration

	enabled  bool          // recorded that Run began
	step     time.Duration // how far the clock was set, as far as not recorded
	unsynced bool          // the clock's state now
	since    time.Duration // when it became so
	told     bool          // the state that was recorded last
	refused  int           // entries in the store that somebody else wrote
	reported int           // how many of them are recorded

	waiting *notice
}

// notice is an event on its way. It keeps its ID until it is recorded, so that it is never
// recorded twice.
type notice struct {
	event    Event
	recorded func()
}

func (l *Log) watch(platform Tenant) (*watch, error) {
	w := &watch{log: l, platform: platform, began: time.Now(), lookedAt: -watchClock, counted: -watchBacklog}
	w.wall = l.o.Now().Round(0)
	c := &checker{}
	c.required("tenant", string(platform), MaxID)
	return w, c.err()
}

// look samples the clock and the store, and records what is news.
func (w *watch) look(ctx context.Context) {
	now := time.Since(w.began)
	if now-w.lookedAt >= watchClock {
		w.compare(now)
		w.sample(now)
		w.lookedAt = now
	}
	if now-w.counted >= watchBacklog {
		w.count(ctx)
		w.counted = now
	}
	w.report(ctx, now)
}

// count asks the store how many of its entries somebody else wrote.
func (w *watch) count(ctx context.Context) {
	ctx, cancel := w.log.bound(ctx)
	defer cancel()
	if b, err := w.log.store.Backlog(ctx); err == nil {
		w.refused, w.reported = b.Refused, min(w.reported, b.Refused)
	}
}

// compare notices that the wall clock was set. Small differences are allowed to grow slowly
// only, so that many small steps are noticed like one.
func (w *watch) compare(now time.Duration) {
	gone := w.log.o.Now().Round(0).Sub(w.wall) - now - w.drift
	slew := (now - w.lookedAt) / slewLimit
	if gone.Abs() <= stepLimit {
		w.drift += min(max(gone, -slew), slew)
		return
	}
	w.drift += gone
	w.step += gone
	at, _ := w.log.now()
	w.log.count(func(s *Health) { s.ClockSteps++; s.LastStep = at })
}

// sample asks whether the clock is synchronised.
func (w *watch) sample(now time.Duration) {
	_, c := w.log.now()
	if unsynced := c.Known && !c.Synced; unsynced != w.unsynced {
		w.unsynced, w.since = unsynced, now
	}
}

// report records what is news, one event after the other, until nothing is or the store fails.
func (w *watch) report(ctx context.Context, now time.Duration) {
	for {
		if w.waiting == nil {
			w.waiting = w.news(now)
		}
		if w.waiting == nil || w.record(ctx, w.waiting.event) != nil {
			return
		}
		w.waiting.recorded()
		w.waiting = nil
	}
}

func (w *watch) record(ctx context.Context, e Event) error {
	ctx, cancel := w.log.bound(ctx)
	defer cancel()
	return w.log.Record(ctx, e)
}

// news returns the next thing to record, nil if there is none.
func (w *watch) news(now time.Duration) *notice {
	switch {
	case !w.enabled:
		return &notice{w.event(ActionEnabled), func() { w.enabled = true }}
	case w.step != 0:
		by := w.step
		code := "set_forward"
		if by < 0 {
			code = "set_back"
		}
		return &notice{w.alarm(ActionClockStep, code, "by_ms", by.Milliseconds()), func() { w.step -= by }}
	case w.unsynced != w.told && now-w.since >= clockHold:
		state := w.unsynced
		e := w.event(ActionClockSynced)
		if state {
			e = w.alarm(ActionClockUnsynced, "unsynchronised", "for_s", int64((now-w.since)/time.Second))
		}
		return &notice{e, func() { w.told = state }}
	case w.refused > w.reported:
		count := w.refused
		return &notice{w.alarm(ActionRefused, "not_authentic", "entries", int64(count)), func() { w.reported = count }}
	}
	return nil
}

func (w *watch) event(a Action) Event {
	now, _ := w.log.now()
	return Event{
		ID: NewID(now), Tenant: w.platform, Action: a, Verb: Execute,
		Actor:   System(w.platform, "audit"),
		Objects: []Object{{Type: "audit_log", ID: string(w.platform)}},
	}
}

// alarm is an event of something that should not be, with one number.
func (w *watch) alarm(a Action, code, detail string, n int64) Event {
	e := w.event(a)
	e.Outcome, e.Code = MinorFailure, code
	e.Detail = map[string]string{detail: strconv.FormatInt(n, 10)}
	return e
}

// end records that Run ends, although its context has ended, unless it ended before it began.
func (w *watch) end(ctx context.Context) error {
	if w.waiting == nil && !w.enabled {
		return nil
	}
	ctx, cancel := w.log.bound(context.WithoutCancel(ctx))
	defer cancel()
	w.report(ctx, time.Since(w.began))
	return w.log.Record(ctx, w.event(ActionDisabled))
}
