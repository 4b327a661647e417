package audit

import (
	"context"
	"errors"
	"time"
)

// The pace of Run.
const (
	tickFast = 50 * time.Millisecond // while events wait for their place
	tickSlow = time.Second           // while none do
)

// Run keeps the log until ctx ends, and returns ctx's error. The host calls it in a goroutine
// of its own, on every server; nothing is left behind when it returns. It gives events their
// place in the order, so that queries have less to do, watches the clock and the store, and
// records as system events in the tenant platform when it began and ended, when the clock
// loses its synchronisation or is set by more than a second, and when somebody else wrote into
// the store.
//
// A failing store does not end it: Health shows that, and what there was to record is recorded
// when the store is back. Run may return up to Options.CommitTimeout after ctx has ended; its
// error is then also ErrUnconfirmed if its end could not be recorded.
//
// Errors at once: ErrRunning; *InvalidError for a tenant that no event could have.
func (l *Log) Run(ctx context.Context, platform Tenant) error {
	w, err := l.watch(platform)
	if err != nil {
		return err
	}
	if !l.start() {
		return ErrRunning
	}
	defer l.count(func(s *Health) { s.Running = false })
	for pause := tickFast; ctx.Err() == nil; {
		w.look(ctx)
		pause = l.keepOrder(ctx, pause)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return errors.Join(ctx.Err(), w.end(ctx))
}

// start reports false if Run runs already.
func (l *Log) start() (first bool) {
	l.count(func(s *Health) { first, s.Running = !s.Running, true })
	return first
}

// keepOrder gives events their place and returns how long to wait for the next time.
func (l *Log) keepOrder(ctx context.Context, pause time.Duration) time.Duration {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	n, err := l.store.Sequence(ctx, orderBatch)
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // the end of Run, no fault of the store
		return tickSlow
	case err != nil:
		l.count(func(s *Health) { s.OrderFailing++ })
		return tickSlow
	}
	l.count(func(s *Health) { s.OrderFailing = 0 })
	switch {
	case n >= orderBatch:
		return 0
	case n > 0:
		return tickFast
	}
	return min(2*max(pause, tickFast), tickSlow)
}

// bound gives one call of the store the time of a commit, so that one that stalls does not
// keep Run from the others.
func (l *Log) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.o.CommitTimeout)
}
