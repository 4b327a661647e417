// Package sessiontest proves stores of package session. A host's own store adopts the suite
// in one line:
//
//	func TestStore(t *testing.T) { sessiontest.TestStore(t, openFreshStore) }
//
// Each rule is a sentence of the contract of session.Store, and for each rule wardkit's own
// tests hold a store, broken in that one place, that this rule catches and no other does.
package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

// The size of the random walk against a model that TestStore and Check end with.
const (
	walks     = 4
	walkSteps = 250
)

// TestStore runs the whole suite, each rule as a subtest of its own with a fresh, empty
// store from open. In -short mode the walk is shorter.
func TestStore(t *testing.T, open func(t testing.TB) session.Store) {
	t.Helper()
	conform.Test(t, Rules(), open)
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		steps := walkSteps
		if testing.Short() {
			steps /= 5
		}
		for seed := range uint64(walks) {
			if err := Walk(t.Context(), open(t), seed, steps); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Check runs the whole suite and returns everything that the store broke, nil if it broke
// nothing. It is TestStore for callers outside a test.
func Check(ctx context.Context, open func() (session.Store, error)) error {
	err := conform.Check(ctx, Rules(), open)
	for seed := range uint64(walks) {
		store, e := open()
		if e != nil {
			return errors.Join(err, fmt.Errorf("opening a store for the model: %w", e))
		}
		err = errors.Join(err, Walk(ctx, store, seed, walkSteps))
	}
	return err
}

// Rules returns the rules of the suite.
func Rules() []conform.Rule[session.Store] {
	var all []conform.Rule[session.Store]
	for _, part := range [][]conform.Rule[session.Store]{
		createRules(), limitRules(), touchRules(), revokeRules(), listRules(), rotateRules(), lockRules(), keptRules(),
	} {
		all = append(all, part...)
	}
	return all
}
