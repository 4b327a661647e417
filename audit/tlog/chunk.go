package tlog

import (
	"context"
	"errors"
	"time"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
)

// chunk is some events of a tenant as they are read.
type chunk struct {
	tenant   audit.Tenant
	from, to int64
	gone     []audit.Span // those of them that are purged
	out      []merkle.Hash
	purges   []purgeEvent
}

// purgeEvent is what an event says may be missing.
type purgeEvent struct {
	audit.Purge
	recorded time.Time
	index    int64
}

// purgeIn returns the purge event in an entry, if it is one of this tenant.
func purgeIn(e *audit.Entry, t audit.Tenant) (purgeEvent, bool) {
	if e.Action != audit.ActionPurgeExecuted {
		return purgeEvent{}, false
	}
	ev, err := audit.Decode(e.Body)
	if err != nil || ev.Tenant != t {
		return purgeEvent{}, false
	}
	p, err := audit.PurgeOf(ev, e.Index)
	return purgeEvent{p, ev.Recorded, e.Index}, err == nil
}

// read fills out. False: the events are not what the source and gone say.
func (c *chunk) read(ctx context.Context, src Source) (bool, error) {
	gone := c.gone
	if len(gone) > 0 {
		if whole, err := c.stored(ctx, src); !whole || err != nil {
			return false, err
		}
	}
	next := c.to // the place above the one that comes
	below := func() {
		if n := len(gone); n > 0 && gone[n-1].To == next {
			next, gone = gone[n-1].From, gone[:n-1]
		}
	}
	below()
	kept := c.to - c.from - spans.Count(c.gone)
	if kept == 0 {
		return true, nil
	}
	for e, err := range src.List(ctx, audit.Filter{Tenant: c.tenant}, next, int(kept)) {
		switch {
		case errors.Is(err, audit.ErrDamaged):
			return false, nil
		case err != nil:
			return false, unavailable("reading events", err)
		case kept == 0 || e.Index != next-1:
			return false, nil
		}
		c.out[e.Index-c.from] = audit.Leaf(e.Body)
		if e.Action == audit.ActionPurgeExecuted {
			c.see(&e)
		}
		kept--
		if next--; len(gone) > 0 {
			below()
		}
	}
	return kept == 0, nil
}

// see keeps an event if it is a purge.
func (c *chunk) see(e *audit.Entry) {
	if p, ok := purgeIn(e, c.tenant); ok {
		c.purges = append(c.purges, p)
	}
}

// stored fills out with the stored hashes of what is purged.
func (c *chunk) stored(ctx context.Context, src Source) (bool, error) {
	from := c.gone[0].From
	leaves, err := leavesOf(ctx, src, c.tenant, from, c.gone[len(c.gone)-1].To)
	if errors.Is(err, ErrMissing) {
		return false, nil
	}
	for _, s := range c.gone {
		for i := s.From; i < s.To && err == nil; i++ {
			c.out[i-c.from] = leaves[i-from]
		}
	}
	return err == nil, err
}
