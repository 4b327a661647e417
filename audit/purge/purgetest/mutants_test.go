package purgetest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/purge/purgetest"
	"github.com/wardkit/wardkit/internal/conform"
)

// mutant is a good store with one method replaced.
type mutant struct {
	*purge.Memory
	settings    func(context.Context, audit.Tenant) (purge.Settings, error)
	putSettings func(context.Context, purge.Settings) error
	holds       func(context.Context, audit.Tenant) iter.Seq2[purge.Hold, error]
	putHold     func(context.Context, purge.Hold) error
	plan        func(context.Context, audit.Tenant, string) (purge.Plan, error)
	plans       func(context.Context, audit.Tenant) iter.Seq2[purge.Plan, error]
	putPlan     func(context.Context, purge.Plan) error
	open        func(context.Context) iter.Seq2[purge.Plan, error]
}

func (m *mutant) Settings(ctx context.Context, t audit.Tenant) (purge.Settings, error) {
	return m.settings(ctx, t)
}

func (m *mutant) PutSettings(ctx context.Context, s purge.Settings) error {
	return m.putSettings(ctx, s)
}

func (m *mutant) Holds(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Hold, error] {
	return m.holds(ctx, t)
}
func (m *mutant) PutHold(ctx context.Context, h purge.Hold) error { return m.putHold(ctx, h) }
func (m *mutant) Plan(ctx context.Context, t audit.Tenant, id string) (purge.Plan, error) {
	return m.plan(ctx, t, id)
}

func (m *mutant) Plans(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Plan, error] {
	return m.plans(ctx, t)
}
func (m *mutant) PutPlan(ctx context.Context, p purge.Plan) error       { return m.putPlan(ctx, p) }
func (m *mutant) Open(ctx context.Context) iter.Seq2[purge.Plan, error] { return m.open(ctx) }

// breaking returns how to open stores that break breaks.
func breaking(breaks func(m *mutant, good *purge.Memory)) func() purge.Store {
	return func() purge.Store {
		good := purge.NewMemory()
		m := &mutant{good, good.Settings, good.PutSettings, good.Holds, good.PutHold, good.Plan, good.Plans, good.PutPlan, good.Open}
		breaks(m, good)
		return m
	}
}

func TestMutants(t *testing.T) {
	t.Parallel()
	all := settingsMutants()
	for name, m := range holdMutants() {
		all[name] = m
	}
	for name, m := range planMutants() {
		all[name] = m
	}
	conform.Mutants(t, purgetest.Rules(), all)
}

var errBroken = errors.New("broken")

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	require.NoError(t, purgetest.Check(t.Context(), func() (purge.Store, error) { return purge.NewMemory(), nil }))
	bad := func() (purge.Store, error) { return planMutants()["plan-order"](), nil }
	require.ErrorContains(t, purgetest.Check(t.Context(), bad), "plan-order:")
	closed := func() (purge.Store, error) { return nil, errBroken }
	require.ErrorIs(t, purgetest.Check(t.Context(), closed), errBroken)
}

