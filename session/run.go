package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	purgeEvery = time.Minute
	purgeBatch = 500
	purgeKeep  = 24 * time.Hour // after its end, so that its person is told that it is over
)

// Run deletes sessions and confirmations that have long been over, every minute until ctx
// ends, and returns ctx's error. The host calls it in a goroutine of its own on at least one
// server; nothing is left behind when it returns. A store that fails does not end it.
func (m *Manager) Run(ctx context.Context) error {
	m.running.Add(1)
	defer m.running.Add(-1)
	for ctx.Err() == nil {
		if _, err := m.Purge(ctx); err != nil && ctx.Err() == nil {
			m.opt.Logger.WarnContext(ctx, "session: sessions that are over could not be deleted")
		}
		timer := time.NewTimer(purgeEvery)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return ctx.Err()
}

// Purge is one round of Run, for hosts with a scheduler of their own: it deletes what was
// over 24 hours ago, 500 rows at a time, and returns how many it deleted.
func (m *Manager) Purge(ctx context.Context) (n int, err error) {
	before := m.clock.now().Add(-purgeKeep)
	for {
		batch, err := m.purge(ctx, before)
		if n += batch; err != nil || batch < purgeBatch {
			return n, err
		}
	}
}

// Health asks the store for a session that does not exist. A nil error means that it
// answered, and that Run runs in this process; ErrNotRunning, that it answered and Run does
// not: requests are served all the same.
func (m *Manager) Health(ctx context.Context) error {
	if _, err := m.get(ctx, NewToken().Key()); !errors.Is(err, ErrNotFound) {
		if err == nil {
			return fmt.Errorf("%w: the store knows what nobody created", ErrUnavailable)
		}
		return err
	}
	if m.running.Load() == 0 {
		return ErrNotRunning
	}
	return nil
}
