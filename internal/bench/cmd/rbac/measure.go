package main

import (
	"fmt"
	"time"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

// answering is an engine that answers the workload's questions one after the other. It fails
// where an answer is not the wanted one; want is nil if there are none to compare.
func answering(name string, want []bool, ask func(i int) (bool, error), before func() error) *turns.Case {
	next := 0
	return &turns.Case{Name: name, Before: before, Run: func() error {
		got, err := ask(next)
		if err != nil {
			return fmt.Errorf("%s: question %d: %w", name, next, err)
		}
		if want != nil && got != want[next] {
			return fmt.Errorf("%s: question %d: the answer is %v", name, next, got)
		}
		next = (next + 1) % questions
		return nil
	}}
}

// visited is an engine that answers in requests of inRow questions about one person. What a host
// has done by then is not measured: ready reads who asks, and the records of the questions from
// first on. ask then answers the question in place i of the request.
func visited(name string, want []bool, ready func(first int) error, ask func(i int) (bool, error)) *turns.Case {
	first := 0
	var got [inRow]bool
	return &turns.Case{Name: name, Units: inRow, Ready: func() error { return ready(first) }, Run: func() (err error) {
		for i := range got {
			if got[i], err = ask(i); err != nil {
				return fmt.Errorf("%s: question %d: %w", name, first+i, err)
			}
		}
		if want != nil && got != [inRow]bool(want[first:]) {
			return fmt.Errorf("%s: of questions %d to %d an answer is wrong", name, first, first+inRow-1)
		}
		first = (first + inRow) % questions
		return nil
	}}
}

// measure lets the cases answer in turns for d altogether, after first runs of each, and at most
// most runs in a turn.
func measure(cases []*turns.Case, d time.Duration, first, most int) error {
	return turns.Plan{Time: d, Batch: 5 * time.Millisecond, First: first, Most: most}.Measure(cases...)
}
