package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func sequenceRules() []rule {
	return []rule{
		{Name: "sequence-places", Clause: "Sequence: gives entries that are durable and have no place yet their Index", Run: sequencePlaces},
		{Name: "sequence-limit", Clause: "Sequence: at most limit of them", Run: sequenceLimit},
		{Name: "sequence-findable", Clause: "Sequence: makes them findable with List", Run: sequenceFindable},
		{Name: "sequence-zero", Clause: "Sequence: The first of a tenant has Index 0", Run: sequenceZero},
		{Name: "sequence-dense", Clause: "Sequence: each next one the number after, without a gap", Run: sequenceDense},
		{Name: "sequence-stays", Clause: "Sequence: never changed again", Run: sequenceStays},
		{Name: "sequence-order", Clause: "Sequence: What was durable before another Append began comes before what that one added", Run: sequenceOrder},
		{Name: "sequence-returns", Clause: "Sequence: It returns how many it placed", Run: sequenceReturns},
		{Name: "sequence-drained", Clause: "Sequence: Fewer than limit: everything that was durable before the call has its place, whoever gave it", Run: sequenceDrained},
		{Name: "sequence-nothing", Clause: "Sequence: Nothing waits: 0", Run: sequenceNothing},
		{Name: "sequence-at-once", Clause: "Sequence: Twice at once", Run: sequenceAtOnce},
		{Name: "sequence-cancelled", Clause: "Sequence: Cancelled half-way", Run: sequenceCancelled},
	}
}

// indexes asks Get for the places of entries, -1 for one that has none.
func indexes(ctx context.Context, s audit.Store, list []audit.Entry) ([]int64, error) {
	out := make([]int64, len(list))
	for i, e := range list {
		got, err := s.Get(ctx, e.Tenant, e.ID)
		switch {
		case errors.Is(err, audit.ErrNotFound):
			out[i] = -1
		case err != nil:
			return nil, err
		default:
			out[i] = got.Index
		}
	}
	return out, nil
}

// placed counts the entries that have their place.
func placed(ctx context.Context, s audit.Store, list []audit.Entry) (int, error) {
	at, err := indexes(ctx, s, list)
	return len(list) - len(slices.DeleteFunc(at, func(i int64) bool { return i >= 0 })), err
}

