package tail

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Step sends at most one batch of each tenant and returns how many events the sink confirmed. Fewer
// than there are is no error: another process may be sending, or a failure's pause is not over. Run
// calls it; a host that has its own scheduler may, too.
//
// Errors are joined: ErrSource, ErrCursors, ErrSink, ErrRolledBack, ErrGap. One tenant's do not keep
// others from being sent.
func (t *Tail) Step(ctx context.Context) (sent int, err error) {
	t.stepping.Lock()
	defer t.stepping.Unlock()
	var all []audit.Order
	err = t.orders(ctx, func(o audit.Order) { all = append(all, o) })
	if err == nil {
		err = t.remember(ctx)
	}
	if ctx.Err() == nil {
		t.count(func(h *Health) { h.err = err })
	}
	if err != nil {
		return 0, err
	}
	var problems []error
	for _, o := range t.vanished(all) {
		if ctx.Err() != nil {
			break
		}
		n, err := t.tenant(ctx, o)
		sent += n
		problems = append(problems, err)
	}
	return sent, errors.Join(problems...)
}

// vanished adds the tenants whose order this feed knows and the log does not have any more.
func (t *Tail) vanished(all []audit.Order) []audit.Order {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tenant := range t.known {
		if !slices.ContainsFunc(all, func(o audit.Order) bool { return o.Tenant == tenant }) {
			all = append(all, audit.Order{Tenant: tenant})
		}
	}
	return all
}

// remember reads once which tenants' events the feed has sent, by whatever process.
func (t *Tail) remember(ctx context.Context) error {
	if t.remembered {
		return nil
	}
	ctx, cancel := t.bound(ctx)
	defer cancel()
	for c, err := range t.cursors.All(ctx, t.feed) {
		if err != nil {
			return because(ErrCursors, err)
		}
		if t.follows(c.Tenant) {
			t.mu.Lock()
			t.progress(c.Tenant)
			t.mu.Unlock()
		}
	}
	t.remembered = true
	return nil
}

func (t *Tail) follows(tenant audit.Tenant) bool {
	return len(t.o.Tenants) == 0 || slices.Contains(t.o.Tenants, tenant)
}

// progress returns what is known of a tenant; t.mu is held.
func (t *Tail) progress(tenant audit.Tenant) *progress {
	p := t.known[tenant]
	if p == nil {
		p = &progress{next: -1}
		t.known[tenant] = p
	}
	return p
}

// orders calls f for the order of each tenant that is followed.
func (t *Tail) orders(ctx context.Context, f func(audit.Order)) error {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	for o, err := range t.src.Orders(ctx) {
		if err != nil {
			return because(ErrSource, err)
		}
		if t.follows(o.Tenant) {
			f(o)
		}
	}
	return nil
}

// tenant sends a batch of one tenant if there is anything to send, and keeps its progress.
func (t *Tail) tenant(ctx context.Context, o audit.Order) (sent int, err error) {
	now := t.now()
	t.mu.Lock()
	p := t.progress(o.Tenant)
	p.size = o.Size
	if p.next != o.Size && p.behind.IsZero() {
		p.behind = now // also where what follows never returns
	}
	quiet := p.err == nil && p.next == o.Size || now.Before(p.again)
	t.mu.Unlock()
	if quiet {
		return 0, nil
	}
	next, sent, err := t.send(ctx, o)
	if ctx.Err() != nil && err != nil {
		return sent, nil // the end of Run, no fault of anybody
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.learn(next, t.now(), err, &t.o)
	t.stats.Sent += uint64(sent)
	if sent > 0 {
		t.stats.LastSent = t.now()
	}
	if err != nil {
		t.o.Logger.WarnContext(ctx, "audit feed", "feed", t.feed, "error", err.Error())
	}
	return sent, err
}

// learn keeps the end of a step.
func (p *progress) learn(next int64, now time.Time, err error, o *Options) {
	if next >= 0 {
		p.next = next
	}
	switch {
	case p.next == p.size:
		p.behind = time.Time{}
	case p.behind.IsZero():
		p.behind = now
	}
	p.err = err
	if err == nil {
		p.failing, p.again = 0, time.Time{}
		return
	}
	pause := o.Backoff
	if p.failing < 30 {
		pause = min(pause, o.Interval<<p.failing)
	}
	p.failing++
	p.again = now.Add(pause)
}

// send sends one batch. It returns where the feed is now, -1 if it does not know.
func (t *Tail) send(ctx context.Context, o audit.Order) (next int64, sent int, err error) {
	c, err := t.cursor(ctx, o.Tenant)
	if err != nil {
		return -1, 0, err
	}
	if err := t.sameLog(ctx, &c, o.Size); err != nil || c.Next == o.Size {
		return c.Next, 0, err
	}
	if mine, err := t.hold(ctx, &c); err != nil || !mine {
		return c.Next, 0, err
	}
	b, err := t.next(ctx, o.Tenant, c.Next, o.Size)
	if err != nil {
		return c.Next, 0, err
	}
	if len(b.Entries) > 0 {
		if err := t.deliver(ctx, b); err != nil {
			return c.Next, 0, because(ErrSink, err)
		}
	}
	was := c.Next
	c.Next, c.Until = b.To, t.now().Add(t.lease())
	if c.Last, err = t.leafOf(ctx, &b); err != nil {
		return was, 0, err
	}
	switch err := t.put(ctx, &c); {
	case errors.Is(err, ErrConflict): // somebody took over, and sends it again
		return was, 0, nil
	case err != nil:
		return was, 0, err
	}
	return c.Next, len(b.Entries), nil
}

// sameLog finds out whether the log is the one that was sent: not shorter, and with the same event
// at the last place that was.
func (t *Tail) sameLog(ctx context.Context, c *Cursor, size int64) error {
	if c.Next > size {
		// Another process may have sent what was recorded after we looked.
		now, err := t.sizeOf(ctx, c.Tenant)
		if err != nil {
			return err
		}
		if c.Next > now {
			return ErrRolledBack
		}
	}
	if c.Next == 0 {
		return nil
	}
	leaf, err := t.leaf(ctx, c.Tenant, c.Next-1)
	if err != nil {
		return err
	}
	if leaf != c.Last {
		return ErrRolledBack
	}
	return nil
}

// hold takes the lease, or prolongs it where less than two thirds are left, so that a read and a
// Send fit into it. It reports false if another process has it.
func (t *Tail) hold(ctx context.Context, c *Cursor) (mine bool, err error) {
	now := t.now()
	if c.Holder != t.o.Holder && now.Before(c.Until) {
		return false, nil
	}
	if c.Holder == t.o.Holder && c.Until.Sub(now) >= 2*t.o.Timeout {
		return true, nil
	}
	c.Holder, c.Until = t.o.Holder, now.Add(t.lease())
	err = t.put(ctx, c)
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// deliver calls the sink. One that panics has failed.
func (t *Tail) deliver(ctx context.Context, b Batch) (err error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = errPanic(v)
		}
	}()
	return t.sink.Send(ctx, b)
}
