package rbactest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	rbactest.TestStore(t, func(testing.TB) rbac.Store { return rbac.NewMemory() })
}

func TestCheckReportsABrokenStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	require.NoError(t, rbactest.Check(ctx, func() (rbac.Store, error) { return rbac.NewMemory(), nil }))

	err := rbactest.Check(ctx, func() (rbac.Store, error) {
		m := &mutant{Memory: rbac.NewMemory()}
		cacheGrants(m)
		return m, nil
	})
	require.ErrorContains(t, err, "revoke_then_ask")

	broken := errors.New("no database")
	err = rbactest.Check(context.Background(), func() (rbac.Store, error) { return nil, broken })
	require.ErrorIs(t, err, broken)
}
