package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

func eraseRules() []rule {
	return []rule{
		{Name: "erase", Clause: "Erase: removes the Openings of these events", Run: erase},
		{Name: "erase-for-good", Clause: "Erase: for good", Run: eraseForGood},
		{Name: "erase-nothing-else", Clause: "Erase: touches nothing else", Run: eraseNothingElse},
		{Name: "erase-again", Clause: "Erase: Not there, or erased before: that is no error", Run: eraseAgain},
		{Name: "erase-at-once", Clause: "Erase: Twice at once: both succeed", Run: eraseAtOnce},
		{Name: "erase-cancelled", Clause: "Erase: Cancelled half-way: an error, and all or none are erased; the caller erases again", Run: eraseCancelled},
	}
}

// closed reports an error unless the entries' openings are gone.
func closed(ctx context.Context, s audit.Store, list ...audit.Entry) error {
	for _, e := range list {
		got, err := openings(ctx, s, e)
		if err != nil {
			return err
		}
		if len(got) > 0 {
			return errors.New("the openings are still there")
		}
	}
	return nil
}

// erase takes more events than a statement usually has parameters for, after they were placed.
func erase(ctx context.Context, s audit.Store) error {
	list := entries(300)
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	if err := s.Erase(ctx, clinic, ids(list)); err != nil {
		return err
	}
	return closed(ctx, s, slices.Concat(list[:2], list[255:260])...)
}

// eraseForGood erases what has no place yet: placing it must not bring the openings back.
func eraseForGood(ctx context.Context, s audit.Store) error {
	list := entries(3)
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	if err := s.Erase(ctx, clinic, ids(list[:2])); err != nil {
		return err
	}
	if err := closed(ctx, s, list[:2]...); err != nil {
		return err
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	if err := closed(ctx, s, list[:2]...); err != nil {
		return fmt.Errorf("after sequencing: %w", err)
	}
	return nil
}

func eraseNothingElse(ctx context.Context, s audit.Store) error {
	list := entries(2)
	theirs := entry(0, of(neighbour))
	if err := put(ctx, s, list[0], list[1], theirs); err != nil {
		return err
	}
	before, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	if err := s.Erase(ctx, clinic, []string{list[0].ID}); err != nil {
		return err
	}
	for _, e := range []audit.Entry{list[1], theirs} {
		got, err := openings(ctx, s, e)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, e.Openings) {
			return errors.New("another event's openings are gone")
		}
	}
	got, err := get(ctx, s, list[0])
	if err != nil {
		return err
	}
	if err := whole(got, list[0]); err != nil {
		return fmt.Errorf("the event itself was changed: %w", err)
	}
	after, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	return same(ids(after), ids(before))
}

func eraseAgain(ctx context.Context, s audit.Store) error {
	for _, settle := range []func(context.Context, audit.Store) error{undone, drain} {
		if err := add(ctx, s, entry(1)); err != nil {
			return err
		}
		if err := settle(ctx, s); err != nil {
			return err
		}
		for _, list := range [][]string{nil, {id(2)}, {id(1), id(1)}, {id(1), id(2)}, {"", "x"}} {
			if err := s.Erase(ctx, clinic, list); err != nil {
				return fmt.Errorf("erasing %d: %w", len(list), err)
			}
		}
	}
	return s.Erase(ctx, "nobody", []string{id(1)})
}

func eraseAtOnce(ctx context.Context, s audit.Store) error {
	list := entries(20)
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	err := together(4, func(i int) error {
		mine := ids(list)
		if i%2 == 1 {
			slices.Reverse(mine)
		}
		return s.Erase(ctx, clinic, mine)
	})
	if err != nil {
		return err
	}
	return closed(ctx, s, list...)
}

func eraseCancelled(ctx context.Context, s audit.Store) error {
	round := 0
	return interrupted(ctx, func(inner context.Context) error {
		round++
		list := make([]audit.Entry, 30)
		for i := range list {
			list[i] = entry(100*round + i)
		}
		if err := put(ctx, s, list...); err != nil {
			return err
		}
		failed := s.Erase(inner, clinic, ids(list))
		n, err := settles(ctx, func() (n int, err error) {
			for _, e := range list {
				got, err := openings(ctx, s, e)
				if err != nil {
					return n, err
				}
				if len(got) == 0 {
					n++
				}
			}
			return n, nil
		}, len(list))
		switch {
		case err != nil:
			return err
		case failed == nil && n != len(list):
			return fmt.Errorf("erase returned nil, but %d of %d are erased", n, len(list))
		}
		if err := s.Erase(ctx, clinic, ids(list)); err != nil {
			return err
		}
		return closed(ctx, s, list...)
	})
}
