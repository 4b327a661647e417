package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

func TestRegisterAndSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	require.Len(t, key.ID, 32)
	require.Equal(t, owner(1).Handle, key.Handle)
	require.Equal(t, []string{"hybrid", "internal"}, key.Transports)
	require.EqualValues(t, 1, key.Count)
	require.False(t, key.BackupEligible || key.BackedUp || key.Attested)

	for _, allow := range [][]mfa.PublicKey{{key}, nil} { // asked for, and found by the browser
		state, response := s.assertion(t, allow...)
		id, handle, err := s.Claimed(response)
		require.NoError(t, err)
		require.Equal(t, key.ID, id)
		require.Equal(t, key.Handle, handle)
		used, err := s.Asserted(state, response, key)
		require.NoError(t, err)
		require.Equal(t, mfa.Assertion{Count: key.Count + 1}, used)
		key.Count = used.Count
	}
}

func TestSyncedPasskey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.device.Synced = true
	key := s.register(t)
	require.True(t, key.BackupEligible && key.BackedUp)
	require.Zero(t, key.Count)
	state, response := s.assertion(t)
	used, err := s.Asserted(state, response, key)
	require.NoError(t, err)
	require.Equal(t, mfa.Assertion{BackedUp: true}, used)

	// The copy is deleted from the cloud: the state of the backup may change, eligibility not.
	s.device.Lie = func(c *passkeytest.Claims) { c.Flags &^= passkeytest.BS }
	state, response = s.assertion(t)
	used, err = s.Asserted(state, response, key)
	require.NoError(t, err)
	require.Equal(t, mfa.Assertion{}, used)
}

// An Android app's response has the hash of its certificate as origin.
func TestNativeApp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.device.Origin = app
	key := s.register(t)
	state, response := s.assertion(t)
	_, err := s.Asserted(state, response, key)
	require.NoError(t, err)
}

// The options are JSON for parseCreationOptionsFromJSON and parseRequestOptionsFromJSON.
func TestOptions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	options, _, err := s.Create(owner(1, key))
	require.NoError(t, err)
	challenge := challengeOf(t, options)
	id := base64.RawURLEncoding.EncodeToString(key.ID)
	require.JSONEq(t, `{
		"rp": {"id": "clinic.example", "name": "Example Clinic"},
		"user": {"id": "`+base64.RawURLEncoding.EncodeToString(key.Handle)+`",
			"name": "dr.lin@example.com", "displayName": "dr.lin@example.com"},
		"challenge": "`+challenge+`",
		"pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -257}],
		"timeout": 300000,
		"excludeCredentials": [{"type": "public-key", "id": "`+id+`", "transports": ["hybrid", "internal"]}],
		"authenticatorSelection": {"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
		"attestation": "none"}`, string(options))
	options, _, err = s.Request([]mfa.PublicKey{key})
	require.NoError(t, err)
	require.JSONEq(t, `{
		"challenge": "`+challengeOf(t, options)+`",
		"timeout": 300000,
		"rpId": "clinic.example",
		"allowCredentials": [{"type": "public-key", "id": "`+id+`", "transports": ["hybrid", "internal"]}],
		"userVerification": "required"}`, string(options))
	options, _, err = s.Request(nil)
	require.NoError(t, err)
	require.Contains(t, string(options), `"allowCredentials":[]`)

	_, err = s.device.Create(must(s.Create(owner(1, key))))
	require.ErrorIs(t, err, passkeytest.ErrExcluded)
}

func TestChallengesAreFresh(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	seen := map[string]bool{}
	for range 64 {
		for _, options := range [][]byte{must(s.Create(owner(1))), must(s.Request(nil))} {
			c := challengeOf(t, options)
			raw, err := base64.RawURLEncoding.DecodeString(c)
			require.NoError(t, err)
			require.Len(t, raw, 32)
			require.False(t, seen[c])
			seen[c] = true
		}
	}
}