// dense expects what a tenant's whole list should have: each number once, without a gap. What
// the first one is, is not asked.
func dense(list []audit.Entry) error {
	at := make([]int64, len(list))
	for i := range list {
		at[i] = list[i].Index
	}
	slices.Sort(at)
	for i := range at {
		if at[i] != at[0]+int64(i) {
			return fmt.Errorf("place %d follows place %d", at[i], at[i-1])
		}
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func sequencePlaces(ctx context.Context, s audit.Store) error {
	list := append(mixed(40), entry(40, func(e *audit.Event) {
		e.Actor, e.Patients, e.Objects = audit.System(clinic, "start"), nil, nil
		e.Action, e.Verb = "system.start", audit.Execute
	}))
	list[7].Openings = nil
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	n, err := placed(ctx, s, list)
	if err == nil && n != len(list) {
		err = fmt.Errorf("%d of %d entries have their place", n, len(list))
	}
	return err
}

func sequenceLimit(ctx context.Context, s audit.Store) error {
	list := mixed(30)
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	for _, limit := range []int{1, 2, 1, 7, 3} {
		before, err := placed(ctx, s, list)
		if err != nil {
			return err
		}
		if _, err := s.Sequence(ctx, limit); err != nil {
			return err
		}
		after, err := placed(ctx, s, list)
		if err != nil {
			return err
		}
		if after-before > limit {
			return fmt.Errorf("limit %d placed %d entries", limit, after-before)
		}
	}
	return nil
}

// sequenceFindable looks along every dimension for what a later round placed.
func sequenceFindable(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entry(0)); err != nil {
		return err
	}
	want := entry(1, func(e *audit.Event) {
		e.Actor.ID, e.Action, e.Outcome, e.Code = "u-2", "note.sign", audit.Failure, "denied"
		e.Patients = append(e.Patients, "p-2")
		e.Objects = append(e.Objects, audit.Object{Type: "bill", ID: "b-1"})
	})
	if err := put(ctx, s, want); err != nil {
		return err
	}
	for _, f := range []audit.Filter{
		{From: want.Recorded.Add(-time.Second)},
		{Actors: []audit.ActorID{"u-2"}},
		{Actions: []audit.Action{"note.sign"}},
		{Outcomes: []audit.Outcome{audit.Failure}},
		{Patient: "p-2"},
		{ObjectType: "bill"},
		{ObjectType: "bill", ObjectID: "b-1"},
	} {
		got, err := page(ctx, s, f, audit.Newest, 9)
		if err != nil {
			return err
		}
		if err := same(ids(got), []string{want.ID}); err != nil {
			return fmt.Errorf("%s: %w", nameOf(&f), err)
		}
	}
	return nil
}

func sequenceZero(ctx context.Context, s audit.Store) error {
	for i, t := range tenants() {
		if err := put(ctx, s, entry(2*i, of(t)), entry(2*i+1, of(t))); err != nil {
			return err
		}
	}
	for _, t := range tenants() {
		got, err := all(ctx, s, t)
		if err != nil {
			return err
		}
		lowest := audit.Newest
		for _, e := range got {
			lowest = min(lowest, e.Index)
		}
		if lowest != 0 {
			return fmt.Errorf("the first entry of a tenant has place %d", lowest)
		}
	}
	return nil
}

// sequenceDense mixes tenants, limits, repeats and conflicts, none of which may use up a
// number.
func sequenceDense(ctx context.Context, s audit.Store) error {
	list := mixed(60)
	for i := 0; i < len(list); i += 6 {
		if err := add(ctx, s, list[i:i+6]...); err != nil {
			return err
		}
		_ = s.Append(ctx, list[i/2:i+3])
		contradiction := list[i]
		contradiction.Body = newEntry(audit.Event{
			ID: contradiction.ID, Tenant: contradiction.Tenant, Recorded: contradiction.Recorded,
			Action: "other", Verb: audit.Read, Actor: audit.System(contradiction.Tenant, "x"),
		}).Body
		contradiction.Leaf = audit.Leaf(contradiction.Body)
		fresh := entry(1000+i, of(contradiction.Tenant))
		_ = s.Append(ctx, []audit.Entry{fresh, contradiction})
		if _, err := s.Sequence(ctx, 1+i/3); err != nil {
			return err
		}
	}
	for _, t := range []audit.Tenant{clinic, neighbour} {
		got, err := all(ctx, s, t)
		if err != nil {
			return err
		}
		if err := dense(got); err != nil {
			return err
		}
	}
	return nil
}

// sequenceStays notes every place and looks again after all that a store can be asked to do.
func sequenceStays(ctx context.Context, s audit.Store) error {
	list := mixed(24)
	known := map[string]int64{}
	for i := 0; i < len(list); i += 6 {
		if err := put(ctx, s, list[i:i+6]...); err != nil {
			return err
		}
		_ = s.Append(ctx, list[:i+6])
		_ = s.Append(ctx, []audit.Entry{other(i)})
		_ = s.Erase(ctx, clinic, ids(list[:i+3]))
		for _, t := range []audit.Tenant{clinic, neighbour} {
			got, err := all(ctx, s, t)
			if err != nil {
				return err
			}
			for _, e := range got {
				if old, ok := known[e.ID]; ok && old != e.Index {
					return fmt.Errorf("place %d became %d", old, e.Index)
				}
				known[e.ID] = e.Index
			}
		}
	}
	return nil
}

// sequenceOrder appends one call after the other; neither the order of IDs nor that of times
// nor that of tenants is the order of calls.
func sequenceOrder(ctx context.Context, s audit.Store) error {
	list := mixed(40)
	for i := range list {
		if err := add(ctx, s, list[len(list)-1-i]); err != nil {
			return err
		}
		if i%13 == 5 {
			if _, err := s.Sequence(ctx, 4); err != nil {
				return err
			}
		}
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	slices.Reverse(list)
	at, err := indexes(ctx, s, list)
	if err != nil {
		return err
	}
	latest := map[audit.Tenant]int64{clinic: -1, neighbour: -1}
	for i, e := range list {
		if at[i] <= latest[e.Tenant] {
			return fmt.Errorf("place %d was given to a later call than place %d", at[i], latest[e.Tenant])
		}
		latest[e.Tenant] = at[i]
	}
	return nil
}

func sequenceReturns(ctx context.Context, s audit.Store) error {
	list := mixed(30)
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	for _, limit := range []int{4, 9, drainLimit, drainLimit} {
		before, err := placed(ctx, s, list)
		if err != nil {
			return err
		}
		n, err := s.Sequence(ctx, limit)
		if err != nil {
			return err
		}
		after, err := placed(ctx, s, list)
		if err != nil {
			return err
		}
		if before < len(list) && n != after-before {
			return fmt.Errorf("it returned %d and placed %d entries", n, after-before)
		}
	}
	return nil
}

// sequenceDrained lets several sequence at once: one that is told that nothing is left may
// believe it, even if another placed the rest.
func sequenceDrained(ctx context.Context, s audit.Store) error {
	for round := range 3 {
		list := make([]audit.Entry, 25)
		for i := range list {
			list[i] = entry(100*round + i)
		}
		if err := add(ctx, s, list...); err != nil {
			return err
		}
		err := together(4, func(g int) error {
			limit := 2 + g
			for {
				n, err := s.Sequence(ctx, limit)
				if err != nil {
					return err
				}
				if n < limit {
					break
				}
			}
			n, err := placed(ctx, s, list)
			if err == nil && n != len(list) {
				err = fmt.Errorf("it returned fewer than its limit, and %d of %d entries have no place", len(list)-n, len(list))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func sequenceNothing(ctx context.Context, s audit.Store) error {
	for range 2 {
		for _, limit := range []int{1, drainLimit} {
			n, err := s.Sequence(ctx, limit)
			if err != nil || n != 0 {
				return fmt.Errorf("nothing waits, but sequencing gave %d and %v", n, err)
			}
		}
		if err := put(ctx, s, entries(3)...); err != nil {
			return err
		}
	}
	return nil
}

func sequenceAtOnce(ctx context.Context, s audit.Store) error {
	list := mixed(60)
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	err := together(4, func(g int) error {
		for range 20 {
			if _, err := s.Sequence(ctx, 2+g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range []audit.Tenant{clinic, neighbour} {
		want := slices.DeleteFunc(slices.Clone(list), func(e audit.Entry) bool { return e.Tenant != t })
		got, err := all(ctx, s, t)
		if err := first(err, same(ids(got), ids(want)), dense(got)); err != nil {
			return err
		}
	}
	return nil
}

func sequenceCancelled(ctx context.Context, s audit.Store) error {
	const limit = 25
	list := mixed(110)
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	before, err := placed(ctx, s, list)
	if err != nil {
		return err
	}
	err = interrupted(ctx, func(inner context.Context) error {
		call := min(limit, len(list)-before)
		_, _ = s.Sequence(inner, limit)
		n, err := settles(ctx, func() (int, error) {
			now, err := placed(ctx, s, list)
			return now - before, err
		}, call)
		before += n
		return err
	})
	if err != nil {
		return err
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	n, err := placed(ctx, s, list)
	if err == nil && n != len(list) {
		err = errors.New("after a cancelled call the next one did not go on")
	}
	return err
}
