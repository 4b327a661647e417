package phi_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// scheduler lets one actor run at a time, and chooses at each of their calls of the store or
// the KMS who runs next.
type scheduler struct {
	choose func(n int) int
	ready  chan int        // an actor waits, or has ended
	turns  []chan struct{} // by actor
	ended  []bool
}

func newScheduler(choose func(n int) int) *scheduler {
	return &scheduler{choose: choose, ready: make(chan int)}
}

// actor starts f, which runs when it is chosen; yield goes into its hooks.
func (s *scheduler) actor(f func(yield func(string) error)) {
	i := len(s.turns)
	turn := make(chan struct{})
	s.turns, s.ended = append(s.turns, turn), append(s.ended, false)
	wait := func() {
		s.ready <- i
		<-turn
	}
	go func() {
		wait()
		f(func(string) error { wait(); return nil })
		s.ended[i] = true
		s.ready <- i
	}()
	<-s.ready // it waits for its first turn
}

// run lets the actors run until all have ended.
func (s *scheduler) run() {
	for {
		var waiting []int
		for i, ended := range s.ended {
			if !ended {
				waiting = append(waiting, i)
			}
		}
		if len(waiting) == 0 {
			return
		}
		s.turns[waiting[s.choose(len(waiting))]] <- struct{}{}
		<-s.ready
	}
}

// server returns a vault whose calls yield.
func (w *world) server(t testing.TB, yield func(string) error) *phi.Vault {
	t.Helper()
	armed := false
	h := hooked{KeyStore: w.store, before: func(op string) error {
		if armed {
			return yield(op)
		}
		return nil
	}}
	kms := &hookedKMS{KMS: w.kms, hooked: h}
	v := openVault(t, kms, &h, &phi.Options{Now: w.clk.Now})
	armed = true
	return v
}

// rotating is an actor that rotates.
func (w *world) rotating(t *testing.T, s *scheduler, kind phi.RotationKind, tenant audit.Tenant, done *error) {
	s.actor(func(yield func(string) error) {
		_, err := w.rotator(t, w.server(t, yield)).Rotate(context.Background(), kind, tenant)
		*done = err
	})
}

// sealing is an actor that seals for known and new patients and for the tenant.
func (w *world) sealing(t *testing.T, s *scheduler, name string, done *error) {
	s.actor(func(yield func(string) error) {
		v := w.server(t, yield)
		for i, p := range []audit.Patient{"p-1", audit.Patient(name), "", "p-new", "p-1", ""} {
			if i == 4 { // the caches of all expire, whatever they are doing
				w.clk.Advance(phi.DefaultCacheTTL)
			}
			if err := w.seal(v, clinic, p); err != nil {
				*done = err
				return
			}
		}
	})
}

// interleave runs two rotators of the same keys and two servers that seal, under one schedule,
// and checks what must hold under each: nobody sees an error, everything sealed is readable by
// everybody, and nothing is left behind under an old key.
func interleave(t *testing.T, kind phi.RotationKind, choose func(int) int) {
	t.Helper()
	w := newWorld()
	first := w.vault(t)
	w.populate(t, first)
	before := w.current(t, phi.PurposeData, "")
	tenant := clinic
	if kind == phi.RotateKEK {
		tenant = ""
		w.kms.Rotate()
	}
	var errs [4]error
	s := newScheduler(choose)
	w.rotating(t, s, kind, tenant, &errs[0])
	w.rotating(t, s, kind, tenant, &errs[1])
	w.sealing(t, s, "p-a", &errs[2])
	w.sealing(t, s, "p-b", &errs[3])
	s.run()
	for i, err := range errs {
		require.NoError(t, err, "actor %d", i)
	}
	w.readable(t, first)
	w.requireLatest(t, first)
	left, err := w.store.Count(t.Context(), phi.KeyQuery{Namespace: "app", Root: before.ID})
	require.NoError(t, err)
	now := w.current(t, phi.PurposeData, "")
	if kind != phi.RotateKEK {
		require.NotEqual(t, before.ID, now.ID)
		require.Zero(t, left, "no key is under the old root")
		require.LessOrEqual(t, now.Epoch, uint32(3), "at most one rotation after the other")
	}
	w.requireRotated(t, kind)
	w.requireFamilies(t)
}

