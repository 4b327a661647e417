package recerttest_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac/recert"
	"github.com/wardkit/wardkit/rbac/recert/recerttest"
)

// mutant is a good store with one method replaced.
type mutant struct {
	get    func(context.Context, audit.Tenant, string) (recert.Campaign, error)
	list   func(context.Context, audit.Tenant, string) iter.Seq2[recert.Campaign, error]
	active func(context.Context) iter.Seq2[recert.Campaign, error]
	items  func(context.Context, audit.Tenant, string, recert.ItemFilter) iter.Seq2[recert.Item, error]
	apply  func(context.Context, recert.Write) error
}

func (m *mutant) Get(ctx context.Context, t audit.Tenant, id string) (recert.Campaign, error) {
	return m.get(ctx, t, id)
}

func (m *mutant) List(ctx context.Context, t audit.Tenant, below string) iter.Seq2[recert.Campaign, error] {
	return m.list(ctx, t, below)
}

func (m *mutant) Active(ctx context.Context) iter.Seq2[recert.Campaign, error] { return m.active(ctx) }

func (m *mutant) Items(ctx context.Context, t audit.Tenant, c string, f recert.ItemFilter) iter.Seq2[recert.Item, error] {
	return m.items(ctx, t, c, f)
}

func (m *mutant) Apply(ctx context.Context, w recert.Write) error { return m.apply(ctx, w) }

// breaking returns how to open stores that breaks breaks.
func breaking(breaks func(m *mutant, good *recert.Memory)) func() recert.Store {
	return func() recert.Store {
		good := recert.NewMemory()
		m := &mutant{good.Get, good.List, good.Active, good.Items, good.Apply}
		breaks(m, good)
		return m
	}
}

// applying returns how to open stores whose Apply goes through f.
func applying(f func(ctx context.Context, w recert.Write, good *recert.Memory) error) func() recert.Store {
	return breaking(func(m *mutant, good *recert.Memory) {
		m.apply = func(ctx context.Context, w recert.Write) error { return f(ctx, w, good) }
	})
}

// selecting returns how to open stores whose Items asks for something else.
func selecting(f func(recert.ItemFilter) recert.ItemFilter) func() recert.Store {
	return breaking(func(m *mutant, good *recert.Memory) {
		m.items = func(ctx context.Context, t audit.Tenant, c string, filter recert.ItemFilter) iter.Seq2[recert.Item, error] {
			return good.Items(ctx, t, c, f(filter))
		}
	})
}

