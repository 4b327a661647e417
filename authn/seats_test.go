package authn_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// seats is an Admission with a limit.
type seats struct {
	wire  *wire
	mu    sync.Mutex
	limit int
	state map[audit.ActorID]string // reserved, held; nothing when free
	roles map[audit.ActorID]string
	until map[audit.ActorID]time.Time
}

func newSeats(w *wire) *seats {
	return &seats{wire: w, limit: 1000, state: map[audit.ActorID]string{}, roles: map[audit.ActorID]string{}, until: map[audit.ActorID]time.Time{}}
}

func (s *seats) take(p audit.ActorID, as string) error {
	if _, has := s.state[p]; !has && len(s.state) >= s.limit {
		return fmt.Errorf("%w: all %d are taken", authn.ErrNoSeat, s.limit)
	}
	s.state[p] = as
	return nil
}

func (s *seats) Reserve(ctx context.Context, _ audit.Tenant, p audit.ActorID, role string, until time.Time) error {
	if err := s.wire.call(ctx, "seats.Reserve"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if role != "" {
		s.roles[p] = role
	}
	s.until[p] = until
	return s.take(p, "reserved")
}

func (s *seats) Hold(ctx context.Context, _ audit.Tenant, p audit.ActorID) error {
	if err := s.wire.call(ctx, "seats.Hold"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take(p, "held")
}

func (s *seats) Free(ctx context.Context, _ audit.Tenant, p audit.ActorID, gone bool) error {
	if err := s.wire.call(ctx, "seats.Free"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state, p)
	if gone {
		delete(s.roles, p)
	}
	return nil
}

func (s *seats) of(p audit.ActorID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state[p]
}

func (s *seats) role(p audit.ActorID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roles[p]
}

func (s *seats) set(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
}

// devices are what somebody holds beside sessions.
type devices struct {
	wire *wire
	mu   sync.Mutex
	live map[audit.ActorID]int
}

func (d *devices) EndAll(ctx context.Context, _ audit.Tenant, p audit.ActorID, _ string) error {
	if err := d.wire.call(ctx, "devices.EndAll"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, p)
	return nil
}

func (d *devices) pair(p audit.ActorID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live[p]++
}

func (d *devices) of(p audit.ActorID) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live[p]
}
