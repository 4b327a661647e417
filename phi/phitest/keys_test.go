package phitest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

func TestMemoryKeys(t *testing.T) {
	t.Parallel()
	phitest.TestKeys(t, func(testing.TB) phi.KeyStore { return phi.NewMemoryKeys() })
}

func TestCheckKeys(t *testing.T) {
	t.Parallel()
	require.NoError(t, phitest.CheckKeys(t.Context(), func() (phi.KeyStore, error) { return phi.NewMemoryKeys(), nil }))
	err := phitest.CheckKeys(t.Context(), func() (phi.KeyStore, error) { return slippery(), nil })
	require.ErrorContains(t, err, "current_of_an_empty_slot")
}

func TestKeyMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, phitest.KeyRules(), map[string]func() phi.KeyStore{
		"get_returns_what_was_created":               rootless,
		"create_refuses_an_id_that_exists":           idBlind,
		"create_refuses_a_slot_and_epoch_that_exist": lateBlind,
		"create_at_once_succeeds_once":               unlocked,
		"slots_are_apart":                            namespaceBlind,
		"current_is_the_highest_epoch":               signed,
		"current_of_an_empty_slot":                   slippery,
		"get_leaves_out_what_is_missing":             strict,
		"keys_are_copies":                            shared,
		"cancelled_means_an_error":                   deaf,

		"list_selects_by_namespace_root_and_tenant": tenantBlindList,
		"list_is_in_order_of_ids":                   unsorted,
		"listed_keys_are_copies":                    sharedList,
		"count_ignores_after_and_limit":             countsOn,
		"rewrap_changes_how_keys_are_wrapped_only":  rejuvenates,
		"rewrap_compares_first":                     careless,
		"rewrap_counts_what_it_changed":             boastful,
		"rewrap_at_once_changes_a_key_once":         looksFirst,
		"rewrap_keeps_copies":                       keepsWrapped,
		"rewrap_cancelled_means_an_error":           deafRewrap,

		"destroy_removes_every_key_of_a_patient": keepsLatest,
		"destroy_leaves_others":                  whoeverHasTheID,
		"destroy_refuses_what_is_no_patients":    destroysAnything,
		"destroyed_counts_patients":              countsOneMore,
		"destroy_at_once_succeeds":               oneDestroys,
		"destroy_cancelled_means_an_error":       deafDestroy,

		"rotation_returns_what_was_begun":   forgetsTotal,
		"rotation_of_another_namespace":     anyNamespace,
		"begin_refuses_a_busy_lane":         kindForLane,
		"lanes_are_apart":                   oneLane,
		"begin_refuses_an_id_that_exists":   reusesFinished,
		"begin_at_once_succeeds_once":       beginsTwice,
		"advance_stores_progress_only":      renames,
		"advance_compares_the_version":      takesLater,
		"finished_rotations_stay":           reopens,
		"advance_at_once_succeeds_once":     advancesTwice,
		"rotations_come_latest_first":       asBegun,
		"rotations_of_one_tenant_or_any":    emptyIsAny,
		"unfinished_rotations":              showsAll,
		"rotations_of_one_kind":             anyKind,
		"rotation_cancelled_means_an_error": deafBegin,
	})
}

// keyMutant is a key store broken where a function is set.
type keyMutant struct {
	*phi.MemoryKeys
	create  func(context.Context, phi.Key) error
	current func(context.Context, phi.KeySlot) (phi.Key, error)
	get     func(context.Context, ...phi.KeyID) ([]phi.Key, error)

	list   func(context.Context, phi.KeyQuery) ([]phi.Key, error)
	count  func(context.Context, phi.KeyQuery) (int, error)
	rewrap func(context.Context, []phi.KeySwap) (int, error)

	begin     func(context.Context, phi.Rotation) error
	advance   func(context.Context, phi.Rotation) error
	rotation  func(context.Context, string, string) (phi.Rotation, error)
	rotations func(context.Context, phi.RotationQuery) ([]phi.Rotation, error)
}

func (m *keyMutant) Create(ctx context.Context, k phi.Key) error {
	if m.create != nil {
		return m.create(ctx, k)
	}
	return m.MemoryKeys.Create(ctx, k)
}

func (m *keyMutant) Current(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
	if m.current != nil {
		return m.current(ctx, s)
	}
	return m.MemoryKeys.Current(ctx, s)
}

