package mfa

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// detachedNumber returns a copy of n that shares no memory with it.
func detachedNumber(n Number) Number {
	n.Phone, n.Next, n.Code = slices.Clone(n.Phone), slices.Clone(n.Next), slices.Clone(n.Code)
	return n
}

// numberFits reports whether the number is as a change of it expects; nil expects nothing.
func (m *Memory) numberFits(c *NumberChange) bool {
	if c == nil {
		return true
	}
	have, ok := m.numbers[owner{c.Was.Tenant, c.Was.Person}]
	return have.ID == c.Was.ID && have.Version == c.Version && (ok || c.Put != nil)
}

func (m *Memory) putNumber(c *NumberChange) {
	if c == nil {
		return
	}
	key := owner{c.Was.Tenant, c.Was.Person}
	if c.Put == nil {
		delete(m.numbers, key)
		return
	}
	row := detachedNumber(*c.Put)
	row.Tenant, row.Person, row.Version = c.Was.Tenant, c.Was.Person, c.Version+1
	m.numbers[key] = row
}

// Number implements Store.
func (m *Memory) Number(ctx context.Context, t audit.Tenant, person audit.ActorID) (Number, error) {
	if err := ctx.Err(); err != nil {
		return Number{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.numbers[owner{t, person}]
	if !ok {
		return Number{}, ErrNotFound
	}
	return detachedNumber(n), nil
}

// ApplyNumber implements Store.
func (m *Memory) ApplyNumber(ctx context.Context, c NumberChange) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.numberFits(&c) {
		return ErrConflict
	}
	m.putNumber(&c)
	m.enqueue(c.Messages, c.Due)
	return nil
}

// TryText implements Store.
func (m *Memory) TryText(ctx context.Context, r Ref, code string, tries, failures int, now time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := owner{r.Tenant, r.Person}
	n, ok := m.numbers[key]
	if !ok || n.ID != r.ID || n.CodeID != code || !n.Locked.IsZero() ||
		!now.Before(n.Expires) || n.Tries >= tries || n.Failures >= failures {
		return 0, nil
	}
	n.Tries++
	n.Failures++
	n.Version++
	m.numbers[key] = n
	return n.Failures, nil
}

// BurnText implements Store.
func (m *Memory) BurnText(ctx context.Context, r Ref, code string, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := owner{r.Tenant, r.Person}
	n, ok := m.numbers[key]
	if !ok || n.ID != r.ID || n.CodeID != code || !n.Locked.IsZero() {
		return false, nil
	}
	n.Code, n.CodeID, n.Expires = nil, "", time.Time{}
	n.Failures, n.Used = 0, now
	n.Version++
	m.numbers[key] = n
	return true, nil
}

// Hit implements Windows, for tests and demonstrations without authn's.
func (m *Memory) Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (count int, ends time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return 0, time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := rowKey{t, key}
	w, ok := m.windows[k]
	if !ok || !now.Before(w.ends) {
		w = hits{ends: now.Add(length)}
	}
	w.count++
	m.windows[k] = w
	return w.count, w.ends, nil
}

type hits struct {
	count int
	ends  time.Time
}
