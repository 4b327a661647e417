package tlog

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store that keeps trees in this process, for tests and demonstrations.
type Memory struct {
	mu     sync.RWMutex
	signed Signed
	heads  []Head
	tiles  map[tileKey][]byte
}

type tileKey struct {
	tenant audit.Tenant
	level  int
	n      int64
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{tiles: map[tileKey][]byte{}} }

// Latest implements Store.
func (m *Memory) Latest(ctx context.Context) (Signed, error) {
	if err := ctx.Err(); err != nil {
		return Signed{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Signed{m.signed.Size, bytes.Clone(m.signed.Note)}, nil
}

// Commit implements Store.
func (m *Memory) Commit(ctx context.Context, c Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.signed.Size != c.Was {
		return ErrConflict
	}
	m.heads = append(m.heads, c.Heads...)
	for _, t := range c.Tiles {
		m.tiles[tileKey{t.Tenant, t.Level, t.N}] = bytes.Clone(t.Data)
	}
	m.signed = Signed{c.Signed.Size, bytes.Clone(c.Signed.Note)}
	return nil
}

// Tiles implements Store.
func (m *Memory) Tiles(ctx context.Context, tenant audit.Tenant, ask []Tile) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([][]byte, len(ask))
	for i, t := range ask {
		out[i] = bytes.Clone(m.tiles[tileKey{tenant, t.Level, t.N}])
	}
	return out, nil
}

// Heads implements Store.
func (m *Memory) Heads(ctx context.Context, from int64) iter.Seq2[Head, error] {
	return m.list(ctx, from, func(Head) bool { return true })
}

// HeadsOf implements Store.
func (m *Memory) HeadsOf(ctx context.Context, tenant audit.Tenant, from int64) iter.Seq2[Head, error] {
	return m.list(ctx, from, func(h Head) bool { return h.Tenant == tenant })
}

func (m *Memory) list(ctx context.Context, from int64, wanted func(Head) bool) iter.Seq2[Head, error] {
	return func(yield func(Head, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Head{}, err)
			return
		}
		m.mu.RLock()
		all := slices.Clone(m.heads[min(max(from, 0), int64(len(m.heads))):])
		m.mu.RUnlock()
		for _, h := range all {
			if wanted(h) && !yield(h, nil) {
				return
			}
		}
	}
}
