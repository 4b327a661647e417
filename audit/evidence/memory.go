package evidence

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store for tests and demonstrations; it forgets everything with the process.
type Memory struct {
	mu   sync.Mutex
	rows map[rowKey]Kept
}

type rowKey struct {
	tenant audit.Tenant
	id     string
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{rows: map[rowKey]Kept{}} }

// Get implements Store.
func (s *Memory) Get(ctx context.Context, t audit.Tenant, id string) (Kept, error) {
	if err := ctx.Err(); err != nil {
		return Kept{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.rows[rowKey{t, id}]
	if !ok {
		return Kept{}, ErrNotFound
	}
	return k.clone(), nil
}

// List implements Store.
func (s *Memory) List(ctx context.Context, t audit.Tenant) iter.Seq2[Kept, error] {
	return func(yield func(Kept, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Kept{}, err)
			return
		}
		for _, k := range s.of(t) {
			if !yield(k, nil) {
				return
			}
		}
	}
}

func (s *Memory) of(t audit.Tenant) (out []Kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, k := range s.rows {
		if key.tenant == t {
			out = append(out, k.clone())
		}
	}
	slices.SortFunc(out, func(a, b Kept) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Apply implements Store.
func (s *Memory) Apply(ctx context.Context, put Kept, expect int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := rowKey{put.Tenant, put.ID}
	if s.rows[key].Version != expect {
		return ErrConflict
	}
	put = put.clone()
	put.Version = expect + 1
	s.rows[key] = put
	return nil
}
