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

// measure lets the cases answer in turns for d altogether, after so many questions each at
// first: with all of them, every answer is compared.
func measure(cases []*turns.Case, d time.Duration, first int) error {
	return turns.Plan{Time: d, Batch: 5 * time.Millisecond, First: first, Most: questions}.Measure(cases...)
}
