package audittest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func getMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"get-whole": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			e.Outcome = audit.Success
			return e, err
		}),
		"get-at-once": func() audit.Store {
			return &broken{Store: newStaged(), get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
				e, err := s.Get(ctx, t, id)
				if err == nil && e.Index < 0 {
					return audit.Entry{}, audit.ErrNotFound
				}
				return e, err
			}}
		},
		"get-leaves-out": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			if err == nil {
				e.Patients = []audit.Patient{"p-1"}
			}
			return e, err
		}),
		"get-index": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			e.Index++ // a row number from 1
			return e, err
		}),
		"get-missing": onGet(func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
			e, err := s.Get(ctx, t, id)
			if errors.Is(err, audit.ErrNotFound) {
				return audit.Entry{}, nil
			}
			return e, err
		}),
		"get-other-tenant": func() audit.Store {
			var mu sync.Mutex
			last := map[string]audit.Tenant{}
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					mu.Lock()
					defer mu.Unlock()
					if len(entries) == 1 {
						last[entries[0].ID] = entries[0].Tenant
					}
					return s.Append(ctx, entries)
				},
				get: func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error) {
					mu.Lock()
					defer mu.Unlock()
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
	}
}

func listMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"list-placed": func() audit.Store {
			base := newStaged()
			return &broken{Store: base, list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
				out, err := collect(ctx, s, q)
				base.mu.Lock()
				defer base.mu.Unlock()
				if len(base.waiting) > 0 && len(out) < q.limit && q.f.Matches(base.waiting[0]) {
					out = append(out, row(base.waiting[0], nil))
				}
				return out, err
			}}
		},
		"list-below": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			if q.below != audit.Newest && q.f.Patient != "" {
				q.below++ // idx <= ?
			}
			return collect(ctx, s, q)
		}),
		"list-order": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			out, err := collect(ctx, s, q)
			if len(q.f.Actors) > 1 { // merges one branch for each by time
				slices.SortStableFunc(out, func(a, b audit.Entry) int { return b.Recorded.Compare(a.Recorded) })
			}
			return out, err
		}),
		"list-limit": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			q.limit++
			return collect(ctx, s, q)
		}),
		"list-whole": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			out, err := collect(ctx, s, q)
			for i := range out {
				out[i].Actor = ""
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
		"list-none": func() audit.Store {
			var tenants sync.Map
			return &broken{
				Store: audit.NewMemory(),
				count: sound,
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					for _, e := range entries {
						tenants.Store(e.Tenant, true)
					}
					return s.Append(ctx, entries)
				},
				list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
					if _, ok := tenants.Load(q.f.Tenant); !ok {
						return nil, audit.ErrNotFound
					}
					return collect(ctx, s, q)
				},
			}
		},
		"list-meanwhile": func() audit.Store { return &offset{audit.NewMemory()} },
		"list-cancelled": func() audit.Store {
			return &broken{Store: audit.NewMemory(), count: sound, list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
				out, _ := collect(ctx, s, q)
				return out, nil
			}}
		},
		"list-inside": func() audit.Store { return &locked{Store: audit.NewMemory()} },
		"list-stop":   func() audit.Store { return &leaking{Store: audit.NewMemory()} },
	}
}

// sound counts as the store below does.
func sound(ctx context.Context, s audit.Store, f audit.Filter, limit int) (int, error) {
	return s.Count(ctx, f, limit)
}

// offset reads a list in chunks by OFFSET.
type offset struct{ audit.Store }

func (o *offset) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	const chunk = 10
	return func(yield func(audit.Entry, error) bool) {
		for from := 0; from < limit; from += chunk {
			out, err := collect(ctx, o.Store, listArgs{f, below, min(from+chunk, limit)})
			if err != nil {
				yield(audit.Entry{}, err)
				return
			}
			for _, e := range out[min(from, len(out)):] {
				if !yield(e, nil) {
					return
				}
			}
			if len(out) < from+chunk {
				return
			}
		}
	}
}

// locked holds a lock while a listing of everything is being read.
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
		if f.Patient == "" {
			l.reading.Add(1)
			defer l.reading.Add(-1)
		}
		l.Store.List(ctx, f, below, limit)(yield)
	}
}

// leaking loses a connection for each loop that is left, and has twenty.
type leaking struct {
	audit.Store
	lost atomic.Int32
}

func (l *leaking) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		if l.lost.Load() >= 20 {
			yield(audit.Entry{}, errors.New("too many connections"))
			return
		}
		for e, err := range l.Store.List(ctx, f, below, limit) {
			if !yield(e, err) {
				l.lost.Add(1)
				return
			}
		}
	}
}

func countMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"count": onCount(func(ctx context.Context, s audit.Store, f audit.Filter, limit int) (int, error) {
			f.ObjectID = ""
			return s.Count(ctx, f, limit)
		}),
		"count-limit": onCount(func(ctx context.Context, s audit.Store, f audit.Filter, _ int) (int, error) {
			return s.Count(ctx, f, 10_000)
		}),
		"count-none": onCount(func(ctx context.Context, s audit.Store, f audit.Filter, limit int) (int, error) {
			n, err := s.Count(ctx, audit.Filter{Tenant: f.Tenant}, 1)
			if err == nil && n == 0 {
				return 0, audit.ErrNotFound
			}
			return s.Count(ctx, f, limit)
		}),
		"count-cancelled": onCount(func(ctx context.Context, s audit.Store, f audit.Filter, limit int) (int, error) {
			n, _ := s.Count(ctx, f, limit)
			return n, nil
		}),
	}
}

func filterMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"filter-tenant": func() audit.Store {
			var tenants sync.Map
			return &broken{
				Store: audit.NewMemory(),
				append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
					for _, e := range entries {
						tenants.Store(e.Tenant, true)
					}
					return s.Append(ctx, entries)
				},
				list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
					out, err := collect(ctx, s, q)
					own := q.f.Tenant
					tenants.Range(func(t, _ any) bool { // a collation that does not look at case
						if q.f.Tenant = t.(audit.Tenant); q.f.Patient != "" && q.f.Tenant != own && strings.EqualFold(string(own), string(q.f.Tenant)) {
							more, _ := collect(ctx, s, q)
							out = append(out, more...)
						}
						return true
					})
					return out, err
				},
			}
		},
		"filter-empty": where(func(f audit.Filter, e audit.Entry) bool {
			return f.Matches(&e) && (f.Actors == nil || len(f.Actors) > 0) // actor IN ()
		}),
		"filter-lists": but(func(f *audit.Filter, _ *audit.Entry) { f.Actions = f.Actions[:min(len(f.Actions), 1)] }),
		"filter-all": but(func(f *audit.Filter, _ *audit.Entry) {
			if f.Patient != "" && len(f.Actors) > 0 {
				f.Outcomes = nil
			}
		}),
		"filter-fields": where(func(f audit.Filter, e audit.Entry) bool {
			if f.Patient != "" && string(e.Actor) == string(f.Patient) {
				f.Patient = "" // one index for all kinds of text
			}
			return f.Matches(&e)
		}),
		"filter-bytes": but(func(f *audit.Filter, e *audit.Entry) {
			f.Patient = audit.Patient(strings.ToLower(string(f.Patient)))
			for i, p := range e.Patients {
				e.Patients[i] = audit.Patient(strings.ToLower(string(p)))
			}
		}),
		"filter-period": but(func(f *audit.Filter, _ *audit.Entry) {
			if !f.From.IsZero() {
				f.From = f.From.Add(time.Nanosecond) // recorded > ?
			}
		}),
		"filter-late": onList(func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			out, err := collect(ctx, s, q)
			every, _ := collect(ctx, s, listArgs{audit.Filter{Tenant: q.f.Tenant}, q.below, 10_000})
			for _, e := range every { // stops where no event can be late by more
				if !q.f.From.IsZero() && e.Recorded.Before(q.f.From.Add(-30*time.Minute)) {
					return slices.DeleteFunc(out, func(o audit.Entry) bool { return o.Index < e.Index }), err
				}
			}
			return out, err
		}),
		"filter-patient": but(func(_ *audit.Filter, e *audit.Entry) { e.Patients = e.Patients[:min(len(e.Patients), 32)] }),
		"filter-type":    func() audit.Store { return joined() },
		"filter-object": where(func(f audit.Filter, e audit.Entry) bool {
			id := f.ObjectID
			f.ObjectID = ""
			return f.Matches(&e) && (id == "" || slices.ContainsFunc(e.Objects, func(r audit.Ref) bool { return r.ID == id }))
		}),
	}
}

// joined yields an event that has many objects once for each.
func joined() audit.Store {
	var rows sync.Map
	return &broken{
		Store: audit.NewMemory(),
		append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
			for _, e := range entries {
				rows.Store(e.ID, len(e.Objects))
			}
			return s.Append(ctx, entries)
		},
		list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
			var out []audit.Entry
			found, err := collect(ctx, s, q)
			for _, e := range found {
				out = append(out, e)
				if n, _ := rows.Load(e.ID); q.f.ObjectType != "" && q.f.ObjectID == "" && n.(int) > 10 {
					out = append(out, e)
				}
			}
			return out, err
		},
	}
}

func eraseMutants() map[string]func() audit.Store {
	return map[string]func() audit.Store{
		"erase": onErase(func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
			return s.Erase(ctx, t, ids[:min(len(ids), 256)])
		}),
		"erase-for-good": func() audit.Store {
			base := newStaged()
			copies := map[*audit.Entry][]byte{}
			base.place = func(e *audit.Entry) {
				if o := copies[e]; o != nil {
					e.Openings = o // moved with the row that waited
				}
			}
			return &broken{Store: base, erase: func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
				base.mu.Lock()
				for _, e := range base.waiting {
					if e.Tenant == t && slices.Contains(ids, e.ID) && len(e.Openings) > 0 {
						copies[e] = e.Openings
					}
				}
				base.mu.Unlock()
				return s.Erase(ctx, t, ids)
			}}
		},
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
		"erase-at-once": func() audit.Store {
			var rows flying
			return &broken{Store: audit.NewMemory(), erase: func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
				return rows.deadlocks(slices.Compact(slices.Sorted(slices.Values(ids))), func() error { return s.Erase(ctx, t, ids) })
			}}
		},
		"erase-cancelled": onErase(func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error {
			if ctx.Err() != nil {
				return nil
			}
			return s.Erase(ctx, t, ids)
		}),
	}
}
