package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
)

func eraseRules() []rule {
	return []rule{
		{Name: "erase", Clause: "Erase: removes the openings for good.", Run: erase},
		{Name: "erase-nothing-else", Clause: "Erase: touches nothing else.", Run: eraseNothingElse},
		{Name: "erase-again", Clause: "Erase: not there, or erased before: that is no error.", Run: eraseAgain},
		{Name: "erase-stays", Clause: "Append: already there: erased openings stay erased.", Run: eraseStays},
		{Name: "erase-cancelled", Clause: "Erase: nil means erased, also when the context has ended.", Run: eraseCancelled},
	}
}

// openings of an entry as the store has them.
func openings(ctx context.Context, s audit.Store, e audit.Entry) ([]byte, error) {
	got, err := s.Get(ctx, e.Tenant, e.ID)
	return got.Openings, err
}

// closed reports an error unless the entry's openings are gone.
func closed(ctx context.Context, s audit.Store, e audit.Entry) error {
	got, err := openings(ctx, s, e)
	if err == nil && len(got) > 0 {
		err = errors.New("the openings are still there")
	}
	return err
}

func erase(ctx context.Context, s audit.Store) error {
	list := entries(3)
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	if err := s.Erase(ctx, clinic, []string{list[0].ID, list[2].ID}); err != nil {
		return err
	}
	return errors.Join(closed(ctx, s, list[0]), closed(ctx, s, list[2]))
}

func eraseNothingElse(ctx context.Context, s audit.Store) error {
	list := entries(2)
	theirs := entry(0, func(e *audit.Event) { e.Tenant, e.Actor.Tenant = "clinic-18", "clinic-18" })
	if err := add(ctx, s, list[0], list[1], theirs); err != nil {
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
	got, err := s.Get(ctx, clinic, list[0].ID)
	if err == nil && (!bytes.Equal(got.Body, list[0].Body) || got.Leaf != list[0].Leaf) {
		err = errors.New("the event itself was changed")
	}
	return err
}

func eraseAgain(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	for _, list := range [][]string{nil, {entry(2).ID}, {entry(1).ID, entry(1).ID}, {entry(1).ID, entry(2).ID}} {
		if err := s.Erase(ctx, clinic, list); err != nil {
			return fmt.Errorf("erasing %d: %w", len(list), err)
		}
	}
	return nil
}

func eraseStays(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	if err := s.Erase(ctx, clinic, []string{entry(1).ID}); err != nil {
		return err
	}
	before, err := openings(ctx, s, entry(1))
	if err != nil {
		return err
	}
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	after, err := openings(ctx, s, entry(1))
	if err == nil && len(after) > len(before) {
		err = errors.New("the openings are back")
	}
	return err
}

func eraseCancelled(ctx context.Context, s audit.Store) error {
	if err := add(ctx, s, entry(1)); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if s.Erase(ended, clinic, []string{entry(1).ID}) != nil {
		return nil
	}
	got, err := openings(ctx, s, entry(1))
	if err == nil && len(got) > 0 {
		err = errors.New("erase returned nil, but the openings are there")
	}
	return err
}
