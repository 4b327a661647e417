package phi_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

const clinic audit.Tenant = "clinic-1"

func newVault(t testing.TB) *phi.Vault {
	t.Helper()
	v, err := phi.Open(t.Context(), "app", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	return v
}

// place is a patient's cell; its fields are changed one by one.
func place() phi.At {
	return phi.At{Tenant: clinic, Field: "patient.phone", Patient: "p-1", Row: "r-1"}
}

func TestSealUnseal(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	tenantScope := place()
	tenantScope.Patient = ""
	for _, at := range []phi.At{place(), tenantScope} {
		for _, plain := range []string{"", "x", strings.Repeat("x", 31), strings.Repeat("x", 32), "a\x80\x00\x00", "\x80", "Ana 日本", strings.Repeat("n", 5000)} {
			s, err := v.Seal(t.Context(), at, []byte(plain))
			require.NoError(t, err)
			got, err := v.Unseal(t.Context(), at, s)
			require.NoError(t, err)
			require.Equal(t, plain, string(got))
			require.NotNil(t, got)
			require.False(t, len(plain) > 3 && bytes.Contains(s, []byte(plain)))
		}
	}
}

// The layout of section "sealed format" in format.go, byte by byte.
func TestSealedLayout(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	for name, tc := range map[string]struct {
		patient audit.Patient
		flags   byte
	}{"patient": {"p-1", 0x05}, "tenant": {"", 0x04}} {
		at := place()
		at.Patient = tc.patient
		a, err := v.Seal(t.Context(), at, []byte("555-0123"))
		require.NoError(t, err)
		b, err := v.Seal(t.Context(), at, []byte("555-0124"))
		require.NoError(t, err)
		require.Len(t, a, 58+32, "8 bytes are padded to 32")
		require.Equal(t, byte(0x01), a[0], name)
		require.Equal(t, tc.flags, a[1], name)
		require.Equal(t, a[2:18], b[2:18], "same key, same kid")
		require.NotEqual(t, a[18:30], b[18:30], "salts differ")
		require.NotEqual(t, a[30:42], b[30:42], "nonces differ")
		id, err := a.KeyID()
		require.NoError(t, err)
		require.Equal(t, []byte(a[2:18]), id[:])
	}
}

// Lengths say no more than 32, 64, or the next multiple of 128, and every length comes back.
func TestPadding(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	for n := range 400 {
		plain := bytes.Repeat([]byte{0x80}, n)
		s, err := v.Seal(t.Context(), place(), plain)
		require.NoError(t, err)
		want := (n/128 + 1) * 128
		switch {
		case n < 32:
			want = 32
		case n < 64:
			want = 64
		}
		require.Equal(t, want, len(s)-phi.Overhead, n)
		got, err := v.Unseal(t.Context(), place(), s)
		require.NoError(t, err)
		require.Equal(t, plain, append([]byte{}, got...))
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	for name, change := range map[string]func(*phi.At){
		"tenant": func(a *phi.At) { a.Tenant = "" },
		"field":  func(a *phi.At) { a.Field = "" },
		"row":    func(a *phi.At) { a.Row = "" },
		"nul":    func(a *phi.At) { a.Tenant = "clinic\x00" },
		"utf-8":  func(a *phi.At) { a.Patient = "\xff" },
	} {
		at := place()
		change(&at)
		_, err := v.Seal(t.Context(), at, []byte("x"))
		require.ErrorIs(t, err, phi.ErrBinding, name)
	}
	_, err := v.Seal(t.Context(), place(), make([]byte, phi.MaxValue+1))
	require.ErrorIs(t, err, phi.ErrTooLong)
	s, err := v.Seal(t.Context(), place(), make([]byte, phi.MaxValue))
	require.NoError(t, err)
	_, err = v.Unseal(t.Context(), place(), s)
	require.NoError(t, err)
	_, err = v.Unseal(t.Context(), phi.At{}, s)
	require.ErrorIs(t, err, phi.ErrBinding)
}

// A value moved anywhere else does not open, and the error says as much as can be known.
func TestUnsealElsewhere(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	s, err := v.Seal(t.Context(), place(), []byte("555-0123"))
	require.NoError(t, err)
	// The places exist, so that their keys do.
	for _, at := range []phi.At{
		{Tenant: "clinic-2", Field: "patient.phone", Patient: "p-1", Row: "r-1"},
		{Tenant: clinic, Field: "patient.phone", Patient: "p-2", Row: "r-1"},
		{Tenant: clinic, Field: "patient.phone", Row: "r-1"},
	} {
		_, err := v.Seal(t.Context(), at, []byte("x"))
		require.NoError(t, err)
	}
	for name, tc := range map[string]struct {
		change func(*phi.At)
		want   error
	}{
		"other tenant":       {func(a *phi.At) { a.Tenant = "clinic-2" }, phi.ErrForeignTenant},
		"other patient":      {func(a *phi.At) { a.Patient = "p-2" }, phi.ErrSwapped},
		"tenant scope":       {func(a *phi.At) { a.Patient = "" }, phi.ErrSwapped},
		"other field":        {func(a *phi.At) { a.Field = "patient.email" }, phi.ErrAltered},
		"other row":          {func(a *phi.At) { a.Row = "r-2" }, phi.ErrAltered},
		"border field/row":   {func(a *phi.At) { a.Field, a.Row = "patient.phoner", "-1" }, phi.ErrAltered},
		"field without name": {func(a *phi.At) { a.Field = "phone" }, phi.ErrAltered},
	} {
		at := place()
		tc.change(&at)
		_, err := v.Unseal(t.Context(), at, s)
		require.ErrorIs(t, err, tc.want, name)
		require.ErrorIs(t, err, phi.ErrTampered, name)
		requireSilent(t, err)
	}
}

// requireSilent checks that an error names no value and no identifier.
func requireSilent(t *testing.T, err error) {
	t.Helper()
	for _, word := range []string{"555", "p-1", "p-2", "r-1", "r-2", "clinic-", "Jane", "phi1."} {
		require.NotContains(t, err.Error(), word)
	}
}

func TestTenantScopeElsewhere(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	at := place()
	at.Patient = ""
	s, err := v.Seal(t.Context(), at, []byte("x"))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		change func(*phi.At)
		want   error
	}{
		"other tenant":  {func(a *phi.At) { a.Tenant = "clinic-2" }, phi.ErrForeignTenant},
		"patient scope": {func(a *phi.At) { a.Patient = "p-1" }, phi.ErrSwapped},
		"other field":   {func(a *phi.At) { a.Field = "patient.email" }, phi.ErrAltered},
		"other row":     {func(a *phi.At) { a.Row = "r-2" }, phi.ErrAltered},
	} {
		elsewhere := at
		tc.change(&elsewhere)
		_, err := v.Unseal(t.Context(), elsewhere, s)
		require.ErrorIs(t, err, tc.want, name)
	}
}

// A key id put in place of another never makes a value open: the id is authenticated, the key
// it names is checked, and no other key is tried.
func TestForgedHeader(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	mine, err := v.Seal(t.Context(), place(), []byte("x"))
	require.NoError(t, err)
	seal := func(at phi.At) phi.Sealed {
		s, err := v.Seal(t.Context(), at, []byte("x"))
		require.NoError(t, err)
		return s
	}
	otherPatient := seal(phi.At{Tenant: clinic, Field: "patient.phone", Patient: "p-2", Row: "r-1"})
	otherTenant := seal(phi.At{Tenant: "clinic-2", Field: "patient.phone", Patient: "p-1", Row: "r-1"})
	tenantScope := seal(phi.At{Tenant: clinic, Field: "patient.phone", Row: "r-1"})
	with := func(kid phi.Sealed, change func(phi.Sealed)) phi.Sealed {
		s := bytes.Clone(mine)
		copy(s[2:18], kid[2:18])
		if change != nil {
			change(s)
		}
		return s
	}
	for name, tc := range map[string]struct {
		s    phi.Sealed
		want error
	}{
		"other patient's key": {with(otherPatient, nil), phi.ErrSwapped},
		"other tenant's key":  {with(otherTenant, nil), phi.ErrForeignTenant},
		"the tenant's root":   {with(tenantScope, nil), phi.ErrSwapped},
		"no key":              {with(make(phi.Sealed, 18), nil), phi.ErrUnknownKey},
		"tenant scope":        {with(mine, func(s phi.Sealed) { s[1] &^= 1 }), phi.ErrSwapped},
		"scope 2":             {with(mine, func(s phi.Sealed) { s[1] = s[1]&^3 | 2 }), phi.ErrUnknownSuite},
		"scope 3":             {with(mine, func(s phi.Sealed) { s[1] |= 3 }), phi.ErrUnknownSuite},
		"not padded":          {with(mine, func(s phi.Sealed) { s[1] &^= 4 }), phi.ErrAltered},
		"unknown flag":        {with(mine, func(s phi.Sealed) { s[1] |= 8 }), phi.ErrUnknownSuite},
		"suite 2":             {with(mine, func(s phi.Sealed) { s[0] = 2 }), phi.ErrUnknownSuite},
		"suite 0":             {with(mine, func(s phi.Sealed) { s[0] = 0 }), phi.ErrUnknownSuite},
	} {
		_, err := v.Unseal(t.Context(), place(), tc.s)
		require.ErrorIs(t, err, tc.want, name)
		requireSilent(t, err)
	}
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	s, err := v.Seal(t.Context(), place(), make([]byte, 40))
	require.NoError(t, err)
	for n := range s {
		_, err := v.Unseal(t.Context(), place(), s[:n])
		require.ErrorIs(t, err, phi.ErrTampered, n)
		if n == len(s)-32 { // a whole step is missing
			require.ErrorIs(t, err, phi.ErrAltered)
		} else {
			require.ErrorIs(t, err, phi.ErrTruncated, n)
		}
	}
	_, err = v.Unseal(t.Context(), place(), append(bytes.Clone(s), 0))
	require.ErrorIs(t, err, phi.ErrTruncated)
	_, err = v.Unseal(t.Context(), place(), nil)
	require.ErrorIs(t, err, phi.ErrTruncated)
	_, err = v.Unseal(t.Context(), place(), phi.Sealed("Jane Doe"))
	require.ErrorIs(t, err, phi.ErrUnknownSuite)
}

func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	s, err := v.Seal(t.Context(), place(), []byte("555-0123"))
	require.NoError(t, err)
	for i := range len(s) * 8 {
		bad := bytes.Clone(s)
		bad[i/8] ^= 1 << (i % 8)
		plain, err := v.Unseal(t.Context(), place(), bad)
		require.Error(t, err, i)
		require.Nil(t, plain)
	}
}

