package audit

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends at a time. Unlike context.WithDeadline it costs a timer only
// where somebody waits for it, and most commits are over before that.
type deadline struct {
	parent context.Context
	at     time.Time

	mu     sync.Mutex
	timer  context.Context // made by the first Done
	cancel context.CancelFunc
}

func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer == nil {
		d.timer, d.cancel = context.WithDeadline(d.parent, d.at)
	}
	return d.timer.Done()
}

func (d *deadline) Err() error {
	if ctx := d.current(); ctx != d.parent {
		return ctx.Err()
	}
	if err := d.parent.Err(); err != nil || time.Now().Before(d.at) {
		return err
	}
	return context.DeadlineExceeded
}

// Value asks the timer where there is one, so that package context knows it for its own.
func (d *deadline) Value(key any) any { return d.current().Value(key) }

func (d *deadline) current() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		return d.timer
	}
	return d.parent
}

// stop frees the timer.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancel != nil {
		d.cancel()
	}
}
