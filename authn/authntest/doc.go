// Package authntest proves stores for package authn, and has what a host's own tests need
// around it.
//
// A store of a host's own is proven in one line:
//
//	authntest.TestStore(t, func(t testing.TB) authn.Store { return mystore.New(t) })
//
// Each rule is a sentence of the contract in package authn; each has a store that is broken
// in that one place, which the rule, and no other, catches.
package authntest

import (
	"context"
	"slices"
	"testing"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/conform"
)

// TestStore runs every rule as a subtest, each against a fresh store from open.
func TestStore(t *testing.T, open func(t testing.TB) authn.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule, each against a fresh store from open, and returns what was broken,
// nil if nothing was.
func Check(ctx context.Context, open func() (authn.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

type rule = conform.Rule[authn.Store]

func rules() []rule {
	return slices.Concat(peopleRules(), linkRules(), policyRules(), credentialRules(), ticketRules(), deviceRules(), ofStore(), outboxRules())
}
