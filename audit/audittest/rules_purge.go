package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
)

// PurgeStore is what TestPurger looks at: a store whose events can be purged.
type PurgeStore interface {
	audit.Store
	audit.Purger
}

type purgeRule = conform.Rule[PurgeStore]

// TestPurger runs the contract of audit.Purger as subtests, each against a fresh store, which also
// has to pass TestStore. Where the store has a method Leaves, as package tlog needs it, the leaf
// hashes are looked at, too.
func TestPurger(t *testing.T, open func(t testing.TB) PurgeStore) {
	t.Helper()
	conform.Test(t, purgeRules(), open)
}

// CheckPurger is TestPurger without a test: it returns what the stores break of the contract, nil
// if nothing. Each call of open returns a fresh store.
func CheckPurger(ctx context.Context, open func() (PurgeStore, error)) error {
	return conform.Check(ctx, purgeRules(), open)
}

func purgeRules() []purgeRule {
	return []purgeRule{
		{Name: "purge-for-good", Clause: "Purge: destroys, for good", Run: purgeForGood},
		{Name: "purge-tenant", Clause: "Purge: the placed entries of one tenant", Run: purgeTenant},
		{Name: "purge-spans", Clause: "Purge: that lie in spans", Run: purgeSpans},
		{Name: "purge-contents", Clause: "Purge: Body, Openings, Actor, Action, Outcome, Patients, Objects", Run: purgeContents},
		{Name: "purge-found-by", Clause: "Purge: all that they are found by", Run: purgeFoundBy},
		{Name: "purge-stays", Clause: "Purge: Index, ID, Recorded and Leaf stay", Run: purgeStays},
		{Name: "purge-list", Clause: "Purge: Then List", Run: purgeList},
		{Name: "purge-count", Clause: "Purge: Count", Run: purgeCount},
		{Name: "purge-get", Clause: "Purge: Get pass over them: Get returns ErrPurged", Run: purgeGet},
		{Name: "purge-append", Clause: "Purge: an Append of the same ID with a Body of the same Leaf counts as done", Run: purgeAppend},
		{Name: "purge-brings-nothing-back", Clause: "Purge: brings nothing back", Run: purgeBringsNothingBack},
		{Name: "purge-conflict", Clause: "Purge: with any other it is ErrConflict", Run: purgeConflict},
		{Name: "purge-again", Clause: "Purge: Purged before: that is no error", Run: purgeAgain},
		{Name: "purge-beyond", Clause: "Purge: A span that ends beyond the tenant's order, or begins below 0: ErrNotFound", Run: purgeBeyond},
		{Name: "purge-nothing-destroyed", Clause: "Purge: nothing of the call is destroyed", Run: purgeNothingDestroyed},
		{Name: "purge-at-once", Clause: "Purge: Twice at once: both succeed", Run: purgeAtOnce},
		{Name: "purge-cancelled", Clause: "Purge: some may be destroyed, never one in part; the caller purges again", Run: purgeCancelled},
		{Name: "purged-places", Clause: "Purged: returns which of the places from to to-1 have no body any more", Run: purgedPlaces},
		{Name: "purged-spans", Clause: "Purged: as spans that ascend and neither meet nor overlap", Run: purgedSpans},
		{Name: "purged-none", Clause: "Purged: None, or no such tenant: nil", Run: purgedNone},
		{Name: "purged-cancelled", Clause: "Purged: Cancelled: an error", Run: purgedCancelled},
	}
}

// purge purges places of the clinic.
func purge(ctx context.Context, s PurgeStore, spans ...audit.Span) error {
	if err := s.Purge(ctx, clinic, spans); err != nil {
		return fmt.Errorf("purging: %w", err)
	}
	return nil
}

// in tells which of a list of a single tenant, by place, are in the spans and which are not.
func in(list []audit.Entry, spans ...audit.Span) (gone, left []audit.Entry) {
	for i := range list {
		if slices.ContainsFunc(spans, func(p audit.Span) bool { return p.From <= int64(i) && int64(i) < p.To }) {
			gone = append(gone, list[i])
		} else {
			left = append(left, list[i])
		}
	}
	return gone, left
}

// purged expects that these were purged, as Get says.
func purged(ctx context.Context, s audit.Store, list ...audit.Entry) error {
	for _, e := range list {
		if _, err := s.Get(ctx, e.Tenant, e.ID); !errors.Is(err, audit.ErrNotFound) {
			return fmt.Errorf("got %v for a purged event", err)
		}
	}
	return nil
}