// requireLatest checks that a server whose cache has expired seals under the latest keys.
func (w *world) requireLatest(t *testing.T, v *phi.Vault) {
	t.Helper()
	w.clk.Advance(phi.DefaultCacheTTL)
	for p, purpose := range map[audit.Patient]phi.Purpose{"p-1": phi.PurposePatient, "": phi.PurposeData} {
		require.NoError(t, w.seal(v, clinic, p))
		id, err := w.values[len(w.values)-1].sealed.KeyID()
		require.NoError(t, err)
		require.Equal(t, w.current(t, purpose, p).ID, id)
	}
}

// requireFamilies checks every key: one of its kind for each slot and epoch, and epochs
// without a gap.
func (w *world) requireFamilies(t *testing.T) {
	t.Helper()
	epochs := map[phi.KeySlot]map[uint32]bool{}
	roots, err := w.store.List(t.Context(), phi.KeyQuery{Namespace: "app", Limit: 1000})
	require.NoError(t, err)
	all := roots
	for _, root := range roots {
		under, err := w.store.List(t.Context(), phi.KeyQuery{Namespace: "app", Root: root.ID, Limit: 1000})
		require.NoError(t, err)
		all = append(all, under...)
	}
	for _, k := range all {
		if epochs[k.KeySlot] == nil {
			epochs[k.KeySlot] = map[uint32]bool{}
		}
		require.False(t, epochs[k.KeySlot][k.Epoch])
		epochs[k.KeySlot][k.Epoch] = true
	}
	for slot, have := range epochs {
		for e := range uint32(len(have)) {
			require.True(t, have[e+1], "%s: an epoch is missing", slot.Purpose)
		}
	}
}

// Random schedules: rotators and servers change places at every call.
func TestRotationInterleavings(t *testing.T) {
	t.Parallel()
	schedules := uint64(400)
	if testing.Short() || raceDetector {
		schedules = 60
	}
	for _, kind := range []phi.RotationKind{phi.RotateKEK, phi.RotateRoot, phi.RotatePatients} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for seed := range schedules {
				random := rand.New(rand.NewPCG(seed, 7))
				interleave(t, kind, func(n int) int { return random.IntN(n) })
				if t.Failed() {
					t.Fatalf("schedule %d", seed)
				}
			}
		})
	}
}

// Every single change of places: at each of one actor's calls, another one runs from its
// beginning to its end.
func TestRotationPreempted(t *testing.T) {
	t.Parallel()
	for _, kind := range []phi.RotationKind{phi.RotateRoot, phi.RotatePatients} {
		for _, c := range []struct{ name, outer, inner string }{
			{"rotation stopped by a server", "rotate", "seal"},
			{"server stopped by a rotation", "seal", "rotate"},
			{"rotation stopped by a rotation", "rotate", "rotate"},
		} {
			t.Run(fmt.Sprint(kind, "/", c.name), func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					if !preempt(t, kind, c.outer, c.inner, at) {
						require.Greater(t, at, 10)
						return
					}
				}
			})
		}
	}
}

// preempt runs the inner actor at the outer one's call number at, and reports whether the outer
// one came that far.
func preempt(t *testing.T, kind phi.RotationKind, outer, inner string, at int) bool {
	t.Helper()
	w := newWorld()
	first := w.vault(t)
	w.populate(t, first)
	before := w.current(t, phi.PurposeData, "")
	turns, came := 0, false
	s := newScheduler(func(n int) int {
		turns++
		switch {
		case n == 1:
			return 0
		case turns <= at:
			return 0
		}
		came = true
		return 1
	})
	var errs [2]error
	for i, what := range []string{outer, inner} {
		if what == "rotate" {
			w.rotating(t, s, kind, clinic, &errs[i])
		} else {
			w.sealing(t, s, "p-a", &errs[i])
		}
	}
	s.run()
	require.NoError(t, errs[0], "call %d", at)
	require.NoError(t, errs[1], "call %d", at)
	w.readable(t, first)
	left, err := w.store.Count(t.Context(), phi.KeyQuery{Namespace: "app", Root: before.ID})
	require.NoError(t, err)
	require.Zero(t, left, "call %d: keys left under the old root", at)
	w.requireRotated(t, kind)
	w.requireFamilies(t)
	return came
}
