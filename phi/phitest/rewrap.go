package phitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

func rewrapRules() []conform.Rule[phi.KeyStore] {
	return []conform.Rule[phi.KeyStore]{
		{
			Name:   "list_selects_by_namespace_root_and_tenant",
			Clause: "List returns the keys of a namespace that one key wraps, of any tenant or of one",
			Run:    listSelects,
		},
		{
			Name:   "list_is_in_order_of_ids",
			Clause: "List returns keys in ascending order of their ids, compared byte by byte, above After, Limit at most",
			Run:    listPages,
		},
		{
			Name:   "listed_keys_are_copies",
			Clause: "What List returns is the caller's own",
			Run:    listCopies,
		},
		{
			Name:   "count_ignores_after_and_limit",
			Clause: "Count returns how many keys q selects, whatever its After and Limit",
			Run:    countAll,
		},
		{
			Name:   "rewrap_changes_how_keys_are_wrapped_only",
			Clause: "Rewrap stores swap.Root and swap.Wrapped, and changes nothing else, of any number of keys; List sees it",
			Run:    rewrapStores,
		},
		{
			Name:   "rewrap_compares_first",
			Clause: "Not there, or wrapped otherwise by now: left alone, without an error",
			Run:    rewrapStale,
		},
		{
			Name:   "rewrap_counts_what_it_changed",
			Clause: "It returns for how many keys it stored the swap",
			Run:    rewrapCounts,
		},
		{
			Name:   "rewrap_at_once_changes_a_key_once",
			Clause: "Twice at once: one of them changes a key",
			Run:    rewrapRace,
		},
		{
			Name:   "rewrap_keeps_copies",
			Clause: "What Rewrap is given stays the caller's own",
			Run:    rewrapCopies,
		},
		{
			Name:   "rewrap_cancelled_means_an_error",
			Clause: "A call whose context has ended is an error, and changes nothing",
			Run:    rewrapCancelled,
		},
	}
}

// patientKey returns a key that root wraps.
func patientKey(t phi.KeySlot, root phi.KeyID) phi.Key {
	k := newKey(t, 1)
	k.Root = root
	return k
}

// family stores a root and n keys under it, and returns them in the order of their ids.
func family(ctx context.Context, s phi.KeyStore, n int) (root phi.Key, keys []phi.Key, err error) {
	root = newKey(dataSlot(), 1)
	for i := range n {
		slot := dataSlot()
		slot.Purpose, slot.Patient = phi.PurposePatient, patientName(i)
		keys = append(keys, patientKey(slot, root.ID))
	}
	err = create(ctx, s, append([]phi.Key{root}, keys...)...)
	slices.SortFunc(keys, byID)
	return root, keys, err
}

func wantKeys(have, want []phi.Key) error {
	if len(have) != len(want) {
		return fmt.Errorf("have %d keys, want %d", len(have), len(want))
	}
	for i := range want {
		if err := wantKey(have[i], want[i]); err != nil {
			return fmt.Errorf("key %d: %w", i, err)
		}
	}
	return nil
}

// wantUnder compares the keys that root wraps.
func wantUnder(ctx context.Context, s phi.KeyStore, root phi.KeyID, want ...phi.Key) error {
	got, err := s.List(ctx, phi.KeyQuery{Namespace: "app", Root: root, Limit: 5000})
	if err != nil {
		return fmt.Errorf("listing keys: %w", err)
	}
	slices.SortFunc(got, byID)
	return wantKeys(got, want)
}

