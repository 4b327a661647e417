package audit

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// Health is the state of a Log in plain numbers, for a readiness probe, for a metrics system
// and for a page that people look at. Counters start with the Log; durations are nanoseconds
// where they are written as numbers.
type Health struct {
	OK     bool     // the store can be read: this process can take requests
	Alarms []string // codes of what a person should look at, see the constants; empty is well

	Running  bool // Run runs in this process
	Queued   int  // events that wait for a commit
	Capacity int  // Options.MaxQueue

	Recorded uint64 // events acknowledged as durable
	Commits  uint64 // successful appends to the store
	Failures uint64 // failed appends to the store, conflicts not among them
	Refused  uint64 // calls of Record that returned an error

	Failing     uint64        // failed appends since the last successful one
	LastCommit  time.Time     // end of the last successful append
	LastFailure time.Time     // end of the last failed append
	Duration    time.Duration // of the last successful append
	P99         time.Duration // 99 of 100 of the last 1,024 appends took no longer, failed ones among them

	Backlog      Backlog       // what is durable and not yet found by queries
	Lag          time.Duration // how long the oldest of it has waited
	OrderFailing uint64        // failed attempts of Run to order it since the last successful one

	Clock      Clock     // what Options.Clock says
	ClockSteps uint64    // how often Run saw the clock being set
	LastStep   time.Time // when it last did
}

// The codes of Health.Alarms. None of them makes a server unable to work, so none belongs
// into a readiness probe: one forged row would take a whole fleet down.
const (
	AlarmStore    = "store_unreadable"     // OK is false
	AlarmCommits  = "commits_failing"      // the last append failed
	AlarmQueue    = "queue_filling"        // more than half of the queue is in use
	AlarmRun      = "not_running"          // Run does not run in this process
	AlarmOrder    = "order_failing"        // Run's last attempt to order events failed
	AlarmLag      = "order_lagging"        // Lag is above MaxLag
	AlarmRefused  = "entries_refused"      // somebody else wrote into the store
	AlarmUnsynced = "clock_unsynchronised" // 45 CFR 170.210(g) asks for a synchronised clock
	AlarmStepped  = "clock_stepped"        // the clock was set within the last 24 hours
)

// MaxLag is how old the oldest event that queries would not find yet may be.
const MaxLag = time.Minute

// healthTimeout bounds what Health waits for the store.
const healthTimeout = 5 * time.Second

// probeID is the nil UUID (RFC 9562, section 5.9), which no event has.
const probeID = "00000000-0000-0000-0000-000000000000"

// Health asks the store for an event that does not exist and for its backlog, for 5 seconds
// at most, and reports the state. OK says nothing about writing, which only an event could
// prove: a readiness probe that used Failing would never see a server recover that gets no
// requests. A readiness probe uses OK; Alarms are for people.
func (l *Log) Health(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	_, err := l.store.Get(ctx, "health", probeID)
	backlog, behind := l.store.Backlog(ctx)
	now, clock := l.now()

	l.group.mu.Lock()
	waiting := l.group.waiting
	l.group.mu.Unlock()
	l.mu.Lock()
	h := l.stats
	h.P99 = l.commits.p99()
	l.mu.Unlock()

	h.OK = errors.Is(err, ErrNotFound) && behind == nil
	h.Queued, h.Backlog, h.Clock = waiting, backlog, clock
	if !backlog.Oldest.IsZero() {
		h.Lag = max(0, now.Sub(backlog.Oldest))
	}
	h.Alarms = h.alarms(now)
	return h
}

func (h *Health) alarms(now time.Time) (codes []string) {
	for _, a := range []struct {
		on   bool
		code string
	}{
		{!h.OK, AlarmStore},
		{h.Failing > 0, AlarmCommits},
		{h.Queued > h.Capacity/2, AlarmQueue},
		{!h.Running, AlarmRun},
		{h.OrderFailing > 0, AlarmOrder},
		{h.Lag > MaxLag, AlarmLag},
		{h.Backlog.Refused > 0, AlarmRefused},
		{h.Clock.Known && !h.Clock.Synced, AlarmUnsynced},
		{!h.LastStep.IsZero() && now.Sub(h.LastStep) < 24*time.Hour, AlarmStepped},
	} {
		if a.on {
			codes = append(codes, a.code)
		}
	}
	return codes
}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }

// appended counts one append.
func (l *Log) appended(n int, took time.Duration, err error) {
	now := l.o.Now().UTC()
	l.mu.Lock()
	s := &l.stats
	l.commits.add(took)
	switch {
	case err == nil:
		s.Recorded += uint64(n)
		s.Commits++
		s.Failing = 0
		s.LastCommit, s.Duration = now, took
	case !isConflict(err):
		s.Failures++
		s.Failing++
		s.LastFailure = now
	}
	failing := s.Failing
	l.mu.Unlock()
	if err != nil && !isConflict(err) {
		l.o.Logger.Error("audit: a commit failed",
			slog.Int("events", n), slog.Duration("took", took), slog.Uint64("failing", failing))
	}
}

// refused counts a call of Record that failed.
func (l *Log) refused() { l.count(func(s *Health) { s.Refused++ }) }

// count changes the counters.
func (l *Log) count(change func(s *Health)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.stats)
}

// durations keeps the last 1,024.
type durations struct {
	ring [1024]time.Duration
	n    int // ever added
}

func (d *durations) add(took time.Duration) {
	d.ring[d.n%len(d.ring)] = took
	d.n++
}

// p99 returns the smallest of them that at least 99 of 100 do not exceed.
func (d *durations) p99() time.Duration {
	have := slices.Clone(d.ring[:min(d.n, len(d.ring))])
	if len(have) == 0 {
		return 0
	}
	slices.Sort(have)
	return have[(len(have)*99+99)/100-1]
}
