package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func appendRules() []rule {
	return []rule{
		{Name: "append-all", Clause: "Append: makes all entries durable or none", Run: appendAll},
		{Name: "append-index", Clause: "Append: Their Index is not looked at", Run: appendIndex},
		{Name: "append-added", Clause: "Append: Not there: it is added", Run: appendAdded},
		{Name: "append-tenants", Clause: "Append: Already there under the same tenant and ID", Run: appendTenants},
		{Name: "append-again", Clause: "Append: with the same Body: it counts as done", Run: appendAgain},
		{Name: "append-stays", Clause: "Append: what is stored stays as it is", Run: appendStays},
		{Name: "append-erased", Clause: "Append: erased openings included", Run: appendErased},
		{Name: "append-conflict", Clause: "Append: With another Body: ErrConflict", Run: appendConflict},
		{Name: "append-nothing-kept", Clause: "Append: nothing of the call is kept", Run: appendNothingKept},
		{Name: "append-twice", Clause: "Append: The same entry twice in one call is one entry", Run: appendTwice},
		{Name: "append-two-bodies", Clause: "Append: One ID with two bodies in one call: ErrConflict, too", Run: appendTwoBodies},
		{Name: "append-at-once", Clause: "Append: Two calls at once with the same entry: both succeed, one copy is kept", Run: appendAtOnce},
		{Name: "append-cancelled", Clause: "Append: Cancelled half-way: an error, and all or none are there; the caller appends again to find out", Run: appendCancelled},
		{Name: "append-nothing", Clause: "Append: No entries: nil", Run: appendNothing},
	}
}

// appendAll takes a number that no usual chunk size divides.
func appendAll(ctx context.Context, s audit.Store) error {
	list := entries(579, func(i int, e *audit.Event) {
		for p := range i % 7 {
			e.Patients = append(e.Patients, audit.Patient(fmt.Sprintf("p-%d-%d", i, p)))
			e.Objects = append(e.Objects, audit.Object{Type: "note", ID: fmt.Sprintf("n-%d-%d", i, p)})
		}
	})
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	return holds(ctx, s, clinic, list)
}

// appendIndex claims places, taken ones and ones far away.
func appendIndex(ctx context.Context, s audit.Store) error {
	list := entries(6)
	for i, claim := range []int64{3, 0, 0, 1 << 40, -7, audit.Newest} {
		list[i].Index = claim
		if err := add(ctx, s, list[i]); err != nil {
			return err
		}
	}
	got, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return first(same(ids(got), ids(list)), dense(got))
}

func appendAdded(ctx context.Context, s audit.Store) error {
	list := []audit.Entry{
		entry(0),
		entry(1, func(e *audit.Event) { e.Outcome, e.Code = audit.Failure, "denied" }),
		entry(2, func(e *audit.Event) {
			e.Actor = audit.System(clinic, "start")
			e.Action, e.Verb, e.Patients, e.Objects = "system.start", audit.Execute, nil, nil
		}),
	}
	for _, e := range list {
		if err := add(ctx, s, e); err != nil {
			return err
		}
	}
	n, err := present(ctx, s, list)
	if err == nil && n != len(list) {
		err = fmt.Errorf("%d of %d entries are there", n, len(list))
	}
	return err
}

// appendTenants gives several tenants the same ID, with the same event otherwise.
func appendTenants(ctx context.Context, s audit.Store) error {
	for _, t := range tenants() {
		e := entry(1, of(t))
		if err := add(ctx, s, e); err != nil {
			return fmt.Errorf("the same ID in another tenant: %w", err)
		}
		got, err := get(ctx, s, e)
		if err != nil {
			return err
		}
		if !bytes.Equal(got.Body, e.Body) {
			return errors.New("get returned another tenant's event")
		}
	}
	return nil
}

// tenants are two, and names that a careless comparison takes for one of them.
func tenants() []audit.Tenant {
	return []audit.Tenant{clinic, neighbour, "clinic-1", "clinic-170", "CLINIC-17", "clinic-17 ", " clinic-17", "clinic_17", "clinic%", "clinic-17\u200b"}
}

// appendAgain repeats before and after an entry got its place, alone and among new ones.
func appendAgain(ctx context.Context, s audit.Store) error {
	list := entries(6)
	for _, call := range [][]audit.Entry{list[:2], list[:2], list[1:3]} {
		if err := add(ctx, s, call...); err != nil {
			return fmt.Errorf("again: %w", err)
		}
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	for _, call := range [][]audit.Entry{list[2:3], list[1:5], list[3:]} {
		if err := add(ctx, s, call...); err != nil {
			return fmt.Errorf("again, after it was placed: %w", err)
		}
	}
	return holds(ctx, s, clinic, list)
}

// appendStays repeats an entry with other openings, before and after it got its place.
func appendStays(ctx context.Context, s audit.Store) error {
	for i := range 2 {
		e := entry(i)
		if err := add(ctx, s, e); err != nil {
			return err
		}
		if i == 1 {
			if err := drain(ctx, s); err != nil {
				return err
			}
		}
		again := e
		again.Openings = []byte("sealed otherwise")
		if err := add(ctx, s, again); err != nil {
			return err
		}
		got, err := openings(ctx, s, e)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, e.Openings) {
			return errors.New("the stored openings were replaced")
		}
	}
	return nil
}