// yields turns a slice into what a list yields.
func yields[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, one := range list {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// edited is what a list yields, changed.
func edited[T any](seq iter.Seq2[T, error], edit func([]T) []T) iter.Seq2[T, error] {
	var out []T
	for one, err := range seq {
		if err != nil {
			return func(yield func(T, error) bool) { yield(one, err) }
		}
		out = append(out, one)
	}
	return yields(edit(out))
}

func TestMutants(t *testing.T) {
	t.Parallel()
	all := campaignMutants()
	for _, more := range []map[string]func() recert.Store{listMutants(), itemMutants(), selectMutants(), applyMutants(), refusedMutants()} {
		maps.Copy(all, more)
	}
	conform.Mutants(t, recerttest.Rules(), all)
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	good := func() (recert.Store, error) { return recert.NewMemory(), nil }
	require.NoError(t, recerttest.Check(t.Context(), good))
	bad := func() (recert.Store, error) { return listMutants()["list-order"](), nil }
	require.ErrorContains(t, recerttest.Check(t.Context(), bad), "list-order:")
}

func TestMemory(t *testing.T) {
	t.Parallel()
	recerttest.TestStore(t, func(testing.TB) recert.Store { return recert.NewMemory() })
}

// TestTheSuiteFillsEveryField: a field that the fixtures leave empty could be lost and nobody would see it.
func TestTheSuiteFillsEveryField(t *testing.T) {
	t.Parallel()
	for _, v := range []any{recerttest.FullCampaign(), recerttest.FullItem()} {
		for _, field := range empty(reflect.ValueOf(v), reflect.TypeOf(v).Name()) {
			t.Errorf("%s is empty", field)
		}
	}
}

func empty(v reflect.Value, name string) (out []string) {
	switch {
	case v.IsZero():
		return []string{name}
	case v.Kind() == reflect.Slice:
		for n := range v.Len() {
			out = append(out, empty(v.Index(n), name+"[]")...)
		}
	case v.Kind() == reflect.Struct && v.Type().PkgPath() != "time":
		for n := range v.NumField() {
			out = append(out, empty(v.Field(n), name+"."+v.Type().Field(n).Name)...)
		}
	}
	return out
}

func campaignMutants() map[string]func() recert.Store {
	return map[string]func() recert.Store{
		"get-missing": breaking(func(m *mutant, good *recert.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id string) (recert.Campaign, error) {
				c, err := good.Get(ctx, t, id)
				if errors.Is(err, recert.ErrNotFound) && strings.HasSuffix(id, "9") {
					return recert.Campaign{}, nil
				}
				return c, err
			}
		}),
		"get-apart": breaking(func(m *mutant, good *recert.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id string) (recert.Campaign, error) {
				c, err := good.Get(ctx, t, id)
				if errors.Is(err, recert.ErrNotFound) { // an index without the tenant
					return good.Get(ctx, "clinic", id)
				}
				return c, err
			}
		}),
		"round-trip": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			if w.Campaign.State == recert.Signed { // what is not said stays
				had, err := good.Get(ctx, w.Campaign.Tenant, w.Campaign.ID)
				if err == nil && w.Campaign.Next.IsZero() {
					w.Campaign.Next = had.Next
				}
			}
			return good.Apply(ctx, w)
		}),
		"detached": breaking(func(m *mutant, good *recert.Memory) {
			var mu sync.Mutex
			kept := map[string]map[recert.Risk]recert.OnDue{}
			m.get = func(ctx context.Context, t audit.Tenant, id string) (recert.Campaign, error) {
				c, err := good.Get(ctx, t, id)
				mu.Lock()
				defer mu.Unlock()
				if kept[id] == nil {
					kept[id] = c.Spec.OnDue
				}
				if c.Spec.OnDue != nil {
					c.Spec.OnDue = kept[id] // the same map for everybody
				}
				return c, err
			}
		}),
		"active-all": breaking(func(m *mutant, good *recert.Memory) {
			m.active = func(ctx context.Context) iter.Seq2[recert.Campaign, error] {
				return edited(good.Active(ctx), func(l []recert.Campaign) []recert.Campaign { return l[:min(len(l), 200)] })
			}
		}),
		"active-only": breaking(func(m *mutant, good *recert.Memory) {
			var mu sync.Mutex
			idle := map[string]bool{} // who was idle once stays so
			m.apply = func(ctx context.Context, w recert.Write) error {
				mu.Lock()
				defer mu.Unlock()
				err := good.Apply(ctx, w)
				if err == nil && !w.Campaign.Active {
					idle[w.Campaign.ID] = true
				}
				return err
			}
			m.active = func(ctx context.Context) iter.Seq2[recert.Campaign, error] {
				return edited(good.Active(ctx), func(l []recert.Campaign) []recert.Campaign {
					mu.Lock()
					defer mu.Unlock()
					return slices.DeleteFunc(l, func(c recert.Campaign) bool { return idle[c.ID] })
				})
			}
		}),
		"ended-reads": breaking(func(m *mutant, good *recert.Memory) {
			m.items = func(ctx context.Context, t audit.Tenant, c string, f recert.ItemFilter) iter.Seq2[recert.Item, error] {
				if ctx.Err() != nil {
					return yields[recert.Item](nil)
				}
				return good.Items(ctx, t, c, f)
			}
		}),
	}
}

func listMutants() map[string]func() recert.Store {
	relist := func(edit func(below string, l []recert.Campaign) []recert.Campaign) func() recert.Store {
		return breaking(func(m *mutant, good *recert.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, below string) iter.Seq2[recert.Campaign, error] {
				return edited(good.List(ctx, t, below), func(l []recert.Campaign) []recert.Campaign { return edit(below, l) })
			}
		})
	}
	return map[string]func() recert.Store{
		"list-order": relist(func(_ string, l []recert.Campaign) []recert.Campaign {
			if len(l) > 200 { // two pages change places
				return slices.Concat(l[200:], l[:200])
			}
			return l
		}),
		"list-below": breaking(func(m *mutant, good *recert.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, below string) iter.Seq2[recert.Campaign, error] {
				if below != "" {
					below += "~" // below itself is among them
				}
				return good.List(ctx, t, below)
			}
		}),
		"list-apart": breaking(func(m *mutant, good *recert.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, below string) iter.Seq2[recert.Campaign, error] {
				return edited(good.List(ctx, t, below), func(l []recert.Campaign) []recert.Campaign {
					if t != "clinic" {
						return l
					}
					for c := range good.List(ctx, "other-clinic", below) {
						l = append(l, c)
					}
					return l
				})
			}
		}),
		"list-break": breaking(func(m *mutant, good *recert.Memory) {
			var mu sync.Mutex
			broken := 0
			m.active = func(ctx context.Context) iter.Seq2[recert.Campaign, error] {
				return func(yield func(recert.Campaign, error) bool) {
					for c, err := range good.Active(ctx) {
						if !yield(c, err) {
							mu.Lock()
							broken++
							mu.Unlock()
							return
						}
					}
				}
			}
			m.apply = func(ctx context.Context, w recert.Write) error {
				mu.Lock()
				defer mu.Unlock()
				if broken > 8 {
					return errors.New("no connection is left")
				}
				return good.Apply(ctx, w)
			}
		}),
	}
}

