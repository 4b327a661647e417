package tail

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Health is the state of a feed in this process.
type Health struct {
	Alarms   []string // codes of what a person should look at; empty is well
	Running  bool     // Run runs in this process
	Sent     uint64   // events that the sink confirmed to this process
	LastSent time.Time
	Lag      int64 // events that wait, as of the last look
	Tenants  []Progress

	err error // of the last look at the log
}

// Progress is how far the feed has come in one tenant's order.
type Progress struct {
	Tenant  audit.Tenant
	Next    int64         // the first place not sent; -1 if not known
	Size    int64         // of the order
	Waiting time.Duration // how long something has waited
	Failing int           // failed attempts in a row
	Err     error         // why, one of the package's errors
}

// The codes of Health.Alarms.
const (
	AlarmRun        = "not_running"     // Run does not run in this process
	AlarmSource     = "log_unreadable"  // the log cannot be read
	AlarmCursors    = "cursors_failing" // the store of cursors fails
	AlarmSink       = "sink_failing"    // the sink fails
	AlarmLag        = "feed_lagging"    // something has waited longer than Options.MaxLag
	AlarmRolledBack = "log_rolled_back" // the log is behind what was sent: somebody put back or changed a database
	AlarmGap        = "log_has_a_gap"   // an event is missing or damaged and was not purged
)

// Health reports the state; it asks nobody.
func (t *Tail) Health() Health {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.stats
	alarm := func(code string, on bool) {
		if on && !slices.Contains(h.Alarms, code) {
			h.Alarms = append(h.Alarms, code)
		}
	}
	alarm(AlarmRun, !h.Running)
	alarm(alarmOf(h.err), h.err != nil)
	for tenant, p := range t.known {
		one := Progress{Tenant: tenant, Next: p.next, Size: p.size, Failing: p.failing, Err: p.err}
		h.Lag += max(0, p.size-max(0, p.next))
		if !p.behind.IsZero() {
			one.Waiting = now.Sub(p.behind)
		}
		alarm(AlarmLag, one.Waiting > t.o.MaxLag)
		alarm(alarmOf(p.err), p.err != nil)
		h.Tenants = append(h.Tenants, one)
	}
	slices.Sort(h.Alarms)
	slices.SortFunc(h.Tenants, func(a, b Progress) int { return strings.Compare(string(a.Tenant), string(b.Tenant)) })
	return h
}

func (t *Tail) count(change func(*Health)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.stats)
}

func alarmOf(err error) string {
	switch {
	case errors.Is(err, ErrRolledBack):
		return AlarmRolledBack
	case errors.Is(err, ErrGap):
		return AlarmGap
	case errors.Is(err, ErrSink):
		return AlarmSink
	case errors.Is(err, ErrSource):
		return AlarmSource
	}
	return AlarmCursors
}
