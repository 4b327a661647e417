package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/wardkit/wardkit/authn"
)

// timing signs in with an unknown identifier and with a wrong password, in random order, and
// compares how long the answers took.
func timing(ctx context.Context, c *config) error {
	db, store, err := openSQLite(ctx, filepath.Join(c.dir, "timing.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	now := time.Now()
	w, err := newWorld(ctx, c, store, func(o *authn.Options) { o.Now = func() time.Time { return now } })
	if err != nil {
		return err
	}
	names := []string{who, "nobody@example.com"}
	took := make([][]time.Duration, len(names))
	order := append(make([]int, c.tries), slices.Repeat([]int{1}, c.tries)...)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	failures := [2]int{}
	for _, k := range order {
		if failures[k]++; failures[k]%60 == 0 { // a right password, or nobody's row swept, ends the run
			if err := w.forgive(ctx, &now, k); err != nil {
				return err
			}
		}
		now = now.Add(time.Hour)
		begun := time.Now()
		_, err := w.people.SignIn(ctx, clinic, names[k], authn.NewPassword("a guess"), authn.Client{})
		took[k] = append(took[k], time.Since(begun))
		if !errors.Is(err, authn.ErrDenied) {
			return fmt.Errorf("a try was answered otherwise: %w", err)
		}
	}
	fmt.Fprintf(c.out, "%d sign-ins of each kind over SQLite, in random order, in milliseconds:\n\n| | p25 | median | p75 |\n|---|---|---|---|\n", c.tries)
	for k, name := range []string{"wrong password", "unknown identifier"} {
		slices.Sort(took[k])
		fmt.Fprintf(c.out, "| %s | %s | %s | %s |\n", name, ms(quantile(took[k], 0.25)), ms(quantile(took[k], 0.5)), ms(quantile(took[k], 0.75)))
	}
	low, high := difference(took[1], took[0])
	fmt.Fprintf(c.out, "\nThe medians differ by %s to %s ms (95 %% of 2,000 bootstrap samples; 0 within means no difference seen).\n\n", ms(low), ms(high))
	return nil
}

// forgive ends a run of failures before the authenticator is disabled.
func (w *world) forgive(ctx context.Context, now *time.Time, kind int) error {
	*now = now.Add(time.Hour)
	if kind == 1 {
		*now = now.Add(authn.Remember)
		return w.store.Sweep(ctx, *now)
	}
	_, err := w.people.SignIn(ctx, clinic, who, authn.NewPassword(password), authn.Client{})
	return err
}

// difference returns between what the difference of the medians lies.
func difference(a, b []time.Duration) (low, high time.Duration) {
	all := make([]time.Duration, 2000)
	median := func(from []time.Duration) time.Duration {
		sample := make([]time.Duration, len(from))
		for i := range sample {
			sample[i] = from[rand.IntN(len(from))]
		}
		slices.Sort(sample)
		return quantile(sample, 0.5)
	}
	for i := range all {
		all[i] = median(a) - median(b)
	}
	slices.Sort(all)
	return quantile(all, 0.025), quantile(all, 0.975)
}
