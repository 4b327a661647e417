package phi_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

// spyKeys is a key store that counts, fails and lets the test reach into the keys.
type spyKeys struct {
	*phi.MemoryKeys

	mu     sync.Mutex
	calls  map[string]int
	failAt int // fail the n-th call from now, 0 never
	err    error
	alter  func(*phi.Key)
}

func newSpyKeys() *spyKeys { return &spyKeys{MemoryKeys: phi.NewMemoryKeys(), calls: map[string]int{}} }

func (s *spyKeys) call(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[name]++
	if s.failAt > 0 {
		if s.failAt--; s.failAt == 0 {
			return s.err
		}
	}
	return nil
}

func (s *spyKeys) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls["create"] + s.calls["current"] + s.calls["get"]
}

func (s *spyKeys) Create(ctx context.Context, k phi.Key) error {
	if err := s.call("create"); err != nil {
		return err
	}
	return s.MemoryKeys.Create(ctx, k)
}

func (s *spyKeys) Current(ctx context.Context, slot phi.KeySlot) (phi.Key, error) {
	if err := s.call("current"); err != nil {
		return phi.Key{}, err
	}
	k, err := s.MemoryKeys.Current(ctx, slot)
	if err == nil && s.alter != nil {
		s.alter(&k)
	}
	return k, err
}

func (s *spyKeys) Get(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
	if err := s.call("get"); err != nil {
		return nil, err
	}
	keys, err := s.MemoryKeys.Get(ctx, ids...)
	for i := range keys {
		if s.alter != nil {
			s.alter(&keys[i])
		}
	}
	return keys, err
}

func openVault(t testing.TB, kms phi.KMS, keys phi.KeyStore, o *phi.Options) *phi.Vault {
	t.Helper()
	v, err := phi.Open(t.Context(), "app", kms, keys, o)
	require.NoError(t, err)
	return v
}

// What wraps what: the KMS roots and the canary, a tenant's data root its patients' keys.
// Data and index roots are apart, tenants are apart, patients are apart.
func TestHierarchy(t *testing.T) {
	t.Parallel()
	keys := phi.NewMemoryKeys()
	v := openVault(t, phi.NewMemoryKMS(), keys, nil)
	for _, tenant := range []audit.Tenant{clinic, "clinic-2"} {
		for _, p := range []audit.Patient{"p-1", "p-2", ""} {
			_, err := v.Seal(t.Context(), phi.At{Tenant: tenant, Field: "f", Patient: p, Row: "r"}, nil)
			require.NoError(t, err)
		}
		_, err := v.Term(t.Context(), tenant, "f", "x")
		require.NoError(t, err)
	}
	seen := map[phi.KeyID]bool{}
	current := func(tenant audit.Tenant, purpose phi.Purpose, p audit.Patient) phi.Key {
		k, err := keys.Current(t.Context(), phi.KeySlot{Namespace: "app", Tenant: tenant, Purpose: purpose, Patient: p})
		require.NoError(t, err)
		require.EqualValues(t, 1, k.Epoch)
		require.False(t, seen[k.ID], "every key is another")
		seen[k.ID] = true
		return k
	}
	current("", phi.PurposeCanary, "")
	for _, tenant := range []audit.Tenant{clinic, "clinic-2"} {
		root := current(tenant, phi.PurposeData, "")
		require.Zero(t, root.Root)
		require.Zero(t, current(tenant, phi.PurposeIndex, "").Root)
		for _, p := range []audit.Patient{"p-1", "p-2"} {
			require.Equal(t, root.ID, current(tenant, phi.PurposePatient, p).Root)
		}
	}
}

