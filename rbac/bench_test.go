package rbac_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// pair is a therapist's own patient and an admin, their grants loaded.
func pair(tb testing.TB) (h *house, own, tenant func() rbac.Decision) {
	tb.Helper()
	h = newHouse(tb)
	h.grant(tb, "ana", "therapist")
	h.grant(tb, "adam", "admin")
	for i := range 50 {
		h.own.Link(clinic, "ana", audit.Patient(fmt.Sprintf("p%d", i)), time.Time{})
	}
	p := patient{"p7", clinic, "north"}
	ask := func(id audit.ActorID) func() rbac.Decision {
		ctx, err := h.z.Load(h.as(tb, staff(id)))
		require.NoError(tb, err)
		return func() rbac.Decision {
			d, err := rbac.Check(ctx, h.z, h.PatientRead, p)
			if err != nil || !d.Allowed {
				tb.Fatal("denied", d.Code, err)
			}
			return d
		}
	}
	return h, ask("ana"), ask("adam")
}

func TestCheckAllocatesNothing(t *testing.T) {
	_, own, tenant := pair(t)
	require.Zero(t, testing.AllocsPerRun(100, func() { own() }))
	require.Zero(t, testing.AllocsPerRun(100, func() { tenant() }))
}

func BenchmarkCheckOwn(b *testing.B) {
	_, own, _ := pair(b)
	b.ReportAllocs()
	for b.Loop() {
		own()
	}
}

func BenchmarkCheckTenant(b *testing.B) {
	_, _, tenant := pair(b)
	b.ReportAllocs()
	for b.Loop() {
		tenant()
	}
}

func BenchmarkLoadMemory(b *testing.B) {
	h, _, _ := pair(b)
	ctx := h.as(b, staff("ana"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.z.Load(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSight(b *testing.B) {
	_, own, _ := pair(b)
	d := own()
	b.ReportAllocs()
	for b.Loop() {
		if d.Sight().Level(phi.ClassName) != phi.Full {
			b.Fatal("hidden")
		}
	}
}

func BenchmarkVisibleSQL(b *testing.B) {
	h, _, _ := pair(b)
	h.grant(b, "bill", "biller", "p1", "p2", "p3", "p4")
	ctx, err := h.z.Load(h.as(b, staff("bill")))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		f, err := rbac.Visible(ctx, h.z, h.PatientRead)
		if err != nil {
			b.Fatal(err)
		}
		f.SQL(rbac.Postgres, "p", 1)
		if err := audit.Flush(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckByTheClock asks as a host does: without a clock of the test.
func BenchmarkCheckByTheClock(b *testing.B) {
	h, _, _ := pair(b)
	z, err := rbac.New(h.policy, h.store, h.rec, nil)
	require.NoError(b, err)
	for name, id := range map[string]audit.ActorID{"own": "ana", "tenant": "adam"} {
		ctx, err := z.Load(h.as(b, staff(id)))
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, err := rbac.Check(ctx, z, h.PatientRead, patient{"p7", clinic, "north"}); err != nil || !d.Allowed {
					b.Fatal("denied", d.Code, err)
				}
			}
		})
	}
}
