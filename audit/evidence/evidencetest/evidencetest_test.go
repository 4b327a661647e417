package evidencetest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/evidence/evidencetest"
	"github.com/wardkit/wardkit/internal/conform"
)

// mutant is a good store with one method replaced.
type mutant struct {
	get   func(context.Context, audit.Tenant, string) (evidence.Kept, error)
	list  func(context.Context, audit.Tenant) iter.Seq2[evidence.Kept, error]
	apply func(context.Context, evidence.Kept, int64) error
}

func (m *mutant) Get(ctx context.Context, t audit.Tenant, id string) (evidence.Kept, error) {
	return m.get(ctx, t, id)
}

func (m *mutant) List(ctx context.Context, t audit.Tenant) iter.Seq2[evidence.Kept, error] {
	return m.list(ctx, t)
}

func (m *mutant) Apply(ctx context.Context, k evidence.Kept, expect int64) error {
	return m.apply(ctx, k, expect)
}

// breaking returns how to open stores that breaks breaks.
func breaking(breaks func(m *mutant, good *evidence.Memory)) func() evidence.Store {
	return func() evidence.Store {
		good := evidence.NewMemory()
		m := &mutant{good.Get, good.List, good.Apply}
		breaks(m, good)
		return m
	}
}

// relisted is a List whose rows edit changes.
func relisted(m *mutant, good *evidence.Memory, edit func([]evidence.Kept) []evidence.Kept) {
	m.list = func(ctx context.Context, t audit.Tenant) iter.Seq2[evidence.Kept, error] {
		return func(yield func(evidence.Kept, error) bool) {
			var all []evidence.Kept
			for k, err := range good.List(ctx, t) {
				if err != nil {
					yield(k, err)
					return
				}
				all = append(all, k)
			}
			for _, k := range edit(all) {
				if !yield(k, nil) {
					return
				}
			}
		}
	}
}

// forgiving answers nil in place of ErrConflict where when says so.
func forgiving(when func(k evidence.Kept, expect int64) bool) func() evidence.Store {
	return breaking(func(m *mutant, good *evidence.Memory) {
		m.apply = func(ctx context.Context, k evidence.Kept, expect int64) error {
			err := good.Apply(ctx, k, expect)
			if errors.Is(err, evidence.ErrConflict) && when(k, expect) {
				return nil
			}
			return err
		}
	})
}

func mutants() map[string]func() evidence.Store {
	return map[string]func() evidence.Store{
		"get-missing": breaking(func(m *mutant, good *evidence.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, id string) (evidence.Kept, error) {
				k, err := good.Get(ctx, t, id)
				if id == "host.nothing" {
					return evidence.Kept{}, nil
				}
				return k, err
			}
		}),
		"round-trip": breaking(func(m *mutant, good *evidence.Memory) {
			m.apply = func(ctx context.Context, k evidence.Kept, expect int64) error {
				if k.Version == 77 { // whoever said it first
					k.Person = "p-dana"
				}
				return good.Apply(ctx, k, expect)
			}
		}),
		"detached": breaking(func(m *mutant, good *evidence.Memory) {
			var mu sync.Mutex
			said := map[string][]string{}
			m.apply = func(ctx context.Context, k evidence.Kept, expect int64) error {
				err := good.Apply(ctx, k, expect)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && expect == 0 {
					said[string(k.Tenant)+k.ID] = k.Citations
				}
				return err
			}
			m.get = func(ctx context.Context, t audit.Tenant, id string) (evidence.Kept, error) {
				k, err := good.Get(ctx, t, id)
				mu.Lock()
				defer mu.Unlock()
				if list := said[string(t)+id]; err == nil && k.Version == 1 {
					k.Citations = list
				}
				return k, err
			}
		}),
		"tenants-apart": breaking(func(m *mutant, good *evidence.Memory) {
			m.apply = func(ctx context.Context, k evidence.Kept, expect int64) error {
				err := good.Apply(ctx, k, expect)
				if err == nil && k.Tenant == "other-clinic" && expect == 1 {
					k.Tenant = "clinic"
					_ = good.Apply(ctx, k, expect)
				}
				return err
			}
		}),
		"create-once":    forgiving(func(k evidence.Kept, expect int64) bool { return expect == 0 && k.What != "somebody else's" }),
		"update-once":    forgiving(func(k evidence.Kept, expect int64) bool { return expect == 1 && k.Version == 1 }),
		"update-version": forgiving(func(_ evidence.Kept, expect int64) bool { return expect == 2 }),
		"update-missing": breaking(func(m *mutant, good *evidence.Memory) {
			m.apply = func(ctx context.Context, k evidence.Kept, expect int64) error {
				if _, err := good.Get(ctx, k.Tenant, k.ID); expect > 0 && errors.Is(err, evidence.ErrNotFound) {
					expect = 0
				}
				return good.Apply(ctx, k, expect)
			}
		}),
		"list-order": breaking(func(m *mutant, good *evidence.Memory) {
			relisted(m, good, func(all []evidence.Kept) []evidence.Kept { // after a page, the order is lost
				if len(all) > 200 {
					all[150], all[151] = all[151], all[150]
				}
				return all
			})
		}),
		"list-tenant": breaking(func(m *mutant, good *evidence.Memory) {
			relisted(m, good, func(all []evidence.Kept) []evidence.Kept {
				if k, err := good.Get(context.Background(), "other-clinic", "host.doors"); err == nil {
					k.Tenant = "clinic"
					all = append([]evidence.Kept{k}, all...)
				}
				return all
			})
		}),
		"list-withdrawn": breaking(func(m *mutant, good *evidence.Memory) {
			relisted(m, good, func(all []evidence.Kept) []evidence.Kept {
				return slices.DeleteFunc(all, func(k evidence.Kept) bool { return !k.Withdrawn.IsZero() })
			})
		}),
		"cancelled": breaking(func(m *mutant, good *evidence.Memory) {
			m.apply = func(ctx context.Context, k evidence.Kept, expect int64) error {
				return good.Apply(context.WithoutCancel(ctx), k, expect)
			}
		}),
	}
}

func TestMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, evidencetest.Rules(), mutants())
}

func TestMemory(t *testing.T) {
	t.Parallel()
	evidencetest.TestStore(t, func(testing.TB) evidence.Store { return evidence.NewMemory() })
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	require.NoError(t, evidencetest.Check(t.Context(), func() (evidence.Store, error) { return evidence.NewMemory(), nil }))
	bad := func() (evidence.Store, error) { return mutants()["list-order"](), nil }
	require.ErrorContains(t, evidencetest.Check(t.Context(), bad), "list-order:")
}
