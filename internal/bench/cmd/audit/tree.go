package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
)

// measureTree compares recording with and without a tree over the log, 256 writers, every other
// time the one first. With a tree, a checkpoint is signed every second, and the measured time
// ends when every event is covered by one.
func measureTree(ctx context.Context, c *config, dir string) error {
	d := time.Duration(c.seconds * float64(time.Second))
	fmt.Fprintf(c.out, "\n### A tree over the log, 256 writers\n\n| store | events/s without | with | cost (median of rounds) | load |\n|---|---|---|---|---|\n")
	for _, o := range engines(c) {
		var without, with, cost []float64
		for round := range c.rounds {
			var rates [2]float64
			for i := range 2 {
				tree := (i + round) % 2
				s, err := inOwnDir(ctx, dir, d, cell{o.name, 256, func(ctx context.Context, dir string, d time.Duration) (*sample, error) {
					return withTree(ctx, o, dir, d, tree == 1)
				}})
				if err != nil {
					return fmt.Errorf("%s: %w", o.name, err)
				}
				rates[tree] = s.rate()
			}
			without, with = append(without, rates[0]), append(with, rates[1])
			cost = append(cost, 100*(1-rates[1]/rates[0]))
		}
		fmt.Fprintf(c.out, "| %s | %.0f | %.0f | %.1f %% (%.1f to %.1f) | %s |\n",
			o.name, median(without), median(with), median(cost), quantile(cost, 0), quantile(cost, 1), load())
	}
	return nil
}

func withTree(ctx context.Context, o opener, dir string, d time.Duration, tree bool) (s *sample, err error) {
	e, err := o.open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	log, err := newLog(ctx, e.store, false)
	if err != nil {
		return nil, err
	}
	finish := e.drain
	if tree {
		trees, err := e.trees(ctx)
		if err != nil {
			return nil, err
		}
		running, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); _ = trees.Run(running) }() // it ends with ctx's error
		defer func() { cancel(); <-done }()
		finish = func(ctx context.Context) error {
			if err := e.drain(ctx); err != nil {
				return err
			}
			_, err := trees.Integrate(ctx)
			return err
		}
	}
	stop := keep(ctx, log)
	defer stop()
	from := sources(256, event)
	s, err = closedLoop(ctx, 256, d, func(ctx context.Context, w int) error { return log.Record(ctx, from[w]()) }, finish)
	if err != nil {
		return nil, err
	}
	return s, e.expect(ctx, s.done)
}

// trees returns a log of trees in the engine's database.
func (e *engine) trees(ctx context.Context) (*tlog.Log, error) {
	open := tlogsql.SQLite
	if e.url != "" {
		open = tlogsql.Postgres
	}
	store, err := open(e.db)
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(macKey()[:ed25519.SeedSize])
	return tlog.New(e.store, store, "bench.example/audit", key, &tlog.Options{Every: time.Second})
}
