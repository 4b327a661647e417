package rbac_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/internal/world"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

// TestCheckAgreesWithANaiveEvaluator asks random questions of random worlds.
func TestCheckAgreesWithANaiveEvaluator(t *testing.T) {
	t.Parallel()
	seeds, rows := uint64(12), 120
	if testing.Short() {
		seeds, rows = 3, 40
	}
	allowed, denied := 0, 0
	for seed := range seeds {
		w := world.New(seed, rows)
		p, err := rbac.Compile(w.Rules(world.Relation(w.Own), world.Relation(w.Self)))
		require.NoError(t, err)
		store := rbac.NewMemory()
		require.NoError(t, w.Fill(t.Context(), store))
		z, err := rbac.New(p, store, audit.Discard{}, &rbac.Options{Now: func() time.Time { return w.Now }})
		require.NoError(t, err)
		for _, a := range w.Actors {
			ctx, err := z.Load(rbactest.As(t.Context(), a, audit.Discard{}))
			require.NoError(t, err)
			for i, action := range w.Actions {
				f, err := rbac.Visible(ctx, z, action)
				if err != nil && !errors.Is(err, rbac.ErrDenied) {
					require.NoError(t, err)
				}
				for _, r := range w.Rows {
					want := w.Allowed(a, i, r)
					d, err := rbac.Check(ctx, z, action, r)
					require.NoError(t, err)
					match, err := f.Match(ctx, r)
					require.NoError(t, err)
					if d.Allowed != want || match != want {
						t.Fatalf("seed %d: %+v, %s, %+v: check %v, match %v, naive %v", seed, a, action, r, d.Allowed, match, want)
					}
					if want {
						allowed++
					} else {
						denied++
					}
				}
			}
		}
	}
	t.Logf("%d allowed, %d denied", allowed, denied)
	require.Greater(t, allowed, 1000)
	require.Greater(t, denied, 1000)
}