// appendErased repeats an entry whose openings were erased, before and after it got its place.
func appendErased(ctx context.Context, s audit.Store) error {
	for i := range 2 {
		e := entry(i)
		if err := add(ctx, s, e); err != nil {
			return err
		}
		if i == 1 {
			if err := drain(ctx, s); err != nil {
				return err
			}
		}
		if err := s.Erase(ctx, clinic, []string{e.ID}); err != nil {
			return err
		}
		before, err := openings(ctx, s, e)
		if err != nil {
			return err
		}
		if err := add(ctx, s, e); err != nil {
			return err
		}
		after, err := openings(ctx, s, e)
		if err != nil {
			return err
		}
		if len(after) > len(before) {
			return errors.New("the openings are back")
		}
	}
	return nil
}

// appendConflict contradicts an entry before and after it got its place.
func appendConflict(ctx context.Context, s audit.Store) error {
	for _, settle := range []func(context.Context, audit.Store) error{undone, drain} {
		if err := add(ctx, s, entry(1)); err != nil {
			return err
		}
		if err := settle(ctx, s); err != nil {
			return err
		}
		if err := s.Append(ctx, []audit.Entry{other(1)}); !errors.Is(err, audit.ErrConflict) {
			return fmt.Errorf("got %v, want ErrConflict", err)
		}
	}
	return nil
}

// undone leaves it to the store when entries get their place.
func undone(context.Context, audit.Store) error { return nil }

func appendNothingKept(ctx context.Context, s audit.Store) error {
	kept := entry(2)
	if err := add(ctx, s, kept); err != nil {
		return err
	}
	batch := []audit.Entry{entry(1), other(2), entry(3)}
	if s.Append(ctx, batch) == nil {
		return nil // broken, but another rule's matter
	}
	n, err := present(ctx, s, []audit.Entry{batch[0], batch[2]})
	if err != nil {
		return err
	}
	if n > 0 {
		return errors.New("an entry of the refused call is there")
	}
	got, err := get(ctx, s, kept)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Body, kept.Body) || !bytes.Equal(got.Openings, kept.Openings) {
		return errors.New("the stored entry was changed")
	}
	return nil
}

func appendTwice(ctx context.Context, s audit.Store) error {
	e := entry(1)
	if err := add(ctx, s, e, entry(2), e); err != nil {
		return err
	}
	return holds(ctx, s, clinic, []audit.Entry{e, entry(2)})
}

func appendTwoBodies(ctx context.Context, s audit.Store) error {
	batch := []audit.Entry{entry(1), entry(2), other(1)}
	if err := s.Append(ctx, batch); !errors.Is(err, audit.ErrConflict) {
		return fmt.Errorf("got %v, want ErrConflict", err)
	}
	n, err := present(ctx, s, batch)
	if err == nil && n > 0 {
		err = errors.New("an entry of the refused call is there")
	}
	return err
}

// appendAtOnce sends overlapping calls in opposite orders: a store that locks row by row must
// not deadlock.
func appendAtOnce(ctx context.Context, s audit.Store) error {
	var want []audit.Entry
	for round := range 12 {
		batch := []audit.Entry{entry(3 * round), entry(3*round + 1), entry(3*round + 2)}
		want = append(want, batch...)
		err := together(4, func(i int) error {
			mine := slices.Clone(batch)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			return s.Append(ctx, mine)
		})
		if err != nil {
			return err
		}
	}
	return holds(ctx, s, clinic, want)
}

func appendCancelled(ctx context.Context, s audit.Store) error {
	round := 0
	err := interrupted(ctx, func(inner context.Context) error {
		round++
		list := make([]audit.Entry, 30)
		for i := range list {
			list[i] = entry(100*round + i)
		}
		err := s.Append(inner, list)
		n, whole := settles(ctx, func() (int, error) { return present(ctx, s, list) }, len(list))
		switch {
		case whole != nil:
			return whole
		case err == nil && n != len(list):
			return fmt.Errorf("append returned nil, but %d of %d entries are there", n, len(list))
		}
		return add(ctx, s, list...)
	})
	return err
}

// settles waits until count is nothing or all: what a cancelled call leaves to the engine may
// take effect while its rows are counted. It returns the count.
func settles(ctx context.Context, count func() (int, error), all int) (int, error) {
	for wait := time.Millisecond; ; wait *= 2 {
		n, err := count()
		switch {
		case err != nil:
			return n, err
		case n == 0 || n == all:
			return n, nil
		case wait > 500*time.Millisecond:
			return n, fmt.Errorf("%d of %d are done", n, all)
		}
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func appendNothing(ctx context.Context, s audit.Store) error {
	return errors.Join(s.Append(ctx, nil), s.Append(ctx, []audit.Entry{}))
}
