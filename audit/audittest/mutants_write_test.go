package audittest_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func storeMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"store-concurrent": func() audit.Store {
			var writing atomic.Int32
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					writing.Add(1)
					defer writing.Add(-1)
					for range 100 {
						runtime.Gosched()
					}
					return s.Append(ctx, entries)
				},
				get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
					if writing.Load() > 0 {
						return audit.Entry{}, errors.New("database is locked")
					}
					return s.Get(ctx, t, id)
				},
			}
		},
		"store-keeps-copies": func() audit.Store {
			var mu sync.Mutex
			given := map[key][]byte{}
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					mu.Lock()
					defer mu.Unlock()
					if len(entries) == 1 && len(given) == 0 {
						given[key{entries[0].Tenant, entries[0].ID}] = entries[0].Body
					}
					return s.Append(ctx, entries)
				},
				get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
					mu.Lock()
					defer mu.Unlock()
					e, err := s.Get(ctx, t, id)
					if body := given[key{t, id}]; body != nil && err == nil {
						e.Body = bytes.Clone(body)
					}
					return e, err
				},
			}
		},
		"store-hands-out-copies": func() audit.Store {
			var mu sync.Mutex
			cache := map[key]audit.Entry{}
			return &broken{Store: audit.NewMemory(), get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
				mu.Lock()
				defer mu.Unlock()
				if e, ok := cache[key{t, id}]; ok && bytes.Count(e.Body, []byte{0}) > 0 {
					return e, nil // handed out before, and written to by whoever got it
				}
				e, err := s.Get(ctx, t, id)
				if err == nil {
					cache[key{t, id}] = e
				}
				return e, err
			}}
		},
		"store-context": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if end, ok := ctx.Deadline(); ok && time.Until(end) < time.Second {
				time.Sleep(11 * time.Second) // waits for a lock and looks at nothing else
			}
			return s.Append(ctx, entries)
		}),
		"entry-ids": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			if id == "00000000-0000-0000-0000-000000000000" {
				return audit.Entry{}, audit.ErrNotFound // taken for none
			}
			return s.Get(ctx, t, id)
		}),
		"entry-times": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			e.Recorded = e.Recorded.Truncate(time.Millisecond)
			return e, err
		}),
		"entry-anonymous": but(func(f *audit.Filter, _ *audit.Entry) {
			if slices.Equal(f.Actors, []audit.ActorID{""}) {
				f.Actors = nil
			}
		}),
		"entry-bodies": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			e.Body = e.Body[:min(len(e.Body), audit.MaxBody-1)]
			return e, err
		}),
		"entry-openings": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			e.Openings = e.Openings[:min(len(e.Openings), 8_192)]
			return e, err
		}),
	}
}

// twins reports whether one ID occurs twice in a call, with the same body or with another.
func twins(entries []audit.Entry, sameBody bool) bool {
	for i, e := range entries {
		for _, o := range entries[:i] {
			if o.Tenant == e.Tenant && o.ID == e.ID && bytes.Equal(o.Body, e.Body) == sameBody {
				return true
			}
		}
	}
	return false
}

// flying knows which rows are being written.
type flying struct {
	mu   sync.Mutex
	rows map[string]int
}

// deadlocks runs f, unless another call has one of the rows.
func (l *flying) deadlocks(rows []string, f func() error) error {
	l.mu.Lock()
	for _, r := range rows {
		if l.rows[r] > 0 {
			l.mu.Unlock()
			return errors.New("deadlock detected")
		}
	}
	l.count(rows, 1)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.count(rows, -1)
		l.mu.Unlock()
	}()
	for range 100 {
		runtime.Gosched()
	}
	return f()
}

func (l *flying) count(rows []string, n int) {
	if l.rows == nil {
		l.rows = map[string]int{}
	}
	for _, r := range rows {
		l.rows[r] += n
	}
}

func appendMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"append-all": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			return s.Append(ctx, entries[:min(len(entries), 512)])
		}),
		"append-index": func() audit.Store { return &claims{Store: audit.NewMemory(), claimed: map[string]int64{}} },
		"append-added": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if len(entries) == 1 && entries[0].Actor == "system:start" {
				return nil
			}
			return s.Append(ctx, entries)
		}),
		"append-tenants": func() audit.Store {
			var mu sync.Mutex
			tenant := map[string]audit.Tenant{}
			return &broken{Store: audit.NewMemory(), append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range entries {
					if t, ok := tenant[e.ID]; ok && t != e.Tenant && len(entries) == 1 {
						return audit.ErrConflict // the ID alone is the key
					}
					tenant[e.ID] = e.Tenant
				}
				return s.Append(ctx, entries)
			}}
		},
		"append-again": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			there := 0
			for _, e := range entries {
				if _, err := s.Get(ctx, e.Tenant, e.ID); err == nil {
					there++
				}
			}
			if there > 0 && there < len(entries) {
				return audit.ErrConflict // repeats only whole calls
			}
			return s.Append(ctx, entries)
		}),
		"append-stays":    func() audit.Store { return replaced(false) },
		"append-erased":   func() audit.Store { return replaced(true) },
		"append-conflict": onAppend(doNothing),
		"append-nothing-kept": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			err := s.Append(ctx, entries)
			if errors.Is(err, audit.ErrConflict) && !twins(entries, false) && len(entries) > 1 {
				_ = s.Append(ctx, entries[:1]) // row by row, without a transaction
			}
			return err
		}),
		"append-twice": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if twins(entries, true) {
				return errors.New("unique constraint")
			}
			return s.Append(ctx, entries)
		}),
		"append-two-bodies": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if twins(entries, false) {
				return s.Append(ctx, entries[:len(entries)-1])
			}
			return s.Append(ctx, entries)
		}),
		"append-at-once": func() audit.Store {
			var rows flying
			return &broken{Store: audit.NewMemory(), append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
				var ids []string
				for _, e := range entries {
					ids = append(ids, e.ID)
				}
				return rows.deadlocks(ids, func() error { return s.Append(ctx, entries) })
			}}
		},
		"append-cancelled": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if ctx.Err() != nil {
				return nil
			}
			return s.Append(ctx, entries)
		}),
		"append-nothing": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if len(entries) == 0 {
				return errors.New("nothing to append")
			}
			return s.Append(ctx, entries)
		}),
	}
}

// doNothing is ON CONFLICT DO NOTHING.
func doNothing(ctx context.Context, s audit.Store, entries []audit.Entry) error {
	err := s.Append(ctx, entries)
	if errors.Is(err, audit.ErrConflict) && !twins(entries, false) {
		return nil
	}
	return err
}

// replaced is ON CONFLICT DO UPDATE of the openings, of erased entries or of the others.
func replaced(erased bool) audit.Store {
	var mu sync.Mutex
	newer := map[key][]byte{}
	return &broken{
		Store: audit.NewMemory(),
		append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range entries {
				old, err := s.Get(ctx, e.Tenant, e.ID)
				if err == nil && (len(old.Openings) == 0) == erased && !bytes.Equal(old.Openings, e.Openings) && bytes.Equal(old.Body, e.Body) {
					newer[key{e.Tenant, e.ID}] = bytes.Clone(e.Openings)
				}
			}
			return s.Append(ctx, entries)
		},
		get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			mu.Lock()
			defer mu.Unlock()
			e, err := s.Get(ctx, t, id)
			if o := newer[key{t, id}]; o != nil {
				e.Openings = o
			}
			return e, err
		},
	}
}

// shifted tells another place than the sound store below it.
type shifted struct {
	audit.Store
	by int64
}

func (s *shifted) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	e, err := s.Store.Get(ctx, t, id)
	e.Index += s.by
	return e, err
}

func (s *shifted) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if below != audit.Newest {
		below -= s.by
	}
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range s.Store.List(ctx, f, below, limit) {
			e.Index += s.by
			if !yield(e, err) {
				return
			}
		}
	}
}
