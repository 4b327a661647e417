package session_test

import (
	"bufio"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/session"
)

// held puts d inside audithttp.Hold, as a host does.
func held(t *testing.T, d *desk, next http.HandlerFunc) http.Handler {
	t.Helper()
	h, err := audithttp.Hold(d.log, d.Handler(next), &audithttp.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return h
}

// The answers that Handler gives itself pass through Hold, which serves nothing undecided.
func TestRefusalsPassHold(t *testing.T) {
	t.Parallel()
	for _, tenant := range []audit.Tenant{clinic, ""} {
		d := newDesk(t, session.NewMemory(), func(o *session.Options) {
			o.Tenant = func(*http.Request) audit.Tenant { return tenant }
		})
		token := d.start(t, staff(ann))
		h := held(t, d, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
		cross, two, down := get(token), get(token), get(token)
		cross.Method = http.MethodPost
		cross.Header.Set("Sec-Fetch-Site", "cross-site")
		two.Header.Set("Authorization", "Bearer "+token)
		d.store.breaks("Get", errors.New("down"))
		for code, c := range map[string]struct {
			r      *http.Request
			status int
		}{"cross_origin": {cross, 403}, "two_tokens": {two, 400}, "unavailable": {down, 503}} {
			d.log.Reset()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, c.r)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, http.StatusText(c.status)+"\n", w.Body.String())
			found := d.log.Find("session.check")
			if tenant == "" {
				require.Empty(t, found, "no log to keep it in")
				continue
			}
			require.Len(t, found, 1)
			require.Equal(t, code, found[0].Code)
			require.NotEmpty(t, found[0].Correlation.Request, "it belongs to the request")
		}
	}
}

// A refusal that cannot be recorded is a refusal all the same.
func TestUnrecordedRefusalIsClosed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory(), func(o *session.Options) {
		o.Tenant = func(*http.Request) audit.Tenant { return clinic }
	})
	d.log.FailWith(errors.New("down"))
	r := get("")
	r.Method = http.MethodPost
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w, ctx := serve(d, r)
	require.Equal(t, 403, w.Code)
	require.Nil(t, ctx)
	w = httptest.NewRecorder()
	held(t, d, func(http.ResponseWriter, *http.Request) { t.Error("reached") }).ServeHTTP(w, r)
	require.Equal(t, 503, w.Code)
}

// A response that lasts is asked about its session again and again, and the question is not
// activity.
func TestLongResponsesDieWithTheSession(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		for name, kill := range map[string]func(token string){
			"ended":   func(string) { require.NoError(t, d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut)) },
			"expired": func(string) { d.clock.Add(15 * time.Minute) },
		} {
			token := d.start(t, staff(ann))
			ctx, trail := audit.WithTrail(t.Context(), d.log, audit.Event{})
			_, inside := serve(d, get(token).WithContext(ctx))
			require.NotNil(t, inside)
			touches := d.store.count("Touch")
			d.clock.Add(14 * time.Minute)
			require.NoError(t, trail.Recheck(t.Context()), name)
			require.Equal(t, touches, d.store.count("Touch"), "a stream is no activity")
			kill(token)
			require.ErrorIs(t, trail.Recheck(t.Context()), session.ErrNoSession, name)
		}

		token := d.start(t, staff(ann))
		ctx, trail := audit.WithTrail(t.Context(), d.log, audit.Event{})
		serve(d, get(token).WithContext(ctx))
		d.store.breaks("Get", errors.New("down"))
		require.ErrorIs(t, trail.Recheck(t.Context()), session.ErrUnavailable)
	})
}

// The same over a real connection: signing out cuts the stream off at its next write.
func TestStreamIsCutOff(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	ended := make(chan struct{})
	stream := d.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, audit.Decide(r.Context(), audit.Event{Action: "vitals.read", Verb: audit.Read}))
		_, _ = w.Write([]byte("first\n"))
		_ = http.NewResponseController(w).Flush()
		<-ended
		d.clock.Add(audithttp.RecheckEvery)
		_, _ = w.Write([]byte("second\n"))
		_ = http.NewResponseController(w).Flush()
	}))
	h, err := audithttp.Hold(d.log, stream, &audithttp.Options{Now: d.clock.Now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	server := httptest.NewServer(h)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := server.Client().Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body := bufio.NewReader(res.Body)
	line, err := body.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "first\n", line)
	require.NoError(t, d.End(t.Context(), token, session.ReasonSignOut))
	close(ended)
	_, err = body.ReadString('\n')
	require.Error(t, err)
}
