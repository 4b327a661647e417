package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// outside are spans that are not in an order of 5.
func outside() [][]audit.Span {
	return [][]audit.Span{{{From: 1, To: 6}}, {{From: -1, To: 2}}, {{From: 1, To: 2}, {From: 3, To: 6}}, {{From: 5, To: 6}}, {{From: 1, To: 2}, {From: 1 << 40, To: 1<<40 + 1}}}
}

func purgeBeyond(ctx context.Context, s PurgeStore) error {
	if err := ordered(ctx, s, entries(5)); err != nil {
		return err
	}
	for _, spans := range outside() {
		if err := s.Purge(ctx, clinic, spans); !errors.Is(err, audit.ErrNotFound) {
			return fmt.Errorf("%v: got %v, want ErrNotFound", spans, err)
		}
	}
	if err := s.Purge(ctx, "nobody", []audit.Span{{From: 0, To: 1}}); !errors.Is(err, audit.ErrNotFound) {
		return fmt.Errorf("no such tenant: got %v, want ErrNotFound", err)
	}
	return nil
}

func purgeNothingDestroyed(ctx context.Context, s PurgeStore) error {
	list := entries(5)
	if err := ordered(ctx, s, list); err != nil {
		return err
	}
	for _, spans := range outside() {
		_ = s.Purge(ctx, clinic, spans)
	}
	return holds(ctx, s, clinic, list)
}

// purgeAtOnce purges spans that overlap with each other's, from all sides.
func purgeAtOnce(ctx context.Context, s PurgeStore) error {
	list := entries(90)
	if err := ordered(ctx, s, list); err != nil {
		return err
	}
	err := together(6, func(i int) error {
		from := int64(5 * i)
		return purge(ctx, s, audit.Span{From: from, To: from + 20}, audit.Span{From: from + 30, To: from + 50})
	})
	if err != nil {
		return err
	}
	if err := purged(ctx, s, list[:75]...); err != nil {
		return err
	}
	return holds(ctx, s, clinic, list[75:])
}

// purgeCancelled interrupts purges, and compares what the ways to an event say of it.
func purgeCancelled(ctx context.Context, s PurgeStore) error {
	const each = 70
	done := int64(0)
	return interrupted(ctx, func(inner context.Context) error {
		list := make([]audit.Entry, each)
		for i := range list {
			list[i] = entry(int(done) + i)
		}
		if err := put(ctx, s, list...); err != nil {
			return err
		}
		span := audit.Span{From: done, To: done + each}
		failed := s.Purge(inner, clinic, []audit.Span{span})
		n, err := settles(ctx, func() (int, error) { return partly(ctx, s, list, span) }, each)
		switch {
		case err != nil:
			return err
		case failed == nil && n != each:
			return errors.New("purge returned nil, but not everything is purged")
		}
		done += each
		return first(purge(ctx, s, span), purged(ctx, s, list...))
	})
}

// partly returns how many of a list are purged, all of it if the ways to each agree, and 1 if they
// do not.
func partly(ctx context.Context, s PurgeStore, list []audit.Entry, span audit.Span) (int, error) {
	gone, err := s.Purged(ctx, clinic, span.From, span.To)
	if err != nil {
		return 0, err
	}
	want := len(list)
	for _, p := range gone {
		want -= int(min(p.To, span.To) - max(p.From, span.From))
	}
	n, err := present(ctx, s, list)
	if err != nil {
		return 0, err
	}
	for _, f := range []audit.Filter{{}, {Patient: "p-1"}, {ObjectType: "note"}, {Actors: []audit.ActorID{"u-1"}}} {
		some, err := page(ctx, s, f, span.To, len(list))
		if err != nil {
			return 0, err
		}
		some = slices.DeleteFunc(some, func(e audit.Entry) bool { return e.Index < span.From })
		if len(some) != want || n != want {
			return 1, nil
		}
	}
	if want == 0 {
		return len(list), nil
	}
	return 0, nil
}

// purgedPlaces asks for parts of spans.
func purgedPlaces(ctx context.Context, s PurgeStore) error {
	if err := first(ordered(ctx, s, entries(20)), purge(ctx, s, audit.Span{From: 2, To: 5}, audit.Span{From: 8, To: 15})); err != nil {
		return err
	}
	for _, ask := range []struct {
		from, to int64
		want     []audit.Span
	}{
		{0, 20, []audit.Span{{From: 2, To: 5}, {From: 8, To: 15}}},
		{3, 9, []audit.Span{{From: 3, To: 5}, {From: 8, To: 9}}},
		{9, 10, []audit.Span{{From: 9, To: 10}}},
		{14, 1 << 41, []audit.Span{{From: 14, To: 15}}},
		{-5, 3, []audit.Span{{From: 2, To: 3}}},
	} {
		got, err := s.Purged(ctx, clinic, ask.from, ask.to)
		if err != nil {
			return err
		}
		if !slices.Equal(places(got), places(ask.want)) {
			return fmt.Errorf("from %d to %d: got %v, want %v", ask.from, ask.to, got, ask.want)
		}
	}
	return nil
}

// places are those in spans, each once, ascending.
func places(spans []audit.Span) (out []int64) {
	for _, p := range spans {
		for i := p.From; i < p.To; i++ {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// purgedSpans purges from behind, and then what is between.
func purgedSpans(ctx context.Context, s PurgeStore) error {
	if err := ordered(ctx, s, entries(20)); err != nil {
		return err
	}
	for _, p := range []audit.Span{{From: 12, To: 14}, {From: 8, To: 10}, {From: 2, To: 4}, {From: 6, To: 8}, {From: 16, To: 17}, {From: 9, To: 13}, {From: 1, To: 2}} {
		if err := purge(ctx, s, p); err != nil {
			return err
		}
	}
	got, err := s.Purged(ctx, clinic, 0, 20)
	if err != nil {
		return err
	}
	end := int64(-1)
	for _, p := range got {
		if p.From <= end || p.To <= p.From {
			return fmt.Errorf("got %v", got)
		}
		end = p.To
	}
	return nil
}

func purgedNone(ctx context.Context, s PurgeStore) error {
	if err := first(ordered(ctx, s, entries(9)), purge(ctx, s, audit.Span{From: 3, To: 5})); err != nil {
		return err
	}
	for _, ask := range []struct {
		tenant   audit.Tenant
		from, to int64
	}{{clinic, 0, 3}, {clinic, 5, 9}, {clinic, 4, 4}, {clinic, 50, 60}, {"nobody", 0, 9}, {neighbour, 0, 9}} {
		if got, err := s.Purged(ctx, ask.tenant, ask.from, ask.to); err != nil || got != nil {
			return fmt.Errorf("got %v and %v, want nil", got, err)
		}
	}
	return nil
}

func purgedCancelled(ctx context.Context, s PurgeStore) error {
	if err := first(ordered(ctx, s, entries(3)), purge(ctx, s, audit.Span{From: 0, To: 2})); err != nil {
		return err
	}
	if _, err := s.Purged(ended(ctx), clinic, 0, 3); err == nil {
		return errors.New("got no error")
	}
	return nil
}