func FuzzUnseal(f *testing.F) {
	v := newVault(f)
	s, err := v.Seal(f.Context(), place(), []byte("555-0123"))
	require.NoError(f, err)
	f.Add(0, byte(1), 0)
	f.Add(20, byte(0x80), 3)
	f.Add(57, byte(0), -1)
	f.Fuzz(func(t *testing.T, at int, flip byte, grow int) {
		bad := bytes.Clone(s)
		bad[((at%len(s))+len(s))%len(s)] ^= flip
		switch {
		case grow > 0:
			bad = append(bad, make([]byte, grow%100)...)
		case grow < 0:
			bad = bad[:max(0, len(bad)+grow%100)]
		}
		plain, err := v.Unseal(t.Context(), place(), bad)
		require.Equal(t, !bytes.Equal(s, bad), err != nil)
		if err != nil {
			require.Nil(t, plain)
			requireSilent(t, err)
		}
	})
}

func FuzzUnsealAnything(f *testing.F) {
	v := newVault(f)
	f.Add([]byte{})
	f.Add([]byte("Jane Doe"))
	f.Add(append([]byte{1, 5}, make([]byte, 88)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := v.Unseal(t.Context(), place(), b)
		require.Error(t, err)
	})
}

func FuzzSealUnseal(f *testing.F) {
	v := newVault(f)
	f.Add([]byte("x"), "f", "r", "p")
	f.Add([]byte{}, "patient.name", "\x00", "")
	f.Fuzz(func(t *testing.T, plain []byte, field, row, patient string) {
		at := phi.At{Tenant: clinic, Field: field, Patient: audit.Patient(patient), Row: row}
		s, err := v.Seal(t.Context(), at, plain)
		if err != nil {
			require.ErrorIs(t, err, phi.ErrBinding)
			return
		}
		got, err := v.Unseal(t.Context(), at, s)
		require.NoError(t, err)
		require.Equal(t, string(plain), string(got))
	})
}