// The key-encryption key is asked once per tenant and purpose, not once per value or patient,
// and again after the cache's time.
func TestKMSCallsPerTTL(t *testing.T) {
	t.Parallel()
	kms, clk := phitest.NewKMS(), newClock()
	v := openVault(t, kms, phi.NewMemoryKeys(), &phi.Options{Now: clk.Now, CacheTTL: time.Minute})
	work := func() {
		for _, p := range []audit.Patient{"p-1", "p-2", "p-3", ""} {
			at := phi.At{Tenant: clinic, Field: "f", Patient: p, Row: "r"}
			for range 3 {
				s, err := v.Seal(t.Context(), at, []byte("x"))
				require.NoError(t, err)
				_, err = v.Unseal(t.Context(), at, s)
				require.NoError(t, err)
			}
		}
		_, err := v.Term(t.Context(), clinic, "f", "x")
		require.NoError(t, err)
	}
	work()
	calls := kms.Calls()
	clk.Advance(59 * time.Second)
	work()
	require.Equal(t, calls, kms.Calls(), "cached")
	clk.Advance(2 * time.Second)
	work()
	require.Equal(t, calls+2, kms.Calls(), "data root and index root")
}

// A permission withdrawn in the KMS is effective once the cache's time is over.
func TestWithdrawnPermission(t *testing.T) {
	t.Parallel()
	kms, clk := phitest.NewKMS(), newClock()
	v := openVault(t, kms, phi.NewMemoryKeys(), &phi.Options{Now: clk.Now})
	s, err := v.Seal(t.Context(), place(), []byte("x"))
	require.NoError(t, err)
	down := errors.New("permission denied")
	kms.Fail(down)
	_, err = v.Unseal(t.Context(), place(), s)
	require.NoError(t, err)
	clk.Advance(phi.DefaultCacheTTL)
	for _, f := range []func() error{
		func() error { _, err := v.Unseal(t.Context(), place(), s); return err },
		func() error { _, err := v.Seal(t.Context(), place(), nil); return err },
		func() error { _, err := v.Term(t.Context(), clinic, "f", "x"); return err },
		func() error { return v.Health(t.Context()) },
		func() error { _, err := phi.Open(t.Context(), "app", kms, phi.NewMemoryKeys(), nil); return err },
	} {
		err := f()
		require.ErrorIs(t, err, phi.ErrUnavailable)
		require.ErrorIs(t, err, down)
	}
	kms.Fail(nil)
	_, err = v.Unseal(t.Context(), place(), s)
	require.NoError(t, err)
}

// A stored key that was altered, exchanged or moved is refused.
func TestAlteredKeyRows(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		alter func(*phi.Key)
		want  error
	}{
		"wrapped bytes": {func(k *phi.Key) { k.Wrapped[len(k.Wrapped)-1] ^= 1 }, phi.ErrWrongKey},
		"no bytes":      {func(k *phi.Key) { k.Wrapped = nil }, phi.ErrWrongKey},
		"other epoch":   {func(k *phi.Key) { k.Epoch++ }, phi.ErrWrongKey},
		"other patient": {func(k *phi.Key) { k.Patient += "x" }, phi.ErrWrongKey},
		"other tenant":  {func(k *phi.Key) { k.Tenant = "clinic-9" }, phi.ErrWrongKey},
		"other ns":      {func(k *phi.Key) { k.Namespace = "other" }, phi.ErrForeignTenant},
		"other root":    {func(k *phi.Key) { k.Root[0] ^= 1 }, phi.ErrUnknownKey},
	} {
		kms, keys := phi.NewMemoryKMS(), newSpyKeys()
		s, err := openVault(t, kms, keys, nil).Seal(t.Context(), place(), []byte("x"))
		require.NoError(t, err)
		fresh := openVault(t, kms, keys, nil)
		keys.alter = func(k *phi.Key) {
			if k.Purpose == phi.PurposePatient {
				tc.alter(k)
			}
		}
		_, err = fresh.Unseal(t.Context(), place(), s)
		require.ErrorIs(t, err, tc.want, name)
	}
}

