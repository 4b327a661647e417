package phitest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
)

// TestKeys proves that the key stores that open returns keep the contract of phi.KeyStore.
// Every call of open returns a store of its own, empty.
func TestKeys(t *testing.T, open func(t testing.TB) phi.KeyStore) {
	conform.Test(t, keyRules(), open)
}

// CheckKeys is TestKeys outside a test: it returns every rule that was broken, nil if none.
func CheckKeys(ctx context.Context, open func() (phi.KeyStore, error)) error {
	return conform.Check(ctx, keyRules(), open)
}

func keyRules() []conform.Rule[phi.KeyStore] {
	return slices.Concat(keeperRules(), rewrapRules(), destroyRules(), rotationRules())
}

func keeperRules() []conform.Rule[phi.KeyStore] {
	return []conform.Rule[phi.KeyStore]{
		{
			Name:   "get_returns_what_was_created",
			Clause: "Create stores k durably; Get returns the keys with these ids",
			Run:    keysKept,
		},
		{
			Name:   "create_refuses_an_id_that_exists",
			Clause: "Already there: ErrKeyExists, and nothing changes, where the id is taken",
			Run:    keyIDTaken,
		},
		{
			Name:   "create_refuses_a_slot_and_epoch_that_exist",
			Clause: "Already there: ErrKeyExists, and nothing changes, where the slot with its epoch is taken",
			Run:    keySlotTaken,
		},
		{
			Name:   "create_at_once_succeeds_once",
			Clause: "Twice at once: exactly one succeeds, and Current is that one",
			Run:    keyRace,
		},
		{
			Name:   "slots_are_apart",
			Clause: "What a key belongs to is namespace, tenant, purpose and patient, all of them",
			Run:    keySlotsApart,
		},
		{
			Name:   "current_is_the_highest_epoch",
			Clause: "Current returns the slot's key of the highest epoch",
			Run:    keyHighestEpoch,
		},
		{
			Name:   "current_of_an_empty_slot",
			Clause: "Not there: ErrKeyNotFound",
			Run:    keyMissing,
		},
		{
			Name:   "get_leaves_out_what_is_missing",
			Clause: "Not there: left out, without an error",
			Run:    keysLeftOut,
		},
		{
			Name:   "keys_are_copies",
			Clause: "What is given and what is returned is the caller's own",
			Run:    keysCopied,
		},
		{
			Name:   "cancelled_means_an_error",
			Clause: "Cancelled half-way: the key is stored whole or not at all, and the call is an error",
			Run:    keysCancelled,
		},
	}
}

func newKey(s phi.KeySlot, epoch uint32) phi.Key {
	k := phi.Key{KeySlot: s, Epoch: epoch, Wrapped: make([]byte, 89), Created: time.Date(2026, 3, 1, 9, 30, 0, 123000, time.UTC)}
	rand.Read(k.ID[:])
	rand.Read(k.Wrapped)
	return k
}

func dataSlot() phi.KeySlot {
	return phi.KeySlot{Namespace: "app", Tenant: "clinic-1", Purpose: phi.PurposeData}
}

func create(ctx context.Context, s phi.KeyStore, keys ...phi.Key) error {
	for _, k := range keys {
		if err := s.Create(ctx, k); err != nil {
			return fmt.Errorf("creating a key: %w", err)
		}
	}
	return nil
}

func wantKey(have, want phi.Key) error {
	if have.ID != want.ID || have.KeySlot != want.KeySlot || have.Epoch != want.Epoch || have.Root != want.Root ||
		!bytes.Equal(have.Wrapped, want.Wrapped) || !have.Created.Equal(want.Created) {
		return fmt.Errorf("have key %+v, want %+v", have, want)
	}
	return nil
}

func wantGet(ctx context.Context, s phi.KeyStore, want phi.Key) error {
	got, err := s.Get(ctx, want.ID)
	if err != nil {
		return fmt.Errorf("reading a key: %w", err)
	}
	if len(got) != 1 {
		return fmt.Errorf("have %d keys, want 1", len(got))
	}
	return wantKey(got[0], want)
}

func wantCurrent(ctx context.Context, s phi.KeyStore, want phi.Key) error {
	got, err := s.Current(ctx, want.KeySlot)
	if err != nil {
		return fmt.Errorf("reading the current key: %w", err)
	}
	return wantKey(got, want)
}

func keysKept(ctx context.Context, s phi.KeyStore) error {
	root := newKey(dataSlot(), 1)
	own := newKey(phi.KeySlot{Namespace: "app", Tenant: "clínica-日本", Purpose: phi.PurposePatient, Patient: "p'1\"%_"}, 1)
	own.Root = root.ID
	if err := create(ctx, s, root, own); err != nil {
		return err
	}
	return errors.Join(wantGet(ctx, s, root), wantGet(ctx, s, own))
}

func keyIDTaken(ctx context.Context, s phi.KeyStore) error {
	k := newKey(dataSlot(), 1)
	other := newKey(phi.KeySlot{Namespace: "app", Tenant: "clinic-2", Purpose: phi.PurposeData}, 1)
	other.ID = k.ID
	if err := create(ctx, s, k); err != nil {
		return err
	}
	if err := s.Create(ctx, other); !errors.Is(err, phi.ErrKeyExists) {
		return fmt.Errorf("have %v, want ErrKeyExists", err)
	}
	return wantGet(ctx, s, k)
}

