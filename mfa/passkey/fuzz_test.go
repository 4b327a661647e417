package passkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
)

// The seeds are the W3C's: the same in every process, with signatures that are good.

// FuzzAsserted: what is accepted says exactly what was signed.
func FuzzAsserted(f *testing.F) {
	v, until, all := vectors(f)
	x := all["packed-es256"]
	key := x.key(f)
	key.Handle = bytes.Repeat([]byte{1}, 64)
	state := passkey.StateOf(x.Authentication.Challenge, nil, until, key.ID)
	f.Add(x.assertion())
	f.Add(all["none-es256-long-credential-id"].assertion())
	f.Add(bytes.Replace(x.assertion(), []byte("null"), []byte(`"`+b64(key.Handle)+`"`), 1))
	f.Add([]byte(`{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{}}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		used, err := v.Asserted(state, response, key)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrPasskey)
			require.Zero(t, used)
			return
		}
		require.Equal(t, []byte(x.Authentication.ClientData), bytesAt(t, response, "clientDataJSON"))
		require.Equal(t, []byte(x.Authentication.AuthData), bytesAt(t, response, "authenticatorData"))
		id, handle, err := v.Claimed(response)
		require.NoError(t, err)
		require.Equal(t, key.ID, id)
		require.True(t, handle == nil || bytes.Equal(handle, key.Handle))
	})
}

// FuzzAssertedParts reaches what is behind JSON and base64.
func FuzzAssertedParts(f *testing.F) {
	v, until, all := vectors(f)
	x := all["packed-es256"]
	key := x.key(f)
	state := passkey.StateOf(x.Authentication.Challenge, nil, until, key.ID)
	good := x.assertion()
	f.Add([]byte(x.Authentication.ClientData), []byte(x.Authentication.AuthData), []byte(x.Authentication.Signature))
	f.Add([]byte(`{}`), make([]byte, 37), []byte{0x30, 0})
	f.Fuzz(func(t *testing.T, client, auth, signature []byte) {
		response := edit(t, edit(t, edit(t, good, "clientDataJSON", b64(client)), "authenticatorData", b64(auth)), "signature", b64(signature))
		_, err := v.Asserted(state, response, key)
		same := bytes.Equal(client, x.Authentication.ClientData) && bytes.Equal(auth, x.Authentication.AuthData) &&
			bytes.Equal(signature, x.Authentication.Signature)
		require.Equal(t, same, err == nil)
	})
}

// FuzzCreated: what is accepted can be kept and used.
func FuzzCreated(f *testing.F) {
	v, until, all := vectors(f)
	x := all["packed-self-es256"]
	state := passkey.StateOf(x.Registration.Challenge, owner(3).Handle, until)
	f.Add([]byte(x.Registration.AttestationObject))
	for _, name := range []string{"packed-rs256", "packed-eddsa", "packed-ed448", "tpm-es256", "apple-es256", "none-es256-long-credential-id"} {
		f.Add([]byte(all[name].Registration.AttestationObject))
		f.Add(all[name].stripped(f))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		key, err := v.Created(state, x.registration(object))
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrPasskey)
			require.Zero(t, key)
			return
		}
		require.Equal(t, []byte(x.Registration.ID), key.ID)
		require.Equal(t, owner(3).Handle, key.Handle)
		require.False(t, key.Attested)
		require.False(t, key.BackedUp && !key.BackupEligible)
		// The kept key verifies or refuses; it never breaks.
		_, err = v.Asserted(passkey.StateOf(x.Authentication.Challenge, nil, until, key.ID), x.assertion(), key)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrPasskey)
		}
	})
}

// FuzzClaimed: what is read is what the JSON says, once.
func FuzzClaimed(f *testing.F) {
	v, _, all := vectors(f)
	f.Add(all["packed-es256"].assertion())
	f.Add([]byte(`{"id":"AQ","rawId":"AQ","type":"public-key","response":{"clientDataJSON":"AQ","authenticatorData":"AQ","signature":"AQ","userHandle":"AQ"}}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		id, handle, err := v.Claimed(response)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrPasskey)
			require.Empty(t, id)
			require.Empty(t, handle)
			return
		}
		require.True(t, json.Valid(response))
		require.LessOrEqual(t, len(response), passkey.MaxResponse)
		require.True(t, len(id) > 0 && len(id) <= 1023 && len(handle) <= 64)
		var r struct{ RawID string }
		require.NoError(t, json.Unmarshal(response, &r))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(id), r.RawID)
	})
}

// FuzzState: one state, one encoding.
func FuzzState(f *testing.F) {
	v, until, all := vectors(f)
	x := all["packed-es256"]
	for _, s := range [][]byte{
		passkey.StateOf(x.Registration.Challenge, owner(3).Handle, until),
		passkey.StateOf(x.Registration.Challenge, owner(3).Handle, until, x.Registration.ID, []byte{1}),
		passkey.StateOf(x.Authentication.Challenge, nil, until),
		passkey.StateOf(x.Authentication.Challenge, nil, until, x.Registration.ID, make([]byte, 1023)),
	} {
		f.Add(s)
		f.Add(s[:len(s)-1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		again, ok := passkey.Recoded(data)
		if ok {
			require.Equal(t, data, again)
		}
		_, err := v.Asserted(data, x.assertion(), x.key(t))
		if err == nil { // no other state has this challenge
			require.True(t, ok)
			require.Equal(t, []byte(x.Authentication.Challenge), data[10:42])
		}
		_, err = v.Created(slices.Clone(data), x.registration(x.stripped(t)))
		if err == nil {
			require.Equal(t, []byte(x.Registration.Challenge), data[10:42])
		}
	})
}

// FuzzJSON: what is read is what encoding/json reads, and what it would read two ways is refused.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a" : {"b":[1,"}",{"c":"\""}]} , "d":null,"e":-1.5e+3 }`, `{"a":"\\"}`, `{"a":1,"A":2}`,
		`{"\u0061":1,"a":2}`, `[]`, `"a"`, `1`, ``, `{"a":1}x`, `{"a":tru`, "{\"\xff\":1}", `{"":true}`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		mine, err := passkey.ReadJSON(data)
		var theirs map[string]json.RawMessage
		bad := json.Unmarshal(data, &theirs)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrPasskey)
			return
		}
		require.NoError(t, bad)
		require.Len(t, mine, len(theirs))
		for name, value := range theirs {
			require.Equal(t, string(value), mine[name])
		}
	})
}
