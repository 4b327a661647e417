package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// What Memory keeps beside sessions.
type (
	proofs struct {
		mu    sync.Mutex
		until map[proofKey]time.Time
	}
	proofKey struct {
		tenant audit.Tenant
		hash   [32]byte
	}
	policies struct {
		mu    sync.RWMutex
		saved map[audit.Tenant]*Policy // never written to once they are here
	}
)

// Put implements Store.
func (m *Memory) Put(ctx context.Context, p Proof) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.proofs.mu.Lock()
	defer m.proofs.mu.Unlock()
	m.proofs.until[proofKey{p.Tenant, p.Key.Hash}] = p.Until
	return nil
}

// Consume implements Store.
func (m *Memory) Consume(ctx context.Context, t audit.Tenant, k Key, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.proofs.mu.Lock()
	defer m.proofs.mu.Unlock()
	key := proofKey{t, k.Hash}
	until, ok := m.proofs.until[key]
	delete(m.proofs.until, key)
	return ok && until.After(now), nil
}

// GetPolicy implements Store.
func (m *Memory) GetPolicy(ctx context.Context, t audit.Tenant) (*Policy, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := m.policies.get(t)
	if p == nil {
		return nil, fmt.Errorf("memory: %w", ErrNotFound)
	}
	return p, nil
}

// SavePolicy implements Store.
func (m *Memory) SavePolicy(ctx context.Context, t audit.Tenant, p Policy) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.policies.mu.Lock()
	defer m.policies.mu.Unlock()
	var version int64
	if saved := m.policies.saved[t]; saved != nil {
		version = saved.Version
	}
	if p.Version != version+1 {
		return fmt.Errorf("memory: %w", ErrConflict)
	}
	p = p.Clone()
	m.policies.saved[t] = &p
	return nil
}

// get returns the tenant's policy, nil without one.
func (p *policies) get(t audit.Tenant) *Policy {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.saved[t]
}
