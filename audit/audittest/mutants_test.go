package audittest_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func (b *broken) Append(ctx context.Context, entries []audit.Entry) error {
	if b.append == nil {
		return b.Store.Append(ctx, entries)
	}
	return b.append(ctx, b.Store, entries)
}

func (b *broken) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	if b.get == nil {
		return b.Store.Get(ctx, t, id)
	}
	return b.get(ctx, b.Store, t, id)
}

func (b *broken) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if b.list == nil {
		return b.Store.List(ctx, f, below, limit)
	}
	return func(yield func(audit.Entry, error) bool) {
		out, err := b.list(ctx, b.Store, listArgs{f, below, limit})
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

func (b *broken) Erase(ctx context.Context, t audit.Tenant, ids []string) error {
	if b.erase == nil {
		return b.Store.Erase(ctx, t, ids)
	}
	return b.erase(ctx, b.Store, t, ids)
}

// collect lists from the sound store.
func collect(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
	var out []audit.Entry
	for e, err := range s.List(ctx, q.f, q.below, q.limit) {
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

// where lists what keep selects; keep sees the filter's own patients and objects, which the
// store remembers from Append.
func where(keep func(f audit.Filter, e audit.Entry) bool) func() audit.Store {
	return func() audit.Store {
		var mu sync.Mutex
		full := map[string]audit.Entry{}
		return &broken{
			Store: audit.NewMemory(),
			append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
				mu.Lock()
				for _, e := range entries {
					e.Patients, e.Objects = slices.Clone(e.Patients), slices.Clone(e.Objects)
					full[e.ID] = e
				}
				mu.Unlock()
				return s.Append(ctx, entries)
			},
			list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
				all, err := collect(ctx, s, listArgs{audit.Filter{Tenant: q.f.Tenant}, q.below, 10_000})
				mu.Lock()
				defer mu.Unlock()
				all = slices.DeleteFunc(all, func(e audit.Entry) bool { return !keep(q.f, full[e.ID]) })
				return all[:min(len(all), q.limit)], err
			},
		}
	}
}

func onAppend(f func(ctx context.Context, s audit.Store, entries []audit.Entry) error) func() audit.Store {
	return func() audit.Store { return &broken{Store: audit.NewMemory(), append: f} }
}

func onGet(f func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error)) func() audit.Store {
	return func() audit.Store { return &broken{Store: audit.NewMemory(), get: f} }
}

func onList(f func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error)) func() audit.Store {
	return func() audit.Store { return &broken{Store: audit.NewMemory(), list: f} }
}

func onErase(f func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error) func() audit.Store {
	return func() audit.Store { return &broken{Store: audit.NewMemory(), erase: f} }
}

func mutants() map[string]func() audit.Store {
	all := map[string]func() audit.Store{}
	for _, some := range []map[string]func() audit.Store{appendMutants(), readMutants(), filterMutants(), eraseMutants()} {
		for name, open := range some {
			all[name] = open
		}
	}
	return all
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

func appendMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"append-get": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			e.Outcome = audit.Success
			return e, err
		}),
		"append-nothing": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if len(entries) == 0 {
				return errors.New("nothing to append")
			}
			return s.Append(ctx, entries)
		}),
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
		"append-conflict": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			err := s.Append(ctx, entries)
			if errors.Is(err, audit.ErrConflict) && !twins(entries, false) {
				return nil // ON CONFLICT DO NOTHING
			}
			return err
		}),
		"append-keeps-first": func() audit.Store {
			return &broken{Store: &overwriting{Store: audit.NewMemory(), newer: map[string]audit.Entry{}}}
		},
		"append-all-or-none": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			err := s.Append(ctx, entries)
			if errors.Is(err, audit.ErrConflict) && !twins(entries, false) && len(entries) > 1 {
				_ = s.Append(ctx, entries[:1]) // row by row, without a transaction
			}
			return err
		}),
		"append-twice-in-call": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if twins(entries, true) {
				return errors.New("unique constraint")
			}
			return s.Append(ctx, entries)
		}),
		"append-conflict-in-call": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if twins(entries, false) {
				return s.Append(ctx, entries[:len(entries)-1])
			}
			return s.Append(ctx, entries)
		}),
		"append-at-once": func() audit.Store {
			var running atomic.Int32
			return &broken{Store: audit.NewMemory(), append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
				defer running.Add(-1)
				if running.Add(1) > 1 {
					return errors.New("deadlock detected")
				}
				for range 100 {
					runtime.Gosched()
				}
				return s.Append(ctx, entries)
			}}
		},
		"append-cancelled": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			if ctx.Err() != nil {
				return nil
			}
			return s.Append(ctx, entries)
		}),
		"append-many": onAppend(func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			return s.Append(ctx, entries[:min(len(entries), 512)])
		}),
		"append-copies": func() audit.Store {
			given := map[string][]byte{}
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					if len(entries) == 1 && len(given) == 0 {
						given[string(entries[0].Tenant)+entries[0].ID] = entries[0].Body
					}
					return s.Append(ctx, entries)
				},
				get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
					e, err := s.Get(ctx, t, id)
					if body := given[string(t)+id]; body != nil && err == nil {
						e.Body = bytes.Clone(body)
					}
					return e, err
				},
			}
		},
		"append-per-tenant": func() audit.Store {
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
	}
}

