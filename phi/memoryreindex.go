package phi

import (
	"context"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// RequireTerms raises the epochs that SaveTerms asks for.
func (m *MemoryTerms) RequireTerms(ctx context.Context, t audit.Tenant, floor, need byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	have := m.asked[t]
	m.asked[t] = epochs{max(have.floor, floor), max(have.need, need)}
	return nil
}

// Reindex gives rows that are behind their terms of epoch.
func (m *MemoryTerms) Reindex(ctx context.Context, t audit.Tenant, epoch byte, rows []Terms) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for _, r := range rows {
		if err := r.Check(t); err != nil {
			return 0, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := map[rowKey][]Term{}
	for _, r := range rows {
		mine := rowKey{t, r.Entity, r.Row}
		have := m.rows[mine]
		if len(have) == 0 || latest(have) >= epoch {
			continue
		}
		list := r.Of(epoch).List
		if err := m.duplicate(mine, list); err != nil {
			for k, terms := range before {
				m.rows[k] = terms
			}
			return 0, err
		}
		before[mine] = have
		if m.rows[mine] = nil; len(list) > 0 {
			m.rows[mine] = slices.Concat(have, copyTerms(list))
		}
	}
	return len(before), nil
}

// latest returns the highest epoch of terms.
func latest(terms []Term) (epoch byte) {
	for _, t := range terms {
		epoch = max(epoch, t.Epoch())
	}
	return epoch
}

// Behind returns how many rows of each entity have terms and none of epoch or a later one.
func (m *MemoryTerms) Behind(ctx context.Context, t audit.Tenant, epoch byte) (map[string]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	behind := map[string]int{}
	for k, list := range m.rows {
		if k.tenant == t && len(list) > 0 && latest(list) < epoch {
			behind[k.entity]++
		}
	}
	return behind, nil
}

// DropTerms deletes terms of epochs below this one.
func (m *MemoryTerms) DropTerms(ctx context.Context, t audit.Tenant, below byte, limit int) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, list := range m.rows {
		if k.tenant != t {
			continue
		}
		m.rows[k] = slices.DeleteFunc(list, func(term Term) bool {
			drop := n < limit && term.Epoch() < below
			if drop {
				n++
			}
			return drop
		})
	}
	return n, nil
}