// ordered appends entries one by one, so that their places are known, and places them.
func ordered(ctx context.Context, s audit.Store, list []audit.Entry) error {
	for i := range list {
		if err := put(ctx, s, list[i]); err != nil {
			return err
		}
	}
	return nil
}

// purgeForGood goes on recording, erasing and purging afterwards.
func purgeForGood(ctx context.Context, s PurgeStore) error {
	list := entries(9)
	if err := first(ordered(ctx, s, list), purge(ctx, s, audit.Span{From: 1, To: 3})); err != nil {
		return err
	}
	if err := first(put(ctx, s, entry(20)), s.Erase(ctx, clinic, ids(list)), purge(ctx, s, audit.Span{From: 5, To: 6})); err != nil {
		return err
	}
	if err := put(ctx, s, entry(21)); err != nil {
		return err
	}
	return purged(ctx, s, list[1], list[2], list[5])
}

func purgeTenant(ctx context.Context, s PurgeStore) error {
	for i := range 6 {
		if err := put(ctx, s, entry(i), entry(i, of(neighbour))); err != nil {
			return err
		}
	}
	if err := purge(ctx, s, audit.Span{From: 1, To: 4}); err != nil {
		return err
	}
	for i := range 6 {
		if there, err := has(ctx, s, entry(i, of(neighbour))); err != nil || !there {
			return fmt.Errorf("another tenant's event is gone: %v", err)
		}
	}
	return nil
}

// purgeSpans takes more events than one statement or transaction usually has, in several spans, and
// looks at their ends.
func purgeSpans(ctx context.Context, s PurgeStore) error {
	list := entries(1400)
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	placed, err := page(ctx, s, audit.Filter{}, audit.Newest, len(list))
	if err != nil {
		return err
	}
	slices.Reverse(placed)
	spans := []audit.Span{{From: 0, To: 1}, {From: 3, To: 1200}, {From: 1201, To: 1202}, {From: 1398, To: 1400}}
	if err := purge(ctx, s, spans...); err != nil {
		return err
	}
	gone, left := in(placed, spans...)
	for _, e := range left {
		if there, err := has(ctx, s, e); err != nil || !there {
			return fmt.Errorf("an event beside the spans is gone: %v", err)
		}
	}
	return purged(ctx, s, gone...)
}

// purgeContents looks at what comes beside the error.
func purgeContents(ctx context.Context, s PurgeStore) error {
	list := mixed(3)
	if err := first(ordered(ctx, s, list), purge(ctx, s, audit.Span{From: 0, To: 3})); err != nil {
		return err
	}
	for _, want := range list {
		e, err := s.Get(ctx, want.Tenant, want.ID)
		if err != nil && (len(e.Body)+len(e.Openings)+len(e.Actor)+len(e.Action)+len(e.Patients)+len(e.Objects) > 0 || e.Outcome != 0) {
			return errors.New("get returned something of a purged event")
		}
	}
	return nil
}

// purgeFoundBy asks with every condition there is.
func purgeFoundBy(ctx context.Context, s PurgeStore) error {
	list := slices.DeleteFunc(mixed(80), func(e audit.Entry) bool { return e.Tenant != clinic })
	spans := []audit.Span{{From: 2, To: 9}, {From: 11, To: 12}, {From: 30, To: 50}}
	if err := first(ordered(ctx, s, list), purge(ctx, s, spans...)); err != nil {
		return err
	}
	_, left := in(list, spans...)
	for _, f := range filters()[1:] {
		f.Tenant = clinic
		var want []string
		for i := range left {
			if f.Matches(&left[i]) {
				want = append(want, left[i].ID)
			}
		}
		got, err := page(ctx, s, f, audit.Newest, 100)
		if err != nil {
			return err
		}
		if err := same(ids(got), want); err != nil {
			return fmt.Errorf("%+v: %w", f, err)
		}
	}
	return nil
}

// purgeStays looks at the places of what is left and of what comes, and at all leaves.
func purgeStays(ctx context.Context, s PurgeStore) error {
	list := entries(7)
	if err := first(ordered(ctx, s, list[:6]), purge(ctx, s, audit.Span{From: 0, To: 2}, audit.Span{From: 5, To: 6}), put(ctx, s, list[6])); err != nil {
		return err
	}
	for _, i := range []int{2, 3, 4, 6} {
		if e, err := get(ctx, s, list[i]); err != nil || e.Index != int64(i) {
			return fmt.Errorf("place %d is %d now: %v", i, e.Index, err)
		}
	}
	source, ok := s.(interface {
		Leaves(ctx context.Context, tenant audit.Tenant, from, to int64) ([][32]byte, error)
	})
	if !ok {
		return nil
	}
	leaves, err := source.Leaves(ctx, clinic, 0, 7)
	if err != nil || len(leaves) != 7 {
		return fmt.Errorf("%d leaves: %v", len(leaves), err)
	}
	for i := range leaves {
		if leaves[i] != list[i].Leaf {
			return errors.New("a leaf is another one after the purge")
		}
	}
	return nil
}

