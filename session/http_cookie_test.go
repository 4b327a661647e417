package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	for _, header := range []string{"Bearer " + token, "bearer " + token, "BEARER  " + token + " "} {
		r := get("")
		r.Header.Set("Authorization", header)
		_, ctx := serve(d, r)
		require.Equal(t, session.StateLive, session.Status(ctx), header)
	}
	for header, want := range map[string]session.State{
		"Basic YW5uOnB3":           session.StateNone,
		token:                      session.StateNone,
		"Bearer":                   session.StateInvalid,
		"Bearer ":                  session.StateInvalid,
		"Bearer a b":               session.StateInvalid,
		"Bearer " + token + ",x=1": session.StateInvalid,
	} {
		r := get("")
		r.Header.Set("Authorization", header)
		_, ctx := serve(d, r)
		require.Equal(t, want, session.Status(ctx), header)
	}
	r := httptest.NewRequest(http.MethodGet, "/?access_token="+token, nil)
	_, ctx := serve(d, r)
	require.Equal(t, session.StateNone, session.Status(ctx), "a token in an address is no token")
}

func TestTwoTokensAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) {
		o.Tenant = func(*http.Request) audit.Tenant { return clinic }
	})
	token := d.start(t, staff(ann))
	for name, header := range map[string]http.Header{
		"cookie and bearer":   {"Cookie": {"__Host-session=" + token}, "Authorization": {"Bearer " + token}},
		"bad cookie, bearer":  {"Cookie": {"__Host-session="}, "Authorization": {"Bearer " + token}},
		"two cookies":         {"Cookie": {"__Host-session=" + token + "; __Host-session=" + token}},
		"two cookie headers":  {"Cookie": {"a=b; __Host-session=" + token, "__Host-session=x"}},
		"two bearers":         {"Authorization": {"Bearer " + token, "Bearer " + token}},
		"bearer, then cookie": {"Authorization": {"bearer"}, "Cookie": {"__Host-session=" + token}},
	} {
		r := get("")
		r.Header = header
		d.log.Reset()
		w, ctx := serve(d, r)
		require.Equal(t, http.StatusBadRequest, w.Code, name)
		require.Nil(t, ctx, name)
		require.Empty(t, w.Header()["Set-Cookie"], name)
		e, ok := d.log.Last("session.check")
		require.True(t, ok, name)
		require.Equal(t, "two_tokens", e.Code, name)
		require.Equal(t, audit.KindAnonymous, e.Actor.Kind, name)
		_, err := d.Check(r)
		require.ErrorIs(t, err, session.ErrAmbiguous, name)
	}
	r := get(token)
	r.Header.Add("Cookie", "session=x; __host-session=x; x__Host-session=y; __Host-session2=z; =; ;;")
	r.Header.Set("Authorization", "Basic YW5uOnB3")
	require.NoError(t, func() error { _, err := d.Check(r); return err }(), "other cookies and schemes do not matter")
}

func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	w := httptest.NewRecorder()
	d.SetCookie(w, token)
	require.Equal(t, []string{"__Host-session=" + token + "; Path=/; Secure; HttpOnly; SameSite=Lax"}, w.Header()["Set-Cookie"])
	c := cookies(w)[0]
	require.NoError(t, c.Valid())
	require.Equal(t, "__Host-session", c.Name)
	require.Equal(t, token, c.Value)
	require.True(t, c.Secure)
	require.True(t, c.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, "/", c.Path)
	require.Empty(t, c.Domain)
	require.Zero(t, c.MaxAge, "the cookie's life is not the timeout")
	require.True(t, c.Expires.IsZero())

	d.ClearCookie(w)
	d.SetCookie(w, token)
	d.ClearCookie(w)
	require.Len(t, w.Header()["Set-Cookie"], 1, "one of them counts, not the browser's choice of several")
	c = cookies(w)[0]
	require.Equal(t, -1, c.MaxAge)
	require.Empty(t, c.Value)

	http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
	d.SetCookie(w, token)
	require.Len(t, cookies(w), 2, "other cookies stay")
	d.SetCookie(w, "x; Domain=example.com")
	require.NotContains(t, w.Header()["Set-Cookie"][1], "Domain", "only a token is ever set")
}

func cookies(w *httptest.ResponseRecorder) []*http.Cookie {
	return (&http.Response{Header: w.Header()}).Cookies()
}

func TestCookieName(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) { o.CookieName = "__Host-portal" })
	token := d.start(t, staff(ann))
	require.ErrorIs(t, d.state(token), session.ErrNoSession, "another application's cookie")
	w := httptest.NewRecorder()
	d.SetCookie(w, token)
	r := get("")
	r.Header.Set("Cookie", "__Host-portal="+cookies(w)[0].Value)
	_, err := d.Check(r)
	require.NoError(t, err)
}