func itemMutants() map[string]func() recert.Store {
	return map[string]func() recert.Store{
		"item-round-trip": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			w.Items = slices.Clone(w.Items)
			for n := range w.Items {
				w.Items[n].Decision.Until = w.Items[n].Decision.Until.Truncate(1000000) // a column of milliseconds
			}
			return good.Apply(ctx, w)
		}),
		"item-place": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			for _, i := range w.Items { // the item's own word counts
				if i.Campaign != "" && i.Campaign != "none" && i.Campaign != w.Campaign.ID {
					c, err := good.Get(ctx, i.Tenant, i.Campaign)
					if err == nil {
						_ = good.Apply(ctx, recert.Write{Campaign: c, Expect: c.Version, Items: []recert.Item{i}})
					}
				}
			}
			return good.Apply(ctx, w)
		}),
		"items-many": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			if len(w.Items) > 1000 { // more parameters than the engine takes
				w.Items = w.Items[:1000]
			}
			return good.Apply(ctx, w)
		}),
		"items-replaced": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			if len(w.Items) == 1 && w.Items[0].Outcome == recert.Certified { // a column that is not updated
				w.Items = slices.Clone(w.Items)
				w.Items[0].Reviewer = "ann"
			}
			return good.Apply(ctx, w)
		}),
		"items-added": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			if w.Expect > 0 && len(w.Items) == 1 && w.Items[0].Seq == 3 { // an UPDATE that meets no row
				w.Items = nil
			}
			return good.Apply(ctx, w)
		}),
		"items-apart": breaking(func(m *mutant, good *recert.Memory) {
			m.items = func(ctx context.Context, t audit.Tenant, c string, f recert.ItemFilter) iter.Seq2[recert.Item, error] {
				there, err := all(good.Items(ctx, "clinic", c, f))
				if t == "other-clinic" && err == nil && len(there) == 1 && there[0].Due.Second() == 2 { // an index without the tenant
					for n := range there {
						there[n].Tenant = t
					}
					return yields(there)
				}
				return good.Items(ctx, t, c, f)
			}
		}),
	}
}

