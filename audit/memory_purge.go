package audit

import (
	"bytes"
	"cmp"
	"context"
	"slices"
)

var _ Purger = (*Memory)(nil)

// Purge implements Purger.
func (m *Memory) Purge(ctx context.Context, tenant Tenant, spans []Span) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenants[tenant]
	for _, s := range spans {
		if t == nil || s.From < 0 || s.To > int64(len(t.list)) {
			return ErrNotFound
		}
	}
	for _, s := range spans {
		t.purge(s)
	}
	return nil
}

// purge puts entries that are only places into a span, so that nothing else is left in memory.
func (t *memoryTenant) purge(s Span) {
	for i := s.From; i < s.To; i++ {
		old := t.list[i]
		left := &Entry{Index: old.Index, Tenant: old.Tenant, ID: old.ID, Recorded: old.Recorded, Leaf: old.Leaf}
		t.list[i], t.byID[left.ID] = left, left
	}
	// Spans that it meets become one with it.
	from := t.firstGone(s.From - 1)
	to := from
	for ; to < len(t.gone) && t.gone[to].From <= s.To; to++ {
		s.From, s.To = min(s.From, t.gone[to].From), max(s.To, t.gone[to].To)
	}
	t.gone = slices.Replace(t.gone, from, to, s)
}

// firstGone is the first purged span that ends above a place.
func (t *memoryTenant) firstGone(place int64) int {
	at, _ := slices.BinarySearchFunc(t.gone, place+1, func(s Span, end int64) int { return cmp.Compare(s.To, end) })
	return at
}

// Purged implements Purger.
func (m *Memory) Purged(ctx context.Context, tenant Tenant, from, to int64) ([]Span, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.tenants[tenant]
	if t == nil {
		return nil, nil
	}
	var out []Span
	for _, s := range t.gone[t.firstGone(from):] {
		if s = (Span{max(s.From, from), min(s.To, to)}); s.From >= s.To {
			break
		}
		out = append(out, s)
	}
	return out, nil
}

// purged reports whether of e nothing is left but its place.
func (e *Entry) purged() bool { return e.Body == nil }

// says reports whether body is the stored one; of a purged entry its leaf knows.
func (e *Entry) says(body []byte) bool {
	if e.purged() {
		return e.Leaf == Leaf(body)
	}
	return bytes.Equal(e.Body, body)
}
