package rbac_test

import (
	"errors"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/internal/world"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

var requests = flag.Int("rbac.requests", 60_000, "how many random requests TestCheckAgreesWithANaiveEvaluator makes")

// TestCheckAgreesWithANaiveEvaluator asks random questions of random worlds: rows of other
// tenants, ids that contain each other, every scope and combination, forbids, toggles.
func TestCheckAgreesWithANaiveEvaluator(t *testing.T) {
	t.Parallel()
	n := *requests
	if testing.Short() {
		n = 10_000
	}
	asked, forbidden, emergencies, behalf := map[bool]int{}, 0, 0, map[rbac.Code]int{}
	for seed := uint64(0); asked[true]+asked[false] < n; seed++ {
		w := world.New(seed, 60)
		p, err := rbac.Compile(w.Rules(w.Relations()))
		require.NoError(t, err)
		store := rbac.NewMemory()
		require.NoError(t, w.Fill(t.Context(), store))
		z, err := rbac.New(p, store, audit.Discard{}, &rbac.Options{Now: func() time.Time { return w.Now }, Toggles: w})
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
					if grant := w.Emergency(a, i, r); d.Emergency != grant {
						t.Fatalf("seed %d: %+v, %s, %+v: emergency %q, naive %q", seed, a, action, r, d.Emergency, grant)
					} else if grant != "" {
						emergencies++
					}
					asked[want]++
					if a.OnBehalfOf != "" {
						behalf[d.Code]++
					}
					if d.Code == rbac.CodeForbidden {
						forbidden++
					}
				}
			}
		}
	}
	t.Logf("%d allowed, %d denied, %d of them forbidden, %d in an emergency", asked[true], asked[false], forbidden, emergencies)
	total := asked[true] + asked[false] // of whole worlds: more than n
	require.Greater(t, asked[true], total/50)
	require.Greater(t, asked[false], total/50)
	require.Greater(t, forbidden, total/500)
	require.Greater(t, emergencies, total/5000, "emergency access let somebody in")
	require.Positive(t, behalf[rbac.CodeAllowed], "programs that act for people were let through")
	require.Positive(t, behalf[rbac.CodePerson], "and were not, because of whom they act for: %v", behalf)
	require.Positive(t, behalf[rbac.CodeScopes])
}
