package phi_test

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// leakyKMS remembers the keys that it wraps, so that the test can compute by hand.
type leakyKMS struct {
	*phi.MemoryKMS
	mu   sync.Mutex
	keys map[phi.Purpose][]byte
}

func newLeakyKMS() *leakyKMS {
	return &leakyKMS{MemoryKMS: phi.NewMemoryKMS(), keys: map[phi.Purpose][]byte{}}
}

func (k *leakyKMS) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[c.Purpose] = append([]byte{}, key...)
	return k.MemoryKMS.Wrap(ctx, key, c)
}

// lp is each part preceded by its length.
func lp(parts ...string) string {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return string(b)
}

func expand(t *testing.T, key []byte, info string, n int) []byte {
	t.Helper()
	out, err := hkdf.Expand(sha256.New, key, info, n)
	require.NoError(t, err)
	return out
}

// The documented derivation of a term, computed by hand.
func TestTermVectors(t *testing.T) {
	t.Parallel()
	kms := newLeakyKMS()
	v := openVault(t, kms, phi.NewMemoryKeys(), nil)
	byHand := func(index, normaliser, value string) []byte {
		key := expand(t, kms.keys[phi.PurposeIndex], "phi/v1/bidx"+lp(index, normaliser, "exact/128"), 32)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(lp(value) + "\x00\x00\x00\x00"))
		return append([]byte{1}, mac.Sum(nil)[:16]...)
	}
	term, err := v.Term(t.Context(), clinic, "staff.login", "jane@example.com")
	require.NoError(t, err)
	require.Equal(t, byHand("staff.login", "raw@1", "jane@example.com"), term)

	rec, err := contacts(t, v).Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	require.Equal(t, []phi.Term{
		{Field: "phone", Value: byHand("contact.phone", "phone.us@1", "+15555550123")},
		{Field: "email", Unique: true, Value: byHand("contact.email", "email@1", "jane@example.com")},
	}, rec.Terms().List)
	require.Equal(t, "contact", rec.Terms().Entity)
	require.Equal(t, "r-1", rec.Terms().Row)
}

// The documented derivation of keys and the documented format, computed by hand.
func TestSealedByHand(t *testing.T) {
	t.Parallel()
	kms, keys := newLeakyKMS(), phi.NewMemoryKeys()
	v := openVault(t, kms, keys, nil)
	at := phi.At{Tenant: clinic, Field: "staff.phone", Row: "r-1"}
	s, err := v.Seal(t.Context(), at, []byte("555-0123"))
	require.NoError(t, err)
	root := kms.keys[phi.PurposeData]
	require.Equal(t, expand(t, root, "phi/v1/kid", 16), []byte(s[2:18]))
	field := expand(t, root, "phi/v1/field/staff.phone", 32)
	aad := string(s[:18]) + lp("app", "clinic-1", "staff.phone", "", "r-1", "")
	plain, err := phi.OpenXAES(field, s[18:], []byte(aad))
	require.NoError(t, err)
	require.Equal(t, "555-0123\x80"+string(make([]byte, 23)), string(plain))

	own := at
	own.Patient = "p-1"
	s, err = v.Seal(t.Context(), own, []byte("555-0123"))
	require.NoError(t, err)
	k, err := keys.Current(t.Context(), phi.KeySlot{Namespace: "app", Tenant: clinic, Purpose: phi.PurposePatient, Patient: "p-1"})
	require.NoError(t, err)
	require.Equal(t, k.ID[:], []byte(s[2:18]))
	key := openGCM(t, expand(t, root, "phi/v1/wrap", 32), k.Wrapped, lp("phi/v1/wrap", "app", "clinic-1", "p-1")+string(k.ID[:])+"\x00\x00\x00\x01")
	plain, err = phi.OpenXAES(key, s[18:], []byte(string(s[:18])+lp("app", "clinic-1", "staff.phone", "p-1", "r-1", "")))
	require.NoError(t, err)
	require.Equal(t, "555-0123", string(plain[:8]))
}

func TestTermsAreApart(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	base, err := v.Term(t.Context(), clinic, "patient.phone", "+15555550123")
	require.NoError(t, err)
	require.Len(t, base, 17)
	again, err := v.Term(t.Context(), clinic, "patient.phone", "+15555550123")
	require.NoError(t, err)
	require.Equal(t, base, again)
	seen := map[string]bool{hex.EncodeToString(base): true}
	for _, other := range []struct {
		tenant       audit.Tenant
		index, value string
	}{
		{"clinic-2", "patient.phone", "+15555550123"},
		{clinic, "patient.fax", "+15555550123"},
		{clinic, "patient.phone", "+15555550124"},
		{clinic, "patient.phon", "e+15555550123"},
	} {
		term, err := v.Term(t.Context(), other.tenant, other.index, other.value)
		require.NoError(t, err)
		require.False(t, seen[hex.EncodeToString(term)])
		seen[hex.EncodeToString(term)] = true
	}
	two, err := phi.Open(t.Context(), "app", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	term, err := two.Term(t.Context(), clinic, "patient.phone", "+15555550123")
	require.NoError(t, err)
	require.NotEqual(t, base, term, "another installation")
}

func TestTermRefuses(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	_, err := v.Term(t.Context(), "", "i", "x")
	require.ErrorIs(t, err, phi.ErrBinding)
	_, err = v.Term(t.Context(), clinic, "", "x")
	require.ErrorIs(t, err, phi.ErrBinding)
	term, err := v.Term(t.Context(), clinic, "i", "")
	require.NoError(t, err)
	require.Nil(t, term, "nothing has no term")
}

// 128 bits really are there: over many values every bit is set and cleared about equally.
func TestTermBitsAreUsed(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	const n = 2000
	var ones [128]int
	for i := range n {
		term, err := v.Term(t.Context(), clinic, "i", string(binary.BigEndian.AppendUint32(nil, uint32(i))))
		require.NoError(t, err)
		for b := range ones {
			ones[b] += int(term[1+b/8] >> (b % 8) & 1)
		}
	}
	for b, count := range ones {
		require.InDelta(t, n/2, count, n/8, "bit %d", b)
	}
}

func TestTermConcurrently(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	want, err := v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got, err := v.Term(t.Context(), clinic, "i", "x"); err != nil || string(got) != string(want) {
					t.Error("terms differ")
				}
			}
		})
	}
	wg.Wait()
}
