package audittest_test

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// claims tells the place that an entry came with.
type claims struct {
	audit.Store
	claimed map[string]int64
}

func (c *claims) Append(ctx context.Context, entries []audit.Entry) error {
	if len(entries) == 1 && entries[0].Index > 0 {
		c.claimed[entries[0].ID] = entries[0].Index
	}
	return c.Store.Append(ctx, entries)
}

func (c *claims) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range c.Store.List(ctx, f, below, limit) {
			if at, ok := c.claimed[e.ID]; ok {
				e.Index = at
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func sequenceMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"sequence-places": onStaged(func(s *staged) {
			s.keep = func(e *audit.Entry) bool { return e.Action != "system.start" }
		}),
		"sequence-limit": func() audit.Store {
			return &broken{Store: newStaged(), sequence: func(ctx context.Context, s audit.Store, limit int) (int, error) {
				return s.Sequence(ctx, max(limit, 4))
			}}
		},
		"sequence-findable": but(func(f *audit.Filter, e *audit.Entry) {
			if f.ObjectID == "b-1" {
				e.Objects = nil // one of the indexes is not kept up
			}
		}),
		"sequence-zero": func() audit.Store { return &shifted{audit.NewMemory(), 1} },
		"sequence-dense": onStaged(func(s *staged) {
			s.repeat = func(s *staged, stored *audit.Entry) { s.next[stored.Tenant]++ } // a serial number is used up
		}),
		"sequence-stays": onStaged(func(s *staged) {
			s.repeat = func(s *staged, stored *audit.Entry) { // REPLACE moves the row
				if list := s.placed[stored.Tenant]; stored.Index >= 0 {
					last := slices.MaxFunc(list, func(a, b *audit.Entry) int { return int(a.Index - b.Index) })
					last.Index, stored.Index = stored.Index, last.Index
				}
			}
		}),
		"sequence-order": onStaged(func(s *staged) {
			s.arrange = func(waiting []*audit.Entry) {
				slices.SortFunc(waiting, func(a, b *audit.Entry) int { return a.Recorded.Compare(b.Recorded) })
			}
		}),
		"sequence-returns": func() audit.Store {
			return &broken{Store: newStaged(), sequence: func(ctx context.Context, s audit.Store, limit int) (int, error) {
				n, err := s.Sequence(ctx, limit)
				return 2 * n, err // rows of two tables
			}}
		},
		"sequence-drained": func() audit.Store {
			var running atomic.Int32
			return &broken{Store: newStaged(), sequence: func(ctx context.Context, s audit.Store, limit int) (int, error) {
				defer running.Add(-1)
				if running.Add(1) > 1 {
					return 0, nil // another has the lock
				}
				for range 20 {
					runtime.Gosched()
				}
				return s.Sequence(ctx, limit)
			}}
		},
		"sequence-nothing": func() audit.Store {
			return &broken{Store: newStaged(), sequence: func(ctx context.Context, s audit.Store, limit int) (int, error) {
				n, err := s.Sequence(ctx, limit)
				if limit == 1 {
					n = 1
				}
				return n, err
			}}
		},
		"sequence-at-once":   onStaged(func(s *staged) { s.leak = true }),
		"sequence-cancelled": onStaged(func(s *staged) { s.half = true }),
	}
}

func backlogMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"backlog-waiting": onBacklog(func(ctx context.Context, s audit.Store) (audit.Backlog, error) {
			b, err := s.Backlog(ctx)
			b.Waiting = min(b.Waiting, 1)
			return b, err
		}),
		"backlog-oldest": onBacklog(func(ctx context.Context, s audit.Store) (audit.Backlog, error) {
			b, err := s.Backlog(ctx)
			if b.Waiting > 1 {
				b.Oldest = b.Oldest.Add(time.Minute)
			}
			return b, err
		}),
		"backlog-refused": onBacklog(func(ctx context.Context, s audit.Store) (audit.Backlog, error) {
			b, err := s.Backlog(ctx)
			b.Refused = b.Waiting
			return b, err
		}),
		"backlog-cancelled": onBacklog(func(ctx context.Context, s audit.Store) (audit.Backlog, error) {
			b, _ := s.Backlog(ctx)
			return b, nil
		}),
	}
}
