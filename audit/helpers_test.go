package audit_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// newLog returns a Log over store that seals with a key of the test's own.
func newLog(t testing.TB, store audit.Store, o *audit.Options) *audit.Log {
	t.Helper()
	log, err := audit.New(store, newSealer(t), o)
	require.NoError(t, err)
	return log
}

// gcm is a Sealer as package phi has one, small.
type gcm struct{ aead cipher.AEAD }

func newSealer(t testing.TB) gcm {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	return gcm{aead}
}

func (g gcm) Seal(_ context.Context, tenant audit.Tenant, label string, plain []byte) ([]byte, error) {
	return g.aead.Seal(nil, nil, plain, []byte(string(tenant)+"\x00"+label)), nil
}

func (g gcm) Unseal(_ context.Context, tenant audit.Tenant, label string, sealed []byte) ([]byte, error) {
	return g.aead.Open(nil, nil, sealed, []byte(string(tenant)+"\x00"+label))
}

// clock is a time that stands still until it is set.
func clock(t *time.Time) func() time.Time { return func() time.Time { return *t } }

func day(hour int) time.Time { return time.Date(2026, 11, 21, hour, 0, 0, 123456000, time.UTC) }