// overwriting refuses a conflicting entry and keeps it all the same.
type overwriting struct {
	audit.Store
	newer map[string]audit.Entry
}

func (o *overwriting) Append(ctx context.Context, entries []audit.Entry) error {
	err := o.Store.Append(ctx, entries)
	if errors.Is(err, audit.ErrConflict) && len(entries) == 1 {
		o.newer[entries[0].ID] = entries[0]
	}
	return err
}

func (o *overwriting) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	if e, ok := o.newer[id]; ok && e.Tenant == t {
		return e, nil
	}
	return o.Store.Get(ctx, t, id)
}

func readMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"get-missing": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			if errors.Is(err, audit.ErrNotFound) {
				return audit.Entry{}, nil
			}
			return e, err
		}),
		"get-other-tenant": func() audit.Store {
			last := map[string]audit.Tenant{}
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					if len(entries) == 1 {
						last[entries[0].ID] = entries[0].Tenant
					}
					return s.Append(ctx, entries)
				},
				get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
					e, err := s.Get(ctx, t, id)
					if errors.Is(err, audit.ErrNotFound) {
						return s.Get(ctx, last[id], id) // WHERE id = ?
					}
					return e, err
				},
			}
		},
		"get-cancelled": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			if ctx.Err() != nil {
				return audit.Entry{}, audit.ErrNotFound
			}
			return s.Get(ctx, t, id)
		}),
		"get-copies": func() audit.Store {
			cache := map[string]audit.Entry{}
			return &broken{Store: audit.NewMemory(), get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
				if e, ok := cache[id]; ok && bytes.Count(e.Body, []byte{0}) > 0 {
					return e, nil // handed out before, and written to by whoever got it
				}
				e, err := s.Get(ctx, t, id)
				if err == nil {
					cache[id] = e
				}
				return e, err
			}}
		},
		"list-order": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			out, err := collect(ctx, s, q)
			if q.below == audit.Newest && q.limit > 10 { // ORDER BY recorded DESC, and ties as they come
				slices.SortStableFunc(out, func(a, b audit.Entry) int {
					if c := b.Recorded.Compare(a.Recorded); c != 0 {
						return c
					}
					return strings.Compare(a.ID, b.ID)
				})
			}
			return out, err
		}),
		"list-columns": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			out, err := collect(ctx, s, q)
			for i := range out {
				out[i].Leaf = [32]byte{}
			}
			return out, err
		}),
		"list-leaves-out": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			out, err := collect(ctx, s, q)
			for i := range out {
				e, err := s.Get(ctx, out[i].Tenant, out[i].ID)
				if err != nil {
					return nil, err
				}
				out[i] = e
			}
			return out, err
		}),
		"list-limit": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			q.limit++
			return collect(ctx, s, q)
		}),
		"list-below": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			if q.below != audit.Newest {
				q.below++ // idx <= ?
			}
			return collect(ctx, s, q)
		}),
		"list-tenant": func() audit.Store {
			var tenants []audit.Tenant
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					if len(entries) == 2 && entries[0].Tenant != entries[1].Tenant {
						tenants = []audit.Tenant{entries[1].Tenant}
					}
					return s.Append(ctx, entries)
				},
				list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
					out, err := collect(ctx, s, q)
					if q.f.Patient != "" { // the index of patients does not name the tenant
						for _, t := range tenants {
							q.f.Tenant = t
							more, _ := collect(ctx, s, q)
							out = append(out, more...)
						}
					}
					return out, err
				},
			}
		},
		"list-cancelled": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			out, _ := collect(ctx, s, q)
			return out, nil
		}),
		"list-inside": func() audit.Store { return &locked{Store: audit.NewMemory()} },
		"times": func() audit.Store {
			return &broken{Store: audit.NewMemory(), get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
				e, err := s.Get(ctx, t, id)
				e.Recorded = e.Recorded.Truncate(time.Millisecond)
				return e, err
			}}
		},
	}
}