// edited is a list whose rows edit changes.
func edited[T any](seq iter.Seq2[T, error], edit func([]T) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var rows []T
		for x, err := range seq {
			if err != nil {
				yield(x, err)
				return
			}
			rows = append(rows, x)
		}
		for _, x := range edit(rows) {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// bg is a context that a mutant uses in place of one that has ended.
var bg = context.Background()

func settingsMutants() map[string]func() purge.Store {
	return map[string]func() purge.Store{
		"settings-missing": breaking(func(m *mutant, good *purge.Memory) { // a default
			m.settings = func(ctx context.Context, t audit.Tenant) (purge.Settings, error) {
				s, err := good.Settings(ctx, t)
				if t == "clinic" && errors.Is(err, purge.ErrNotFound) {
					return purge.Settings{Tenant: t, Months: 84}, nil
				}
				return s, err
			}
		}),
		"settings-round-trip": breaking(func(m *mutant, good *purge.Memory) { // keeps who changed it first
			m.settings = func(ctx context.Context, t audit.Tenant) (purge.Settings, error) {
				s, err := good.Settings(ctx, t)
				if s.Version > 1 {
					s.By = "p-ada"
				}
				return s, err
			}
		}),
		"settings-versions": breaking(func(m *mutant, good *purge.Memory) { // the last one wins
			m.putSettings = func(ctx context.Context, s purge.Settings) error {
				if s.Months == 999 {
					have, _ := good.Settings(ctx, s.Tenant)
					s.Version = have.Version
				}
				return good.PutSettings(ctx, s)
			}
		}),
		"settings-once": breaking(func(m *mutant, good *purge.Memory) {
			m.putSettings = func(ctx context.Context, s purge.Settings) error {
				if err := good.PutSettings(ctx, s); err != nil && s.Tenant != "race" {
					return err
				}
				return nil
			}
		}),
		"settings-tenant": breaking(func(m *mutant, good *purge.Memory) { // one row for all
			m.putSettings = func(ctx context.Context, s purge.Settings) error {
				err := good.PutSettings(ctx, s)
				if s.Tenant == "other-clinic" && err == nil {
					have, _ := good.Settings(ctx, "clinic")
					have.Months = s.Months
					_ = good.PutSettings(ctx, have)
				}
				return err
			}
		}),
		"settings-cancelled": breaking(func(m *mutant, good *purge.Memory) {
			m.putSettings = func(ctx context.Context, s purge.Settings) error {
				err := ctx.Err()
				return errors.Join(err, good.PutSettings(context.WithoutCancel(ctx), s))
			}
		}),
	}
}

func holdMutants() map[string]func() purge.Store {
	return map[string]func() purge.Store{
		"holds-none": breaking(func(m *mutant, good *purge.Memory) {
			m.holds = func(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Hold, error] {
				return edited(good.Holds(ctx, t), func(rows []purge.Hold) []purge.Hold {
					if len(rows) == 0 {
						return []purge.Hold{{}}
					}
					return rows
				})
			}
		}),
		"hold-round-trip": breaking(func(m *mutant, good *purge.Memory) { // a release is for ever
			m.putHold = func(ctx context.Context, h purge.Hold) error {
				if h.Matter == "m" {
					h.ReleasedBy = "p-diaz"
				}
				return good.PutHold(ctx, h)
			}
		}),
		"hold-order": breaking(func(m *mutant, good *purge.Memory) {
			m.holds = func(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Hold, error] {
				return edited(good.Holds(ctx, t), func(rows []purge.Hold) []purge.Hold {
					slices.Reverse(rows)
					return rows
				})
			}
		}),
		"hold-versions": breaking(func(m *mutant, good *purge.Memory) {
			m.putHold = func(ctx context.Context, h purge.Hold) error {
				if h.Matter == "stale" && h.Version == 0 { // an insert that replaces
					h.Version = 1
				}
				return good.PutHold(ctx, h)
			}
		}),
		"hold-once": breaking(func(m *mutant, good *purge.Memory) {
			m.putHold = func(ctx context.Context, h purge.Hold) error {
				if err := good.PutHold(ctx, h); err != nil && h.Tenant != "race" {
					return err
				}
				return nil
			}
		}),
		"hold-tenant": breaking(func(m *mutant, good *purge.Memory) { // one name space for all
			m.putHold = func(ctx context.Context, h purge.Hold) error {
				for range good.Holds(ctx, "clinic") {
					if h.Tenant == "other-clinic" {
						return purge.ErrConflict
					}
				}
				return good.PutHold(ctx, h)
			}
		}),
		"hold-cancelled": breaking(func(m *mutant, good *purge.Memory) { // says nothing is held
			m.holds = func(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Hold, error] {
				if ctx.Err() != nil {
					return func(func(purge.Hold, error) bool) {}
				}
				return good.Holds(ctx, t)
			}
		}),
	}
}

func planMutants() map[string]func() purge.Store {
	return map[string]func() purge.Store{
		"plan-missing": breaking(func(m *mutant, good *purge.Memory) {
			m.plan = func(ctx context.Context, t audit.Tenant, id string) (purge.Plan, error) {
				p, err := good.Plan(ctx, t, id)
				if id == "p-nobody" {
					return purge.Plan{}, nil
				}
				return p, err
			}
		}),
		"plan-round-trip": breaking(func(m *mutant, good *purge.Memory) { // approvals are written once
			m.putPlan = func(ctx context.Context, p purge.Plan) error {
				if have, err := good.Plan(ctx, p.Tenant, p.ID); err == nil && p.State == purge.Destroyed {
					p.ApprovedBy = have.ApprovedBy
				}
				return good.PutPlan(ctx, p)
			}
		}),
		"plan-order": breaking(func(m *mutant, good *purge.Memory) {
			m.plans = func(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Plan, error] {
				return edited(good.Plans(ctx, t), func(rows []purge.Plan) []purge.Plan {
					slices.Reverse(rows)
					return rows
				})
			}
		}),
		"plan-versions": breaking(func(m *mutant, good *purge.Memory) {
			m.putPlan = func(ctx context.Context, p purge.Plan) error {
				if p.Months == 999 && p.State == purge.Withdrawn { // gives up whatever there is
					p.Version = 1
				}
				return good.PutPlan(ctx, p)
			}
		}),
		"plan-once": breaking(func(m *mutant, good *purge.Memory) { // two people agree at once
			m.putPlan = func(ctx context.Context, p purge.Plan) error {
				if err := good.PutPlan(ctx, p); err != nil && p.Tenant != "race" {
					return err
				}
				return nil
			}
		}),
		"plan-tenant": breaking(func(m *mutant, good *purge.Memory) {
			m.plan = func(ctx context.Context, t audit.Tenant, id string) (purge.Plan, error) {
				if t == "other-clinic" {
					t = "clinic"
				}
				return good.Plan(ctx, t, id)
			}
		}),
		"plan-one-open": breaking(func(m *mutant, good *purge.Memory) { // what is recorded is not counted
			m.putPlan = func(ctx context.Context, p purge.Plan) error {
				err := good.PutPlan(ctx, p)
				if errors.Is(err, purge.ErrOpen) && p.Tenant == "t-2" {
					return nil
				}
				return err
			}
		}),
		"plan-reopened": breaking(func(m *mutant, good *purge.Memory) {
			m.putPlan = func(ctx context.Context, p purge.Plan) error {
				err := good.PutPlan(ctx, p)
				if errors.Is(err, purge.ErrOpen) && p.Version > 0 {
					return nil
				}
				return err
			}
		}),
		"plan-open-once": breaking(func(m *mutant, good *purge.Memory) {
			m.putPlan = func(ctx context.Context, p purge.Plan) error {
				if err := good.PutPlan(ctx, p); err != nil && p.Tenant != "crowd" {
					return err
				}
				return nil
			}
		}),
		"plan-open-list": breaking(func(m *mutant, good *purge.Memory) { // forgets what is recorded and not destroyed
			m.open = func(ctx context.Context) iter.Seq2[purge.Plan, error] {
				return edited(good.Open(ctx), func(rows []purge.Plan) []purge.Plan {
					return slices.DeleteFunc(rows, func(p purge.Plan) bool {
						return p.State == purge.Recorded && strings.HasPrefix(string(p.Tenant), "list-")
					})
				})
			}
		}),
		"plan-detached": breaking(func(m *mutant, good *purge.Memory) {
			var mu sync.Mutex
			kept := map[string][]audit.Span{}
			m.putPlan = func(ctx context.Context, p purge.Plan) error {
				mu.Lock()
				defer mu.Unlock()
				err := good.PutPlan(ctx, p)
				if err == nil {
					kept[string(p.Tenant)+p.ID] = p.Spans
				}
				return err
			}
			m.plan = func(ctx context.Context, t audit.Tenant, id string) (purge.Plan, error) {
				p, err := good.Plan(ctx, t, id)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					p.Spans = kept[string(t)+id]
				}
				return p, err
			}
		}),
		"plan-cancelled": breaking(func(m *mutant, good *purge.Memory) {
			m.open = func(context.Context) iter.Seq2[purge.Plan, error] { return good.Open(bg) }
		}),
	}
}
