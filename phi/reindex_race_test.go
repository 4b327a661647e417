package phi_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/phi"
)

// put is save that computes the terms again where they are too old by now.
func (h *roster) put(v *phi.Vault, m *member) error {
	for {
		if err := h.save(v, m); !errors.Is(err, phi.ErrStaleTerms) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// race64 has 64 writers on several servers add a member with one e-mail: one gets through, and
// the others are told which field it is.
func (h *roster) race64(servers []*phi.Vault, mail int) {
	h.t.Helper()
	errs := make([]error, 64)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			m := newMember(mail)
			m.ID = fmt.Sprintf("w-%03d-%02d", mail, i)
			errs[i] = h.put(servers[i%len(servers)], m)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		var dup *phi.DuplicateError
		switch {
		case err == nil:
			won++
		default:
			require.ErrorAs(h.t, err, &dup)
			require.Contains(h.t, []string{"email", "ssn_born"}, dup.Field)
		}
	}
	require.Equal(h.t, 1, won, "e-mail %d", mail)
	require.Len(h.t, h.found(servers[mail%len(servers)], "email", fmt.Sprintf("M%d@example.com", mail)), 1)
}

func raceServers(t *testing.T) []*phi.Vault {
	kms, keys := phi.NewMemoryKMS(), phi.NewMemoryKeys()
	servers := make([]*phi.Vault, 4)
	for i := range servers {
		servers[i] = openVault(t, kms, keys, &phi.Options{CacheTTL: 10 * time.Millisecond})
	}
	return servers
}

// 64 writers at once, in memory: one of each e-mail.
func TestUniqueUnder64Writers(t *testing.T) {
	t.Parallel()
	servers, h := raceServers(t), newRoster(t, phi.NewMemoryTerms())
	for mail := range 10 {
		h.race64(servers, mail)
	}
	require.Len(t, h.rows, 10)
}

// The same while the index is rotated, twice at least, from the beginning to the end. Who waits for the
// other servers is the rotator, as in a host.
func TestUniqueWhileIndexRotates(t *testing.T) {
	t.Parallel()
	servers, h := raceServers(t), newRoster(t, phi.NewMemoryTerms())
	const before = 10
	for mail := range before {
		h.race64(servers, mail)
	}
	var phases sync.Map
	r := h.rotator(servers[0], phi.RotatorOptions{Settle: 200 * time.Millisecond, Progress: func(job phi.Rotation) {
		phases.Store(job.Phase, true)
	}})
	var over atomic.Bool
	var rounds atomic.Int32
	done := make(chan error, 1)
	go func() {
		var err error
		for n := 0; err == nil && n < 50 && (n < 2 || rounds.Load() < 4); n++ { // on a busy machine, rounds take longer
			_, err = r.Rotate(context.Background(), phi.RotateIndex, clinic)
		}
		over.Store(true)
		done <- err
	}()
	mail := before
	for last := false; !last; mail++ {
		last = over.Load() // one more round when it is over
		h.race64(servers, mail)
		rounds.Add(1)
		dup := newMember(mail % before) // of before the rotation
		dup.ID = fmt.Sprintf("dup-%03d", mail)
		require.ErrorIs(t, h.put(servers[mail%4], dup), phi.ErrDuplicate)
	}
	require.NoError(t, <-done)
	require.GreaterOrEqual(t, rounds.Load(), int32(4), "rounds while it rotated")
	for _, phase := range []phi.RotationPhase{phi.PhaseDual, phi.PhaseRetire} {
		_, seen := phases.Load(phase)
		require.True(t, seen, phase)
	}
	require.Len(t, h.rows, mail)
	for i := range mail {
		require.Len(t, h.found(servers[i%4], "email", fmt.Sprintf("m%d@example.com", i)), 1, "e-mail %d", i)
	}
	behind, err := h.terms.Behind(t.Context(), clinic, 3)
	require.NoError(t, err)
	require.Empty(t, behind, "rotations are finished")
}

// Work waits for the other servers after each change of phase, and then goes on by itself. Who
// takes over from a process that died while it waited, waits anew.
func TestWorkSettles(t *testing.T) {
	t.Parallel()
	const ttl, settle = time.Minute, 90 * time.Second
	bubble.Test(t, func(t *testing.T) {
		v := openVault(t, phi.NewMemoryKMS(), phi.NewMemoryKeys(), &phi.Options{CacheTTL: ttl})
		h := newRoster(t, phi.NewMemoryTerms())
		for i := range 4 {
			require.NoError(t, h.save(v, newMember(i)))
		}
		var required []time.Duration
		start := time.Now()
		o := phi.RotatorOptions{Settle: settle, Terms: &hookedTerms{h.terms, hooked{before: func(op string) error {
			if op == "terms.require" {
				required = append(required, time.Since(start))
			}
			return nil
		}}}}
		job, err := h.rotator(v, o).Rotate(t.Context(), phi.RotateIndex, clinic)
		require.NoError(t, err)
		require.False(t, job.Finished.IsZero())
		require.Equal(t, []time.Duration{settle, 2 * settle}, required)

		short, cancel := context.WithTimeout(t.Context(), settle/2)
		defer cancel()
		job, err = h.rotator(v, o).Rotate(short, phi.RotateIndex, clinic)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, job.Finished.IsZero())
		required, start = nil, time.Now()
		job, err = h.rotator(v, o).Work(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, []time.Duration{settle, 2 * settle}, required)
		require.False(t, job.Finished.IsZero())
		h.requireRotated(v, 3)
	})
}
