package rbac_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// retained returns the bytes of the heap that are in use.
func retained() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// everybody is a store in which each person of each tenant is a manager.
type everybody struct{ rbac.Store }

func (everybody) Grants(_ context.Context, t audit.Tenant, person audit.ActorID) ([]rbac.Grant, error) {
	return []rbac.Grant{{ID: "g-" + string(person), Tenant: t, Person: person, Role: rbac.Manager, By: "x"}}, nil
}

// TestAPolicyIsSmallWhateverTheTenants: every preset with every category is far below 1 MiB, and
// requests of two thousand tenants leave nothing behind.
func TestAPolicyIsSmallWhateverTheTenants(t *testing.T) { // not parallel: it looks at the whole heap
	const n = 16
	before := retained()
	policies := make([]*rbac.Policy, n)
	for i := range policies {
		policies[i] = presetPolicy(t, &rbac.PresetOptions{Roles: rbac.AllPresets()})
	}
	each := (retained() - before) / n
	t.Logf("%d KiB for a policy of %d roles", each>>10, len(policies[0].Roles()))
	require.Positive(t, each)
	require.Less(t, each, int64(1<<20))

	z, err := rbac.New(policies[0], everybody{rbac.NewMemory()}, audit.Discard{}, nil)
	require.NoError(t, err)
	ask := func(tenants int) {
		for i := range tenants {
			ctx, err := z.Load(audit.WithActor(t.Context(), audit.Actor{ID: "ana", Kind: audit.KindStaff, Tenant: audit.Tenant(fmt.Sprintf("t%d", i)), Assurance: audit.AAL2}))
			require.NoError(t, err)
			may, err := rbac.MayAnywhere(ctx, z)
			require.NoError(t, err)
			require.True(t, may.Has("schedule.r"))
		}
	}
	ask(100)
	before = retained()
	ask(2_000)
	require.Less(t, retained()-before, int64(64<<10))
	runtime.KeepAlive(policies)
}
