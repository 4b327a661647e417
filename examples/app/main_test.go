package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)} }

func TestPlay(t *testing.T) {
	t.Parallel()
	c := newClock()
	handler, link := host(t.Context(), c.Now)
	var out strings.Builder
	play(&out, c, handler, link)
	require.Equal(t, `Ana has a password and an authenticator app.
A phone without a passkey: passkeytest: the device has no passkey for these options
She signs in on the phone, with password and code: done
Fingerprint is switched on: 200
The next morning: done
A thief's copy of that response, sent again: 401
One more passkey, a while after signing in: 401
The same after a fresh proof: 200
Passkeys: 2
Fingerprint is switched off: 200
Her sessions are over: 401
`, out.String())
}

// A passkey of the iPhone's app, of the Android app and of the website, each with the origin it sends.
func TestOrigins(t *testing.T) {
	t.Parallel()
	for origin, ours := range map[string]bool{
		androidApp:                            true,
		"https://clinic.example":              true, // iOS and macOS
		"https://app.clinic.example":          true,
		"https://old.clinic.example":          false,
		"https://clinic.example:8443":         false,
		androidApp[:len(androidApp)-2] + "AA": false,
	} {
		c := newClock()
		handler, link := host(t.Context(), c.Now)
		ana := newPhone(handler)
		ana.setUp(c, link)
		ana.signIn(c)
		ana.device = passkeytest.New(origin)
		added := ana.add()
		ana.token = ""
		if ours {
			require.Equal(t, http.StatusOK, added, origin)
			require.Equal(t, string(authn.Done), ana.tap(), origin)
			require.NotEmpty(t, ana.token, origin)
			continue
		}
		require.NotEqual(t, http.StatusOK, added, origin)
		ana.signIn(c)
		require.Empty(t, ana.passkeys(), origin)
	}
}

// What is turned off signs nobody in, whatever the phone still has.
func TestTurnedOff(t *testing.T) {
	t.Parallel()
	c := newClock()
	handler, link := host(t.Context(), c.Now)
	ana := newPhone(handler)
	ana.setUp(c, link)
	ana.signIn(c)
	require.Equal(t, http.StatusOK, ana.add())
	require.Equal(t, http.StatusOK, ana.removeFirst())
	require.Equal(t, http.StatusUnauthorized, ana.call("GET /api/passkeys", question{}))
	ana.token = ""
	require.Empty(t, ana.tap())
	require.Empty(t, ana.token)
}

// Nobody signed in, and nothing but JSON of a reasonable size.
func TestRefusals(t *testing.T) {
	t.Parallel()
	c := newClock()
	handler, _ := host(t.Context(), c.Now)
	stranger := newPhone(handler)
	for _, route := range []string{
		"POST /api/passkeys/begin", "POST /api/passkeys", "GET /api/passkeys", "DELETE /api/passkeys/x", "POST /api/proof/begin", "POST /api/proof",
	} {
		require.Equal(t, http.StatusUnauthorized, stranger.call(route, question{}), route)
	}
	require.Equal(t, http.StatusUnauthorized, stranger.call("POST /api/sign-in/step", question{}))
	require.Equal(t, http.StatusBadRequest, stranger.call("POST /api/sign-in", question{Email: strings.Repeat("a", 200_000)}))
}
