package phi_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// golden is what the first release wrote: a key file, a key store, values and terms. Every
// release reads it; the file is never written again.
type golden struct {
	Namespace string
	KeyFile   string
	Keys      []goldenKey
	Values    []goldenValue
	Terms     []goldenTerm
}

type goldenKey struct {
	ID, Root, Wrapped        string // hexadecimal
	Tenant, Purpose, Patient string
	Epoch                    uint32
}

type goldenValue struct {
	Tenant, Field, Patient, Row string
	Sealed                      phi.Sealed
	Plain                       string
}

type goldenTerm struct{ Tenant, Index, Value, Term string }

// goldenVault opens the first release's keys.
func goldenVault(t *testing.T) (*phi.Vault, golden) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "v1.json"))
	require.NoError(t, err)
	var g golden
	require.NoError(t, json.Unmarshal(text, &g))
	path := filepath.Join(t.TempDir(), "phi.key")
	require.NoError(t, os.WriteFile(path, []byte(g.KeyFile), 0o600))
	kms, err := phi.OpenKeyFile(path)
	require.NoError(t, err)
	keys := phi.NewMemoryKeys()
	for _, k := range g.Keys {
		require.NoError(t, keys.Create(t.Context(), phi.Key{
			ID: phi.KeyID(unhex(t, k.ID)), Root: phi.KeyID(unhex(t, k.Root)), Wrapped: unhex(t, k.Wrapped), Epoch: k.Epoch,
			KeySlot: phi.KeySlot{Namespace: g.Namespace, Tenant: audit.Tenant(k.Tenant), Purpose: phi.Purpose(k.Purpose), Patient: audit.Patient(k.Patient)},
			Created: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
		}))
	}
	v, err := phi.Open(t.Context(), g.Namespace, kms, keys, nil)
	require.NoError(t, err)
	return v, g
}

func TestGolden(t *testing.T) {
	t.Parallel()
	v, g := goldenVault(t)
	require.GreaterOrEqual(t, len(g.Values), 6)
	require.GreaterOrEqual(t, len(g.Terms), 2)
	for _, val := range g.Values {
		at := phi.At{Tenant: audit.Tenant(val.Tenant), Field: val.Field, Patient: audit.Patient(val.Patient), Row: val.Row}
		plain, err := v.Unseal(t.Context(), at, val.Sealed)
		require.NoError(t, err)
		require.Equal(t, val.Plain, string(plain))
	}
	for _, term := range g.Terms {
		got, err := v.Term(t.Context(), audit.Tenant(term.Tenant), term.Index, term.Value)
		require.NoError(t, err)
		require.Equal(t, term.Term, hex.EncodeToString(got))
	}
}

// goldenStream is a stream of version 1, under the same keys. Written once too.
type goldenStream struct {
	Tenant, Field, Patient, Row string
	File                        string // in testdata
	Bytes                       int
	SHA256                      string // of the plaintext
}

func TestGoldenStreams(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "streams_v1.json"))
	require.NoError(t, err)
	var streams []goldenStream
	require.NoError(t, json.Unmarshal(text, &streams))
	require.Len(t, streams, 3)
	v, _ := goldenVault(t)
	for _, s := range streams {
		sealed, err := os.ReadFile(filepath.Join("testdata", s.File))
		require.NoError(t, err)
		at := phi.At{Tenant: audit.Tenant(s.Tenant), Field: s.Field, Patient: audit.Patient(s.Patient), Row: s.Row}
		plain, err := openStream(t, v, at, sealed)
		require.NoError(t, err)
		require.Len(t, plain, s.Bytes)
		require.Equal(t, s.SHA256, fmt.Sprintf("%x", sha256.Sum256(plain)))
	}
}

// openGCM opens nonce ‖ ciphertext ‖ tag with the standard library.
func openGCM(t *testing.T, key, sealed []byte, aad string) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	plain, err := gcm.Open(nil, nil, sealed, []byte(aad))
	require.NoError(t, err)
	return plain
}
