package passkey_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	rpID   = "clinic.example"
	origin = "https://app.clinic.example"
	app    = "android:apk-key-hash:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

func party() passkey.RelyingParty {
	return passkey.RelyingParty{ID: rpID, Name: "Example Clinic", Origins: []string{origin, app}}
}

// site is a relying party with a clock and somebody's device.
type site struct {
	*passkey.Verifier

	now    time.Time
	device *passkeytest.Device
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), device: passkeytest.New(origin)}
	var err error
	s.Verifier, err = passkey.New(party(), &passkey.Options{Now: func() time.Time { return s.now }})
	require.NoError(t, err)
	return s
}

// owner has a handle of one byte, 64 times.
func owner(b byte, has ...mfa.PublicKey) mfa.PasskeyOwner {
	return mfa.PasskeyOwner{Handle: bytes.Repeat([]byte{b}, 64), Account: "dr.lin@example.com", Has: has}
}

// registration is an honest ceremony up to the response.
func (s *site) registration(t testing.TB) (state, response []byte) {
	t.Helper()
	options, state, err := s.Create(owner(1))
	require.NoError(t, err)
	response, err = s.device.Create(options)
	require.NoError(t, err)
	return state, response
}

// register makes a passkey on the device.
func (s *site) register(t testing.TB) mfa.PublicKey {
	t.Helper()
	state, response := s.registration(t)
	key, err := s.Created(state, response)
	require.NoError(t, err)
	return key
}

// assertion is an honest ceremony up to the response.
func (s *site) assertion(t testing.TB, allow ...mfa.PublicKey) (state, response []byte) {
	t.Helper()
	options, state, err := s.Request(allow)
	require.NoError(t, err)
	response, err = s.device.Get(options)
	require.NoError(t, err)
	return state, response
}

// refusedFor is the one answer to what is not acceptable; the reason is for the log.
func refusedFor(t testing.TB, err error, why string) {
	t.Helper()
	require.ErrorIs(t, err, mfa.ErrPasskey)
	require.EqualError(t, err, mfa.ErrPasskey.Error()+": "+why)
}
