package authn

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// PutTicket implements Tickets.
func (m *Memory) PutTicket(ctx context.Context, tk Ticket) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.tickets[string(tk.Hash)]; ok {
		return ErrExists
	}
	m.tickets[string(tk.Hash)] = cloneTicket(tk)
	return nil
}

// Ticket implements Tickets.
func (m *Memory) Ticket(ctx context.Context, hash []byte, now time.Time) (Ticket, error) {
	if err := m.enter(ctx); err != nil {
		return Ticket{}, err
	}
	defer m.mu.Unlock()
	tk, ok := m.tickets[string(hash)]
	if !ok || !now.Before(tk.Expires) {
		return Ticket{}, ErrTicket
	}
	return cloneTicket(tk), nil
}

// TakeTicket implements Tickets.
func (m *Memory) TakeTicket(ctx context.Context, hash []byte, now time.Time) (Ticket, error) {
	if err := m.enter(ctx); err != nil {
		return Ticket{}, err
	}
	defer m.mu.Unlock()
	tk, ok := m.tickets[string(hash)]
	if !ok || !now.Before(tk.Expires) {
		return Ticket{}, ErrTicket
	}
	delete(m.tickets, string(hash))
	return tk, nil
}

func cloneTicket(tk Ticket) Ticket {
	tk.Hash = bytes.Clone(tk.Hash)
	tk.State = slices.Clone(tk.State)
	return tk
}

// Hit implements Windows.
func (m *Memory) Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (int, time.Time, error) {
	if err := m.enter(ctx); err != nil {
		return 0, time.Time{}, err
	}
	defer m.mu.Unlock()
	k := windowKey{t, key}
	w := m.windows[k]
	if !now.Before(w.ends) {
		w = window{ends: now.Add(length)}
	}
	w.count++
	m.windows[k] = w
	return w.count, w.ends, nil
}

// Claim implements Outbox.
func (m *Memory) Claim(ctx context.Context, now, until time.Time, n int) ([]audit.Message, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	all := slices.SortedFunc(maps.Values(m.messages), func(a, b queued) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	var due []audit.Message
	for _, q := range all {
		if len(due) == n || now.Before(q.due) {
			continue
		}
		q.due = until
		m.messages[messageKey{q.Tenant, q.ID}] = q
		q.Body = bytes.Clone(q.Body)
		due = append(due, q.Message)
	}
	return due, nil
}

// Delivered implements Outbox.
func (m *Memory) Delivered(ctx context.Context, t audit.Tenant, id string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.messages, messageKey{t, id})
	return nil
}

// Failed implements Outbox.
func (m *Memory) Failed(ctx context.Context, t audit.Tenant, id string, next time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	k := messageKey{t, id}
	if q, ok := m.messages[k]; ok {
		q.Attempts++
		q.due = next
		m.messages[k] = q
	}
	return nil
}

// Oldest implements Outbox.
func (m *Memory) Oldest(ctx context.Context) (time.Time, error) {
	if err := m.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer m.mu.Unlock()
	var oldest time.Time
	for _, q := range m.messages {
		if oldest.IsZero() || q.Created.Before(oldest) {
			oldest = q.Created
		}
	}
	return oldest, nil
}

// Sweep implements Tickets.
func (m *Memory) Sweep(ctx context.Context, now time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	old := now.Add(-Remember)
	maps.DeleteFunc(m.tickets, func(_ string, tk Ticket) bool { return !now.Before(tk.Expires) })
	maps.DeleteFunc(m.windows, func(_ windowKey, w window) bool { return !now.Before(w.ends) })
	maps.DeleteFunc(m.links, func(_ string, l Link) bool { return !l.Expires.After(old) })
	maps.DeleteFunc(m.devices, func(_ deviceKey, d Device) bool { return !d.lives(now) })
	for k, at := range m.charged {
		if _, real := m.people[k.personKey]; !real && !at.After(old) {
			delete(m.rows, k)
			delete(m.charged, k)
		}
	}
	return nil
}

var _ Store = (*Memory)(nil)
