package audittest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
)

func backlogRules() []rule {
	return []rule{
		{Name: "backlog-waiting", Clause: "Backlog: says what waits for Sequence", Run: backlogWaiting},
		{Name: "backlog-oldest", Clause: "Backlog: Recorded of the one that waits longest; zero if none waits", Run: backlogOldest},
		{Name: "backlog-refused", Clause: "Backlog: entries that the store keeps but will not place: they were not written by this log", Run: backlogRefused},
		{Name: "backlog-cancelled", Clause: "Backlog: Cancelled: an error", Run: backlogCancelled},
	}
}

func backlogWaiting(ctx context.Context, s audit.Store) error {
	list := mixed(20)
	expect := func() error {
		n, err := placed(ctx, s, list)
		if err != nil {
			return err
		}
		b, err := s.Backlog(ctx)
		if err == nil && b.Waiting != len(list)-n {
			err = fmt.Errorf("%d of %d entries have no place, but %d wait", len(list)-n, len(list), b.Waiting)
		}
		return err
	}
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	if err := expect(); err != nil {
		return err
	}
	if _, err := s.Sequence(ctx, 7); err != nil {
		return err
	}
	if err := expect(); err != nil {
		return err
	}
	if err := drain(ctx, s); err != nil {
		return err
	}
	return expect()
}

func backlogOldest(ctx context.Context, s audit.Store) error {
	list := entries(4)
	for i := range list {
		if err := add(ctx, s, list[i]); err != nil {
			return err
		}
	}
	for range len(list) + 1 {
		n, err := placed(ctx, s, list)
		if err != nil {
			return err
		}
		b, err := s.Backlog(ctx)
		switch {
		case err != nil:
			return err
		case n == len(list) && !b.Oldest.IsZero():
			return errors.New("none waits, but there is an oldest one")
		case n < len(list) && !b.Oldest.Equal(list[n].Recorded):
			return fmt.Errorf("the oldest one that waits is not of %v", list[n].Recorded)
		}
		if _, err := s.Sequence(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// backlogRefused knows only that a store doubts nothing that was appended.
func backlogRefused(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, mixed(9)...); err != nil {
		return err
	}
	for range 2 {
		b, err := s.Backlog(ctx)
		if err != nil {
			return err
		}
		if b.Refused != 0 {
			return fmt.Errorf("%d entries of the log itself are refused", b.Refused)
		}
		if err := drain(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func backlogCancelled(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	if _, err := s.Backlog(ended(ctx)); err == nil {
		return errors.New("no error, as if nothing waited")
	}
	return nil
}
