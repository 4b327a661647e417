package audittest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
)

func countRules() []rule {
	return []rule{
		{Name: "count", Clause: "Count: returns how many entries List would yield from Newest on", Run: count},
		{Name: "count-limit", Clause: "Count: stops at limit", Run: countLimit},
		{Name: "count-none", Clause: "Count: None: 0", Run: countNone},
		{Name: "count-cancelled", Clause: "Count: Cancelled: an error", Run: countCancelled},
	}
}

// count compares with List, while some entries have no place and when all have.
func count(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, mixed(80)...); err != nil {
		return err
	}
	for _, settle := range []func(context.Context, audit.Store) error{undone, sequence(30), drain} {
		if err := settle(ctx, s); err != nil {
			return err
		}
		for _, f := range filters() {
			f.Tenant = clinic
			listed, err := page(ctx, s, f, audit.Newest, 1000)
			if err != nil {
				return err
			}
			n, err := s.Count(ctx, f, 1000)
			if err != nil {
				return err
			}
			if n != len(listed) {
				return fmt.Errorf("%s: %d entries were listed and %d counted", nameOf(&f), len(listed), n)
			}
		}
	}
	return nil
}

// sequence is one call.
func sequence(limit int) func(context.Context, audit.Store) error {
	return func(ctx context.Context, s audit.Store) error {
		_, err := s.Sequence(ctx, limit)
		return err
	}
}

func countLimit(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entries(7)...); err != nil {
		return err
	}
	for _, f := range []audit.Filter{{}, {Patient: "p-1"}, {Actors: []audit.ActorID{"u-1", "u-2"}}, {From: at(-1), ObjectType: "note"}} {
		f.Tenant = clinic
		for limit := 1; limit <= 9; limit++ {
			n, err := s.Count(ctx, f, limit)
			if err != nil {
				return err
			}
			if n != min(limit, 7) {
				return fmt.Errorf("limit %d of 7 entries gave %d", limit, n)
			}
		}
	}
	return nil
}

func countNone(ctx context.Context, s audit.Store) error {
	for range 2 {
		for _, f := range []audit.Filter{{Tenant: "nobody"}, {Tenant: clinic, Patient: "nobody"}, {Tenant: clinic, From: at(9), To: at(9)}} {
			n, err := s.Count(ctx, f, 9)
			if err != nil || n != 0 {
				return fmt.Errorf("got %d and %v where nothing is", n, err)
			}
		}
		if err := put(ctx, s, entries(3)...); err != nil {
			return err
		}
	}
	return nil
}

func countCancelled(ctx context.Context, s audit.Store) error {
	if err := put(ctx, s, entries(3)...); err != nil {
		return err
	}
	if _, err := s.Count(ended(ctx), audit.Filter{Tenant: clinic}, 9); err == nil {
		return errors.New("no error, as if that were all")
	}
	return nil
}
