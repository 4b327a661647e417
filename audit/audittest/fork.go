package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// each runs f for both handles, each time as the one and the other.
func (h handles) each(f func(one, other audit.Store) error) error {
	if err := f(h.one, h.other); err != nil {
		return err
	}
	return f(h.other, h.one)
}

// forkSame appends the same calls through both handles at once, in opposite orders.
func forkSame(ctx context.Context, h handles) error {
	var want []audit.Entry
	for round := range 15 {
		batch := []audit.Entry{entry(10 * round), entry(10*round + 1), entry(10*round + 2)}
		want = append(want, batch...)
		err := together(4, func(i int) error {
			if i%2 == 0 {
				return add(ctx, h.one, batch...)
			}
			mine := slices.Clone(batch)
			slices.Reverse(mine)
			return add(ctx, h.other, mine...)
		})
		if err != nil {
			return err
		}
	}
	return h.each(func(s, _ audit.Store) error { return holds(ctx, s, clinic, want) })
}

// forkID appends two bodies under one ID through both handles at once. One of them wins: it
// is told so, the other one is told ErrConflict, and every handle has the winner's.
func forkID(ctx context.Context, h handles) error {
	for round := range 15 {
		rivals := [2]audit.Entry{entry(10 * round), other(10 * round)}
		var won [2]bool
		err := together(2, func(i int) error {
			err := [...]audit.Store{h.one, h.other}[i].Append(ctx, []audit.Entry{entry(10*round + 1 + i), rivals[i]})
			won[i] = err == nil
			if errors.Is(err, audit.ErrConflict) {
				err = nil
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case won[0] == won[1]:
			return fmt.Errorf("two bodies under one ID at once: first %t, second %t", won[0], won[1])
		}
		winner := rivals[0]
		if won[1] {
			winner = rivals[1]
		}
		err = h.each(func(s, _ audit.Store) error {
			got, err := get(ctx, s, winner)
			if err == nil && !bytes.Equal(got.Body, winner.Body) {
				err = errors.New("the stored event is not the one that was acknowledged")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forkStranger asks one handle about what the other did, before and after it was placed.
func forkStranger(ctx context.Context, h handles) error {
	n := 0
	return h.each(func(one, stranger audit.Store) error {
		for _, settle := range []func(context.Context, audit.Store) error{undone, drain} {
			n += 10
			e := entry(n)
			if err := errors.Join(add(ctx, one, e), settle(ctx, one)); err != nil {
				return err
			}
			if _, err := get(ctx, stranger, e); err != nil {
				return fmt.Errorf("what one handle appended, read through the other: %w", err)
			}
			if err := stranger.Append(ctx, []audit.Entry{other(n)}); !errors.Is(err, audit.ErrConflict) {
				return fmt.Errorf("another body through the other handle: got %v, want ErrConflict", err)
			}
			if err := add(ctx, stranger, e); err != nil {
				return fmt.Errorf("the same event through the other handle: %w", err)
			}
			if err := stranger.Erase(ctx, clinic, []string{e.ID}); err != nil {
				return err
			}
			if err := errors.Join(add(ctx, one, e), closed(ctx, one, e)); err != nil {
				return fmt.Errorf("erased through the other handle: %w", err)
			}
		}
		return nil
	})
}

// forkInTurn appends and sequences through one handle, then through the other, so that each
// begins where the other one stopped.
func forkInTurn(ctx context.Context, h handles) error {
	seen := newHistory()
	for n := range 12 {
		s := [...]audit.Store{h.one, h.other}[n/2%2]
		batch := []audit.Entry{entry(10 * n), entry(10*n + 1), entry(10*n+2, of(neighbour))}
		begin := seen.tick()
		if err := put(ctx, s, batch...); err != nil {
			return err
		}
		seen.acknowledge(begin, batch)
		err := h.each(func(s, _ audit.Store) error {
			return first(seen.settle(ctx, s, clinic), seen.settle(ctx, s, neighbour))
		})
		if err != nil {
			return fmt.Errorf("round %d: %w", n, err)
		}
	}
	return nil
}

// forkSequencers lets both handles place what both appended.
func forkSequencers(ctx context.Context, h handles) error {
	seen := newHistory()
	for round := range 6 {
		err := h.each(func(s, _ audit.Store) error {
			batch := make([]audit.Entry, 16)
			for i := range batch {
				batch[i] = entry(seen.tick()*100, of([...]audit.Tenant{clinic, neighbour}[i/8]))
			}
			begin := seen.tick()
			if err := add(ctx, s, batch...); err != nil {
				return err
			}
			seen.acknowledge(begin, batch)
			return nil
		})
		if err != nil {
			return err
		}
		err = together(4, func(i int) error {
			s := [...]audit.Store{h.one, h.other}[i%2]
			for range 10 {
				if _, err := s.Sequence(ctx, 3+i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = h.each(func(s, _ audit.Store) error {
			return first(seen.settle(ctx, s, clinic), seen.settle(ctx, s, neighbour))
		})
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}
