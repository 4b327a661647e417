package phi

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
)

// MemoryKeys is a KeyStore in memory: for tests and examples.
type MemoryKeys struct {
	mu        sync.RWMutex
	byID      map[KeyID]*Key
	slots     map[KeySlot][]KeyID
	destroyed map[KeySlot]bool
	rotations []Rotation
}

// NewMemoryKeys returns an empty store.
func NewMemoryKeys() *MemoryKeys {
	return &MemoryKeys{byID: map[KeyID]*Key{}, slots: map[KeySlot][]KeyID{}, destroyed: map[KeySlot]bool{}}
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
	m.byID[k.ID] = &k
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
	best := &Key{}
	for _, id := range m.slots[s] {
		if k := m.byID[id]; k.Epoch > best.Epoch {
			best = k
		}
	}
	if best.Epoch == 0 {
		return Key{}, ErrKeyNotFound
	}
	return best.clone(), nil
}

// clone returns a copy that shares no memory with k.
func (k *Key) clone() Key {
	c := *k
	c.Wrapped = bytes.Clone(k.Wrapped)
	return c
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
			found = append(found, k.clone())
		}
	}
	return found, nil
}

func (q *KeyQuery) selects(k *Key) bool {
	return k.Namespace == q.Namespace && k.Root == q.Root && (q.Tenant == "" || k.Tenant == q.Tenant)
}

// List returns the keys that q selects, in ascending order of their ids.
func (m *MemoryKeys) List(ctx context.Context, q KeyQuery) ([]Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []*Key
	for _, k := range m.byID {
		if q.selects(k) && bytes.Compare(k.ID[:], q.After[:]) > 0 {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *Key) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	found := make([]Key, min(len(all), q.Limit))
	for i := range found {
		found[i] = all[i].clone()
	}
	return found, nil
}

// Count returns how many keys q selects.
func (m *MemoryKeys) Count(ctx context.Context, q KeyQuery) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, k := range m.byID {
		if q.selects(k) {
			n++
		}
	}
	return n, nil
}

// Rewrap changes how keys are wrapped, where they are still wrapped as the swap says.
func (m *MemoryKeys) Rewrap(ctx context.Context, swaps []KeySwap) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range swaps {
		k, ok := m.byID[s.ID]
		if !ok || !bytes.Equal(k.Wrapped, s.Old) {
			continue
		}
		k.Root, k.Wrapped = s.Root, bytes.Clone(s.Wrapped)
		n++
	}
	return n, nil
}

// Destroy removes every key of a patient.
func (m *MemoryKeys) Destroy(ctx context.Context, s KeySlot) (int, error) {
	if err := errors.Join(ctx.Err(), s.Shreddable()); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := m.slots[s]
	for _, id := range ids {
		delete(m.byID, id)
	}
	delete(m.slots, s)
	m.destroyed[s] = true
	return len(ids), nil
}

// Destroyed returns for how many patients Destroy was called.
func (m *MemoryKeys) Destroyed(ctx context.Context, namespace string) (n int, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for s := range m.destroyed {
		if s.Namespace == namespace {
			n++
		}
	}
	return n, ctx.Err()
}

// BeginRotation stores r unless another one of its lane is not finished.
func (m *MemoryKeys) BeginRotation(ctx context.Context, r Rotation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, have := range m.rotations {
		busy := have.Finished.IsZero() && have.Namespace == r.Namespace && have.Tenant == r.Tenant && have.Lane() == r.Lane()
		if busy || have.ID == r.ID {
			return ErrRotating
		}
	}
	m.rotations = append(m.rotations, r)
	return nil
}

// AdvanceRotation replaces the rotation if it is still where r.Version says.
func (m *MemoryKeys) AdvanceRotation(ctx context.Context, r Rotation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.rotations {
		have := &m.rotations[i]
		if have.ID != r.ID || have.Version != r.Version || !have.Finished.IsZero() {
			continue
		}
		have.Phase, have.Cursor, have.Done, have.Failed, have.Total = r.Phase, r.Cursor, r.Done, r.Failed, r.Total
		have.Updated, have.Finished = r.Updated, r.Finished
		have.Version++
		return nil
	}
	return ErrRotationMoved
}

// Rotation returns one rotation, or ErrNoRotation.
func (m *MemoryKeys) Rotation(ctx context.Context, namespace, id string) (Rotation, error) {
	if err := ctx.Err(); err != nil {
		return Rotation{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, r := range m.rotations {
		if r.Namespace == namespace && r.ID == id {
			return r, nil
		}
	}
	return Rotation{}, ErrNoRotation
}

// Rotations returns those that q selects, the latest first.
func (m *MemoryKeys) Rotations(ctx context.Context, q RotationQuery) ([]Rotation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := []Rotation{}
	for _, r := range m.rotations {
		if r.Namespace == q.Namespace && (q.Tenant == nil || r.Tenant == *q.Tenant) &&
			(q.Kind == "" || r.Kind == q.Kind) && (!q.Unfinished || r.Finished.IsZero()) && (q.Before == "" || r.ID < q.Before) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b Rotation) int { return strings.Compare(b.ID, a.ID) })
	return found[:min(len(found), q.Limit)], nil
}
