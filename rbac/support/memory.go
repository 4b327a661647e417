package support

import (
	"bytes"
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
	rows map[rowKey]Row
}

type rowKey struct {
	tenant audit.Tenant
	id     string
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{rows: map[rowKey]Row{}} }

var _ Store = (*Memory)(nil)

// enter takes the lock, unless ctx has ended.
func (s *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

func (r Row) clone() Row {
	r.Body = bytes.Clone(r.Body)
	return r
}

// Get implements Store.
func (s *Memory) Get(ctx context.Context, t audit.Tenant, id string) (Row, error) {
	if err := s.enter(ctx); err != nil {
		return Row{}, err
	}
	defer s.mu.Unlock()
	r, ok := s.rows[rowKey{t, id}]
	if !ok {
		return Row{}, ErrNotFound
	}
	return r.clone(), nil
}

// Open implements Store.
func (s *Memory) Open(ctx context.Context, t audit.Tenant, operator Account) (Row, error) {
	if err := s.enter(ctx); err != nil {
		return Row{}, err
	}
	defer s.mu.Unlock()
	if r, ok := s.open(t, operator); ok {
		return r.clone(), nil
	}
	return Row{}, ErrNotFound
}

func (s *Memory) open(t audit.Tenant, operator Account) (Row, bool) {
	for _, r := range s.rows {
		if r.Tenant == t && r.Operator == operator && r.Open {
			return r, true
		}
	}
	return Row{}, false
}

// Apply implements Store.
func (s *Memory) Apply(ctx context.Context, r Row, expect int64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	key := rowKey{r.Tenant, r.ID}
	have, ok := s.rows[key]
	if ok != (expect != 0) || have.Version != expect {
		return ErrConflict
	}
	if ok {
		if r.Operator = have.Operator; r.Open && !have.Open {
			return ErrConflict
		}
	} else if _, taken := s.open(r.Tenant, r.Operator); r.Open && taken {
		return ErrOpen
	}
	r = r.clone()
	r.Version = expect + 1
	s.rows[key] = r
	return nil
}

// List implements Store.
func (s *Memory) List(ctx context.Context, q Query, below string) iter.Seq2[Row, error] {
	return s.page(ctx, func(a, b Row) int { return -byID(a, b) }, func(r Row) bool {
		mine := q.Tenant != "" && q.Operator == (Account{}) && r.Tenant == q.Tenant ||
			q.Tenant == "" && q.Operator != (Account{}) && r.Operator == q.Operator
		return mine && (below == "" || r.ID < below) && (!q.Open || r.Open)
	})
}

// Active implements Store.
func (s *Memory) Active(ctx context.Context) iter.Seq2[Row, error] {
	return s.page(ctx, byID, func(r Row) bool { return r.Active })
}

func byID(a, b Row) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Tenant, b.Tenant)) }

// page yields what was there when it was asked.
func (s *Memory) page(ctx context.Context, order func(a, b Row) int, keep func(Row) bool) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(Row{}, err)
			return
		}
		var out []Row
		for _, r := range s.rows {
			if keep(r) {
				out = append(out, r.clone())
			}
		}
		s.mu.Unlock()
		slices.SortFunc(out, order)
		for _, r := range out {
			if !yield(r, nil) {
				return
			}
		}
	}
}