func purgeList(ctx context.Context, s PurgeStore) error {
	list, span := entries(60), audit.Span{From: 4, To: 57}
	if err := first(ordered(ctx, s, list), purge(ctx, s, span)); err != nil {
		return err
	}
	_, left := in(list, span)
	slices.Reverse(left)
	for _, limit := range []int{100, 1, 4} { // also page by page
		var got []audit.Entry
		for below := audit.Newest; ; {
			some, err := page(ctx, s, audit.Filter{}, below, limit)
			if err != nil {
				return err
			}
			got = append(got, some...)
			if len(some) < limit {
				break
			}
			below = some[len(some)-1].Index
		}
		if err := equal(ids(got), ids(left)); err != nil {
			return err
		}
	}
	return nil
}

func purgeCount(ctx context.Context, s PurgeStore) error {
	list, span := entries(20), audit.Span{From: 3, To: 16}
	if err := first(ordered(ctx, s, list), purge(ctx, s, span)); err != nil {
		return err
	}
	for limit, want := range map[int]int{100: 7, 5: 5} {
		n, err := s.Count(ctx, audit.Filter{Tenant: clinic}, limit)
		if err != nil || n != want {
			return fmt.Errorf("counted %d of %d: %v", n, want, err)
		}
	}
	return nil
}

func purgeGet(ctx context.Context, s PurgeStore) error {
	list := entries(3)
	if err := first(ordered(ctx, s, list), purge(ctx, s, audit.Span{From: 1, To: 2})); err != nil {
		return err
	}
	if _, err := s.Get(ctx, clinic, list[1].ID); !errors.Is(err, audit.ErrPurged) {
		return fmt.Errorf("got %v, want ErrPurged", err)
	}
	if _, err := s.Get(ctx, neighbour, list[1].ID); errors.Is(err, audit.ErrPurged) {
		return errors.New("another tenant is told that there was an event")
	}
	return nil
}

// purgeAppend appends it alone and together with others.
func purgeAppend(ctx context.Context, s PurgeStore) error {
	list := entries(4)
	if err := first(ordered(ctx, s, list), purge(ctx, s, audit.Span{From: 1, To: 3})); err != nil {
		return err
	}
	if err := first(put(ctx, s, list[1]), put(ctx, s, list[2], entry(9), list[3])); err != nil {
		return err
	}
	there, err := has(ctx, s, entry(9))
	if err == nil && !there {
		err = errors.New("what was appended beside it is not there")
	}
	return err
}

func purgeBringsNothingBack(ctx context.Context, s PurgeStore) error {
	list := entries(4)
	if err := first(ordered(ctx, s, list), purge(ctx, s, audit.Span{From: 1, To: 3})); err != nil {
		return err
	}
	if s.Append(ctx, list[1:2]) != nil {
		return nil // broken, but another rule's matter
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	if there, err := has(ctx, s, list[1]); err != nil || there {
		return fmt.Errorf("a purged event is back: %v", err)
	}
	return nil
}

func purgeConflict(ctx context.Context, s PurgeStore) error {
	if err := first(ordered(ctx, s, entries(3)), purge(ctx, s, audit.Span{From: 1, To: 2})); err != nil {
		return err
	}
	if err := s.Append(ctx, []audit.Entry{other(1)}); !errors.Is(err, audit.ErrConflict) {
		return fmt.Errorf("got %v, want ErrConflict", err)
	}
	return nil
}

// purgeAgain purges the same, a part of it and more than that.
func purgeAgain(ctx context.Context, s PurgeStore) error {
	list := entries(12)
	if err := ordered(ctx, s, list); err != nil {
		return err
	}
	for _, spans := range [][]audit.Span{{{From: 4, To: 8}}, {{From: 4, To: 8}}, {{From: 5, To: 6}}, {{From: 3, To: 5}}, {{From: 7, To: 10}}, {{From: 2, To: 11}}, nil} {
		if err := purge(ctx, s, spans...); err != nil {
			return err
		}
	}
	return purged(ctx, s, list[2:11]...)
}
