package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func listRules() []rule {
	return []rule{
		{Name: "list-placed", Clause: "List: yields the placed entries that f selects", Run: listPlaced},
		{Name: "list-below", Clause: "List: whose Index is below the bound", Run: listBelow},
		{Name: "list-order", Clause: "List: the highest first", Run: listOrder},
		{Name: "list-limit", Clause: "List: limit at most", Run: listLimit},
		{Name: "list-whole", Clause: "List: Each is whole", Run: listWhole},
		{Name: "list-leaves-out", Clause: "List: Patients, Objects and Openings are left out", Run: listLeavesOut},
		{Name: "list-none", Clause: "List: None: the sequence is empty", Run: listNone},
		{Name: "list-meanwhile", Clause: "List: Placed meanwhile: may or may not be among them, never twice and never out of order", Run: listMeanwhile},
		{Name: "list-cancelled", Clause: "List: Cancelled or failing: the last pair holds the error", Run: listCancelled},
		{Name: "list-inside", Clause: "List: The caller may call the store again", Run: listInside},
		{Name: "list-stop", Clause: "List: or stop, inside the loop", Run: listStop},
	}
}

// listPlaced looks at List while some entries have no place, unless the store gave it at once.
func listPlaced(ctx context.Context, s audit.Store) error {
	list := entries(9)
	for i := range list {
		if err := add(ctx, s, list[i]); err != nil {
			return err
		}
	}
	for range len(list) + 1 {
		for _, f := range []audit.Filter{{}, {Patient: "p-1"}, {Actors: []audit.ActorID{"u-1"}}, {ObjectType: "note"}} {
			listed, err := page(ctx, s, f, audit.Newest, 100)
			if err != nil {
				return err
			}
			at, err := indexes(ctx, s, listed)
			if err != nil {
				return err
			}
			if slices.Contains(at, -1) {
				return errors.New("an entry without a place was listed")
			}
			n, err := placed(ctx, s, list)
			if err != nil {
				return err
			}
			if len(listed) != n {
				return fmt.Errorf("%d entries have their place, %d were listed", n, len(listed))
			}
		}
		if _, err := s.Sequence(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// listBelow walks through pages of each filter, and asks for bounds that no entry has.
func listBelow(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, mixed(80)...); err != nil {
		return err
	}
	for _, f := range filters() {
		want, err := page(ctx, s, f, audit.Newest, 100)
		if err != nil {
			return err
		}
		got, err := pages(ctx, s, f, len(want))
		if err != nil {
			return err
		}
		if err := same(ids(got), ids(want)); err != nil {
			return fmt.Errorf("%s in pages: %w", nameOf(&f), err)
		}
		for _, below := range []int64{-5, 0, 1, 30, 61, 1 << 40} {
			some, err := page(ctx, s, f, below, 100)
			if err != nil {
				return err
			}
			fits := slices.DeleteFunc(slices.Clone(want), func(e audit.Entry) bool { return e.Index >= below })
			if err := same(ids(some), ids(fits)); err != nil {
				return fmt.Errorf("%s below %d: %w", nameOf(&f), below, err)
			}
		}
	}
	return nil
}

// pages collects what a filter finds in pages of three.
func pages(ctx context.Context, s audit.Store, f audit.Filter, expected int) (got []audit.Entry, err error) {
	for below := audit.Newest; len(got) <= expected; {
		some, err := page(ctx, s, f, below, 3)
		if err != nil {
			return nil, err
		}
		got = append(got, some...)
		if len(some) < 3 {
			break
		}
		for _, e := range some {
			below = min(below, e.Index)
		}
	}
	return got, nil
}

func listOrder(ctx context.Context, s audit.Store) error {
	list := mixed(40)
	for i := 0; i < len(list); i += 8 {
		if err := put(ctx, s, list[i:i+8]...); err != nil {
			return err
		}
	}
	for _, f := range filters() {
		got, err := page(ctx, s, f, audit.Newest, 100)
		if err != nil {
			return err
		}
		if !slices.IsSortedFunc(got, func(a, b audit.Entry) int { return int(b.Index - a.Index) }) {
			return fmt.Errorf("%s: a higher place follows a lower one", nameOf(&f))
		}
	}
	return nil
}

func listLimit(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entries(5)...); err != nil {
		return err
	}
	for _, f := range []audit.Filter{{}, {Patient: "p-1"}, {Actors: []audit.ActorID{"u-1", "u-2"}}} {
		for limit := 1; limit <= 6; limit++ {
			got, err := page(ctx, s, f, audit.Newest, limit)
			if err != nil {
				return err
			}
			if len(got) != min(limit, 5) {
				return fmt.Errorf("limit %d of 5 entries gave %d", limit, len(got))
			}
		}
	}
	return nil
}

func listWhole(ctx context.Context, s audit.Store) error {
	list := mixed(24)
	want := map[string]audit.Entry{}
	for _, e := range list {
		want[e.ID] = e
	}
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	for _, f := range filters() {
		got, err := page(ctx, s, f, audit.Newest, 100)
		if err != nil {
			return err
		}
		for _, e := range got {
			if err := whole(e, want[e.ID]); err != nil {
				return err
			}
		}
	}
	return nil
}

func listLeavesOut(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entries(3)...); err != nil {
		return err
	}
	for _, f := range []audit.Filter{{}, {Patient: "p-1"}, {ObjectType: "note"}} {
		got, err := page(ctx, s, f, audit.Newest, 9)
		if err != nil {
			return err
		}
		for _, e := range got {
			if len(e.Openings)+len(e.Patients)+len(e.Objects) > 0 {
				return errors.New("list returned openings, patients or objects")
			}
		}
	}
	return nil
}

