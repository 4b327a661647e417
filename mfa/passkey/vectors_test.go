package passkey_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vector is one of Web Authentication Level 3, section 16.
type vector struct {
	Name         string
	Registration struct {
		Challenge         hexBytes
		ID                hexBytes `json:"credential_id"`
		ClientData        hexBytes `json:"clientDataJSON"`
		AttestationObject hexBytes
	}
	Authentication struct {
		Challenge  hexBytes
		AuthData   hexBytes `json:"authenticatorData"`
		ClientData hexBytes `json:"clientDataJSON"`
		Signature  hexBytes
	}
}

// vectors reads them, and a Verifier for their relying party.
func vectors(t testing.TB) (*passkey.Verifier, time.Time, map[string]*vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/webauthn3.json")
	require.NoError(t, err)
	var file struct {
		RPID    string
		Origin  string
		Vectors []*vector
	}
	require.NoError(t, json.Unmarshal(data, &file))
	require.Len(t, file.Vectors, 15)
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	v, err := passkey.New(passkey.RelyingParty{ID: file.RPID, Name: "Example", Origins: []string{file.Origin}},
		&passkey.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	all := map[string]*vector{}
	for _, x := range file.Vectors {
		all[x.Name] = x
	}
	return v, now.Add(passkey.Lifetime), all
}

// authData is what the attestation object ends with in every vector.
func (v *vector) authData(t testing.TB) []byte {
	t.Helper()
	rp := sha256.Sum256([]byte("example.org"))
	i := bytes.Index(v.Registration.AttestationObject, rp[:])
	require.Positive(t, i)
	return v.Registration.AttestationObject[i:]
}

// key is what a relying party would have kept of the registration.
func (v *vector) key(t testing.TB) mfa.PublicKey {
	t.Helper()
	auth := v.authData(t)
	n := int(binary.BigEndian.Uint16(auth[53:]))
	require.EqualValues(t, v.Registration.ID, auth[55:55+n])
	return mfa.PublicKey{ID: v.Registration.ID, Key: auth[55+n:], BackupEligible: auth[32]&passkeytest.BE != 0}
}

func (v *vector) registration(object []byte) []byte {
	id := b64(v.Registration.ID)
	return []byte(`{"id":"` + id + `","rawId":"` + id + `","type":"public-key","response":{"clientDataJSON":"` +
		b64(v.Registration.ClientData) + `","attestationObject":"` + b64(object) + `"},"clientExtensionResults":{}}`)
}

func (v *vector) assertion() []byte {
	id := b64(v.Registration.ID)
	return []byte(`{"id":"` + id + `","rawId":"` + id + `","type":"public-key","response":{"clientDataJSON":"` +
		b64(v.Authentication.ClientData) + `","authenticatorData":"` + b64(v.Authentication.AuthData) +
		`","signature":"` + b64(v.Authentication.Signature) + `","userHandle":null},"clientExtensionResults":{}}`)
}

// stripped is the attestation object as a client makes it where no attestation was asked for.
func (v *vector) stripped(t testing.TB) []byte {
	t.Helper()
	auth := v.authData(t)
	return slices.Concat([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"),
		binary.BigEndian.AppendUint16(nil, uint16(len(auth))), auth)
}

// The W3C's own. Their flags are drawn by lot, and what is without user verification must be
// refused here; attestation that nobody asked for too, and is taken without its statement.
func TestW3CVectors(t *testing.T) {
	t.Parallel()
	const attested = "an attestation that was not asked for"
	v, until, all := vectors(t)
	for name, want := range map[string]struct{ created, stripped, asserted string }{
		"none-es256":                    {noRegistration, noRegistration, noAssertion}, // UV in neither
		"packed-self-es256":             {"", "", noAssertion},                         // UV in the first
		"none-es256-crossOrigin":        {noRegistration, noRegistration, noAssertion},
		"none-es256-topOrigin":          {noRegistration, noRegistration, noAssertion},
		"none-es256-long-credential-id": {noRegistration, noRegistration, ""}, // UV in the second
		"packed-es256":                  {attested, "", ""},
		"packed-es384":                  {attested, noRegistration, ""},          // not offered, but who has one may use it
		"packed-rs256":                  {attested, "", noAssertion},             // UV in the first
		"packed-eddsa":                  {attested, noRegistration, noAssertion}, // UV in neither
		"packed-ed448":                  {attested, noRegistration, noAssertion}, // not offered, not known
		"tpm-es256":                     {attested, "", ""},
		"android-key-es256":             {attested, "", noAssertion},
		"apple-es256":                   {attested, noRegistration, noAssertion},
		"fido-u2f-es256":                {attested, noRegistration, noAssertion},
	} {
		x := all[name]
		require.NotNil(t, x, name)
		delete(all, name)
		state := passkey.StateOf(x.Registration.Challenge, owner(3).Handle, until)
		answer := func(err error, why string) {
			t.Helper()
			if why == "" {
				require.NoError(t, err, name)
			} else {
				require.EqualError(t, err, mfa.ErrPasskey.Error()+": "+why, name)
			}
		}
		for object, why := range map[*[]byte]string{
			(*[]byte)(&x.Registration.AttestationObject): want.created,
			new(x.stripped(t)):                           want.stripped,
		} {
			key, err := v.Created(state, x.registration(*object))
			answer(err, why)
			if err == nil {
				kept := x.key(t)
				require.Equal(t, kept.ID, key.ID, name)
				require.Equal(t, kept.Key, key.Key, name)
				require.Equal(t, kept.BackupEligible, key.BackupEligible, name)
				require.Equal(t, owner(3).Handle, key.Handle, name)
				require.NotZero(t, key.Model, name)
			}
		}
		key := x.key(t)
		_, err := v.Asserted(passkey.StateOf(x.Authentication.Challenge, nil, until, key.ID), x.assertion(), key)
		answer(err, want.asserted)
	}
	require.Len(t, all, 1) // ES512's challenges have 128 bytes: not ours
	require.Contains(t, all, "packed-es512")
}

// Ed25519, which neither authenticator of these tests makes.
func TestEd25519(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	s.device.Lie = func(c *passkeytest.Claims) {
		c.Key = slices.Concat([]byte{0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32}, public)
	}
	key := s.register(t)
	var message []byte
	s.device.Lie = func(c *passkeytest.Claims) {
		client, auth := c.Bytes()
		sum := sha256.Sum256(client)
		message = slices.Concat(auth, sum[:])
	}
	state, response := s.assertion(t)
	_, err = s.Asserted(state, response, key) // signed with another key
	refusedFor(t, err, noAssertion)
	used, err := s.Asserted(state, edit(t, response, "signature", b64(ed25519.Sign(private, message))), key)
	require.NoError(t, err)
	require.Equal(t, mfa.Assertion{Count: 2}, used)
	message[0] ^= 1
	_, err = s.Asserted(state, edit(t, response, "signature", b64(ed25519.Sign(private, message))), key)
	refusedFor(t, err, noAssertion)
}