// Two vaults over the same stores read each other's values; a third with another namespace
// over the same store does not.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), phi.NewMemoryKeys()
	open := func(ns string) *phi.Vault {
		v, err := phi.Open(t.Context(), ns, kms, keys, nil)
		require.NoError(t, err)
		require.Equal(t, ns, v.Namespace())
		return v
	}
	a, b, other := open("app"), open("app"), open("other")
	s, err := a.Seal(t.Context(), place(), []byte("x"))
	require.NoError(t, err)
	_, err = b.Unseal(t.Context(), place(), s)
	require.NoError(t, err)
	_, err = other.Unseal(t.Context(), place(), s)
	require.ErrorIs(t, err, phi.ErrForeignTenant)
	_, err = other.Seal(t.Context(), place(), []byte("x"))
	require.NoError(t, err)
	_, err = other.Unseal(t.Context(), place(), s)
	require.ErrorIs(t, err, phi.ErrForeignTenant)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), phi.NewMemoryKeys()
	for name, open := range map[string]func() (*phi.Vault, error){
		"namespace": func() (*phi.Vault, error) { return phi.Open(t.Context(), "", kms, keys, nil) },
		"bad name":  func() (*phi.Vault, error) { return phi.Open(t.Context(), "\xff", kms, keys, nil) },
		"kms":       func() (*phi.Vault, error) { return phi.Open(t.Context(), "app", nil, keys, nil) },
		"keys":      func() (*phi.Vault, error) { return phi.Open(t.Context(), "app", kms, nil, nil) },
		"ttl": func() (*phi.Vault, error) {
			return phi.Open(t.Context(), "app", kms, keys, &phi.Options{CacheTTL: -1})
		},
		"size": func() (*phi.Vault, error) {
			return phi.Open(t.Context(), "app", kms, keys, &phi.Options{CacheSize: -1})
		},
	} {
		v, err := open()
		require.Error(t, err, name)
		require.Nil(t, v, name)
	}
}

