package rbactest_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// toggled is a ToggleStore in memory with one method replaced.
type toggled struct {
	*rbac.Memory
	read func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error)
	save func(ctx context.Context, t audit.Tenant, next rbac.Toggles) error
}

func (m *toggled) Toggles(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
	if m.read != nil {
		return m.read(ctx, t)
	}
	return m.Memory.Toggles(ctx, t)
}

func (m *toggled) SaveToggles(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
	if m.save != nil {
		return m.save(ctx, t, next)
	}
	return m.Memory.SaveToggles(ctx, t, next)
}

// overwrite saves whatever the version, if is says so.
func (m *toggled) overwrite(is func(stored, asked int64) bool) {
	m.save = func(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
		was, err := m.Memory.Toggles(ctx, t)
		if err != nil {
			return err
		}
		if is(was.Version, next.Version) {
			next.Version = was.Version
		}
		return m.Memory.SaveToggles(ctx, t, next)
	}
}

func toggleMutants() map[string]func(*toggled) {
	return map[string]func(*toggled){
		"toggles_of_nobody": func(m *toggled) {
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				got, err := m.Memory.Toggles(ctx, t)
				if err == nil && got.Version == 0 {
					err = errors.New("no such tenant")
				}
				return got, err
			}
		},
		"toggles_round_trip": func(m *toggled) {
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				got, err := m.Memory.Toggles(ctx, t)
				slices.Reverse(got.Choices)
				return got, err
			}
		},
		"toggles_of_tenant": func(m *toggled) {
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				return m.Memory.Toggles(ctx, audit.Tenant(strings.ToLower(string(t))))
			}
			m.save = func(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
				return m.Memory.SaveToggles(ctx, audit.Tenant(strings.ToLower(string(t))), next)
			}
		},
		"toggles_version_counts": func(m *toggled) {
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				got, err := m.Memory.Toggles(ctx, t)
				if got.Version > 0 && len(got.Choices) == 1 && got.Choices[0].Role == "therapist" && got.Version != 1 {
					got.Version++
				}
				return got, err
			}
		},
		"toggles_stale_version": func(m *toggled) {
			m.overwrite(func(stored, asked int64) bool { return asked > stored })
		},
		"toggles_first_version": func(m *toggled) {
			m.overwrite(func(stored, asked int64) bool { return asked == 0 && stored > 1 })
		},
		"toggles_one_wins": lookThenSave,
		"toggles_replaced": func(m *toggled) {
			m.save = func(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
				if was, err := m.Memory.Toggles(ctx, t); err == nil && len(next.Choices) == 0 {
					next.Choices = was.Choices
				}
				return m.Memory.SaveToggles(ctx, t, next)
			}
		},
		"toggles_copies": func(m *toggled) {
			var mu sync.Mutex
			shared := map[audit.Tenant]rbac.Toggles{}
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				got, err := m.Memory.Toggles(ctx, t)
				mu.Lock()
				defer mu.Unlock()
				if shared[t].Version == got.Version {
					got.Choices = shared[t].Choices
				}
				shared[t] = got
				return got, err
			}
		},
		"toggles_masks": func(m *toggled) {
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				got, err := m.Memory.Toggles(ctx, t)
				maps.DeleteFunc(got.Masks, func(_ rbac.RoleName, row map[phi.Class]phi.Level) bool { return len(row) == 0 })
				return got, err
			}
		},
		"toggles_masks_copied": func(m *toggled) {
			var mu sync.Mutex
			shared := map[audit.Tenant]rbac.Toggles{}
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				got, err := m.Memory.Toggles(ctx, t)
				mu.Lock()
				defer mu.Unlock()
				if shared[t].Version == got.Version {
					got.Masks = shared[t].Masks
				}
				shared[t] = got
				return got, err
			}
		},
		"toggles_cancelled": func(m *toggled) {
			m.read = func(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
				if ctx.Err() != nil {
					return rbac.Toggles{}, nil
				}
				return m.Memory.Toggles(ctx, t)
			}
		},
	}
}

// lookThenSave compares the version and then saves whatever has become of it.
func lookThenSave(m *toggled) {
	var meeting conform.Meeting
	m.save = func(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
		if was, err := m.Memory.Toggles(ctx, t); err != nil || was.Version != next.Version {
			return cmp.Or(err, rbac.ErrConflict)
		}
		meeting.Wait()
		for {
			was, err := m.Memory.Toggles(ctx, t)
			if err != nil {
				return err
			}
			next.Version = was.Version
			if err := m.Memory.SaveToggles(ctx, t, next); !errors.Is(err, rbac.ErrConflict) {
				return err
			}
		}
	}
}

func TestEachToggleRuleCatchesItsMutant(t *testing.T) {
	t.Parallel()
	open := map[string]func() rbac.ToggleStore{}
	for name, breakIt := range toggleMutants() {
		open[name] = func() rbac.ToggleStore {
			m := &toggled{Memory: rbac.NewMemory()}
			breakIt(m)
			return m
		}
	}
	conform.Mutants(t, rbactest.ToggleRules(), open)
}

func TestMemoryKeepsTheContractOfToggles(t *testing.T) {
	t.Parallel()
	rbactest.TestToggles(t, func(testing.TB) rbac.ToggleStore { return rbac.NewMemory() })
	require.NoError(t, rbactest.CheckToggles(t.Context(), func() (rbac.ToggleStore, error) { return rbac.NewMemory(), nil }))
}
