package audittest_test

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// staged is a store in memory that gives entries their place afterwards, in Sequence, as a
// store of many processes does. Its hooks make mutants of it; nil is sound.
type staged struct {
	mu      sync.Mutex
	entries map[key]*audit.Entry
	waiting []*audit.Entry
	placed  map[audit.Tenant][]*audit.Entry
	next    map[audit.Tenant]int64

	arrange func(waiting []*audit.Entry)         // before some of them are taken
	keep    func(e *audit.Entry) bool            // whether an entry may be placed
	repeat  func(s *staged, stored *audit.Entry) // when an entry is appended again
	place   func(e *audit.Entry)                 // when an entry gets its place
	leak    bool                                 // unlocks between choosing and placing
	half    bool                                 // stops in the middle of a call that was cancelled
}

type key struct {
	tenant audit.Tenant
	id     string
}

func newStaged() *staged {
	return &staged{entries: map[key]*audit.Entry{}, placed: map[audit.Tenant][]*audit.Entry{}, next: map[audit.Tenant]int64{}}
}

func (s *staged) Append(ctx context.Context, entries []audit.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	fresh := map[key]*audit.Entry{}
	for _, e := range entries {
		k := key{e.Tenant, e.ID}
		old := s.entries[k]
		if old == nil {
			old = fresh[k]
		}
		if old != nil && !bytes.Equal(old.Body, e.Body) {
			return audit.ErrConflict
		}
		fresh[k] = &e
	}
	for _, e := range entries {
		s.add(e)
	}
	return nil
}

func (s *staged) add(e audit.Entry) {
	k := key{e.Tenant, e.ID}
	if old := s.entries[k]; old != nil {
		if s.repeat != nil {
			s.repeat(s, old)
		}
		return
	}
	e.Index, e.Body, e.Openings = -1, bytes.Clone(e.Body), bytes.Clone(e.Openings)
	e.Patients, e.Objects = slices.Clone(e.Patients), slices.Clone(e.Objects)
	s.entries[k] = &e
	s.waiting = append(s.waiting, &e)
}

func (s *staged) Sequence(ctx context.Context, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cancelled := ctx.Err()
	if cancelled != nil && !s.half {
		return 0, cancelled
	}
	if s.arrange != nil {
		s.arrange(s.waiting)
	}
	var chosen []*audit.Entry
	for _, e := range s.waiting {
		if len(chosen) < limit && (s.keep == nil || s.keep(e)) {
			chosen = append(chosen, e)
		}
	}
	if s.leak {
		s.mu.Unlock()
		time.Sleep(time.Millisecond) // long enough for another to choose the same
		s.mu.Lock()
	}
	if cancelled != nil {
		chosen = chosen[:len(chosen)/2]
	}
	for _, e := range chosen {
		e.Index = s.next[e.Tenant]
		s.next[e.Tenant]++
		s.placed[e.Tenant] = append(s.placed[e.Tenant], e)
		if s.place != nil {
			s.place(e)
		}
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(e *audit.Entry) bool { return slices.Contains(chosen, e) })
	return len(chosen), cancelled
}

func (s *staged) Backlog(ctx context.Context) (audit.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := audit.Backlog{Waiting: len(s.waiting)}
	if len(s.waiting) > 0 {
		b.Oldest = s.waiting[0].Recorded
	}
	return b, ctx.Err()
}

func (s *staged) Get(ctx context.Context, tenant audit.Tenant, id string) (audit.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return audit.Entry{}, err
	}
	e := s.entries[key{tenant, id}]
	if e == nil {
		return audit.Entry{}, audit.ErrNotFound
	}
	return row(e, bytes.Clone(e.Openings)), nil
}

// row copies an entry as a reader gets it.
func row(e *audit.Entry, openings []byte) audit.Entry {
	out := *e
	out.Patients, out.Objects, out.Body, out.Openings = nil, nil, bytes.Clone(e.Body), openings
	return out
}

func (s *staged) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(audit.Entry{}, err)
			return
		}
		for _, e := range s.page(f, below, limit) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (s *staged) page(f audit.Filter, below int64, limit int) (out []audit.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.placed[f.Tenant])
	slices.SortFunc(list, func(a, b *audit.Entry) int { return int(b.Index - a.Index) })
	for _, e := range list {
		if e.Index < below && len(out) < limit && f.Matches(e) {
			out = append(out, row(e, nil))
		}
	}
	return out
}

func (s *staged) Count(ctx context.Context, f audit.Filter, limit int) (int, error) {
	return len(s.page(f, audit.Newest, limit)), ctx.Err()
}

func (s *staged) Erase(ctx context.Context, tenant audit.Tenant, ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		if e := s.entries[key{tenant, id}]; e != nil {
			e.Openings = nil
		}
	}
	return nil
}
