package audithttp_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// secret stands for a patient's data: it may be on the wire only after "patient.read" is on
// record.
const secret = "000-12-3456"

// decide is what a guard does: it says that the actor may read.
func decide(r *http.Request) {
	actor := audit.Actor{ID: "therapist-1", Kind: audit.KindStaff, Tenant: "clinic-1"}
	ctx := audit.WithActor(r.Context(), actor)
	if err := audit.Decide(ctx, audit.Event{Action: "patient.read", Verb: audit.Read}); err != nil {
		panic(err)
	}
}

// reveal is what a sealed value does before it opens.
func reveal(ctx context.Context) error {
	return audit.Seen(ctx, "patient-1", audit.Object{Type: "patient", ID: "patient-1", Fields: []string{"ssn"}})
}

// site is a real server with one held handler.
type site struct {
	*httptest.Server
	rec *audittest.Recorder

	mu     sync.Mutex
	wire   bytes.Buffer // every byte the server wrote, in clear only over http1
	alarms []audithttp.Alarm
	early  bool // the secret was written before anything was on record
	now    time.Time
}

type setup struct {
	rec     *audittest.Recorder
	outer   func(http.Handler) http.Handler
	options audithttp.Options
	http2   bool
}

// start serves h until the test ends.
func start(t testing.TB, h http.HandlerFunc, s setup) *site {
	t.Helper()
	web := &site{rec: s.rec, now: time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)}
	if web.rec == nil {
		web.rec = audittest.NewRecorder()
	}
	s.options.Alarm = web.alarm
	s.options.Now = web.clock
	s.options.Logger = slog.New(slog.DiscardHandler)
	held, err := audithttp.Hold(web.rec, h, &s.options)
	require.NoError(t, err)
	if s.outer != nil {
		held = s.outer(held)
	}
	web.Server = httptest.NewUnstartedServer(held)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.Listener = tap{web.Listener, web}
	if s.http2 {
		web.EnableHTTP2 = true
		web.StartTLS()
	} else {
		web.Start()
	}
	t.Cleanup(web.Close)
	web.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return web
}

func (s *site) alarm(_ context.Context, a audithttp.Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarms = append(s.alarms, a)
}

func (s *site) raised() []audithttp.Alarm {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]audithttp.Alarm(nil), s.alarms...)
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// sent returns every byte the server wrote so far.
func (s *site) sent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wire.String()
}

func (s *site) tooEarly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.early
}

// tap is a listener whose connections tell the site what is written to them.
type tap struct {
	net.Listener
	site *site
}

func (l tap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return tapped{c, l.site}, err
}

type tapped struct {
	net.Conn
	site *site
}

func (c tapped) Write(p []byte) (int, error) {
	recorded := len(c.site.rec.Find("patient.read")) > 0
	c.site.mu.Lock()
	c.site.wire.Write(p)
	if !recorded && bytes.Contains(c.site.wire.Bytes(), []byte(secret)) {
		c.site.early = true
	}
	c.site.mu.Unlock()
	return c.Conn.Write(p)
}

// answer is a response as the client saw it.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    string
	broken  error // what reading the body ended with
	proto   int
}

// ask sends a request and reads the whole answer. The error is that of a request without
// any answer.
func (s *site) ask(t testing.TB, method string) (answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/patients/1", http.NoBody)
	require.NoError(t, err)
	return s.do(r)
}

func (s *site) do(r *http.Request) (answer, error) {
	resp, err := s.Client().Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, broken := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, resp.Trailer, string(body), broken, resp.ProtoMajor}, nil
}

// get is ask for a GET that is answered.
func (s *site) get(t testing.TB) answer {
	t.Helper()
	a, err := s.ask(t, http.MethodGet)
	require.NoError(t, err)
	return a
}

// contains reports whether the secret is anywhere in the answer.
func (a answer) contains(s string) bool {
	var all bytes.Buffer
	_ = a.header.Write(&all)
	_ = a.trailer.Write(&all)
	all.WriteString(a.body)
	return bytes.Contains(all.Bytes(), []byte(s))
}

// versions runs f over HTTP/1.1 and HTTP/2.
func versions(t *testing.T, f func(t *testing.T, http2 bool)) {
	for _, v := range []struct {
		name  string
		http2 bool
	}{{"http1", false}, {"http2", true}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			f(t, v.http2)
		})
	}
}

// requireDropped asserts that a was replaced by the bare status: no body, no header beyond
// what every response has.
func requireDropped(t testing.TB, a answer, status int) {
	t.Helper()
	require.NoError(t, a.broken)
	require.Equal(t, status, a.status)
	require.Empty(t, a.body)
	require.Empty(t, a.trailer)
	for name := range a.header {
		require.Contains(t, []string{"Date", "Content-Length", "X-Request-Id", "Retry-After"}, name)
	}
	require.Equal(t, "0", a.header.Get("Content-Length"))
	want := ""
	if status == http.StatusServiceUnavailable {
		want = "5"
	}
	require.Equal(t, want, a.header.Get("Retry-After"))
}

// requireAlarm asserts that exactly one alarm was raised, for the reason.
func requireAlarm(t testing.TB, s *site, reason error) audithttp.Alarm {
	t.Helper()
	alarms := s.raised()
	require.Len(t, alarms, 1)
	require.Equal(t, reason, alarms[0].Reason)
	return alarms[0]
}

// ended waits until ctx ends, as a stream does; a protection that is broken must not hang
// the test.
func ended(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
	}
}
