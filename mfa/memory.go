package mfa

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store for tests and demonstrations; it forgets everything with the process.
type Memory struct {
	mu       sync.Mutex
	rows     map[owner]Credential
	passkeys map[rowKey]PasskeyRow
	numbers  map[owner]Number
	queue    map[rowKey]queued
	windows  map[rowKey]hits
}

type owner struct {
	tenant audit.Tenant
	person audit.ActorID
}

type rowKey struct {
	tenant audit.Tenant
	id     string
}

type queued struct {
	audit.Message
	due time.Time
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		rows: map[owner]Credential{}, passkeys: map[rowKey]PasskeyRow{}, numbers: map[owner]Number{},
		queue: map[rowKey]queued{}, windows: map[rowKey]hits{},
	}
}

var _ Store = (*Memory)(nil)

// Get implements Store.
func (m *Memory) Get(ctx context.Context, t audit.Tenant, person audit.ActorID) (Credential, error) {
	if err := ctx.Err(); err != nil {
		return Credential{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.rows[owner{t, person}]
	if !ok {
		return Credential{}, ErrNotFound
	}
	return detached(c), nil
}

// detached returns a copy of c that shares no memory with it.
func detached(c Credential) Credential {
	c.Secret, c.Recovery, c.Next = slices.Clone(c.Secret), slices.Clone(c.Recovery), slices.Clone(c.Next)
	c.Handle = slices.Clone(c.Handle)
	return c
}

// Apply implements Store.
func (m *Memory) Apply(ctx context.Context, c Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := owner{c.Was.Tenant, c.Was.Person}
	have, ok := m.rows[key]
	if have.ID != c.Was.ID || have.Version != c.Version || c.Put == nil && !ok || !m.passkeysFit(c) || !m.numberFits(c.Number) {
		return ErrConflict
	}
	m.putPasskeys(c)
	m.putNumber(c.Number)
	if c.Put == nil {
		delete(m.rows, key)
		delete(m.numbers, key)
	} else {
		row := detached(*c.Put)
		row.Tenant, row.Person = c.Was.Tenant, c.Was.Person
		row.Version = c.Version + 1
		m.rows[key] = row
	}
	m.enqueue(c.Messages, c.Due)
	return nil
}

func (m *Memory) enqueue(messages []audit.Message, due time.Time) {
	for _, msg := range messages {
		msg.Body = slices.Clone(msg.Body)
		m.queue[rowKey{msg.Tenant, msg.ID}] = queued{msg, due}
	}
}

// Advance implements Store.
func (m *Memory) Advance(ctx context.Context, r Ref, step int64, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.rows[owner{r.Tenant, r.Person}]
	if !ok || c.ID != r.ID || c.Confirmed.IsZero() || !c.Locked.IsZero() || c.Step >= step {
		return false, nil
	}
	c.Step, c.Failures, c.Used = step, 0, now
	c.Version++
	m.rows[owner{r.Tenant, r.Person}] = c
	return true, nil
}

// Fail implements Store.
func (m *Memory) Fail(ctx context.Context, r Ref, limit int, now time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.rows[owner{r.Tenant, r.Person}]
	if !ok || c.ID != r.ID || !c.Locked.IsZero() {
		return 0, nil
	}
	c.Failures++
	if c.Failures >= limit {
		c.Locked = now
	}
	c.Version++
	m.rows[owner{r.Tenant, r.Person}] = c
	return c.Failures, nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Credential, error] {
	return func(yield func(Credential, error) bool) {
		for _, c := range m.after(t, after) {
			if err := ctx.Err(); err != nil {
				yield(Credential{}, err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (m *Memory) after(t audit.Tenant, after audit.ActorID) []Credential {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []Credential
	for key, c := range m.rows {
		if key.tenant == t && key.person > after {
			c.Secret, c.Recovery, c.Next, c.Handle = nil, nil, nil, nil
			rows = append(rows, c)
		}
	}
	slices.SortFunc(rows, func(a, b Credential) int { return cmp.Compare(a.Person, b.Person) })
	return rows
}

// Claim implements Store.
func (m *Memory) Claim(ctx context.Context, now, until time.Time, limit int) ([]audit.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []queued
	for _, q := range m.queue {
		if !q.due.After(now) {
			due = append(due, q)
		}
	}
	slices.SortFunc(due, func(a, b queued) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.ID, b.ID)) })
	var out []audit.Message
	for _, q := range due[:min(limit, len(due))] {
		q.Attempts++
		q.due = until
		m.queue[rowKey{q.Tenant, q.ID}] = q
		q.Body = slices.Clone(q.Body)
		out = append(out, q.Message)
	}
	return out, nil
}

// Done implements Store.
func (m *Memory) Done(ctx context.Context, t audit.Tenant, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.queue, rowKey{t, id})
	return nil
}