func (m *keyMutant) Get(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
	if m.get != nil {
		return m.get(ctx, ids...)
	}
	return m.MemoryKeys.Get(ctx, ids...)
}

// rootless forgets which root wraps a key.
func rootless() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.get = func(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
		keys, err := m.MemoryKeys.Get(ctx, ids...)
		for i := range keys {
			keys[i].Root = phi.KeyID{}
		}
		return keys, err
	}
	return m
}

// idBlind accepts an id twice.
func idBlind() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.create = func(ctx context.Context, k phi.Key) error {
		if have, err := m.MemoryKeys.Get(ctx, k.ID); err == nil && len(have) > 0 {
			return nil
		}
		return m.MemoryKeys.Create(ctx, k)
	}
	return m
}

// lateBlind guards only the first epoch of a slot.
func lateBlind() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.create = func(ctx context.Context, k phi.Key) error {
		err := m.MemoryKeys.Create(ctx, k)
		if have, _ := m.MemoryKeys.Get(ctx, k.ID); errors.Is(err, phi.ErrKeyExists) && k.Epoch > 1 && len(have) == 0 {
			return nil
		}
		return err
	}
	return m
}

// unlocked looks first and writes later.
func unlocked() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var inside conform.Meeting
	m.create = func(ctx context.Context, k phi.Key) error {
		_, err := m.MemoryKeys.Current(ctx, k.KeySlot)
		free := errors.Is(err, phi.ErrKeyNotFound) && k.Patient == ""
		if free {
			inside.Wait()
		}
		err = m.MemoryKeys.Create(ctx, k)
		if have, _ := m.MemoryKeys.Get(ctx, k.ID); free && errors.Is(err, phi.ErrKeyExists) && len(have) == 0 {
			return nil
		}
		return err
	}
	return m
}

// namespaceBlind gives two namespaces one slot.
func namespaceBlind() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var mu sync.Mutex
	type place struct {
		phi.KeySlot
		epoch uint32
	}
	owner := map[place]string{}
	m.create = func(ctx context.Context, k phi.Key) error {
		mu.Lock()
		defer mu.Unlock()
		p := place{k.KeySlot, k.Epoch}
		p.Namespace = ""
		if ns, ok := owner[p]; ok && ns != k.Namespace {
			return phi.ErrKeyExists
		}
		owner[p] = k.Namespace
		return m.MemoryKeys.Create(ctx, k)
	}
	return m
}

// signed compares epochs as signed numbers.
func signed() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var mu sync.Mutex
	best := map[phi.KeySlot]phi.Key{}
	m.create = func(ctx context.Context, k phi.Key) error {
		err := m.MemoryKeys.Create(ctx, k)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && int32(k.Epoch) > int32(best[k.KeySlot].Epoch) {
			k.Wrapped = append([]byte{}, k.Wrapped...)
			best[k.KeySlot] = k
		}
		return err
	}
	m.current = func(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
		if _, err := m.MemoryKeys.Current(ctx, s); err != nil {
			return phi.Key{}, err
		}
		mu.Lock()
		defer mu.Unlock()
		k := best[s]
		k.Wrapped = append([]byte{}, k.Wrapped...)
		return k, nil
	}
	return m
}

// slippery answers an empty slot with an empty key.
func slippery() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.current = func(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
		k, err := m.MemoryKeys.Current(ctx, s)
		if errors.Is(err, phi.ErrKeyNotFound) {
			return phi.Key{}, nil
		}
		return k, err
	}
	return m
}

// strict fails where one of the keys is missing.
func strict() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.get = func(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
		keys, err := m.MemoryKeys.Get(ctx, ids...)
		if err == nil && len(keys) < len(ids) {
			return nil, phi.ErrKeyNotFound
		}
		return keys, err
	}
	return m
}

// shared hands out its own memory.
func shared() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	var mine sync.Map
	m.current = func(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
		k, err := m.MemoryKeys.Current(ctx, s)
		if err == nil {
			own, _ := mine.LoadOrStore(k.ID, k.Wrapped)
			k.Wrapped = own.([]byte)
		}
		return k, err
	}
	return m
}

// deaf does not hear that the caller has gone.
func deaf() phi.KeyStore {
	m := &keyMutant{MemoryKeys: phi.NewMemoryKeys()}
	m.create = func(ctx context.Context, k phi.Key) error {
		return m.MemoryKeys.Create(context.WithoutCancel(ctx), k)
	}
	return m
}
