package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

// Signing out clears what the browser kept of this origin, and names this one cookie: not
// those of the registrable domain, where other applications and known devices have theirs.
func TestSignedOutClearsThisOriginOnly(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	w := httptest.NewRecorder()
	http.SetCookie(w, &http.Cookie{Name: "__Host-device", Value: "known"})
	d.SignedOut(w)
	require.Equal(t, `"cache", "storage"`, w.Header().Get("Clear-Site-Data"))
	all := cookies(w)
	require.Len(t, all, 2)
	require.Equal(t, "known", all[0].Value)
	require.Equal(t, "__Host-session", all[1].Name)
	require.Equal(t, -1, all[1].MaxAge)
	require.NoError(t, d.state(token), "it ends no session")
}

// Signing in again while an answer to the old session is under way: no answer that a dead
// token gets takes the new cookie along, and asking for the time left never touches one.
func TestSuccessorsCookieSurvives(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	old := d.start(t, staff(ann))
	_, ctx := serve(d, get(old))
	_, err := d.Start(ctx, staff(bob))
	require.NoError(t, err)
	w, _ := serve(d, get(old))
	require.NotContains(t, w.Header(), "Set-Cookie", "somebody else signed in on this browser")
	w, answer := left(t, d, get(old))
	require.Equal(t, "ended", answer["state"])
	require.NotContains(t, w.Header(), "Set-Cookie")
}

// A token that was used before signing out is worth nothing afterwards, in a cookie and as a
// bearer token, for reading and for writing with the right identifier.
func TestReplayAfterSignOut(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		id := marked(t, d, token)
		_, ctx := serve(d, get(token))
		require.NoError(t, d.SignOut(ctx))
		bearer := get("")
		bearer.Header.Set("Authorization", "Bearer "+token)
		write := post(token, "", nil)
		write.Header.Set(session.CSRFHeader, id)
		for _, r := range []*http.Request{get(token), bearer, write} {
			_, err := d.Check(r)
			require.ErrorIs(t, err, session.ErrEnded)
			_, ctx := serve(d, r)
			require.Empty(t, session.CSRF(ctx))
		}
	})
}
