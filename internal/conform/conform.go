// Package conform runs conformance suites: a list of rules that every implementation of a
// store contract has to keep. Each rule is proven by a mutant, an implementation broken in
// one place that exactly that rule catches.
package conform

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// Rule is one sentence of a contract and how to see whether a fresh store keeps it.
type Rule[S any] struct {
	Name   string // short, the subtest's name
	Clause string // the sentence of the contract
	Run    func(ctx context.Context, store S) error
}

// timeout ends a rule whose store hangs.
const timeout = 60 * time.Second

// Test runs every rule as a subtest against a store of its own.
func Test[S any](t *testing.T, rules []Rule[S], open func(t testing.TB) S) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			if err := r.Run(ctx, open(t)); err != nil {
				t.Fatalf("%v\nthe contract says: %s", err, r.Clause)
			}
		})
	}
}

// Check runs every rule against a store of its own and returns what was broken, nil if
// nothing was. A failing open ends it.
func Check[S any](ctx context.Context, rules []Rule[S], open func() (S, error)) error {
	var broken []error
	for _, r := range rules {
		store, err := open()
		if err != nil {
			return fmt.Errorf("opening a store for %s: %w", r.Name, err)
		}
		if err := run(ctx, r, store); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w (the contract says: %s)", r.Name, err, r.Clause))
		}
	}
	return errors.Join(broken...)
}

func run[S any](ctx context.Context, r Rule[S], store S) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.Run(ctx, store)
}

// Mutants proves the suite: for every rule there is a mutant of the same name, a store broken
// in one place, which that rule catches and no other rule does.
func Mutants[S any](t *testing.T, rules []Rule[S], mutants map[string]func() S) {
	t.Helper()
	var names []string
	for _, r := range rules {
		names = append(names, r.Name)
		if mutants[r.Name] == nil {
			t.Errorf("rule %s has no mutant: nothing shows that it can fail", r.Name)
		}
	}
	for name, open := range mutants {
		if !slices.Contains(names, name) {
			t.Errorf("mutant %s has no rule", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range rules {
				err := run(t.Context(), r, open())
				if r.Name == name && err == nil {
					t.Errorf("rule %s does not catch its mutant", r.Name)
				}
				if r.Name != name && err != nil {
					t.Errorf("rule %s catches the mutant of %s: %v", r.Name, name, err)
				}
			}
		})
	}
}
