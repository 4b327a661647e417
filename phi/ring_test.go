package phi_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// spyRing is a KMS of a ring that notes when it is asked.
type spyRing struct {
	*phi.MemoryKMS
	asked int
}

func (s *spyRing) Unwrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	s.asked++
	return s.MemoryKMS.Unwrap(ctx, wrapped, c)
}

// Only the KMS whose key is named is asked.
func TestRingDoesNotTry(t *testing.T) {
	t.Parallel()
	a, b, stranger := &spyRing{MemoryKMS: phi.NewMemoryKMS()}, &spyRing{MemoryKMS: phi.NewMemoryKMS()}, phi.NewMemoryKMS()
	ring, err := phi.NewRing(a, b)
	require.NoError(t, err)
	c := phi.KeyContext{Namespace: "app", Tenant: clinic, Purpose: phi.PurposeData, Epoch: 1}
	old, err := b.Wrap(t.Context(), make([]byte, 32), c)
	require.NoError(t, err)
	require.True(t, ring.Holds(old))
	_, err = ring.Unwrap(t.Context(), old, c)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, []int{a.asked, b.asked})
	_, err = ring.Unwrap(t.Context(), flip(old), c)
	require.ErrorIs(t, err, phi.ErrWrongKey)
	require.Equal(t, []int{0, 2}, []int{a.asked, b.asked})

	foreign, err := stranger.Wrap(t.Context(), make([]byte, 32), c)
	require.NoError(t, err)
	require.False(t, ring.Holds(foreign))
	for _, bad := range [][]byte{foreign, nil, {1}, []byte("vault:v1:abc")} {
		_, err = ring.Unwrap(t.Context(), bad, c)
		require.ErrorIs(t, err, phi.ErrWrongKey)
		_, err = ring.Rewrap(t.Context(), bad, c)
		require.ErrorIs(t, err, phi.ErrWrongKey)
	}
	_, err = ring.Unwrap(t.Context(), foreign, c)
	for _, k := range []phi.RingKMS{a, b, stranger} {
		require.ErrorContains(t, err, k.Fingerprint(), "which keys there are and which is missing")
	}
	require.Equal(t, []int{0, 2}, []int{a.asked, b.asked})

	next, err := ring.Rewrap(t.Context(), old, c)
	require.NoError(t, err)
	require.True(t, a.Holds(next))
	require.Equal(t, a.Fingerprint(), ring.Fingerprint())
	same, err := ring.Rewrap(t.Context(), next, c)
	require.NoError(t, err)
	require.Equal(t, next, same)
}

func TestRingRefuses(t *testing.T) {
	t.Parallel()
	k := phi.NewMemoryKMS()
	for _, older := range [][]phi.RingKMS{{nil}, {k}, {phi.NewMemoryKMS(), k}} {
		_, err := phi.NewRing(k, older...)
		require.Error(t, err)
	}
	_, err := phi.NewRing(nil)
	require.Error(t, err)
}

// A key file is replaced by another one while servers run, step by step as Ring says.
func TestReplaceKeyFile(t *testing.T) {
	t.Parallel()
	file := func() *phi.KeyFile {
		path := filepath.Join(t.TempDir(), "kek")
		require.NoError(t, phi.CreateKeyFile(path))
		k, err := phi.OpenKeyFile(path)
		require.NoError(t, err)
		return k
	}
	ring := func(current phi.RingKMS, older ...phi.RingKMS) *phi.Ring {
		r, err := phi.NewRing(current, older...)
		require.NoError(t, err)
		return r
	}
	before, after := file(), file()
	w := newWorld()
	a := openVault(t, before, w.store, nil)
	w.populate(t, a)

	b := openVault(t, ring(before, after), w.store, nil) // step 1, while a still runs
	require.NoError(t, w.seal(b, "clinic-3", "p-1"))
	w.readable(t, a)
	c := openVault(t, ring(after, before), w.store, nil) // step 2, while b still runs
	require.NoError(t, w.seal(c, "clinic-4", "p-1"))
	w.readable(t, b)
	_, err := phi.Open(t.Context(), "app", after, w.store, nil)
	require.ErrorIs(t, err, phi.ErrWrongKey, "too early")
	require.ErrorContains(t, err, before.Fingerprint())
	_, err = w.rotator(t, c).Rotate(t.Context(), phi.RotateKEK, "") // step 3
	require.NoError(t, err)
	d := openVault(t, after, w.store, nil) // step 4
	w.readable(t, d)
	_, err = phi.Open(t.Context(), "app", before, w.store, nil)
	require.ErrorIs(t, err, phi.ErrWrongKey, "the old key alone is of no use any more")
	require.ErrorContains(t, err, after.Fingerprint())
	require.ErrorContains(t, err, before.Fingerprint())
}

// However many ask for a root at once, the KMS is asked once.
func TestOneKMSCallUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(t, w.vault(t))
	slow := &hookedKMS{KMS: w.kms, hooked: hooked{before: func(string) error {
		time.Sleep(20 * time.Millisecond)
		return nil
	}}}
	v := openVault(t, slow, w.store, &phi.Options{Now: w.clk.Now})
	calls := w.kms.Calls()
	var wg sync.WaitGroup
	errs := make([]error, 64)
	for i := range errs {
		wg.Go(func() {
			s := w.values[i%4]
			if _, err := v.Unseal(t.Context(), s.at, s.sealed); err != nil {
				errs[i] = err
			}
			_, err := v.Seal(t.Context(), s.at, nil)
			errs[i] = errors.Join(errs[i], err)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, calls+1, w.kms.Calls(), "one data root")
	w.clk.Advance(phi.DefaultCacheTTL)
	s := w.values[0]
	_, err := v.Unseal(t.Context(), s.at, s.sealed)
	require.NoError(t, err)
	require.Equal(t, calls+2, w.kms.Calls())
}

// A caller that waits for another one's question to the KMS leaves when its time is over.
func TestWaitingForTheKMS(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(t, w.vault(t))
	asked, answer := make(chan struct{}), make(chan struct{})
	armed := false
	kms := &hookedKMS{KMS: w.kms, hooked: hooked{before: func(op string) error {
		if armed {
			close(asked)
			<-answer
		}
		return nil
	}}}
	v := openVault(t, kms, w.store, nil)
	armed = true
	s := w.values[0]
	first := make(chan error, 1)
	go func() {
		_, err := v.Unseal(t.Context(), s.at, s.sealed)
		first <- err
	}()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Unseal(ctx, s.at, s.sealed)
	require.ErrorIs(t, err, context.Canceled)
	armed = false
	close(answer)
	require.NoError(t, <-first)
}