// Sealing, opening and indexing at once, with a cache so small that keys come and go.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	v, err := phi.Open(t.Context(), "app", phi.NewMemoryKMS(), phi.NewMemoryKeys(), &phi.Options{CacheSize: 3})
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			for j := range 50 {
				at := place()
				at.Tenant = audit.Tenant(fmt.Sprint("clinic-", j%3))
				at.Patient = audit.Patient(fmt.Sprint("p-", (i+j)%7))
				s, err := v.Seal(t.Context(), at, []byte("x"))
				if err == nil {
					_, err = v.Unseal(t.Context(), at, s)
				}
				if err == nil {
					_, err = v.Term(t.Context(), at.Tenant, fmt.Sprint("index-", j%4), "x")
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func TestSealer(t *testing.T) {
	t.Parallel()
	var s audit.Sealer = phi.NewSealer(newVault(t))
	sealed, err := s.Seal(t.Context(), clinic, "audit.opening/1", []byte("a typed reason"))
	require.NoError(t, err)
	plain, err := s.Unseal(t.Context(), clinic, "audit.opening/1", sealed)
	require.NoError(t, err)
	require.Equal(t, "a typed reason", string(plain))
	_, err = s.Unseal(t.Context(), clinic, "audit.opening/2", sealed)
	require.ErrorIs(t, err, phi.ErrAltered)
	_, err = s.Unseal(t.Context(), "clinic-2", "audit.opening/1", sealed)
	require.ErrorIs(t, err, phi.ErrForeignTenant)
}

// Allocations: nothing grows with the number of calls, and a cached key costs no look-up.
func TestAllocations(t *testing.T) {
	kms := phitest.NewKMS()
	v, err := phi.Open(t.Context(), "app", kms, phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	plain := make([]byte, 64)
	rand.Read(plain)
	s, err := v.Seal(t.Context(), place(), plain)
	require.NoError(t, err)
	other, err := v.Seal(t.Context(), place(), plain)
	require.NoError(t, err)
	_, err = v.Term(t.Context(), clinic, "patient.phone", "+15555550123")
	require.NoError(t, err)
	calls := kms.Calls()
	for name, tc := range map[string]struct {
		limit float64
		f     func()
	}{
		"Seal":   {3, func() { _, _ = v.Seal(t.Context(), place(), plain) }},
		"Unseal": {1, func() { _, _ = v.Unseal(t.Context(), place(), s) }},
		"Unseal in turns": {8, func() {
			_, _ = v.Unseal(t.Context(), place(), s)
			_, _ = v.Unseal(t.Context(), place(), other)
		}},
		"Term": {1, func() { _, _ = v.Term(t.Context(), clinic, "patient.phone", "+15555550123") }},
	} {
		allocs := testing.AllocsPerRun(200, tc.f)
		require.True(t, raceDetector || allocs <= tc.limit, "%s: %v allocations", name, allocs)
	}
	require.Equal(t, calls, kms.Calls())
}

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