// locked holds a lock while a listing is being read.
type locked struct {
	audit.Store
	reading atomic.Int32
}

func (l *locked) Append(ctx context.Context, entries []audit.Entry) error {
	if l.reading.Load() > 0 {
		return errors.New("database is locked")
	}
	return l.Store.Append(ctx, entries)
}

func (l *locked) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		l.reading.Add(1)
		defer l.reading.Add(-1)
		l.Store.List(ctx, f, below, limit)(yield)
	}
}

func filterMutants() map[string]func() audit.Store {
	// but runs a sound filter with one change.
	but := func(change func(f *audit.Filter, e *audit.Entry)) func() audit.Store {
		return where(func(f audit.Filter, e audit.Entry) bool {
			change(&f, &e)
			return f.Matches(&e)
		})
	}
	return map[string]func() audit.Store{
		"filter-period": but(func(f *audit.Filter, _ *audit.Entry) {
			if !f.From.IsZero() {
				f.From = f.From.Add(time.Nanosecond) // recorded > ?
			}
		}),
		"filter-actors":   but(func(f *audit.Filter, _ *audit.Entry) { f.Actors = f.Actors[:min(len(f.Actors), 1)] }),
		"filter-actions":  but(func(f *audit.Filter, _ *audit.Entry) { f.Actions = f.Actions[:min(len(f.Actions), 1)] }),
		"filter-outcomes": but(func(f *audit.Filter, _ *audit.Entry) { f.Outcomes = f.Outcomes[:min(len(f.Outcomes), 1)] }),
		"filter-patient":  but(func(_ *audit.Filter, e *audit.Entry) { e.Patients = e.Patients[:min(len(e.Patients), 1)] }),
		"filter-type": func() audit.Store {
			var mu sync.Mutex
			rows := map[string]int{} // a join yields an event once for each of its objects
			m := where(func(f audit.Filter, e audit.Entry) bool { return f.Matches(&e) })().(*broken)
			appendTo, list := m.append, m.list
			m.append = func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
				mu.Lock()
				for _, e := range entries {
					rows[e.ID] = len(e.Objects)
				}
				mu.Unlock()
				return appendTo(ctx, s, entries)
			}
			m.list = func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
				out, err := list(ctx, s, q)
				var joined []audit.Entry
				mu.Lock()
				defer mu.Unlock()
				for _, e := range out {
					joined = append(joined, e)
					if q.f.ObjectType != "" && q.f.ObjectID == "" && rows[e.ID] > 1 {
						joined = append(joined, e)
					}
				}
				return joined, err
			}
			return m
		},
		"filter-object": where(func(f audit.Filter, e audit.Entry) bool {
			id := f.ObjectID
			f.ObjectID = ""
			return f.Matches(&e) && (id == "" || slices.ContainsFunc(e.Objects, func(r audit.Ref) bool { return r.ID == id }))
		}),
		"filter-all": but(func(f *audit.Filter, _ *audit.Entry) {
			if f.Patient != "" && len(f.Actors) > 0 {
				f.Outcomes = nil
			}
		}),
		"filter-exact": but(func(f *audit.Filter, e *audit.Entry) {
			f.Patient = audit.Patient(strings.ToLower(string(f.Patient)))
			for i, p := range e.Patients {
				e.Patients[i] = audit.Patient(strings.ToLower(string(p)))
			}
		}),
	}
}

func eraseMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"erase": onErase(func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
			return s.Erase(ctx, t, ids[:min(len(ids), 1)])
		}),
		"erase-nothing-else": onErase(func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
			return errors.Join(s.Erase(ctx, t, ids), s.Erase(ctx, "clinic-18", ids)) // WHERE id IN …
		}),
		"erase-again": onErase(func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
			for _, id := range ids {
				if _, err := s.Get(ctx, t, id); err != nil {
					return err
				}
			}
			return s.Erase(ctx, t, ids)
		}),
		"erase-stays": func() audit.Store {
			again := map[string][]byte{}
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					for _, e := range entries {
						if old, err := s.Get(ctx, e.Tenant, e.ID); err == nil && len(old.Openings) == 0 {
							again[e.ID] = bytes.Clone(e.Openings) // ON CONFLICT DO UPDATE
						}
					}
					return s.Append(ctx, entries)
				},
				get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
					e, err := s.Get(ctx, t, id)
					if o := again[id]; o != nil {
						e.Openings = o
					}
					return e, err
				},
			}
		},
		"erase-cancelled": onErase(func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
			if ctx.Err() != nil {
				return nil
			}
			return s.Erase(ctx, t, ids)
		}),
	}
}
