package audit

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxBatch is how many events one commit holds at most.
const maxBatch = 512

// group is a leader–follower group commit: while one caller's commit runs, the others queue;
// the first of them then leads the next commit, with everything that has queued until then.
// There is no goroutine and no waiting for company, so a lone caller pays for nothing.
type group struct {
	mu      sync.Mutex
	queue   []*call
	spare   []*call // empty, the room of an earlier batch
	waiting int     // events in the queue
	leading bool    // somebody commits, or was told to
}

// call is one caller's share of a commit, all or nothing.
type call struct {
	entries []Entry
	wake    chan callState // nil for who leads at once; tells who waits that it leads, or is done
	state   callState
	err     error
}

type callState uint8

const (
	queued callState = iota
	leading
	taken // by a leader: in a commit that runs, or done
)

// commit makes the call's entries durable together with those of other callers.
func (l *Log) commit(ctx context.Context, c *call) error {
	if err := ctx.Err(); err != nil {
		return because(ErrUnconfirmed, err)
	}
	if err := l.group.join(c, l.o.MaxQueue); err != nil {
		return err
	}
	state := leading
	if c.wake != nil {
		select {
		case state = <-c.wake:
		case <-ctx.Done():
			l.group.leave(c)
			return because(ErrUnconfirmed, ctx.Err())
		}
	}
	if state == leading {
		l.lead(ctx)
	}
	return c.err
}

// join queues c; the first in an idle group leads at once.
func (g *group) join(c *call, limit int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	// What runs already does not count, so that a call that fits an idle log always fits.
	if g.waiting > 0 && g.waiting+len(c.entries) > limit {
		return ErrBusy
	}
	g.queue = append(g.queue, c)
	g.waiting += len(c.entries)
	if !g.leading {
		g.promote()
	} else {
		c.wake = make(chan callState, 2) // leading and done; nobody who sends may wait
	}
	return nil
}

// promote tells the first caller of the queue to lead. The caller holds the lock.
func (g *group) promote() {
	g.leading = len(g.queue) > 0
	if g.leading {
		g.queue[0].state = leading
		g.queue[0].tell()
	}
}

// tell wakes whoever waits for c and says how it stands. The caller holds the lock.
func (c *call) tell() {
	if c.wake != nil {
		c.wake <- c.state
	}
}

// leave takes a caller whose context has ended out of the queue, and lets the next in line
// lead if it was told to. A call in a running commit stays there; nobody waits for it.
func (g *group) leave(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.state == taken {
		return
	}
	g.queue = slices.DeleteFunc(g.queue, func(o *call) bool { return o == c })
	g.waiting -= len(c.entries)
	if c.state == leading {
		g.promote()
	}
}

// take removes the next batch from the queue; it starts with the leader's own call.
func (g *group) take() []*call {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for n < len(g.queue) && (n == 0 || size+len(g.queue[n].entries) <= maxBatch) {
		size += len(g.queue[n].entries)
		g.queue[n].state = taken
		n++
	}
	batch := g.queue[:n:n]
	g.queue = append(g.spare, g.queue[n:]...)
	g.spare = nil
	g.waiting -= size
	return batch
}

// finish tells each caller of the batch its result and hands the lead to the next in line.
func (g *group) finish(batch []*call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range batch {
		c.tell()
	}
	clear(batch)
	g.spare = batch[:0]
	g.promote()
}

// lead commits one batch, the one that holds the leader's own call, and hands over, whatever
// becomes of the leader: until the store has answered, nothing is confirmed.
func (l *Log) lead(ctx context.Context) {
	batch := l.group.take()
	for _, c := range batch {
		c.err = ErrUnconfirmed
	}
	defer l.group.finish(batch)
	l.write(ctx, batch)
}

// write appends the batch. If that fails, each call of it is appended alone, so that one
// event that a store cannot take does not sink the others; the time for all of it is bounded.
// Only a lone caller's context counts: a leader that goes away must not cancel the others.
func (l *Log) write(ctx context.Context, batch []*call) {
	if len(batch) > 1 {
		ctx = context.Background()
	}
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > l.o.CommitTimeout {
		d := &deadline{parent: ctx, at: time.Now().Add(l.o.CommitTimeout)}
		defer d.stop()
		ctx = d
	}
	if len(batch) == 1 {
		batch[0].err = l.append(ctx, batch[0].entries)
		return
	}
	size := 0
	for _, c := range batch {
		size += len(c.entries)
	}
	all := make([]Entry, 0, size)
	for _, c := range batch {
		all = append(all, c.entries...)
	}
	err := l.append(ctx, all)
	for _, c := range batch {
		c.err = err
		if err != nil && ctx.Err() == nil {
			c.err = l.append(ctx, c.entries)
		}
	}
}

// append asks the store once and keeps count.
func (l *Log) append(ctx context.Context, entries []Entry) error {
	start := time.Now() // monotonic, for the duration only
	err := l.store.Append(ctx, entries)
	l.appended(len(entries), time.Since(start), err)
	switch {
	case err == nil:
		return nil
	case isConflict(err):
		return ErrConflict
	}
	return because(ErrUnconfirmed, err)
}
