package phitest_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

func TestKMSes(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		phitest.TestKMS(t, func(testing.TB) phi.KMS { return phi.NewMemoryKMS() })
	})
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		phitest.TestKMS(t, func(testing.TB) phi.KMS { return phitest.NewKMS() })
	})
	t.Run("ring", func(t *testing.T) {
		t.Parallel()
		phitest.TestKMS(t, func(t testing.TB) phi.KMS {
			k, err := phi.NewRing(phi.NewMemoryKMS(), phi.NewMemoryKMS())
			require.NoError(t, err)
			return k
		})
	})
	t.Run("rotated", func(t *testing.T) {
		t.Parallel()
		phitest.TestKMS(t, func(testing.TB) phi.KMS { return &rotating{phitest.NewKMS()} })
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		phitest.TestKMS(t, func(t testing.TB) phi.KMS {
			path := filepath.Join(t.TempDir(), "kek")
			require.NoError(t, phi.CreateKeyFile(path))
			k, err := phi.OpenKeyFile(path)
			require.NoError(t, err)
			return k
		})
	})
}

// rotating has a new key whenever it has wrapped one.
type rotating struct{ *phitest.KMS }

func (r *rotating) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	defer r.Rotate()
	return r.KMS.Wrap(ctx, key, c)
}

func TestCheckKMS(t *testing.T) {
	t.Parallel()
	require.NoError(t, phitest.CheckKMS(t.Context(), func() (phi.KMS, error) { return phi.NewMemoryKMS(), nil }))
	require.ErrorContains(t, phitest.CheckKMS(t.Context(), func() (phi.KMS, error) { return contextBlind(), nil }), "the_context_is_bound")
}

func TestKMSFake(t *testing.T) {
	t.Parallel()
	k := phitest.NewKMS()
	c := phi.KeyContext{Namespace: "app", Purpose: phi.PurposeCanary, Epoch: 1}
	wrapped, err := k.Wrap(t.Context(), make([]byte, 32), c)
	require.NoError(t, err)
	down := errors.New("down")
	k.Fail(down)
	_, err = k.Unwrap(t.Context(), wrapped, c)
	require.ErrorIs(t, err, down)
	_, err = k.Wrap(t.Context(), make([]byte, 32), c)
	require.ErrorIs(t, err, down)
	k.Fail(nil)
	_, err = k.Unwrap(t.Context(), wrapped, c)
	require.NoError(t, err)
	require.Equal(t, 4, k.Calls())

	k.Rotate()
	_, err = k.Unwrap(t.Context(), wrapped, c)
	require.NoError(t, err, "old keys still unwrap")
	next, err := k.Rewrap(t.Context(), wrapped, c)
	require.NoError(t, err)
	k.Retire()
	_, err = k.Unwrap(t.Context(), wrapped, c)
	require.ErrorIs(t, err, phi.ErrWrongKey)
	_, err = k.Unwrap(t.Context(), next, c)
	require.NoError(t, err)
}

func TestKMSMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, phitest.KMSRules(), map[string]func() phi.KMS{
		"unwrap_returns_the_key":             clear,
		"the_context_is_bound":               contextBlind,
		"altered_bytes_are_refused":          vague,
		"rewrap_keeps_the_key":               forgetful,
		"rewrap_refuses_what_unwrap_refuses": gullible,
		"cancelled_means_an_error":           kmsDeaf,
	})
}

type kmsMutant struct {
	*phi.MemoryKMS
	wrap   func(context.Context, []byte, phi.KeyContext) ([]byte, error)
	unwrap func(context.Context, []byte, phi.KeyContext) ([]byte, error)
	rewrap func(context.Context, []byte, phi.KeyContext) ([]byte, error)
}

func (m *kmsMutant) Rewrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	if m.rewrap != nil {
		return m.rewrap(ctx, wrapped, c)
	}
	key, err := m.Unwrap(ctx, wrapped, c)
	if err != nil {
		return nil, err
	}
	return m.Wrap(ctx, key, c)
}

func (m *kmsMutant) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	if m.wrap != nil {
		return m.wrap(ctx, key, c)
	}
	return m.MemoryKMS.Wrap(ctx, key, c)
}

func (m *kmsMutant) Unwrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	if m.unwrap != nil {
		return m.unwrap(ctx, wrapped, c)
	}
	return m.MemoryKMS.Unwrap(ctx, wrapped, c)
}

// clear wraps the key and keeps it legible beside.
func clear() phi.KMS {
	m := &kmsMutant{MemoryKMS: phi.NewMemoryKMS()}
	m.wrap = func(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
		w, err := m.MemoryKMS.Wrap(ctx, key, c)
		return append(w, key...), err
	}
	m.unwrap = func(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
		if len(wrapped) < 32 {
			return nil, phi.ErrWrongKey
		}
		key, err := m.MemoryKMS.Unwrap(ctx, wrapped[:len(wrapped)-32], c)
		if err == nil && !bytes.Equal(key, wrapped[len(wrapped)-32:]) {
			return nil, phi.ErrWrongKey
		}
		return key, err
	}
	return m
}

// contextBlind forgets the tenant.
func contextBlind() phi.KMS {
	m := &kmsMutant{MemoryKMS: phi.NewMemoryKMS()}
	var mine sync.Map // Rewrap does not forget
	m.wrap = func(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
		t := c.Tenant
		c.Tenant = ""
		w, err := m.MemoryKMS.Wrap(ctx, key, c)
		mine.Store(string(w), t)
		return w, err
	}
	m.rewrap = func(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
		if t, ok := mine.Load(string(wrapped)); ok && t != c.Tenant {
			return nil, phi.ErrWrongKey
		}
		c.Tenant = ""
		return m.MemoryKMS.Rewrap(ctx, wrapped, c)
	}
	m.unwrap = func(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
		c.Tenant = ""
		return m.MemoryKMS.Unwrap(ctx, wrapped, c)
	}
	return m
}

// vague does not say that the bytes were altered.
func vague() phi.KMS {
	m := &kmsMutant{MemoryKMS: phi.NewMemoryKMS()}
	m.unwrap = func(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
		if len(wrapped) == 0 {
			return nil, errors.New("nothing to unwrap")
		}
		return m.MemoryKMS.Unwrap(ctx, wrapped, c)
	}
	m.rewrap = m.MemoryKMS.Rewrap
	return m
}

// forgetful re-wraps a new key.
func forgetful() phi.KMS {
	m := &kmsMutant{MemoryKMS: phi.NewMemoryKMS()}
	m.rewrap = func(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
		if _, err := m.MemoryKMS.Unwrap(ctx, wrapped, c); err != nil {
			return nil, err
		}
		return m.MemoryKMS.Wrap(ctx, make([]byte, 32), c)
	}
	return m
}

// gullible returns whatever it is given to re-wrap.
func gullible() phi.KMS {
	m := &kmsMutant{MemoryKMS: phi.NewMemoryKMS()}
	m.rewrap = func(ctx context.Context, wrapped []byte, _ phi.KeyContext) ([]byte, error) {
		return bytes.Clone(wrapped), ctx.Err()
	}
	return m
}

// kmsDeaf does not hear that the caller has gone.
func kmsDeaf() phi.KMS {
	m := &kmsMutant{MemoryKMS: phi.NewMemoryKMS()}
	m.unwrap = func(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
		return m.MemoryKMS.Unwrap(context.WithoutCancel(ctx), wrapped, c)
	}
	return m
}
