package tail

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Run feeds the sink until ctx ends, and returns ctx's error. The host calls it in a goroutine of its
// own, on every server. Failures do not end it: Health shows them, each tenant is tried again after a
// pause that doubles up to Options.Backoff. It returns when the sink has returned.
//
// Error at once: ErrRunning.
func (t *Tail) Run(ctx context.Context) error {
	first := false
	t.count(func(h *Health) { first, h.Running = !h.Running, true })
	if !first {
		return ErrRunning
	}
	defer t.count(func(h *Health) { h.Running = false })
	defer t.release(context.WithoutCancel(ctx))
	for ctx.Err() == nil {
		sent, _ := t.Step(ctx) // Health has the errors
		if sent > 0 && ctx.Err() == nil {
			continue // there may be more; a tenant that fails waits by itself
		}
		timer := time.NewTimer(t.o.Interval)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return ctx.Err()
}

// release gives up this process's leases, so that another one goes on at once. What fails ends with
// the lease.
func (t *Tail) release(ctx context.Context) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	t.stepping.Lock()
	defer t.stepping.Unlock()
	for _, tenant := range t.tenants() {
		c, err := t.cursor(ctx, tenant)
		if err != nil {
			return
		}
		if c.Holder == t.o.Holder {
			c.Holder, c.Until = "", time.Time{}
			_ = t.put(ctx, &c) // the lease ends by itself
		}
	}
}

func (t *Tail) tenants() (all []audit.Tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tenant := range t.known {
		all = append(all, tenant)
	}
	return all
}
