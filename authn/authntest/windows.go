package authntest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/conform"
)

// TestWindows runs the rules about windows as subtests, each against a fresh one from open, for
// what keeps windows and nothing else.
func TestWindows(t *testing.T, open func(t testing.TB) authn.Windows) {
	t.Helper()
	conform.Test(t, windowRules(), open)
}

// CheckWindows runs the rules about windows, each against a fresh one from open, and returns what
// was broken, nil if nothing was.
func CheckWindows(ctx context.Context, open func() (authn.Windows, error)) error {
	return conform.Check(ctx, windowRules(), open)
}

// ofStore are the rules about windows for a whole store.
func ofStore() (all []rule) {
	for _, r := range windowRules() {
		all = append(all, rule{Name: r.Name, Clause: r.Clause, Run: func(ctx context.Context, s authn.Store) error { return r.Run(ctx, s) }})
	}
	return all
}

func windowRules() []conform.Rule[authn.Windows] {
	return []conform.Rule[authn.Windows]{
		{Name: "hit_window", Clause: "Hits count from 1 within a window and from 1 again once it has ended.", Run: hitWindow},
		{Name: "hit_fixed", Clause: "A hit does not move the end of its window.", Run: hitFixed},
		{Name: "hit_race", Clause: "Hits at once are counted one by one.", Run: hitRace},
		{Name: "hit_apart", Clause: "Keys and tenants are counted apart.", Run: hitApart},
	}
}

func hitWindow(ctx context.Context, s authn.Windows) error {
	end := noon.Add(time.Minute)
	for i, step := range []struct {
		at    time.Time
		count int
	}{{noon, 1}, {noon, 2}, {end.Add(-time.Microsecond), 3}, {end, 1}, {end, 2}} {
		n, _, err := s.Hit(ctx, clinic, "a key", time.Minute, step.at)
		if err := all(err, want(fmt.Sprintf("hit %d", i), n, step.count)); err != nil {
			return err
		}
	}
	return nil
}

func hitFixed(ctx context.Context, s authn.Windows) error {
	for i := range 3 {
		_, ends, err := s.Hit(ctx, clinic, "a key", time.Minute, noon.Add(time.Duration(i)*time.Second))
		if err := all(err, want("the end", ends, noon.Add(time.Minute))); err != nil {
			return err
		}
	}
	return nil
}

func hitRace(ctx context.Context, s authn.Windows) error {
	seen := map[int]bool{}
	for _, n := range together(crowd, func(int) int {
		n, _, err := s.Hit(ctx, clinic, "a key", time.Minute, noon)
		if err != nil {
			return -1
		}
		return n
	}) {
		seen[n] = true
	}
	return want("the number of different counts", len(seen), crowd)
}

func hitApart(ctx context.Context, s authn.Windows) error {
	_, _, err := s.Hit(ctx, clinic, "a key", time.Minute, noon)
	n, _, err2 := s.Hit(ctx, other, "a key", time.Minute, noon)
	k, _, err3 := s.Hit(ctx, clinic, "b key", time.Minute, noon)
	return all(err, err2, err3, want("the other tenant's hits", n, 1), want("the other key's hits", k, 1))
}
