package session_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// oversized are requests with more than any browser sends, and what each is answered. good is
// a live token.
func oversized(good string) map[string]struct {
	header http.Header
	status int
	state  session.State
	reads  int
} {
	const kilo = 1 << 10
	cookie := func(lines ...string) http.Header { return http.Header{"Cookie": lines} }
	bearer := func(lines ...string) http.Header { return http.Header{"Authorization": lines} }
	many := strings.Repeat("a=b; ", 8*kilo)
	return map[string]struct {
		header http.Header
		status int
		state  session.State
		reads  int
	}{
		"a huge session cookie":        {cookie("__Host-session=" + strings.Repeat("A", 900*kilo)), 200, session.StateInvalid, 0},
		"one that begins right":        {cookie("__Host-session=" + good + strings.Repeat("A", 900*kilo)), 200, session.StateInvalid, 0},
		"a huge bearer token":          {bearer("Bearer wks1_" + strings.Repeat("A", 900*kilo)), 200, session.StateInvalid, 0},
		"a huge scheme":                {bearer(strings.Repeat("B", 900*kilo)), 200, session.StateNone, 0},
		"blanks":                       {bearer("Bearer " + strings.Repeat(" ", 900*kilo)), 200, session.StateInvalid, 0},
		"thousands of other cookies":   {cookie(many), 200, session.StateNone, 0},
		"thousands beside the right":   {cookie(many + "__Host-session=" + good + "; " + many), 200, session.StateLive, 1},
		"thousands of session cookies": {cookie(strings.Repeat("__Host-session=x; ", 8*kilo)), 400, session.StateNone, 0},
		"the right one, twice":         {cookie("__Host-session=" + good + "; __Host-session=" + good), 400, session.StateNone, 0},
		"the right one, then another":  {cookie("__Host-session="+good, "__Host-session="), 400, session.StateNone, 0},
		"the right one last":           {cookie("__Host-session=x; " + many + "__Host-session=" + good), 400, session.StateNone, 0},
		"thousands of lines":           {http.Header{"Cookie": strings.Fields(strings.Repeat("__Host-session=x ", 8*kilo))}, 400, session.StateNone, 0},
		"thousands of bearer tokens":   {http.Header{"Authorization": strings.Split(strings.Repeat("Bearer x,", 8*kilo), ",")}, 400, session.StateNone, 0},
		"nothing but separators":       {cookie(strings.Repeat(";", 900*kilo), strings.Repeat("=", 900*kilo)), 200, session.StateNone, 0},
	}
}

// What is too much is nobody's, or refused, before anything is read, and without memory for it.
func TestOversizedRequests(t *testing.T) {
	d := newDesk(t, session.NewMemory(), func(o *session.Options) {
		o.Tenant = func(*http.Request) audit.Tenant { return clinic }
	})
	good := d.start(t, staff(ann))
	for name, c := range oversized(good) {
		r := get("")
		r.Header = c.header
		reads := d.store.count("Get")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w, ctx := serve(d, r)
		runtime.ReadMemStats(&after)
		require.Equal(t, c.status, w.Code, name)
		require.Equal(t, reads+c.reads, d.store.count("Get"), name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10), "%s: what is sent is not copied", name)
		require.Equal(t, c.status == http.StatusOK, ctx != nil, name)
		if c.status != http.StatusOK {
			e, ok := d.log.Last("session.check")
			require.True(t, ok, name)
			require.Equal(t, "two_tokens", e.Code, name)
			_, err := d.Check(r)
			require.ErrorIs(t, err, session.ErrAmbiguous, name)
			continue
		}
		require.Equal(t, c.state, session.Status(ctx), name)
		a, _ := audit.ActorFrom(ctx)
		require.Equal(t, c.state == session.StateLive, a.ID == ann, name)
	}
}

// The same through a real server: what it does not turn away itself is answered alike, and the
// session goes on.
func TestOversizedOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, session.NewMemory())
	good := s.start(t, staff(ann))
	for name, c := range oversized(good) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/who", nil)
		require.NoError(t, err)
		r.Header = c.header
		w, err := s.server.Client().Do(r)
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			continue // turned away before all of it was sent
		}
		require.NoError(t, err, name)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
		if w.StatusCode == http.StatusRequestHeaderFieldsTooLarge {
			continue
		}
		require.Equal(t, c.status, w.StatusCode, name)
		require.Equal(t, c.state == session.StateLive, strings.HasPrefix(string(body), "live "), name)
	}
	require.NoError(t, s.state(good))
}

// Other cookies of the host cost time, not memory.
func BenchmarkManyCookies(b *testing.B) {
	m, err := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	require.NoError(b, err)
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, httpsPage, nil)
			r.Header.Set("Cookie", strings.Repeat("a=b; ", n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Check(r); err == nil {
					b.Fatal("signed in")
				}
			}
		})
	}
}
