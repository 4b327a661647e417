package authn

import "sync/atomic"

// running knows whether Run runs in this process, and wakes it.
type running struct {
	n    atomic.Int64
	wake chan struct{} // one place
}

func newRunning() *running { return &running{wake: make(chan struct{}, 1)} }

// enter counts a Run until leave is called.
func (r *running) enter() (leave func()) {
	r.n.Add(1)
	return func() { r.n.Add(-1) }
}

func (r *running) count() int64 { return r.n.Load() }

// nudge wakes a Run, now or when it next waits.
func (r *running) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *running) nudged() <-chan struct{} { return r.wake }
