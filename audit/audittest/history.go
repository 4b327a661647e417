package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// history is what the callers of a store under attack know: which calls were acknowledged,
// when they began and ended, and every place that anybody was told.
type history struct {
	mu     sync.Mutex
	clock  int
	calls  []*call
	places map[row]int64
	owners map[place]string
}

type row struct {
	tenant audit.Tenant
	id     string
}

type place struct {
	tenant audit.Tenant
	index  int64
}

// call is one acknowledged Append. Its times are ticks of the history's clock.
type call struct {
	begin, end int
	entries    []audit.Entry
}

func newHistory() *history {
	return &history{places: map[row]int64{}, owners: map[place]string{}}
}

// tick returns a number that is higher than each one before.
func (h *history) tick() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	return h.clock
}

// acknowledge notes a call that began at a tick and has ended now.
func (h *history) acknowledge(begin int, entries []audit.Entry) {
	end := h.tick()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, &call{begin, end, entries})
}

// latest returns the entries of the call that was acknowledged last.
func (h *history) latest() []audit.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.calls) == 0 {
		return nil
	}
	return h.calls[len(h.calls)-1].entries
}

// saw notes a place. Two events at one place, or one event at two, are a fork.
func (h *history) saw(tenant audit.Tenant, id string, index int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old, ok := h.places[row{tenant, id}]; ok && old != index {
		return fmt.Errorf("an event at place %d is at place %d now", old, index)
	}
	if old, ok := h.owners[place{tenant, index}]; ok && old != id {
		return fmt.Errorf("place %d was given to two events", index)
	}
	h.places[row{tenant, id}] = index
	h.owners[place{tenant, index}] = id
	return nil
}

// walk reads what a filter finds page by page, the newest first. The filter has to match all
// entries of its tenant: then each place follows the one before, down to 0.
func (h *history) walk(ctx context.Context, s audit.Store, f audit.Filter, size int) ([]audit.Entry, error) {
	var list []audit.Entry
	for below := audit.Newest; ; {
		some, err := page(ctx, s, f, below, size)
		if err != nil {
			return nil, err
		}
		for _, e := range some {
			if below != audit.Newest && e.Index != below-1 {
				return nil, fmt.Errorf("place %d follows place %d in a list of everything", e.Index, below)
			}
			if err := h.saw(e.Tenant, e.ID, e.Index); err != nil {
				return nil, err
			}
			below = e.Index
		}
		list = append(list, some...)
		switch {
		case len(some) == size:
		case below != 0 && below != audit.Newest:
			return nil, fmt.Errorf("a list of everything ends at place %d", below)
		default:
			return list, nil
		}
	}
}

// settle places what waits and compares all of a tenant with the history: every acknowledged
// event is there once and as it was given, nothing else is, and who came before comes before.
func (h *history) settle(ctx context.Context, s audit.Store, t audit.Tenant) error {
	if err := drain(ctx, s); err != nil {
		return err
	}
	list, err := h.walk(ctx, s, audit.Filter{Tenant: t}, 97)
	if err != nil {
		return err
	}
	want := map[string]audit.Entry{}
	for _, c := range h.calls {
		for _, e := range c.entries {
			if e.Tenant == t {
				want[e.ID] = e
			}
		}
	}
	for _, e := range list {
		w, ok := want[e.ID]
		if !ok {
			return errors.New("an event is there that nobody appended")
		}
		if !bytes.Equal(e.Body, w.Body) {
			return errors.New("an event is not the one that was acknowledged")
		}
	}
	if len(list) != len(want) {
		return fmt.Errorf("%d events were acknowledged and %d are there", len(want), len(list))
	}
	return h.ordered(t)
}

// ordered compares the places of a tenant with the times of the calls. An event that was
// durable before another call began has the lower place; an event that was appended several
// times counts from the first time on.
func (h *history) ordered(t audit.Tenant) error {
	first := map[string]call{}
	for _, c := range h.calls {
		for _, e := range c.entries {
			if e.Tenant != t {
				continue
			}
			old, ok := first[e.ID]
			if !ok {
				old = *c
			}
			first[e.ID] = call{begin: min(old.begin, c.begin), end: min(old.end, c.end)}
		}
	}
	ids := make([]string, 0, len(first))
	for id := range first {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return int(h.places[row{t, a}] - h.places[row{t, b}]) })
	latest := 0 // the latest begin so far
	for _, id := range ids {
		if first[id].end < latest {
			return fmt.Errorf("place %d was given to an event that was durable before one at a lower place was appended", h.places[row{t, id}])
		}
		latest = max(latest, first[id].begin)
	}
	return nil
}
