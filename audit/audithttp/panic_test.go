package audithttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// A handler panics with bytes waiting: recorded, dropped, and the client gets no answer.
func TestPanicIsRecordedAndDropped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		value any
	}{{"panic", "boom"}, {"ErrAbortHandler", http.ErrAbortHandler}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, http2 bool) {
				web := start(t, guarded(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Ssn", secret)
					_, _ = io.WriteString(w, secret)
					panic(c.value)
				}), setup{http2: http2})
				// POST: a client repeats a GET that a connection's end left unanswered.
				_, err := web.ask(t, http.MethodPost)
				require.Error(t, err)
				require.Len(t, web.rec.Find("patient.read"), 1)
				require.NotContains(t, web.sent(), secret)
			})
		})
	}
}

// A handler panics after a part of the response left: the client sees that it is not whole.
func TestPanicAfterFirstByte(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			_, _ = io.WriteString(w, "first;")
			w.(http.Flusher).Flush()
			_ = reveal(r.Context())
			_, _ = io.WriteString(w, secret)
			panic("boom")
		}, setup{http2: http2})
		got := web.get(t)
		require.Equal(t, "first;", got.body)
		require.Error(t, got.broken)
		require.NotContains(t, web.sent(), secret)
		require.Len(t, web.rec.Find("patient.read"), 2)
	})
}

// The panic arrives at the server as it was, and what wraps Hold finds no header of the
// handler's in its answer to it.
func TestPanicPassesUnchanged(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	held, err := audithttp.Hold(rec, guarded(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ssn", secret)
		_, _ = io.WriteString(w, secret)
		panic(errDisk)
	}), nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	require.PanicsWithValue(t, errDisk, func() {
		held.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	})
	require.Empty(t, w.Body.String())
	require.Empty(t, w.Header().Get("X-Ssn"))
	require.Len(t, rec.Events(), 1)
}

// A recorder that panics is a store that failed: nothing leaves.
func TestPanickingStore(t *testing.T) {
	t.Parallel()
	held, err := audithttp.Hold(panicking{}, guarded(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, secret)
	}), nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	require.Panics(t, func() { held.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody)) })
	require.Empty(t, w.Body.String())
}

// A panic whose record fails raises the alarm: something was seen and is not on record.
func TestPanicThatIsNotRecorded(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	rec.FailWith(errDisk)
	web := start(t, guarded(func(http.ResponseWriter, *http.Request) { panic("boom") }), setup{rec: rec})
	_, err := web.ask(t, http.MethodPost)
	require.Error(t, err)
	requireAlarm(t, web, audithttp.ErrNotDurable)
}

// panicking is a store with a bug.
type panicking struct{}

func (panicking) Record(context.Context, ...audit.Event) error { panic("store") }
