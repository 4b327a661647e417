package session_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// left asks how long is left, as the script does.
func left(t testing.TB, d *desk, r *http.Request) (w *httptest.ResponseRecorder, answer map[string]any) {
	t.Helper()
	r.URL.Path = "/session/left"
	w, ctx := serve(d, r)
	require.Nil(t, ctx, "Handler answers itself")
	if w.Code == http.StatusOK {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.NotContains(t, w.Header(), "Set-Cookie")
	}
	return w, answer
}

// Asking how long is left does not prolong: on every engine a session that is only asked
// about ends when it would have ended.
func TestAskingHowLongIsNoActivity(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		s, err := d.Check(get(token))
		require.NoError(t, err)
		d.clock.Add(1500 * time.Millisecond)
		_, answer := left(t, d, get(token))
		require.Equal(t, map[string]any{
			"state": "live", "session": s.ID, "idle": 898.0, "absolute": 43198.0, "warn": 120.0,
		}, answer, "rounded down: never too long")
		for range 14 {
			d.clock.Add(time.Minute)
			_, answer = left(t, d, get(token))
			require.Equal(t, "live", answer["state"])
		}
		require.Zero(t, d.store.count("Touch"))
		require.Equal(t, 58.0, answer["idle"])
		d.clock.Add(time.Minute)
		_, answer = left(t, d, get(token))
		require.Equal(t, map[string]any{"state": "expired"}, answer)
		require.ErrorIs(t, d.state(token), session.ErrExpired)
	})
}

// Saying that one is still there is activity, and needs what every unsafe request needs.
func TestStayingSignedIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	id := marked(t, d, token)
	d.clock.Add(14 * time.Minute)
	w, _ := left(t, d, post(token, "", nil))
	require.Equal(t, http.StatusForbidden, w.Code)
	cross := post(token, "", nil)
	cross.Header.Set("Sec-Fetch-Site", "cross-site")
	cross.Header.Set(session.CSRFHeader, id)
	w, _ = left(t, d, cross)
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Zero(t, d.store.count("Touch"))

	r := post(token, "", nil)
	r.Header.Set(session.CSRFHeader, id)
	_, answer := left(t, d, r)
	require.Equal(t, 900.0, answer["idle"])
	require.Equal(t, 12*3600-14*60.0, answer["absolute"], "the other clock goes on")
	require.Equal(t, 1, d.store.count("Touch"))
}

func TestHowLongOfWhatIsNotLive(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	ended := d.start(t, staff(ann))
	require.NoError(t, d.End(t.Context(), ended, session.ReasonSignOut))
	for token, want := range map[string]string{"": "none", "x": "invalid", ended: "ended"} {
		_, answer := left(t, d, get(token))
		require.Equal(t, map[string]any{"state": want}, answer)
	}
	token := d.start(t, staff(ann))
	two := get(token)
	two.Header.Set("Authorization", "Bearer "+token)
	w, _ := left(t, d, two)
	require.Equal(t, http.StatusBadRequest, w.Code)

	s, err := d.Check(get(token))
	require.NoError(t, err)
	_, ctx := serve(d, get(token))
	require.NoError(t, d.Lock(ctx))
	_, answer := left(t, d, get(token))
	require.Equal(t, "locked", answer["state"])
	require.Equal(t, s.ID, answer["session"])

	d.store.breaks("Get", errors.New("down"))
	w, _ = left(t, d, get(token))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
}

// Short limits leave no room for two minutes; the person is warned at half time.
func TestWarningFitsTheLimit(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) {
		o.Policy = session.Policy{
			Limits: session.Limits{Idle: 2 * time.Minute, Absolute: time.Hour},
			Kinds:  map[audit.Kind]session.Limits{audit.KindPatient: {Idle: time.Hour, Absolute: 2 * time.Hour}},
		}
	})
	_, answer := left(t, d, get(d.start(t, staff(ann))))
	require.Equal(t, 60.0, answer["warn"])
	patient := staff("patient-1")
	patient.Kind = audit.KindPatient
	_, answer = left(t, d, get(d.start(t, patient)))
	require.Equal(t, 120.0, answer["warn"])
}

// Every response to a live session says how long it lasts: a mobile client need not ask.
func TestResponsesSayHowLong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	d.clock.Add(30 * time.Second)
	bearer := get("")
	bearer.Header.Set("Authorization", "Bearer "+token)
	for _, r := range []*http.Request{get(token), bearer} {
		w, _ := serve(d, r)
		require.Equal(t, []string{"idle=870, absolute=43170"}, w.Header()[session.LeftHeader])
	}
	w, ctx := serve(d, get(token))
	next, err := d.Rotate(ctx)
	require.NoError(t, err)
	d.SetCookie(w, next)
	require.NotContains(t, w.Header(), session.LeftHeader, "it spoke of the old token")
	for _, r := range []*http.Request{get(token), get(""), get("x")} {
		w, _ := serve(d, r)
		require.NotContains(t, w.Header(), session.LeftHeader)
	}
	_, answer := left(t, d, get(token))
	require.Equal(t, "live", answer["state"])
	require.Equal(t, true, answer["again"], "a token that has a successor knows nothing of the end")
	require.NotContains(t, answer, "idle")
}

func TestCountdownIsServed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) { o.Path = "/clinic/session/" })
	h := held(t, d, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	ask := func(method, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/clinic/session/countdown.js", nil)
		r.Header.Set("If-None-Match", etag)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := ask("GET", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/javascript; charset=utf-8", w.Header().Get("Content-Type"))
	require.Contains(t, w.Body.String(), "document.currentScript")
	require.Equal(t, http.StatusNotModified, ask("GET", w.Header().Get("ETag")).Code)
	require.Zero(t, d.store.count("Get"))

	left := httptest.NewRecorder()
	h.ServeHTTP(left, httptest.NewRequest("GET", "/clinic/session/left", nil))
	require.JSONEq(t, `{"state":"none"}`, left.Body.String(), "Hold lets it out, nothing was seen")
}

// What is beside the two names, or is asked otherwise, is the host's.
func TestPathsBesideAreTheHosts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	for _, path := range []string{"/session/", "/session/left/", "/session/other", "/session", "/left", "//session/left"} {
		r := get("")
		r.URL.Path = path
		_, ctx := serve(d, r)
		require.NotNil(t, ctx, path)
	}
	for path, method := range map[string]string{"/session/countdown.js": "POST", "/session/left": "DELETE"} {
		r := get("")
		r.Method, r.URL.Path = method, path
		_, ctx := serve(d, r)
		require.NotNil(t, ctx, path)
	}
}