// An epoch that a term has no room for is refused, not cut to one that another root has.
func TestEpochOutOfRange(t *testing.T) {
	t.Parallel()
	for _, epoch := range []uint32{0, 257} {
		kms, keys := phi.NewMemoryKMS(), newSpyKeys()
		v := openVault(t, kms, keys, nil)
		_, err := v.Term(t.Context(), clinic, "i", "x")
		require.NoError(t, err)
		fresh := openVault(t, kms, keys, nil)
		keys.alter = func(k *phi.Key) { k.Epoch = epoch }
		_, err = fresh.Term(t.Context(), clinic, "i", "x")
		require.ErrorIs(t, err, phi.ErrUnavailable)
	}
}

// A patient's key that names itself, or another key that is no data root, as what wraps it
// leads nowhere, whether the named key is in the cache or not.
func TestKeysInACircle(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), newSpyKeys()
	v := openVault(t, kms, keys, nil)
	other := place()
	other.Patient = "p-2"
	s, err := v.Seal(t.Context(), place(), []byte("x"))
	require.NoError(t, err)
	o, err := v.Seal(t.Context(), other, []byte("x"))
	require.NoError(t, err)
	_, err = v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	id := func(slot phi.KeySlot) phi.KeyID {
		k, err := keys.MemoryKeys.Current(t.Context(), slot)
		require.NoError(t, err)
		return k.ID
	}
	mine := id(phi.KeySlot{Namespace: "app", Tenant: clinic, Purpose: phi.PurposePatient, Patient: "p-1"})
	for name, root := range map[string]phi.KeyID{
		"itself":       mine,
		"another's":    id(phi.KeySlot{Namespace: "app", Tenant: clinic, Purpose: phi.PurposePatient, Patient: "p-2"}),
		"the index's":  id(phi.KeySlot{Namespace: "app", Tenant: clinic, Purpose: phi.PurposeIndex}),
		"the canary's": id(phi.KeySlot{Namespace: "app", Purpose: phi.PurposeCanary}),
	} {
		for _, warm := range []bool{false, true} {
			fresh := openVault(t, kms, keys, nil)
			if warm {
				_, err := fresh.Unseal(t.Context(), other, o)
				require.NoError(t, err)
				_, err = fresh.Term(t.Context(), clinic, "i", "x")
				require.NoError(t, err)
			}
			keys.alter = func(k *phi.Key) {
				if k.ID == mine {
					k.Root = root
				}
			}
			_, err := fresh.Unseal(t.Context(), place(), s)
			require.ErrorIs(t, err, phi.ErrWrongKey, name)
			keys.alter = nil
		}
	}
}

// No more keys than CacheSize are held, the least recently used one goes first.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), newSpyKeys()
	v := openVault(t, kms, keys, &phi.Options{CacheSize: 3})
	at := func(p audit.Patient) phi.At { return phi.At{Tenant: clinic, Field: "f", Patient: p, Row: "r"} }
	sealed := map[audit.Patient]phi.Sealed{}
	unseal := func(p audit.Patient) (reads int) {
		before := keys.count()
		_, err := v.Unseal(t.Context(), at(p), sealed[p])
		require.NoError(t, err)
		return keys.count() - before
	}
	for _, p := range []audit.Patient{"p-1", "p-2", "p-3", "p-4"} {
		var err error
		sealed[p], err = v.Seal(t.Context(), at(p), nil)
		require.NoError(t, err)
	}
	require.Zero(t, unseal("p-4"))
	require.Zero(t, unseal("p-3"))
	require.NotZero(t, unseal("p-1"), "dropped")
	require.Zero(t, unseal("p-1"), "held again")
	require.Zero(t, unseal("p-3"), "used since")
	require.NotZero(t, unseal("p-4"), "dropped for p-1 or its root")
}