// A caller's mistakes are not a response's.
func TestMisuse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.register(t)
	for name, o := range map[string]mfa.PasskeyOwner{
		"no handle":           {Account: "a"},
		"short handle":        {Handle: make([]byte, 63), Account: "a"},
		"long handle":         {Handle: make([]byte, 65), Account: "a"},
		"no account":          {Handle: make([]byte, 64), Account: " "},
		"account in two rows": {Handle: make([]byte, 64), Account: "a\nb"},
		"long account":        {Handle: make([]byte, 64), Account: string(make([]byte, 257))},
		"broken account":      {Handle: make([]byte, 64), Account: "\xff"},
		"65 passkeys":         owner(1, manyKeys(key, 65)...),
		"passkey without ID":  owner(1, mfa.PublicKey{}),
		"passkey, ID of 1024": owner(1, mfa.PublicKey{ID: make([]byte, 1024)}),
	} {
		options, state, err := s.Create(o)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, mfa.ErrPasskey, name)
		require.Empty(t, options, name)
		require.Empty(t, state, name)
	}
	_, _, err := s.Request(manyKeys(key, 65))
	require.Error(t, err)
	_, state, err := s.Request(manyKeys(key, 64))
	require.NoError(t, err)
	_, response := s.assertion(t)
	_, err = s.Asserted(state, response, key)
	refusedFor(t, err, "go-webauthn refuses the assertion") // for its challenge, not for its state
}

// Descope's authenticator, which others wrote, and which has RSA too. Its registrations are packed
// with a signature of the new key itself.
func TestVirtualWebAuthn(t *testing.T) {
	t.Parallel()
	for _, kind := range []virtualwebauthn.KeyType{virtualwebauthn.KeyTypeEC2, virtualwebauthn.KeyTypeRSA} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			rp := virtualwebauthn.RelyingParty{ID: rpID, Name: "Example Clinic", Origin: origin}
			device := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: owner(1).Handle})
			credential := virtualwebauthn.NewCredential(kind)
			credential.Counter = 7
			options, state, err := s.Create(owner(1))
			require.NoError(t, err)
			creation, err := virtualwebauthn.ParseAttestationOptions(string(options))
			require.NoError(t, err)
			key, err := s.Created(state, []byte(virtualwebauthn.CreateAttestationResponse(rp, device, credential, *creation)))
			require.NoError(t, err)
			require.Equal(t, credential.ID, key.ID)
			require.Equal(t, device.Aaguid, key.Model)
			require.EqualValues(t, 7, key.Count)
			require.False(t, key.Attested)

			credential.Counter = 9
			options, state, err = s.Request([]mfa.PublicKey{key})
			require.NoError(t, err)
			request, err := virtualwebauthn.ParseAssertionOptions(string(options))
			require.NoError(t, err)
			require.True(t, credential.IsAllowedForAssertion(*request))
			used, err := s.Asserted(state, []byte(virtualwebauthn.CreateAssertionResponse(rp, device, credential, *request)), key)
			require.NoError(t, err)
			require.Equal(t, mfa.Assertion{Count: 9}, used)
		})
	}
}

// Used from many goroutines, as a server does.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.device.Synced = true
	key := s.register(t)
	done := make(chan error)
	for range 16 {
		go func() {
			options, state, err := s.Request(nil)
			if err == nil {
				var response []byte
				if response, err = s.device.Get(options); err == nil {
					_, err = s.Asserted(state, response, key)
				}
			}
			done <- err
		}()
	}
	for range 16 {
		require.NoError(t, <-done)
	}
}

// Verifier holds no ceremonies: that a state is used once is up to whoever keeps it.
func TestStateCanBeUsedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.device.Synced = true
	key := s.register(t)
	state, response := s.assertion(t)
	for range 2 {
		_, err := s.Asserted(state, response, key)
		require.NoError(t, err)
	}
	s.now = s.now.Add(passkey.Lifetime - time.Microsecond)
	_, err := s.Asserted(state, response, key)
	require.NoError(t, err)
}

func challengeOf(t testing.TB, options []byte) string {
	t.Helper()
	var o struct{ Challenge string }
	require.NoError(t, json.Unmarshal(options, &o))
	require.NotEmpty(t, o.Challenge)
	return o.Challenge
}

func manyKeys(k mfa.PublicKey, n int) (all []mfa.PublicKey) {
	for range n {
		all = append(all, k)
	}
	return all
}

// must returns the options of a ceremony that begins.
func must(options, _ []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return options
}
