package phi

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// MemoryTerms is an IndexStore in memory: for tests and examples.
type MemoryTerms struct {
	mu    sync.RWMutex
	rows  map[rowKey][]Term
	asked map[audit.Tenant]epochs
}

// epochs are what RequireTerms has set.
type epochs struct{ floor, need byte }

type rowKey struct {
	tenant      audit.Tenant
	entity, row string
}

// NewMemoryTerms returns an empty store.
func NewMemoryTerms() *MemoryTerms {
	return &MemoryTerms{rows: map[rowKey][]Term{}, asked: map[audit.Tenant]epochs{}}
}

// SaveTerms replaces the terms of the row.
func (m *MemoryTerms) SaveTerms(ctx context.Context, t audit.Tenant, terms Terms) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := terms.Check(t); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := terms.CheckEpochs(m.asked[t].floor, m.asked[t].need); err != nil {
		return err
	}
	mine := rowKey{t, terms.Entity, terms.Row}
	if err := m.duplicate(mine, terms.List); err != nil {
		return err
	}
	m.rows[mine] = copyTerms(terms.List)
	return nil
}

func (m *MemoryTerms) duplicate(mine rowKey, list []Term) error {
	for _, term := range list {
		if term.Unique && m.taken(mine, term) {
			return &DuplicateError{term.Field}
		}
	}
	return nil
}

func copyTerms(terms []Term) []Term {
	list := slices.Clone(terms)
	for i := range list {
		list[i].Value = bytes.Clone(list[i].Value)
	}
	return list
}

func (m *MemoryTerms) taken(mine rowKey, term Term) bool {
	for k, list := range m.rows {
		if k.tenant == mine.tenant && k.entity == mine.entity && k.row != mine.row &&
			slices.ContainsFunc(list, func(t Term) bool {
				return t.Unique && t.Field == term.Field && bytes.Equal(t.Value, term.Value)
			}) {
			return true
		}
	}
	return false
}

// DeleteTerms removes every term of the row.
func (m *MemoryTerms) DeleteTerms(ctx context.Context, t audit.Tenant, entity, row string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, rowKey{t, entity, row})
	return nil
}

// Lookup returns the ids of the rows that match.
func (m *MemoryTerms) Lookup(ctx context.Context, t audit.Tenant, q Query) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := map[string]bool{}
	for k, list := range m.rows {
		if k.tenant == t && k.entity == q.Entity && slices.ContainsFunc(list, q.matches) {
			found[k.row] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func (q Query) matches(t Term) bool {
	return t.Field == q.Field && t.Unique == q.Unique &&
		slices.ContainsFunc(q.Terms, func(v []byte) bool { return bytes.Equal(v, t.Value) })
}
