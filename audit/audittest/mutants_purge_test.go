package audittest_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/conform"
)

func TestMemoryPurges(t *testing.T) {
	t.Parallel()
	audittest.TestPurger(t, func(testing.TB) audittest.PurgeStore { return audit.NewMemory() })
}

func TestCheckPurger(t *testing.T) {
	t.Parallel()
	require.NoError(t, audittest.CheckPurger(t.Context(), func() (audittest.PurgeStore, error) { return audit.NewMemory(), nil }))
	err := audittest.CheckPurger(t.Context(), func() (audittest.PurgeStore, error) { return purgeMutants()["purge-get"](), nil })
	require.ErrorContains(t, err, "purge-get: ")
	require.NotContains(t, err.Error(), "purge-list")
}

// TestPurgeMutants proves the suite: each rule catches the store that is broken in its way, and no
// other rule does.
func TestPurgeMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, audittest.PurgeRules(), purgeMutants())
}

// shredder is a sound store with some of its methods replaced.
type shredder struct {
	*audit.Memory
	append func(ctx context.Context, m *audit.Memory, entries []audit.Entry) error
	get    func(ctx context.Context, m *audit.Memory, t audit.Tenant, id string) (audit.Entry, error)
	list   func(ctx context.Context, m *audit.Memory, q listArgs) ([]audit.Entry, error)
	count  func(ctx context.Context, m *audit.Memory, f audit.Filter, limit int) (int, error)
	leaves func(ctx context.Context, m *audit.Memory, t audit.Tenant, from, to int64) ([][32]byte, error)
	purge  func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error
	purged func(ctx context.Context, m *audit.Memory, t audit.Tenant, from, to int64) ([]audit.Span, error)
}

func (s *shredder) Append(ctx context.Context, entries []audit.Entry) error {
	if s.append == nil {
		return s.Memory.Append(ctx, entries)
	}
	return s.append(ctx, s.Memory, entries)
}

func (s *shredder) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	if s.get == nil {
		return s.Memory.Get(ctx, t, id)
	}
	return s.get(ctx, s.Memory, t, id)
}

func (s *shredder) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if s.list == nil {
		return s.Memory.List(ctx, f, below, limit)
	}
	return func(yield func(audit.Entry, error) bool) {
		out, err := s.list(ctx, s.Memory, listArgs{f, below, limit})
		for _, e := range out {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(audit.Entry{}, err)
		}
	}
}

func (s *shredder) Count(ctx context.Context, f audit.Filter, limit int) (int, error) {
	if s.count == nil {
		return s.Memory.Count(ctx, f, limit)
	}
	return s.count(ctx, s.Memory, f, limit)
}

func (s *shredder) Leaves(ctx context.Context, t audit.Tenant, from, to int64) ([][32]byte, error) {
	if s.leaves == nil {
		return s.Memory.Leaves(ctx, t, from, to)
	}
	return s.leaves(ctx, s.Memory, t, from, to)
}

func (s *shredder) Purge(ctx context.Context, t audit.Tenant, spans []audit.Span) error {
	if s.purge == nil {
		return s.Memory.Purge(ctx, t, spans)
	}
	return s.purge(ctx, s.Memory, t, spans)
}

func (s *shredder) Purged(ctx context.Context, t audit.Tenant, from, to int64) ([]audit.Span, error) {
	if s.purged == nil {
		return s.Memory.Purged(ctx, t, from, to)
	}
	return s.purged(ctx, s.Memory, t, from, to)
}

func shreds(change func(s *shredder)) func() audittest.PurgeStore {
	return func() audittest.PurgeStore {
		s := &shredder{Memory: audit.NewMemory()}
		change(s)
		return s
	}
}

// onPurge replaces Purge alone.
func onPurge(f func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error) func() audittest.PurgeStore {
	return shreds(func(s *shredder) { s.purge = f })
}