// listNone asks a store for what it does not have: no pair comes, also none with an error.
func listNone(ctx context.Context, s audit.Store) error {
	for range 2 {
		for _, f := range []audit.Filter{
			{Tenant: "nobody"},
			{Tenant: clinic, Patient: "nobody"},
			{Tenant: clinic, ObjectType: "nothing"},
			{Tenant: clinic, Actors: []audit.ActorID{"nobody", "no-one"}},
			{Tenant: clinic, From: at(9), To: at(9)},
			{Tenant: clinic, From: at(10_000)},
			{Tenant: clinic, To: at(-10_000)},
		} {
			for range s.List(ctx, f, audit.Newest, 5) {
				return errors.New("something was listed where nothing is")
			}
		}
		if err := put(ctx, s, entries(3)...); err != nil {
			return err
		}
	}
	return nil
}

// listMeanwhile appends while a page is being read, outside and inside its loop, and places.
func listMeanwhile(ctx context.Context, s audit.Store) error {
	const before, more = 40, 12
	if err := put(ctx, s, entries(before)...); err != nil {
		return err
	}
	return together(2, func(g int) error {
		if g == 0 {
			for i := range more {
				if err := add(ctx, s, entry(1000+i)); err != nil {
					return err
				}
			}
			return nil
		}
		for i := range more {
			seen, last := 0, audit.Newest
			for e, err := range s.List(ctx, audit.Filter{Tenant: clinic, Patient: "p-1"}, audit.Newest, 1000) {
				if err != nil {
					return err
				}
				if e.Index >= last {
					return fmt.Errorf("place %d follows place %d", e.Index, last)
				}
				if seen, last = seen+1, e.Index; seen == 1 {
					if err := put(ctx, s, entry(2000+i)); err != nil {
						return err
					}
				}
			}
			if seen < before {
				return fmt.Errorf("%d entries were listed, %d were there before", seen, before)
			}
		}
		return nil
	})
}

// listCancelled ends the context before and in the middle of a list. What comes is all there
// is, or ends with an error.
func listCancelled(ctx context.Context, s audit.Store) error {
	const n = 120
	if err := put(ctx, s, entries(n)...); err != nil {
		return err
	}
	for _, after := range []int{0, 1, 60} {
		inner, cancel := context.WithCancel(ctx)
		if after == 0 {
			cancel()
		}
		got, failed := 0, false
		for _, err := range s.List(inner, audit.Filter{Tenant: clinic}, audit.Newest, 1000) {
			if failed {
				cancel()
				return errors.New("something came after the error")
			}
			if failed = err != nil; failed {
				continue
			}
			if got++; got == after {
				cancel()
			}
		}
		cancel()
		if !failed && (got != n || after == 0) {
			return fmt.Errorf("%d of %d entries and no error, as if that were all", got, n)
		}
	}
	return nil
}

func listInside(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entries(3)...); err != nil {
		return err
	}
	for e, err := range s.List(ctx, audit.Filter{Tenant: clinic}, audit.Newest, 9) {
		if err != nil {
			return err
		}
		inner, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, getErr := s.Get(inner, clinic, e.ID)
		_, listErr := page(inner, s, audit.Filter{}, e.Index+1, 1)
		_, countErr := s.Count(inner, audit.Filter{Tenant: clinic}, 9)
		err = errors.Join(put(inner, s, entry(9)), s.Erase(inner, clinic, []string{e.ID}), getErr, listErr, countErr)
		cancel()
		if err != nil {
			return fmt.Errorf("inside the loop: %w", err)
		}
	}
	return nil
}

// listStop leaves more loops than a pool has connections.
func listStop(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entries(30)...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for i := range 50 {
		for _, err := range s.List(ctx, audit.Filter{Tenant: clinic}, audit.Newest, 30) {
			if err != nil {
				return fmt.Errorf("after %d loops that were left: %w", i, err)
			}
			break
		}
	}
	return add(ctx, s, entry(40))
}
