package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// sample is what one run of a cell gave.
type sample struct {
	done    int
	elapsed time.Duration
	cpu     time.Duration   // of this process, and where it was asked, of the server's for it
	waits   []time.Duration // of each call
}

func (s *sample) rate() float64 { return float64(s.done) / s.elapsed.Seconds() }

// quantile returns the q-th part of sorted or unsorted values; zero if there are none.
func quantile[T ~int64 | ~float64](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func median[T ~int64 | ~float64](values []T) T { return quantile(values, 0.5) }

// closedLoop lets so many writers call f, each again as soon as its call has returned, until
// the time is up or one fails. finish runs afterwards, inside the measured time.
func closedLoop(ctx context.Context, writers int, d time.Duration, f func(ctx context.Context, writer int) error, finish func(context.Context) error) (*sample, error) {
	var (
		s     sample
		first error
		mu    sync.Mutex
		all   sync.WaitGroup
	)
	start, used := time.Now(), cpuTime()
	for w := range writers {
		all.Go(func() {
			waits, err := loop(ctx, start.Add(d), func() error { return f(ctx, w) })
			mu.Lock()
			defer mu.Unlock()
			s.waits = append(s.waits, waits...)
			first = errors.Join(first, err)
		})
	}
	all.Wait()
	s.done = len(s.waits)
	if first == nil && finish != nil {
		first = finish(ctx)
	}
	s.elapsed, s.cpu = time.Since(start), cpuTime()-used
	return &s, first
}

func loop(ctx context.Context, end time.Time, f func() error) (waits []time.Duration, err error) {
	for t := time.Now(); t.Before(end); {
		if err := errors.Join(ctx.Err(), f()); err != nil {
			return waits, err
		}
		next := time.Now()
		waits = append(waits, next.Sub(t))
		t = next
	}
	return waits, nil
}

// load returns the load average of the last minute as Linux tells it, or "?".
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
