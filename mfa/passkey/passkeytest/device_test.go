package passkeytest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

const (
	create = `{"rp":{"id":"clinic.example"},"user":{"id":"AQID"},"challenge":"BBBB","excludeCredentials":[]}`
	get    = `{"rpId":"clinic.example","challenge":"BBBB","allowCredentials":[]}`
)

// The device refuses what a browser refuses.
func TestDeviceRefuses(t *testing.T) {
	t.Parallel()
	d := passkeytest.New("https://app.clinic.example")
	_, err := d.Get([]byte(get))
	require.ErrorIs(t, err, passkeytest.ErrNone)
	for _, bad := range []string{``, `{`, `[]`, `{"user":{"id":"="}}`} {
		_, err = d.Create([]byte(bad))
		require.Error(t, err, bad)
	}
	_, err = d.Get([]byte(`{`))
	require.Error(t, err)

	response, err := d.Create([]byte(create))
	require.NoError(t, err)
	var r struct{ ID string }
	require.NoError(t, json.Unmarshal(response, &r))
	_, err = d.Create([]byte(`{"rp":{"id":"clinic.example"},"user":{"id":"AQID"},"excludeCredentials":[{"id":"` + r.ID + `"}]}`))
	require.ErrorIs(t, err, passkeytest.ErrExcluded)
	_, err = d.Get([]byte(`{"rpId":"clinic.example","allowCredentials":[{"id":"AAAA"}]}`))
	require.ErrorIs(t, err, passkeytest.ErrNone)
	_, err = d.Get([]byte(`{"rpId":"clinic.example","allowCredentials":[{"id":"` + r.ID + `"}]}`))
	require.NoError(t, err)

	for _, origin := range []string{"https://evil.example", "https://evilclinic.example", "https://example"} {
		d.Origin = origin
		_, err = d.Get([]byte(get))
		require.ErrorIs(t, err, passkeytest.ErrOrigin)
		_, err = d.Create([]byte(create))
		require.ErrorIs(t, err, passkeytest.ErrOrigin)
	}
	d.Origin = "android:apk-key-hash:AAAA" // the system knows which apps belong to a domain
	_, err = d.Get([]byte(get))
	require.NoError(t, err)
}

// A clone goes its own way.
func TestClone(t *testing.T) {
	t.Parallel()
	d := passkeytest.New("https://clinic.example")
	var count uint32
	d.Lie = func(c *passkeytest.Claims) { count = c.Count }
	_, err := d.Create([]byte(create))
	require.NoError(t, err)
	clone := d.Clone()
	for want := range uint32(3) {
		_, err = d.Get([]byte(get))
		require.NoError(t, err)
		require.Equal(t, want+2, count)
	}
	_, err = clone.Get([]byte(get))
	require.NoError(t, err)
	require.EqualValues(t, 2, count)
}

// The newest passkey is the one a person is shown first.
func TestNewestFirst(t *testing.T) {
	t.Parallel()
	d := passkeytest.New("https://clinic.example")
	var ids []string
	for range 2 {
		response, err := d.Create([]byte(create))
		require.NoError(t, err)
		ids = append(ids, id(t, response))
	}
	response, err := d.Get([]byte(get))
	require.NoError(t, err)
	require.Equal(t, ids[1], id(t, response))
}

func id(t *testing.T, response []byte) string {
	t.Helper()
	var r struct{ ID string }
	require.NoError(t, json.Unmarshal(response, &r))
	return r.ID
}
