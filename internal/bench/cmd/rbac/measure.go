package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// timed is one engine that answers questions one after the other.
type timed struct {
	name string
	ask  func(i int) (bool, error) // the answer to question i of the workload
	want []bool                    // the answers, nil if there are none to compare
	prep func() error              // before each batch, not measured

	first         int // how many questions prepare asks: all if 0
	batch, next   int
	ns            []float64 // of each batch, per question
	bytes, allocs float64   // per question
}

func (t *timed) best() float64 { return slices.Min(t.ns) }

func (t *timed) median() float64 {
	s := slices.Sorted(slices.Values(t.ns))
	return s[len(s)/2]
}

// once asks a batch of questions and notes how long it took.
func (t *timed) once() error {
	if t.prep != nil {
		if err := t.prep(); err != nil {
			return err
		}
	}
	start := time.Now()
	for range t.batch {
		got, err := t.ask(t.next)
		if err != nil || t.want != nil && got != t.want[t.next] {
			return fmt.Errorf("%s: question %d: %v, %w", t.name, t.next, got, err)
		}
		if t.next++; t.next == questions {
			t.next = 0
		}
	}
	t.ns = append(t.ns, float64(time.Since(start))/float64(t.batch))
	return nil
}

// prepare asks everything once, which compares every answer, counts memory, and finds out how
// many questions are a batch of some milliseconds.
func (t *timed) prepare() error {
	var before, after runtime.MemStats
	if t.first == 0 {
		t.first = questions
	}
	t.batch = t.first
	if err := t.once(); err != nil {
		return err
	}
	runtime.ReadMemStats(&before)
	if err := t.once(); err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	t.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(t.first)
	t.allocs = float64(after.Mallocs-before.Mallocs) / float64(t.first)
	t.batch = min(questions, max(1, int(5e6/t.best())))
	t.ns = nil
	return nil
}

// measure lets the cases answer in turns for d altogether.
func measure(cases []*timed, d time.Duration) error {
	for _, t := range cases {
		if err := t.prepare(); err != nil {
			return err
		}
	}
	for start, first := time.Now(), true; first || time.Since(start) < d; first = false {
		for _, t := range cases {
			if err := t.once(); err != nil {
				return err
			}
		}
	}
	return nil
}
