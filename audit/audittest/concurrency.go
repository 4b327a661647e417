package audittest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func oneHandle(ctx context.Context, h handles) error { return storm(ctx, h.one) }

func twoHandles(ctx context.Context, h handles) error { return storm(ctx, h.one, h.other) }

// weather is a storm over handles of one database.
type weather struct {
	*history
	handles []audit.Store
	fail    context.CancelCauseFunc
	calm    chan struct{} // closed when all writers are done
}

const writers = 8

// rounds is how many calls each writer makes.
func rounds() int {
	if testing.Short() {
		return 6
	}
	return 20
}

// storm lets writers, sequencers and readers work on all handles at once and looks at what is
// left behind.
func storm(ctx context.Context, stores ...audit.Store) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &weather{newHistory(), stores, cancel, make(chan struct{})}
	var busy, writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() { w.try(func() error { return w.write(ctx, i) }) })
	}
	for i := range len(stores) + 1 {
		busy.Go(func() { w.try(func() error { return w.sequence(ctx, i) }) })
	}
	for i := range 2 {
		busy.Go(func() { w.try(func() error { return w.read(ctx, i) }) })
	}
	writing.Wait()
	close(w.calm)
	busy.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, s := range stores {
		for _, t := range []audit.Tenant{clinic, neighbour} {
			if err := w.settle(ctx, s, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// try ends the storm with the first error.
func (w *weather) try(f func() error) {
	defer func() {
		if p := recover(); p != nil {
			w.fail(fmt.Errorf("panic: %v", p))
		}
	}()
	if err := f(); err != nil {
		w.fail(err)
	}
}

// over reports whether the writers are done, after a short break.
func (w *weather) over() bool {
	select {
	case <-w.calm:
		return true
	case <-time.After(rand.N(2 * time.Millisecond)):
		return false
	}
}

// write appends calls of one to four events, repeats one now and then, and reads its own
// through any handle.
func (w *weather) write(ctx context.Context, writer int) error {
	var mine []audit.Entry
	for n := range rounds() {
		batch := make([]audit.Entry, 1+rand.N(4))
		for i := range batch {
			batch[i] = entry(writer*10_000+n*10+i, of([...]audit.Tenant{clinic, clinic, neighbour}[(writer+i)%3]))
		}
		if len(mine) > 0 && n%5 == 4 {
			batch[0] = mine[rand.N(len(mine))]
		}
		s := w.handles[writer%len(w.handles)]
		begin := w.tick()
		if err := s.Append(ctx, batch); err != nil {
			return fmt.Errorf("appending: %w", err)
		}
		w.acknowledge(begin, batch)
		mine = append(mine, batch...)
		e := mine[rand.N(len(mine))]
		got, err := w.handles[rand.N(len(w.handles))].Get(ctx, e.Tenant, e.ID)
		if err != nil {
			return fmt.Errorf("reading what was acknowledged: %w", err)
		}
		if got.Index >= 0 {
			if err := w.saw(e.Tenant, e.ID, got.Index); err != nil {
				return err
			}
		}
	}
	return nil
}

// sequence places a few at a time and holds the store to what it says when nothing is left.
func (w *weather) sequence(ctx context.Context, i int) error {
	for !w.over() {
		before := w.latest()
		limit := 1 + rand.N(12)
		s := w.handles[i%len(w.handles)]
		n, err := s.Sequence(ctx, limit)
		if err != nil {
			return fmt.Errorf("sequencing: %w", err)
		}
		if n >= limit {
			continue
		}
		n, err = placed(ctx, s, before)
		if err != nil {
			return err
		}
		if n < len(before) {
			return errors.New("sequencing said that nothing is left, but what was durable before has no place")
		}
	}
	return nil
}

// read walks through all pages, again and again; the log only grows.
func (w *weather) read(ctx context.Context, i int) error {
	s := w.handles[i%len(w.handles)]
	most := 0
	for !w.over() {
		f := []audit.Filter{{}, {Patient: "p-1"}, {Actors: []audit.ActorID{"u-1"}}, {ObjectType: "note", ObjectID: "n-1"}}[rand.N(4)]
		f.Tenant = clinic
		list, err := w.walk(ctx, s, f, 1+rand.N(60))
		if err != nil {
			return err
		}
		n, err := s.Count(ctx, f, 100_000)
		if err != nil {
			return err
		}
		if len(list) < most || n < len(list) {
			return fmt.Errorf("%d entries were there, then %d were listed and %d counted", most, len(list), n)
		}
		most = n
	}
	return nil
}
