// Package conform runs conformance suites: a list of rules that every implementation of a
// store contract has to keep. Each rule is proven by a mutant, an implementation broken in
// one place that exactly that rule catches.
package conform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// Rule is one sentence of a contract and how to see whether a fresh store keeps it.
type Rule[S any] struct {
	Name   string // short, the subtest's name, once in a suite
	Clause string // the sentence of the contract
	Run    func(ctx context.Context, store S) error
}

// timeout ends a rule whose store hangs.
const timeout = 60 * time.Second

// Test runs every rule as a subtest against a store of its own. A suite without rules fails.
func Test[S any](t *testing.T, rules []Rule[S], open func(t testing.TB) S) {
	t.Helper()
	if err := complete(rules); err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			if err := r.Run(ctx, store); err != nil {
				t.Fatalf("%v\nthe contract says: %s", err, r.Clause)
			}
		})
	}
}

// Check runs every rule against a store of its own and returns what was broken, nil if
// nothing was. A store that panics breaks the rule. A failing open ends it, and so does the
// end of ctx.
func Check[S any](ctx context.Context, rules []Rule[S], open func() (S, error)) error {
	if err := complete(rules); err != nil {
		return err
	}
	var broken []error
	for _, r := range rules {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(broken, err)...)
		}
		store, err := open()
		if err != nil {
			return errors.Join(append(broken, fmt.Errorf("opening a store for %s: %w", r.Name, err))...)
		}
		if err := run(ctx, r, store); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w (the contract says: %s)", r.Name, err, r.Clause))
		}
	}
	return errors.Join(broken...)
}

// Mutants proves the suite: for every rule there is a mutant of the same name, a store broken
// in one place, which that rule catches and no other rule does.
func Mutants[S any](t *testing.T, rules []Rule[S], mutants map[string]func() S) {
	t.Helper()
	if err := pairs(rules, mutants); err != nil {
		t.Error(err)
	}
	for name, open := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := prove(t.Context(), rules, name, open); err != nil {
				t.Error(err)
			}
		})
	}
}

// CheckMutants is Mutants without a test: it returns what is not proven, nil if everything is.
func CheckMutants[S any](ctx context.Context, rules []Rule[S], mutants map[string]func() S) error {
	faults := []error{pairs(rules, mutants)}
	for _, name := range slices.Sorted(maps.Keys(mutants)) {
		faults = append(faults, prove(ctx, rules, name, mutants[name]))
	}
	return errors.Join(faults...)
}

// complete refuses a suite that says nothing, or says it twice.
func complete[S any](rules []Rule[S]) error {
	if len(rules) == 0 {
		return errors.New("the suite has no rules")
	}
	seen := map[string]bool{}
	for _, r := range rules {
		switch {
		case r.Name == "" || r.Clause == "" || r.Run == nil:
			return fmt.Errorf("rule %q lacks a name, a clause or a check", r.Name)
		case seen[r.Name]:
			return fmt.Errorf("two rules are called %s", r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

// pairs finds rules without a mutant and mutants without a rule.
func pairs[S any](rules []Rule[S], mutants map[string]func() S) error {
	faults := []error{complete(rules)}
	known := map[string]bool{}
	for _, r := range rules {
		known[r.Name] = true
		if mutants[r.Name] == nil {
			faults = append(faults, fmt.Errorf("rule %s has no mutant: nothing shows that it can fail", r.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(mutants)) {
		if !known[name] {
			faults = append(faults, fmt.Errorf("mutant %s has no rule", name))
		}
	}
	return errors.Join(faults...)
}

// prove runs every rule against a fresh copy of one mutant.
func prove[S any](ctx context.Context, rules []Rule[S], name string, open func() S) error {
	if open == nil {
		return nil // pairs says so
	}
	var faults []error
	for _, r := range rules {
		err := run(ctx, r, open())
		switch {
		case r.Name == name && err == nil:
			faults = append(faults, fmt.Errorf("rule %s does not catch its mutant", r.Name))
		case r.Name != name && err != nil:
			faults = append(faults, fmt.Errorf("rule %s catches the mutant of %s: %w", r.Name, name, err))
		}
	}
	return errors.Join(faults...)
}

// run checks one rule. A panic is a broken rule, because a mutant may make the rule itself
// stumble.
func run[S any](ctx context.Context, r Rule[S], store S) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.Run(ctx, store)
}
