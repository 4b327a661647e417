package phi_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// Whichever call of the key store fails, the answer is a typed error, nothing is sealed under
// a key that is not stored, and the next attempt works.
func TestKeyStoreFaults(t *testing.T) {
	t.Parallel()
	down := errors.New("disk on fire")
	for n := 1; ; n++ {
		kms, keys := phi.NewMemoryKMS(), newSpyKeys()
		keys.failAt, keys.err = n, down
		failed := 0
		try := func(f func() error) {
			for {
				err := f()
				if err == nil {
					return
				}
				require.ErrorIs(t, err, phi.ErrUnavailable)
				require.ErrorIs(t, err, down)
				failed++
				require.Equal(t, 1, failed)
			}
		}
		var v *phi.Vault
		var s phi.Sealed
		try(func() (err error) { v, err = phi.Open(t.Context(), "app", kms, keys, nil); return err })
		try(func() (err error) { s, err = v.Seal(t.Context(), place(), []byte("x")); return err })
		try(func() error { _, err := v.Term(t.Context(), clinic, "f", "x"); return err })
		fresh := openVaultRetry(t, kms, keys, try)
		try(func() error { _, err := fresh.Unseal(t.Context(), place(), s); return err })
		if failed == 0 {
			require.Greater(t, n, 10, "every call was made to fail once")
			return
		}
	}
}

func openVaultRetry(t *testing.T, kms phi.KMS, keys phi.KeyStore, try func(func() error)) (v *phi.Vault) {
	try(func() (err error) { v, err = phi.Open(t.Context(), "app", kms, keys, nil); return err })
	return v
}

// A store that stalls is left when the caller's time is over.
type stalledKeys struct{ *phi.MemoryKeys }

func (s stalledKeys) Current(ctx context.Context, _ phi.KeySlot) (phi.Key, error) {
	<-ctx.Done()
	return phi.Key{}, ctx.Err()
}

func TestKeyStoreStalls(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := phi.Open(ctx, "app", phi.NewMemoryKMS(), stalledKeys{phi.NewMemoryKeys()}, nil)
	require.ErrorIs(t, err, phi.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// gate lets one caller hold the load of a key while others wait for it.
type gate struct {
	*phi.MemoryKeys
	entered chan struct{}
	leave   chan struct{}
	once    sync.Once
}

func (g *gate) Current(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
	if s.Purpose == phi.PurposeData {
		g.once.Do(func() { close(g.entered); <-g.leave })
	}
	return g.MemoryKeys.Current(ctx, s)
}

func TestWaitingForAKeyHonoursTheContext(t *testing.T) {
	t.Parallel()
	g := &gate{MemoryKeys: phi.NewMemoryKeys(), entered: make(chan struct{}), leave: make(chan struct{})}
	v := openVault(t, phi.NewMemoryKMS(), g, nil)
	at := phi.At{Tenant: clinic, Field: "f", Row: "r"}
	done := make(chan error, 1)
	go func() { _, err := v.Seal(t.Context(), at, nil); done <- err }()
	<-g.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Seal(ctx, at, nil)
	require.ErrorIs(t, err, phi.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	close(g.leave)
	require.NoError(t, <-done)
}

// unsure stores a key and then says that it failed, as a cut connection does.
type unsure struct {
	*phi.MemoryKeys
	left int
}

func (u *unsure) Create(ctx context.Context, k phi.Key) error {
	if err := u.MemoryKeys.Create(ctx, k); err != nil {
		return err
	}
	if u.left--; u.left >= 0 {
		return errors.New("connection reset")
	}
	return nil
}

func TestUnsureCreate(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), &unsure{MemoryKeys: phi.NewMemoryKeys()}
	v := openVault(t, kms, keys, nil)
	keys.left = 2 // the data root, then the patient's key
	for range 2 {
		_, err := v.Seal(t.Context(), place(), nil)
		require.ErrorIs(t, err, phi.ErrUnavailable)
	}
	s, err := v.Seal(t.Context(), place(), []byte("x"))
	require.NoError(t, err)
	_, err = openVault(t, kms, keys, nil).Unseal(t.Context(), place(), s)
	require.NoError(t, err)
}

// Two vaults create the first keys at once, through a store that makes both see none.
type late struct {
	*phi.MemoryKeys
	both *sync.WaitGroup
	once sync.Map
}

func (l *late) Current(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
	k, err := l.MemoryKeys.Current(ctx, s)
	if _, again := l.once.LoadOrStore(s, true); !again && errors.Is(err, phi.ErrKeyNotFound) && s.Tenant != "" {
		l.both.Done()
		l.both.Wait()
	}
	return k, err
}

func TestFirstKeyRace(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), phi.NewMemoryKeys()
	openVault(t, kms, keys, nil)
	var both sync.WaitGroup
	both.Add(2)
	at := phi.At{Tenant: clinic, Field: "f", Row: "r"}
	var vaults [2]*phi.Vault
	var sealed [2]phi.Sealed
	var errs [2]error
	var wg sync.WaitGroup
	for i := range vaults {
		vaults[i] = openVault(t, kms, &late{MemoryKeys: keys, both: &both}, nil)
		wg.Go(func() { sealed[i], errs[i] = vaults[i].Seal(t.Context(), at, []byte("x")) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	for i := range vaults {
		for j := range sealed {
			_, err := vaults[i].Unseal(t.Context(), at, sealed[j])
			require.NoError(t, err)
		}
	}
}