func listSelects(ctx context.Context, s phi.KeyStore) error {
	mine, other := newKey(dataSlot(), 1), newKey(dataSlot(), 2)
	apart := newKey(phi.KeySlot{Namespace: "app", Tenant: "clinic-2", Purpose: phi.PurposeData}, 1)
	foreign := newKey(phi.KeySlot{Namespace: "app2", Tenant: "clinic-3", Purpose: phi.PurposeData}, 1)
	slot := phi.KeySlot{Namespace: "app", Tenant: "clinic-1", Purpose: phi.PurposePatient, Patient: "p"}
	under := patientKey(slot, mine.ID)
	if err := create(ctx, s, mine, other, apart, foreign, under); err != nil {
		return err
	}
	for _, c := range []struct {
		q    phi.KeyQuery
		want []phi.Key
	}{
		{phi.KeyQuery{Namespace: "app"}, []phi.Key{mine, other, apart}},
		{phi.KeyQuery{Namespace: "app", Tenant: "clinic-1"}, []phi.Key{mine, other}},
		{phi.KeyQuery{Namespace: "app2"}, []phi.Key{foreign}},
		{phi.KeyQuery{Namespace: "app", Root: mine.ID}, []phi.Key{under}},
		{phi.KeyQuery{Namespace: "app", Root: mine.ID, Tenant: "clinic-2"}, nil},
		{phi.KeyQuery{Namespace: "app", Root: other.ID}, nil},
	} {
		c.q.Limit = 100
		got, err := s.List(ctx, c.q)
		if err != nil {
			return fmt.Errorf("listing keys: %w", err)
		}
		slices.SortFunc(got, byID)
		slices.SortFunc(c.want, byID)
		if err := wantKeys(got, c.want); err != nil {
			return err
		}
	}
	return nil
}

func byID(a, b phi.Key) int { return bytes.Compare(a.ID[:], b.ID[:]) }

func listPages(ctx context.Context, s phi.KeyStore) error {
	root, keys, err := family(ctx, s, 23)
	if err != nil {
		return err
	}
	q := phi.KeyQuery{Namespace: "app", Root: root.ID, Limit: 5}
	var got []phi.Key
	for {
		page, err := s.List(ctx, q)
		if err != nil {
			return fmt.Errorf("listing keys: %w", err)
		}
		if len(page) > q.Limit {
			return fmt.Errorf("a page of %d keys, want %d at most", len(page), q.Limit)
		}
		if got = append(got, page...); len(page) == 0 || len(got) > len(keys) {
			return wantKeys(got, keys)
		}
		q.After = page[len(page)-1].ID
	}
}

func listCopies(ctx context.Context, s phi.KeyStore) error {
	root, keys, err := family(ctx, s, 1)
	if err != nil {
		return err
	}
	for range 2 {
		got, err := s.List(ctx, phi.KeyQuery{Namespace: "app", Root: root.ID, Limit: 9})
		if err != nil {
			return err
		}
		if err := wantKeys(got, keys); err != nil {
			return err
		}
		got[0].Wrapped[0] ^= 1
	}
	return nil
}

func countAll(ctx context.Context, s phi.KeyStore) error {
	root, keys, err := family(ctx, s, 7)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		q    phi.KeyQuery
		want int
	}{
		{phi.KeyQuery{Namespace: "app", Root: root.ID, After: keys[3].ID, Limit: 1}, 7},
		{phi.KeyQuery{Namespace: "app", Root: root.ID, Tenant: root.Tenant}, 7},
		{phi.KeyQuery{Namespace: "app", Root: root.ID, Tenant: "clinic-2"}, 0},
		{phi.KeyQuery{Namespace: "app"}, 1},
		{phi.KeyQuery{Namespace: "app2", Root: root.ID}, 0},
	} {
		n, err := s.Count(ctx, c.q)
		if err != nil {
			return fmt.Errorf("counting keys: %w", err)
		}
		if n != c.want {
			return fmt.Errorf("counted %d keys, want %d", n, c.want)
		}
	}
	return nil
}

// swapOf returns a swap that brings k under root, and k as it is then.
func swapOf(k phi.Key, root phi.KeyID) (phi.KeySwap, phi.Key) {
	fresh := newKey(k.KeySlot, 1)
	swap := phi.KeySwap{ID: k.ID, Old: bytes.Clone(k.Wrapped), Root: root, Wrapped: fresh.Wrapped}
	k.Root, k.Wrapped = root, bytes.Clone(fresh.Wrapped)
	return swap, k
}

func rewrapStores(ctx context.Context, s phi.KeyStore) error {
	old, keys, err := family(ctx, s, 1200) // more than one statement takes
	if err != nil {
		return err
	}
	root := newKey(dataSlot(), 2)
	swaps, want := make([]phi.KeySwap, len(keys)), make([]phi.Key, len(keys))
	for i, k := range keys {
		swaps[i], want[i] = swapOf(k, root.ID)
	}
	last := len(keys) - 1
	if _, err := s.Rewrap(ctx, swaps[:last]); err != nil {
		return fmt.Errorf("re-wrapping: %w", err)
	}
	if _, err := s.Rewrap(ctx, nil); err != nil {
		return fmt.Errorf("re-wrapping nothing: %w", err)
	}
	return errors.Join(wantUnder(ctx, s, root.ID, want[:last]...), wantUnder(ctx, s, old.ID, keys[last]), wantUnder(ctx, s, phi.KeyID{}, old))
}

