package incident

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store for tests and demonstrations; it forgets everything with the process.
type Memory struct {
	mu    sync.Mutex
	last  map[audit.Tenant]int64
	cases map[rowKey]*kept
}

type rowKey struct {
	tenant audit.Tenant
	id     string
}

type kept struct {
	row    Row
	lines  map[int64][]byte
	people map[string][]byte
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{last: map[audit.Tenant]int64{}, cases: map[rowKey]*kept{}}
}

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
	k, ok := s.cases[rowKey{t, id}]
	if !ok {
		return Row{}, ErrNotFound
	}
	return k.row.clone(), nil
}

// List implements Store.
func (s *Memory) List(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[Row, error] {
	return page(ctx, s, func() (rows []Row) {
		for k, have := range s.cases {
			if k.tenant == t && have.row.Number < below && (!active || have.row.Active) {
				rows = append(rows, have.row.clone())
			}
		}
		slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(b.Number, a.Number) })
		return rows
	})
}

// page yields what read returns under the lock.
func page[T any](ctx context.Context, s *Memory, read func() []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := s.enter(ctx); err != nil {
			yield(zero, err)
			return
		}
		list := read()
		s.mu.Unlock()
		for _, one := range list {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// Apply implements Store.
func (s *Memory) Apply(ctx context.Context, c Change) (int64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	key := rowKey{c.Put.Tenant, c.Put.ID}
	have, ok := s.cases[key]
	if !ok {
		have = &kept{lines: map[int64][]byte{}, people: map[string][]byte{}}
	}
	if have.row.Version != c.Expect || ok == (c.Expect == 0) {
		return 0, ErrConflict
	}
	seen := map[int64]bool{}
	for _, l := range c.Lines {
		if _, twice := have.lines[l.Seq]; twice || seen[l.Seq] {
			return 0, ErrConflict
		}
		seen[l.Seq] = true
	}
	number := have.row.Number
	if !ok {
		s.last[c.Put.Tenant]++
		number = s.last[c.Put.Tenant]
	}
	have.row = c.Put.clone()
	have.row.Version, have.row.Number = c.Expect+1, number
	for _, l := range c.Lines {
		have.lines[l.Seq] = bytes.Clone(l.Body)
	}
	for _, k := range c.Drop {
		delete(have.people, string(k))
	}
	for _, p := range c.Add {
		have.people[string(p.Key)] = bytes.Clone(p.Body)
	}
	s.cases[key] = have
	return number, nil
}

// Lines implements Store.
func (s *Memory) Lines(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[Line, error] {
	return page(ctx, s, func() (out []Line) {
		have, ok := s.cases[rowKey{t, id}]
		if !ok {
			return nil
		}
		for _, seq := range slices.Sorted(maps.Keys(have.lines)) {
			if seq > after {
				out = append(out, Line{seq, bytes.Clone(have.lines[seq])})
			}
		}
		return out
	})
}

// People implements Store.
func (s *Memory) People(ctx context.Context, t audit.Tenant, id string) iter.Seq2[Person, error] {
	return page(ctx, s, func() (out []Person) {
		have, ok := s.cases[rowKey{t, id}]
		if !ok {
			return nil
		}
		for _, key := range slices.Sorted(maps.Keys(have.people)) {
			out = append(out, Person{[]byte(key), bytes.Clone(have.people[key])})
		}
		return out
	})
}
