package main

import (
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
)

// timed is one case and what was measured of it.
type timed struct {
	engine, name string
	run          func() error

	batch         int
	ns            []float64 // of each batch, per run
	bytes, allocs float64   // of one run
	err           error
}

func (c *timed) best() float64 { return slices.Min(c.ns) }

func (c *timed) median() float64 {
	s := slices.Sorted(slices.Values(c.ns))
	return s[len(s)/2]
}

// once runs a batch and notes how long it took.
func (c *timed) once() {
	start := time.Now()
	for range c.batch {
		if err := c.run(); err != nil {
			c.err = err
			return
		}
	}
	c.ns = append(c.ns, float64(time.Since(start))/float64(c.batch))
}

// prepare counts allocations and finds out how many runs are a batch.
func (c *timed) prepare() {
	c.batch = 1
	if c.once(); c.err != nil {
		return
	}
	const runs = 200
	c.allocs = testing.AllocsPerRun(runs, func() { _ = c.run() })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		_ = c.run()
	}
	runtime.ReadMemStats(&after)
	c.bytes = float64(after.TotalAlloc-before.TotalAlloc) / runs
	c.ns = nil
	for range 50 {
		c.once()
	}
	c.batch = max(1, int(300_000/math.Max(1, c.median())))
	c.ns = nil
}

// measure lets the cases run in turns for d altogether.
func measure(cases []*timed, d time.Duration) error {
	for _, c := range cases {
		if c.prepare(); c.err != nil {
			return c.err
		}
	}
	for start, first := time.Now(), true; first || time.Since(start) < d; first = false {
		for _, c := range cases {
			if c.once(); c.err != nil {
				return c.err
			}
		}
	}
	return nil
}