func rewrapStale(ctx context.Context, s phi.KeyStore) error {
	old, keys, err := family(ctx, s, 2)
	if err != nil {
		return err
	}
	second, third := newKey(dataSlot(), 2).ID, newKey(dataSlot(), 3).ID
	first, now := swapOf(keys[0], second)
	if _, err := s.Rewrap(ctx, []phi.KeySwap{first}); err != nil {
		return fmt.Errorf("re-wrapping: %w", err)
	}
	stale, _ := swapOf(keys[0], third) // as it was read before
	missing, _ := swapOf(newKey(keys[0].KeySlot, 4), third)
	if _, err := s.Rewrap(ctx, []phi.KeySwap{stale, missing}); err != nil {
		return fmt.Errorf("re-wrapping what has changed meanwhile: %w", err)
	}
	return errors.Join(wantUnder(ctx, s, second, now), wantUnder(ctx, s, third), wantUnder(ctx, s, old.ID, keys[1]))
}

func rewrapCounts(ctx context.Context, s phi.KeyStore) error {
	_, keys, err := family(ctx, s, 3)
	if err != nil {
		return err
	}
	root := newKey(dataSlot(), 2).ID
	a, _ := swapOf(keys[0], root)
	b, _ := swapOf(keys[1], root)
	for i, want := range []int{2, 0} {
		n, err := s.Rewrap(ctx, []phi.KeySwap{a, b})
		if err != nil || n != want {
			return fmt.Errorf("call %d re-wrapped %d keys, error %v, want %d", i, n, err, want)
		}
	}
	return nil
}

func rewrapRace(ctx context.Context, s phi.KeyStore) error {
	old, keys, err := family(ctx, s, 1)
	if err != nil {
		return err
	}
	swaps, want, changed := make([]phi.KeySwap, racers), make([]phi.Key, racers), make([]int, racers)
	for i := range racers {
		swaps[i], want[i] = swapOf(keys[0], newKey(dataSlot(), 1).ID)
	}
	err = errors.Join(race(racers, func(i int) (err error) {
		changed[i], err = s.Rewrap(ctx, swaps[i:i+1])
		return err
	})...)
	if err != nil {
		return fmt.Errorf("re-wrapping at once: %w", err)
	}
	winner := slices.Index(changed, 1)
	if winner < 0 || slices.Contains(changed[winner+1:], 1) {
		return fmt.Errorf("of several at once, these changed the key: %v", changed)
	}
	return errors.Join(wantUnder(ctx, s, want[winner].Root, want[winner]), wantUnder(ctx, s, old.ID))
}

func rewrapCopies(ctx context.Context, s phi.KeyStore) error {
	_, keys, err := family(ctx, s, 1)
	if err != nil {
		return err
	}
	swap, want := swapOf(keys[0], newKey(dataSlot(), 2).ID)
	if _, err := s.Rewrap(ctx, []phi.KeySwap{swap}); err != nil {
		return err
	}
	swap.Wrapped[0] ^= 1
	return wantUnder(ctx, s, want.Root, want)
}

func rewrapCancelled(ctx context.Context, s phi.KeyStore) error {
	root, keys, err := family(ctx, s, 1)
	if err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	swap, _ := swapOf(keys[0], newKey(dataSlot(), 2).ID)
	q := phi.KeyQuery{Namespace: "app", Root: root.ID, Limit: 1}
	if _, err := s.Rewrap(gone, []phi.KeySwap{swap}); err == nil {
		return errors.New("re-wrap succeeded though it was cancelled")
	}
	if _, err := s.List(gone, q); err == nil {
		return errors.New("list succeeded though it was cancelled")
	}
	if _, err := s.Count(gone, q); err == nil {
		return errors.New("count succeeded though it was cancelled")
	}
	return wantUnder(ctx, s, root.ID, keys[0])
}
