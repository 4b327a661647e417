package audittest_test

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// broken is a sound store with some of its methods replaced.
type broken struct {
	audit.Store
	append   func(ctx context.Context, s audit.Store, entries []audit.Entry) error
	sequence func(ctx context.Context, s audit.Store, limit int) (int, error)
	backlog  func(ctx context.Context, s audit.Store) (audit.Backlog, error)
	get      func(ctx context.Context, s audit.Store, t audit.Tenant, id string) (audit.Entry, error)
	list     func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error)
	count    func(ctx context.Context, s audit.Store, f audit.Filter, limit int) (int, error)
	erase    func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error
}

type listArgs struct {
	f     audit.Filter
	below int64
	limit int
}

func (b *broken) Append(ctx context.Context, entries []audit.Entry) error {
	if b.append == nil {
		return b.Store.Append(ctx, entries)
	}
	return b.append(ctx, b.Store, entries)
}

func (b *broken) Sequence(ctx context.Context, limit int) (int, error) {
	if b.sequence == nil {
		return b.Store.Sequence(ctx, limit)
	}
	return b.sequence(ctx, b.Store, limit)
}

func (b *broken) Backlog(ctx context.Context) (audit.Backlog, error) {
	if b.backlog == nil {
		return b.Store.Backlog(ctx)
	}
	return b.backlog(ctx, b.Store)
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

// Count agrees with List unless it is what is broken.
func (b *broken) Count(ctx context.Context, f audit.Filter, limit int) (int, error) {
	switch {
	case b.count != nil:
		return b.count(ctx, b.Store, f, limit)
	case b.list != nil:
		out, err := b.list(ctx, b.Store, listArgs{f, audit.Newest, limit})
		return min(len(out), limit), err
	}
	return b.Store.Count(ctx, f, limit)
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

// where lists what keep selects; keep sees the patients and objects, too.
func where(keep func(f audit.Filter, e audit.Entry) bool) func() audit.Store {
	return func() audit.Store {
		var mu sync.Mutex
		full := map[key]audit.Entry{}
		return &broken{
			Store: audit.NewMemory(),
			append: func(ctx context.Context, s audit.Store, entries []audit.Entry) error {
				mu.Lock()
				for _, e := range entries {
					if _, ok := full[key{e.Tenant, e.ID}]; !ok {
						e.Patients, e.Objects = slices.Clone(e.Patients), slices.Clone(e.Objects)
						full[key{e.Tenant, e.ID}] = e
					}
				}
				mu.Unlock()
				return s.Append(ctx, entries)
			},
			list: func(ctx context.Context, s audit.Store, q listArgs) ([]audit.Entry, error) {
				all, err := collect(ctx, s, listArgs{audit.Filter{Tenant: q.f.Tenant}, q.below, 10_000})
				mu.Lock()
				defer mu.Unlock()
				all = slices.DeleteFunc(all, func(e audit.Entry) bool { return !keep(q.f, full[key{e.Tenant, e.ID}]) })
				return all[:min(len(all), q.limit)], err
			},
		}
	}
}

// but runs a sound filter with one change.
func but(change func(f *audit.Filter, e *audit.Entry)) func() audit.Store {
	return where(func(f audit.Filter, e audit.Entry) bool {
		e.Patients, e.Objects = slices.Clone(e.Patients), slices.Clone(e.Objects)
		change(&f, &e)
		return f.Matches(&e)
	})
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

func onCount(f func(ctx context.Context, s audit.Store, f audit.Filter, limit int) (int, error)) func() audit.Store {
	return func() audit.Store { return &broken{Store: audit.NewMemory(), count: f} }
}

func onErase(f func(ctx context.Context, s audit.Store, t audit.Tenant, ids []string) error) func() audit.Store {
	return func() audit.Store { return &broken{Store: audit.NewMemory(), erase: f} }
}

func onBacklog(f func(ctx context.Context, s audit.Store) (audit.Backlog, error)) func() audit.Store {
	return func() audit.Store { return &broken{Store: newStaged(), backlog: f} }
}

// onStaged breaks the store that sequences afterwards.
func onStaged(change func(s *staged)) func() audit.Store {
	return func() audit.Store {
		s := newStaged()
		change(s)
		return s
	}
}

// mutants returns for each rule the store that breaks it.
func mutants() map[string]func() audit.Store {
	all := map[string]func() audit.Store{}
	for _, some := range []map[string]func() audit.Store{
		storeMutants(), appendMutants(), sequenceMutants(), backlogMutants(), getMutants(), listMutants(), countMutants(),
		filterMutants(), eraseMutants(),
	} {
		maps.Copy(all, some)
	}
	return all
}
