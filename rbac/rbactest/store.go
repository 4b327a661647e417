package rbactest

import (
	"context"
	"testing"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac"
)

// TestStore runs every rule of the contract of rbac.Store as a subtest. open returns an empty
// store, a fresh one for each call.
func TestStore(t *testing.T, open func(t testing.TB) rbac.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check runs every rule and returns what the store breaks, nil if nothing. open returns an
// empty store, a fresh one for each call.
func Check(ctx context.Context, open func() (rbac.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}