// The id of a key commits to it: a key wrapped under its rightful context but stored under the
// id of another is refused.
func TestKeyIDCommits(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), newSpyKeys()
	at := phi.At{Tenant: clinic, Field: "f", Row: "r"}
	s, err := openVault(t, kms, keys, nil).Seal(t.Context(), at, []byte("x"))
	require.NoError(t, err)
	forged, err := kms.Wrap(t.Context(), bytes.Repeat([]byte{7}, 32),
		phi.KeyContext{Namespace: "app", Tenant: clinic, Purpose: phi.PurposeData, Epoch: 1})
	require.NoError(t, err)
	fresh := openVault(t, kms, keys, nil)
	keys.alter = func(k *phi.Key) {
		if k.Purpose == phi.PurposeData {
			k.Wrapped = forged
		}
	}
	_, err = fresh.Unseal(t.Context(), at, s)
	require.ErrorIs(t, err, phi.ErrWrongKey)
}

// Another key-encryption key over existing data is refused at Open, before anything is
// written; over another namespace of the same store it is nobody's business.
func TestWrongKMS(t *testing.T) {
	t.Parallel()
	keys := newSpyKeys()
	v := openVault(t, phi.NewMemoryKMS(), keys, nil)
	require.NoError(t, v.Health(t.Context()))
	created := keys.calls["create"]
	wrong := phi.NewMemoryKMS()
	_, err := phi.Open(t.Context(), "app", wrong, keys, nil)
	require.ErrorIs(t, err, phi.ErrWrongKey)
	require.NotErrorIs(t, err, phi.ErrUnavailable)
	require.Equal(t, created, keys.calls["create"], "nothing written")
	_, err = phi.Open(t.Context(), "other", wrong, keys, nil)
	require.NoError(t, err)
}

func TestHealthNoticesALostCanary(t *testing.T) {
	t.Parallel()
	keys := newSpyKeys()
	v := openVault(t, phi.NewMemoryKMS(), keys, nil)
	require.NoError(t, v.Health(t.Context()))
	keys.MemoryKeys = phi.NewMemoryKeys()
	require.ErrorIs(t, v.Health(t.Context()), phi.ErrUnavailable)
}

// An erased key makes its patient's values unreadable, and nobody else's.
func TestErasedKey(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), phi.NewMemoryKeys()
	v := openVault(t, kms, keys, nil)
	gone, kept := place(), place()
	kept.Patient = "p-2"
	a, err := v.Seal(t.Context(), gone, []byte("x"))
	require.NoError(t, err)
	b, err := v.Seal(t.Context(), kept, []byte("x"))
	require.NoError(t, err)

	left := phi.NewMemoryKeys() // the store after the erasure
	for _, slot := range []phi.KeySlot{
		{Namespace: "app", Purpose: phi.PurposeCanary},
		{Namespace: "app", Tenant: clinic, Purpose: phi.PurposeData},
		{Namespace: "app", Tenant: clinic, Purpose: phi.PurposePatient, Patient: "p-2"},
	} {
		k, err := keys.Current(t.Context(), slot)
		require.NoError(t, err)
		require.NoError(t, left.Create(t.Context(), k))
	}
	fresh := openVault(t, kms, left, nil)
	_, err = fresh.Unseal(t.Context(), gone, a)
	require.ErrorIs(t, err, phi.ErrUnknownKey)
	require.NotErrorIs(t, err, phi.ErrTampered)
	_, err = fresh.Unseal(t.Context(), kept, b)
	require.NoError(t, err)
}

func TestKeyContextIsInjective(t *testing.T) {
	t.Parallel()
	a := phi.KeyContext{Namespace: "a", Tenant: "bc", Purpose: phi.PurposeData, Epoch: 1}
	b := phi.KeyContext{Namespace: "ab", Tenant: "c", Purpose: phi.PurposeData, Epoch: 1}
	require.NotEqual(t, a.Bytes(), b.Bytes())
	require.Equal(t, map[string]string{"namespace": "a", "tenant": "bc", "purpose": "data", "epoch": "1"}, a.Map())
}
