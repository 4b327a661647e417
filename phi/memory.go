package phi

import (
	"bytes"
	"context"
	"sync"
)

// MemoryKeys is a KeyStore in memory: for tests and examples.
type MemoryKeys struct {
	mu    sync.RWMutex
	byID  map[KeyID]Key
	slots map[KeySlot][]KeyID
}

// NewMemoryKeys returns an empty store.
func NewMemoryKeys() *MemoryKeys {
	return &MemoryKeys{byID: map[KeyID]Key{}, slots: map[KeySlot][]KeyID{}}
}

// Create stores k unless its id, or its slot and epoch, is taken.
func (m *MemoryKeys) Create(ctx context.Context, k Key) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.byID[k.ID]; taken {
		return ErrKeyExists
	}
	for _, id := range m.slots[k.KeySlot] {
		if m.byID[id].Epoch == k.Epoch {
			return ErrKeyExists
		}
	}
	k.Wrapped = bytes.Clone(k.Wrapped)
	m.byID[k.ID] = k
	m.slots[k.KeySlot] = append(m.slots[k.KeySlot], k.ID)
	return nil
}

// Current returns the slot's key of the highest epoch, or ErrKeyNotFound.
func (m *MemoryKeys) Current(ctx context.Context, s KeySlot) (Key, error) {
	if err := ctx.Err(); err != nil {
		return Key{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var best Key
	for _, id := range m.slots[s] {
		if k := m.byID[id]; k.Epoch > best.Epoch {
			best = k
		}
	}
	if best.Epoch == 0 {
		return Key{}, ErrKeyNotFound
	}
	best.Wrapped = bytes.Clone(best.Wrapped)
	return best, nil
}

// Get returns those of the keys that exist.
func (m *MemoryKeys) Get(ctx context.Context, ids ...KeyID) ([]Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Key
	for _, id := range ids {
		if k, ok := m.byID[id]; ok {
			k.Wrapped = bytes.Clone(k.Wrapped)
			found = append(found, k)
		}
	}
	return found, nil
}
