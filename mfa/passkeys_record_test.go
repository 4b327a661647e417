package mfa_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
)

func record() mfa.KeyRecord {
	return mfa.KeyRecord{
		ID: []byte{1, 2, 3}, Key: []byte{4, 5}, Transports: []string{"internal", "hybrid"}, Model: [16]byte{7},
		Eligible: true, Attested: true, Label: "Küchen-Mac", Disabled: true,
	}
}

// Records are final: a later release reads what this one wrote.
func TestTheRecordOfAPasskeyIsFinal(t *testing.T) {
	t.Parallel()
	const frozen = `{"ID":"AQID","Key":"BAU=","Transports":["internal","hybrid"],"Model":[7,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],` +
		`"Eligible":true,"Attested":true,"Label":"Küchen-Mac","Disabled":true}`
	text, err := mfa.EncodeRecord(record())
	require.NoError(t, err)
	require.Equal(t, frozen, string(text))
	r, err := mfa.DecodeRecord([]byte(frozen))
	require.NoError(t, err)
	require.Equal(t, record(), r)
}

func FuzzPasskeyRecord(f *testing.F) {
	whole, err := mfa.EncodeRecord(record())
	require.NoError(f, err)
	for _, seed := range []string{string(whole), "", "{}", "null", string(whole) + "{}", string(whole[:20]), `{"ID":"AQ==","Key":"AQ==","Label":"x","More":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := mfa.DecodeRecord(text)
		if err != nil {
			require.Equal(t, mfa.KeyRecord{}, r)
			require.Equal(t, "mfa: a stored passkey is not readable", err.Error(), "no text of the record")
			return
		}
		require.True(t, len(r.ID) > 0 && len(r.ID) <= 1023 && len(r.Key) > 0 && mfa.UsableLabel(r.Label))
		again, err := mfa.EncodeRecord(r)
		require.NoError(t, err)
		same, err := mfa.DecodeRecord(again)
		require.NoError(t, err)
		require.Equal(t, r, same)
	})
}

func FuzzPasskeyState(f *testing.F) {
	p := newProtocol()
	w := newWorld(f, mfa.NewMemory(), func(o *mfa.Options) { o.WebAuthn = p })
	_, adding, err := w.BeginPasskey(f.Context(), clinic, lin, "lin@example.com")
	require.NoError(f, err)
	_, err = w.AddPasskey(f.Context(), clinic, lin, adding, p.response("k-1"), "")
	require.NoError(f, err)
	_, asking, err := w.AskPasskey(f.Context(), clinic, lin)
	require.NoError(f, err)
	f.Add(asking, []byte("k-1"))
	f.Add(adding, []byte("k-1"))
	f.Add([]byte(nil), []byte("k-2"))
	f.Fuzz(func(t *testing.T, state, response []byte) {
		proof, err := w.VerifyPasskey(t.Context(), clinic, lin, state, response)
		require.NoError(t, err)
		require.True(t, proof.ID == "" || proof.ID == lin && string(response) == "k-1")
		proof, err = w.AddPasskey(w.fresh(t, diaz), clinic, diaz, state, response, "")
		require.NoError(t, err)
		require.Empty(t, proof.ID, "nothing was begun for diaz")
	})
}