func keySlotTaken(ctx context.Context, s phi.KeyStore) error {
	k, other := newKey(dataSlot(), 7), newKey(dataSlot(), 7)
	if err := create(ctx, s, k); err != nil {
		return err
	}
	if err := s.Create(ctx, other); !errors.Is(err, phi.ErrKeyExists) {
		return fmt.Errorf("have %v, want ErrKeyExists", err)
	}
	return wantCurrent(ctx, s, k)
}

const racers = 16

// race runs f(0) … f(n-1) at once and returns their errors.
func race(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func keyRace(ctx context.Context, s phi.KeyStore) error {
	keys := make([]phi.Key, racers)
	for i := range keys {
		keys[i] = newKey(dataSlot(), 1)
	}
	winner := -1
	for i, err := range race(racers, func(i int) error { return s.Create(ctx, keys[i]) }) {
		switch {
		case err == nil && winner >= 0:
			return errors.New("two of several at once were created")
		case err == nil:
			winner = i
		case !errors.Is(err, phi.ErrKeyExists):
			return fmt.Errorf("have %w, want ErrKeyExists", err)
		}
	}
	if winner < 0 {
		return errors.New("none of several at once was created")
	}
	return wantCurrent(ctx, s, keys[winner])
}

func keySlotsApart(ctx context.Context, s phi.KeyStore) error {
	slots := []phi.KeySlot{
		{Namespace: "app", Tenant: "a", Purpose: phi.PurposePatient, Patient: "x"},
		{Namespace: "app2", Tenant: "a", Purpose: phi.PurposePatient, Patient: "x"},
		{Namespace: "app", Tenant: "A", Purpose: phi.PurposePatient, Patient: "x"},
		{Namespace: "app", Tenant: "a", Purpose: phi.PurposeData, Patient: "x"},
		{Namespace: "app", Tenant: "a", Purpose: phi.PurposePatient, Patient: "x "},
		{Namespace: "app", Tenant: "ax", Purpose: phi.PurposePatient},
		{Namespace: "app", Purpose: phi.PurposeCanary},
	}
	keys := make([]phi.Key, len(slots))
	for i, slot := range slots {
		keys[i] = newKey(slot, 1)
	}
	if err := create(ctx, s, keys...); err != nil {
		return err
	}
	for _, k := range keys {
		if err := wantCurrent(ctx, s, k); err != nil {
			return err
		}
	}
	return nil
}

func keyHighestEpoch(ctx context.Context, s phi.KeyStore) error {
	high := newKey(dataSlot(), 1<<32-1)
	if err := create(ctx, s, newKey(dataSlot(), 9), high, newKey(dataSlot(), 256), newKey(dataSlot(), 1<<31)); err != nil {
		return err
	}
	return wantCurrent(ctx, s, high)
}

func keyMissing(ctx context.Context, s phi.KeyStore) error {
	if err := create(ctx, s, newKey(dataSlot(), 1)); err != nil {
		return err
	}
	empty := dataSlot()
	empty.Patient = "nobody"
	if _, err := s.Current(ctx, empty); !errors.Is(err, phi.ErrKeyNotFound) {
		return fmt.Errorf("have %v, want ErrKeyNotFound", err)
	}
	return nil
}

func keysLeftOut(ctx context.Context, s phi.KeyStore) error {
	k, l := newKey(dataSlot(), 1), newKey(dataSlot(), 2)
	if err := create(ctx, s, k, l); err != nil {
		return err
	}
	ids := []phi.KeyID{k.ID}
	for range 1200 { // more than one statement takes
		ids = append(ids, newKey(dataSlot(), 1).ID)
	}
	got, err := s.Get(ctx, append(ids, l.ID)...)
	if err != nil {
		return fmt.Errorf("reading keys, most of which are missing: %w", err)
	}
	if len(got) != 2 {
		return fmt.Errorf("have %d keys, want 2", len(got))
	}
	if got, err = s.Get(ctx); err != nil || len(got) != 0 {
		return fmt.Errorf("asking for no keys: have %d keys and error %v", len(got), err)
	}
	return nil
}

func keysCopied(ctx context.Context, s phi.KeyStore) error {
	k := newKey(dataSlot(), 1)
	given := k
	given.Wrapped = bytes.Clone(k.Wrapped)
	if err := create(ctx, s, given); err != nil {
		return err
	}
	given.Wrapped[0] ^= 1
	for range 2 {
		got, err := s.Current(ctx, k.KeySlot)
		if err != nil {
			return err
		}
		if err := wantKey(got, k); err != nil {
			return err
		}
		got.Wrapped[0] ^= 1
	}
	return wantGet(ctx, s, k)
}

func keysCancelled(ctx context.Context, s phi.KeyStore) error {
	k := newKey(dataSlot(), 1)
	if err := create(ctx, s, k); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Create(gone, newKey(dataSlot(), 2)); err == nil {
		return errors.New("create succeeded though it was cancelled")
	}
	if _, err := s.Current(gone, k.KeySlot); err == nil {
		return errors.New("current succeeded though it was cancelled")
	}
	if _, err := s.Get(gone, k.ID); err == nil {
		return errors.New("get succeeded though it was cancelled")
	}
	return nil
}
