package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Health is the state of a Log. Counters start with the Log.
type Health struct {
	OK       bool // the store answered a read just now
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
}

// probeID is the nil UUID (RFC 9562, section 5.9), which no event has.
const probeID = "00000000-0000-0000-0000-000000000000"

// Health asks the store for an event that does not exist and reports the state. OK says
// nothing about writing, which only an event could prove: look at Failing too. A readiness
// probe uses OK; one that also used Failing would never see a server recover that gets no
// requests.
func (l *Log) Health(ctx context.Context) Health {
	_, err := l.store.Get(ctx, "health", probeID)
	l.group.mu.Lock()
	waiting := l.group.waiting
	l.group.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.stats
	h.OK = errors.Is(err, ErrNotFound)
	h.Queued = waiting
	return h
}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }

// appended counts one append.
func (l *Log) appended(n int, took time.Duration, err error) {
	now := l.o.Now().UTC()
	l.mu.Lock()
	s := &l.stats
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
func (l *Log) refused(error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Refused++
}
