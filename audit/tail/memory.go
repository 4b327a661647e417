package tail

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Cursors that keeps cursors in this process, for tests and demonstrations: a feed
// begins anew with every start.
type Memory struct {
	mu  sync.Mutex
	all map[key]Cursor
}

type key struct {
	feed   string
	tenant audit.Tenant
}

var _ Cursors = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{all: map[key]Cursor{}} }

// Get implements Cursors.
func (m *Memory) Get(ctx context.Context, feed string, tenant audit.Tenant) (Cursor, error) {
	if err := ctx.Err(); err != nil {
		return Cursor{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.all[key{feed, tenant}]
	c.Feed, c.Tenant = feed, tenant
	return c, nil
}

// Put implements Cursors.
func (m *Memory) Put(ctx context.Context, c Cursor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[key{c.Feed, c.Tenant}].Version != c.Version {
		return ErrConflict
	}
	c.Version++
	m.all[key{c.Feed, c.Tenant}] = c
	return nil
}

// All implements Cursors.
func (m *Memory) All(ctx context.Context, feed string) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Cursor{}, err)
			return
		}
		for _, c := range m.of(feed) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (m *Memory) of(feed string) (found []Cursor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, c := range m.all {
		if k.feed == feed {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b Cursor) int { return strings.Compare(string(a.Tenant), string(b.Tenant)) })
	return found
}