func all[T any](seq iter.Seq2[T, error]) (out []T, err error) {
	for one, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func selectMutants() map[string]func() recert.Store {
	return map[string]func() recert.Store{
		"items-order": breaking(func(m *mutant, good *recert.Memory) {
			m.items = func(ctx context.Context, t audit.Tenant, c string, f recert.ItemFilter) iter.Seq2[recert.Item, error] {
				return edited(good.Items(ctx, t, c, f), func(l []recert.Item) []recert.Item {
					if len(l) == 700 { // as they were written
						return slices.Concat(l[400:], l[:400])
					}
					return l
				})
			}
		}),
		"items-after": selecting(func(f recert.ItemFilter) recert.ItemFilter {
			if f.Reviewer == "" && f.After > 0 { // After itself is among them
				f.After--
			}
			return f
		}),
		"items-reviewer": selecting(func(f recert.ItemFilter) recert.ItemFilter {
			if f.Reviewer == "bob" {
				f.Reviewer = ""
			}
			return f
		}),
		"items-states": selecting(func(f recert.ItemFilter) recert.ItemFilter {
			if len(f.States) == 2 && f.Reviewer == "" { // the first of them only
				f.States = f.States[:1]
			}
			return f
		}),
		"items-limit": selecting(func(f recert.ItemFilter) recert.ItemFilter {
			if f.Reviewer == "" && f.Limit > 0 {
				f.Limit++
			}
			return f
		}),
		"items-together": breaking(func(m *mutant, good *recert.Memory) {
			m.items = func(ctx context.Context, t audit.Tenant, c string, f recert.ItemFilter) iter.Seq2[recert.Item, error] {
				if f.Limit > 2 { // counts before it selects
					wide := f
					wide.Reviewer, wide.States = "", nil
					return edited(good.Items(ctx, t, c, wide), func(l []recert.Item) []recert.Item {
						return slices.DeleteFunc(l, func(i recert.Item) bool { return !f.Matches(&i) })
					})
				}
				return good.Items(ctx, t, c, f)
			}
		}),
	}
}

func applyMutants() map[string]func() recert.Store {
	return map[string]func() recert.Store{
		"create-once": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			err := good.Apply(ctx, w)
			if errors.Is(err, recert.ErrConflict) && w.Expect == 0 && strings.HasSuffix(w.Campaign.ID, "7") {
				return nil // "it is there, as you wished"
			}
			return err
		}),
		"update-once": breaking(func(m *mutant, good *recert.Memory) {
			var look conform.Meeting
			m.apply = func(ctx context.Context, w recert.Write) error {
				if w.Expect != 1 || !strings.HasSuffix(w.Campaign.ID, "3") || len(w.Items) != 1 || w.Items[0].State != recert.ItemClosed {
					return good.Apply(ctx, w)
				}
				have, err := good.Get(ctx, w.Campaign.Tenant, w.Campaign.ID)
				if err != nil || have.Version != w.Expect {
					return cmpErr(err, recert.ErrConflict)
				}
				if look.Wait() { // a look and a write that trusts it
					for errors.Is(good.Apply(ctx, w), recert.ErrConflict) {
						if have, err = good.Get(ctx, w.Campaign.Tenant, w.Campaign.ID); err != nil {
							return err
						}
						w.Expect = have.Version
					}
					return nil
				}
				return good.Apply(ctx, w)
			}
		}),
		"apply-seen": breaking(func(m *mutant, good *recert.Memory) {
			var mu sync.Mutex
			cache := map[string]recert.Campaign{}
			m.get = func(ctx context.Context, t audit.Tenant, id string) (recert.Campaign, error) {
				mu.Lock()
				defer mu.Unlock()
				if c, ok := cache[id]; ok && c.Tenant == t {
					return c, nil
				}
				c, err := good.Get(ctx, t, id)
				if err == nil && strings.HasSuffix(id, "4") {
					cache[id] = c
				}
				return c, err
			}
		}),
	}
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func refusedMutants() map[string]func() recert.Store {
	// anyway makes a refused write after all, on the version that there is.
	anyway := func(ctx context.Context, w recert.Write, good *recert.Memory, t audit.Tenant) {
		if have, err := good.Get(ctx, t, w.Campaign.ID); err == nil {
			w.Campaign.Tenant, w.Expect = t, have.Version
			_ = good.Apply(ctx, w)
		}
	}
	never := func(w recert.Write) bool { return w.Campaign.Spec.Name == "never" }
	return map[string]func() recert.Store{
		"create-taken": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			err := good.Apply(ctx, w)
			if errors.Is(err, recert.ErrConflict) && never(w) && w.Expect == 0 && len(w.Items) == 0 && w.Campaign.Tenant == "clinic" {
				anyway(ctx, w, good, "clinic")
			}
			return err
		}),
		"create-elsewhere": breaking(func(m *mutant, good *recert.Memory) {
			var mu sync.Mutex
			theirs := []recert.Campaign{} // IDs count for each tenant
			m.apply = func(ctx context.Context, w recert.Write) error {
				err := good.Apply(ctx, w)
				if errors.Is(err, recert.ErrConflict) && never(w) && w.Expect == 0 && w.Campaign.Tenant == "other-clinic" {
					mu.Lock()
					theirs = append(theirs, w.Campaign)
					mu.Unlock()
					return nil
				}
				return err
			}
			m.list = func(ctx context.Context, t audit.Tenant, below string) iter.Seq2[recert.Campaign, error] {
				return edited(good.List(ctx, t, below), func(l []recert.Campaign) []recert.Campaign {
					mu.Lock()
					defer mu.Unlock()
					if t == "other-clinic" {
						l = append(l, theirs...)
					}
					return l
				})
			}
		}),
		"update-version": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			err := good.Apply(ctx, w)
			if errors.Is(err, recert.ErrConflict) && w.Expect == 9 { // a version of the future
				anyway(ctx, w, good, w.Campaign.Tenant)
			}
			return err
		}),
		"update-items": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			err := good.Apply(ctx, w)
			if errors.Is(err, recert.ErrConflict) && never(w) && len(w.Items) == 2 && w.Campaign.Tenant == "clinic" { // the items are in another transaction
				if have, gerr := good.Get(ctx, "clinic", w.Campaign.ID); gerr == nil {
					_ = good.Apply(ctx, recert.Write{Campaign: have, Expect: have.Version, Items: w.Items})
				}
			}
			return err
		}),
		"update-missing": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			if _, err := good.Get(ctx, w.Campaign.Tenant, w.Campaign.ID); never(w) && w.Expect == 3 && errors.Is(err, recert.ErrNotFound) {
				w.Expect = 0
				_ = good.Apply(ctx, w)
				return recert.ErrConflict
			}
			return good.Apply(ctx, w)
		}),
		"update-apart": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			err := good.Apply(ctx, w)
			if errors.Is(err, recert.ErrConflict) && never(w) && w.Expect == 1 && w.Campaign.Tenant == "other-clinic" {
				anyway(ctx, w, good, "clinic")
			}
			return err
		}),
		"ended-writes": applying(func(ctx context.Context, w recert.Write, good *recert.Memory) error {
			if err := ctx.Err(); err != nil { // an answer that is lost
				_ = good.Apply(context.WithoutCancel(ctx), w)
				return err
			}
			return good.Apply(ctx, w)
		}),
	}
}