func purgeMutants() map[string]func() audittest.PurgeStore {
	return map[string]func() audittest.PurgeStore{
		"purge-for-good": shreds(restoring),
		"purge-tenant": onPurge(func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error {
			_ = m.Purge(ctx, "clinic-18", spans) // the statement forgot the tenant
			return m.Purge(ctx, t, spans)
		}),
		"purge-spans": onPurge(func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error {
			if n := len(spans); n > 0 && spans[0].From == 0 && n > 2 {
				spans = append(slices.Clone(spans[:n-1]), audit.Span{From: spans[n-2].From, To: spans[n-1].To}) // one range from chunk to chunk
				spans = slices.Delete(spans, n-2, n-1)
			}
			return m.Purge(ctx, t, spans)
		}),
		"purge-contents": shreds(remembering),
		"purge-found-by": shreds(func(s *shredder) {
			s.list = func(ctx context.Context, m *audit.Memory, q listArgs) ([]audit.Entry, error) {
				if q.f.Patient == "p-11" { // an index that was not cleaned up leads to a row without an event
					out, err := collect(ctx, s.Memory, q)
					return append(out, audit.Entry{ID: "x", Tenant: q.f.Tenant, Index: 2}), err
				}
				return collect(ctx, m, q)
			}
		}),
		"purge-stays": shreds(func(s *shredder) {
			s.leaves = func(ctx context.Context, m *audit.Memory, t audit.Tenant, from, to int64) ([][32]byte, error) {
				out, err := m.Leaves(ctx, t, from, to)
				gone, _ := m.Purged(ctx, t, from, to)
				for _, p := range gone {
					clear(out[p.From-from : p.To-from])
				}
				return out, err
			}
		}),
		"purge-list": shreds(func(s *shredder) {
			s.list = func(ctx context.Context, m *audit.Memory, q listArgs) ([]audit.Entry, error) {
				out, err := collect(ctx, m, q)
				whole := audit.Filter{Tenant: q.f.Tenant}
				for i, e := range out { // a page ends where what was purged begins
					if reflect.DeepEqual(q.f, whole) && i > 0 && out[i-1].Index-e.Index > 40 {
						return out[:i], err
					}
				}
				return out, err
			}
		}),
		"purge-count": shreds(func(s *shredder) {
			s.count = func(ctx context.Context, m *audit.Memory, f audit.Filter, limit int) (int, error) {
				n, err := m.Count(ctx, f, limit)
				gone, _ := m.Purged(ctx, f.Tenant, 0, 1000)
				for _, p := range gone {
					n += int(p.To - p.From)
				}
				return min(n, limit), err
			}
		}),
		"purge-get": shreds(func(s *shredder) {
			s.get = func(ctx context.Context, m *audit.Memory, t audit.Tenant, id string) (audit.Entry, error) {
				e, err := m.Get(ctx, t, id)
				if errors.Is(err, audit.ErrPurged) {
					err = audit.ErrNotFound
				}
				return e, err
			}
		}),
		"purge-append": shreds(func(s *shredder) {
			s.append = func(ctx context.Context, m *audit.Memory, entries []audit.Entry) error {
				for _, e := range entries {
					if _, err := m.Get(ctx, e.Tenant, e.ID); errors.Is(err, audit.ErrPurged) {
						return audit.ErrConflict
					}
				}
				return m.Append(ctx, entries)
			}
		}),
		"purge-brings-nothing-back": shreds(reviving),
		"purge-conflict": shreds(func(s *shredder) {
			s.append = func(ctx context.Context, m *audit.Memory, entries []audit.Entry) error {
				return m.Append(ctx, slices.DeleteFunc(slices.Clone(entries), func(e audit.Entry) bool {
					_, err := m.Get(ctx, e.Tenant, e.ID)
					return errors.Is(err, audit.ErrPurged)
				}))
			}
		}),
		"purge-again": onPurge(func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error {
			if len(spans) == 1 && spans[0].To-spans[0].From < 7 {
				if gone, _ := m.Purged(ctx, t, spans[0].From, spans[0].To); slices.Equal(gone, spans) && spans[0].To == 8 {
					return errors.New("0 rows affected")
				}
			}
			return m.Purge(ctx, t, spans)
		}),
		"purge-beyond": onPurge(func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error {
			err := m.Purge(ctx, t, spans)
			if errors.Is(err, audit.ErrNotFound) {
				return nil
			}
			return err
		}),
		"purge-nothing-destroyed": onPurge(func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error {
			for i := range spans {
				if err := m.Purge(ctx, t, spans[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		}),
		"purge-at-once": func() audittest.PurgeStore {
			var busy atomic.Bool
			return &shredder{Memory: audit.NewMemory(), purge: func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error {
				if !busy.CompareAndSwap(false, true) {
					return errors.New("somebody else has the lock")
				}
				defer busy.Store(false)
				for range 100 {
					runtime.Gosched()
				}
				return m.Purge(ctx, t, spans)
			}}
		},
		"purge-cancelled": shreds(halving),
		"purged-places": shreds(func(s *shredder) {
			s.purged = func(ctx context.Context, m *audit.Memory, t audit.Tenant, from, to int64) ([]audit.Span, error) {
				all, err := m.Purged(ctx, t, 0, 1<<40)
				all = slices.DeleteFunc(all, func(p audit.Span) bool { return p.To <= from || p.From >= to || from >= to })
				if len(all) == 0 {
					return nil, err
				}
				return all, err // not cut
			}
		}),
		"purged-spans": shreds(func(s *shredder) {
			s.purged = func(ctx context.Context, m *audit.Memory, t audit.Tenant, from, to int64) (out []audit.Span, err error) {
				all, err := m.Purged(ctx, t, from, to)
				for _, p := range all {
					for i := p.From; i < p.To; i++ {
						out = append(out, audit.Span{From: i, To: i + 1})
					}
				}
				return out, err
			}
		}),
		"purged-none": shreds(func(s *shredder) {
			s.purged = func(ctx context.Context, m *audit.Memory, t audit.Tenant, from, to int64) ([]audit.Span, error) {
				all, err := m.Purged(ctx, t, from, to)
				if t == "nobody" {
					err = audit.ErrNotFound
				}
				return all, err
			}
		}),
		"purged-cancelled": shreds(func(s *shredder) {
			s.purged = func(ctx context.Context, m *audit.Memory, t audit.Tenant, from, to int64) ([]audit.Span, error) {
				return m.Purged(context.WithoutCancel(ctx), t, from, to)
			}
		}),
	}
}

// restoring keeps a list of what is gone, which a later purge writes anew.
func restoring(s *shredder) {
	var mu sync.Mutex
	given := map[key]audit.Entry{}
	later := false
	s.append = func(ctx context.Context, m *audit.Memory, entries []audit.Entry) error {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range entries {
			given[key{e.Tenant, e.ID}] = e
			later = len(given) == 11 && e.ID[len(e.ID)-2:] == "15" // the one after the second purge
		}
		return m.Append(ctx, entries)
	}
	s.get = func(ctx context.Context, m *audit.Memory, t audit.Tenant, id string) (audit.Entry, error) {
		mu.Lock()
		defer mu.Unlock()
		e, err := m.Get(ctx, t, id)
		if was := given[key{t, id}]; errors.Is(err, audit.ErrPurged) && later {
			return row(&was, nil), nil
		}
		return e, err
	}
}

// remembering returns beside the error what there was.
func remembering(s *shredder) {
	var mu sync.Mutex
	actors := map[key]audit.ActorID{}
	s.append = func(ctx context.Context, m *audit.Memory, entries []audit.Entry) error {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range entries {
			actors[key{e.Tenant, e.ID}] = e.Actor
		}
		return m.Append(ctx, entries)
	}
	s.get = func(ctx context.Context, m *audit.Memory, t audit.Tenant, id string) (audit.Entry, error) {
		mu.Lock()
		defer mu.Unlock()
		e, err := m.Get(ctx, t, id)
		if errors.Is(err, audit.ErrPurged) {
			e.Actor = actors[key{t, id}]
		}
		return e, err
	}
}

// reviving gives an event back that was appended again alone.
func reviving(s *shredder) {
	var mu sync.Mutex
	back := map[key]audit.Entry{}
	s.append = func(ctx context.Context, m *audit.Memory, entries []audit.Entry) error {
		mu.Lock()
		defer mu.Unlock()
		if len(entries) == 1 {
			if _, err := m.Get(ctx, entries[0].Tenant, entries[0].ID); errors.Is(err, audit.ErrPurged) {
				back[key{entries[0].Tenant, entries[0].ID}] = entries[0]
			}
		}
		return m.Append(ctx, entries)
	}
	s.get = func(ctx context.Context, m *audit.Memory, t audit.Tenant, id string) (audit.Entry, error) {
		mu.Lock()
		defer mu.Unlock()
		if e, ok := back[key{t, id}]; ok {
			return row(&e, nil), nil
		}
		return m.Get(ctx, t, id)
	}
}

// halving stops in the middle of a call that was cancelled: lists no longer have events that Get
// still has.
func halving(s *shredder) {
	var mu sync.Mutex
	half := []audit.Span{}
	s.purge = func(ctx context.Context, m *audit.Memory, t audit.Tenant, spans []audit.Span) error {
		mu.Lock()
		defer mu.Unlock()
		if half = nil; ctx.Err() != nil {
			half = slices.Clone(spans)
		}
		return m.Purge(ctx, t, spans)
	}
	s.list = func(ctx context.Context, m *audit.Memory, q listArgs) ([]audit.Entry, error) {
		mu.Lock()
		defer mu.Unlock()
		all, err := collect(ctx, m, q)
		return slices.DeleteFunc(all, func(e audit.Entry) bool {
			return slices.ContainsFunc(half, func(p audit.Span) bool { return p.From <= e.Index && e.Index < p.To })
		}), err
	}
}
