package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Health asks the store for a session that does not exist. A nil error means that it
// answered.
func (m *Manager) Health(ctx context.Context) error {
	if _, err := m.get(ctx, NewToken().Key()); !errors.Is(err, ErrNotFound) {
		if err == nil {
			return fmt.Errorf("%w: the store knows what nobody created", ErrUnavailable)
		}
		return err
	}
	return nil
}

// bound gives a store call a deadline. Memory needs none, and a deadline costs more than
// it does.
func (m *Manager) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if m.local {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, m.opt.Timeout)
}

func (m *Manager) create(ctx context.Context, r Record) error {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	if err := m.store.Create(ctx, r); err != nil {
		return unavailable(err)
	}
	return nil
}

func (m *Manager) get(ctx context.Context, k Key) (Session, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	s, err := m.store.Get(ctx, k)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Session{}, unavailable(err)
	}
	return s, err
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

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
