package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// bound gives a store call a deadline. Memory needs none, and a deadline costs more than
// it does.
func (m *Manager) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if m.local {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, m.opt.Timeout)
}

func (m *Manager) create(ctx context.Context, r Record, limit int) (evicted []string, err error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	evicted, err = m.store.Create(ctx, r, limit)
	if err != nil {
		return nil, unavailable(err)
	}
	return evicted, nil
}

func (m *Manager) get(ctx context.Context, k Key) (Found, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	f, err := m.store.Get(ctx, k)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Found{}, unavailable(err)
	}
	return f, err
}

// token makes a token for the person, with the tag that the store places their rows by.
func (m *Manager) token(ctx context.Context, t audit.Tenant, person audit.ActorID) (Token, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	route, err := m.store.Route(ctx, t, person)
	if err != nil {
		return Token{}, unavailable(err)
	}
	return newToken(route), nil
}

func (m *Manager) touch(ctx context.Context, k Key, seen, idle time.Time) (bool, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	live, err := m.store.Touch(ctx, k, seen, idle)
	if err != nil {
		return false, unavailable(err)
	}
	return live, nil
}

func (m *Manager) revoke(ctx context.Context, which Selection, reason string) (int, error) {
	ctx, cancel := m.bound(context.WithoutCancel(ctx)) // a closed tab is no reason to stay open
	defer cancel()
	n, err := m.store.Revoke(ctx, which, m.clock.now(), reason)
	if err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}

func (m *Manager) swap(ctx context.Context, old Key, next Record, until time.Time) error {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	err := m.store.Rotate(ctx, old, next, until)
	if err != nil && !errors.Is(err, ErrConflict) {
		return unavailable(err)
	}
	return err
}

func (m *Manager) lock(ctx context.Context, which Selection) (int, error) {
	ctx, cancel := m.bound(context.WithoutCancel(ctx)) // a closed tab is no reason to stay open
	defer cancel()
	n, err := m.store.Lock(ctx, which, m.clock.now())
	if err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}

func (m *Manager) put(ctx context.Context, p Proof) error {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	if err := m.store.Put(ctx, p); err != nil {
		return unavailable(err)
	}
	return nil
}

func (m *Manager) consume(ctx context.Context, t audit.Tenant, k Key, now time.Time) (bool, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	ok, err := m.store.Consume(ctx, t, k, now)
	if err != nil {
		return false, unavailable(err)
	}
	return ok, nil
}

func (m *Manager) save(ctx context.Context, t audit.Tenant, p Policy) error {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	err := m.store.SavePolicy(ctx, t, p)
	if err != nil && !errors.Is(err, ErrConflict) {
		return unavailable(err)
	}
	return err
}

func (m *Manager) purge(ctx context.Context, before time.Time) (int, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	n, err := m.store.Purge(ctx, before, purgeBatch)
	if err != nil {
		return n, unavailable(err)
	}
	return n, nil
}

// allowed asks the host whether the session may be used from the address.
func (m *Manager) allowed(ctx context.Context, s *Session, from netip.Addr) (bool, error) {
	if m.opt.Network == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.opt.Timeout)
	defer cancel()
	ok, err := m.opt.Network.Allowed(ctx, s.Tenant, s.Kind, from)
	if err != nil {
		return false, unavailable(err)
	}
	return ok, nil
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
