package audithttp_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/bubble"
)

var errDisk = errors.New("disk full")

func TestHoldRefusesMissingParts(t *testing.T) {
	t.Parallel()
	_, err := audithttp.Hold(nil, http.NotFoundHandler(), nil)
	require.Error(t, err)
	_, err = audithttp.Hold(audit.Discard{}, nil, nil)
	require.Error(t, err)
}

func TestExemptResponsesLeave(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			_ = audit.Exempt(r.Context(), "health probe")
			_, _ = io.WriteString(w, "ok")
		}, setup{http2: http2})
		got := web.get(t)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "ok", got.body)
		require.Empty(t, web.rec.Events())
	})
}

// What the host set outside Hold stays, what the handler set or deleted does not.
func TestDroppedResponseKeepsHeadersAsAtEntry(t *testing.T) {
	t.Parallel()
	outer := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Strict-Transport-Security", "max-age=63072000")
			w.Header().Set("X-Frame-Options", "DENY")
			next.ServeHTTP(w, r)
		})
	}
	leak := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("Strict-Transport-Security")
		w.Header()["X-Frame-Options"][0] = "ALLOWALL"
		w.Header().Set("X-Ssn", secret)
		w.Header().Set("Content-Length", "11")
		w.Header().Set("Content-Type", "text/plain")
		http.SetCookie(w, &http.Cookie{Name: "session", Value: secret})
		_, _ = io.WriteString(w, secret)
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
	}{
		{"undecided", leak, http.StatusInternalServerError},
		{"not durable", guarded(leak), http.StatusServiceUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rec := audittest.NewRecorder()
			rec.FailWith(errDisk)
			web := start(t, c.handler, setup{rec: rec, outer: outer})
			got := web.get(t)
			require.Equal(t, c.status, got.status)
			require.Equal(t, "max-age=63072000", got.header.Get("Strict-Transport-Security"))
			require.Equal(t, "DENY", got.header.Get("X-Frame-Options"))
			require.Empty(t, got.header.Get("X-Ssn"))
			require.Empty(t, got.header["Set-Cookie"])
			require.NotContains(t, web.sent(), secret)

			// The declared length of the dropped body does not confuse the next response.
			require.Equal(t, c.status, web.get(t).status)
		})
	}
}

// After a drop, whatever the handler does is refused and its context has ended.
func TestDroppedResponseAcceptsNothing(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			if !errors.Is(control.Flush(), audithttp.ErrWithheld) {
				panic("flushed")
			}
			ended(r.Context())
			if !errors.Is(context.Cause(r.Context()), audithttp.ErrWithheld) {
				panic("another cause")
			}
			decide(r) // too late
			w.WriteHeader(http.StatusOK)
			_, err := io.WriteString(w, secret)
			if !errors.Is(err, audithttp.ErrWithheld) {
				panic("written")
			}
			if _, _, err = control.Hijack(); !errors.Is(err, audithttp.ErrWithheld) {
				panic("hijacked")
			}
		}, setup{http2: http2})
		requireDropped(t, web.get(t), http.StatusInternalServerError)
		requireAlarm(t, web, audithttp.ErrUndecided)
	})
}

// What a handler does with a response that is lost already is on record all the same.
func TestDroppedResponseIsRecorded(t *testing.T) {
	t.Parallel()
	late := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		decide(r)
		_ = reveal(r.Context())
	}, setup{})
	requireDropped(t, late.get(t), http.StatusInternalServerError)
	require.Len(t, late.rec.Events(), 1)
	requireAlarm(t, late, audithttp.ErrUndecided)

	rec := audittest.NewRecorder()
	rec.FailWith(errDisk)
	healed := start(t, guarded(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		rec.FailWith(nil)
	}), setup{rec: rec})
	requireDropped(t, healed.get(t), http.StatusServiceUnavailable)
	require.Len(t, rec.Events(), 1)
	requireAlarm(t, healed, audithttp.ErrNotDurable)
}

// A store that stays broken is told once.
func TestAlarmIsRaisedOnce(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	rec.FailWith(errDisk)
	web := start(t, guarded(func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			w.(http.Flusher).Flush()
			_ = reveal(r.Context())
		}
	}), setup{rec: rec})
	requireDropped(t, web.get(t), http.StatusServiceUnavailable)
	requireAlarm(t, web, audithttp.ErrNotDurable)
}

// The store stops working after the first byte: the client must see that the response is
// not whole.
func TestStoreFailsAfterFirstByte(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		rec := audittest.NewRecorder()
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			_, _ = io.WriteString(w, "first;")
			w.(http.Flusher).Flush()
			rec.FailWith(errDisk)
			_ = reveal(r.Context())
			_, _ = io.WriteString(w, secret)
			w.(http.Flusher).Flush()
			ended(r.Context()) // a stream that waits for its end
			_, _ = io.WriteString(w, secret)
		}, setup{rec: rec, http2: http2})
		got := web.get(t)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "first;", got.body)
		require.Error(t, got.broken)
		require.NotContains(t, web.sent(), secret)
		alarm := requireAlarm(t, web, audithttp.ErrNotDurable)
		require.True(t, alarm.Sent)
	})
}

// The same when the failure shows only at the end, with bytes still waiting.
func TestStoreFailsAtReturnAfterFirstByte(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		rec := audittest.NewRecorder()
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			w.Header().Set("Trailer", "X-Ssn")
			_, _ = io.WriteString(w, "first;")
			w.(http.Flusher).Flush()
			rec.FailWith(errDisk)
			_ = reveal(r.Context())
			_, _ = io.WriteString(w, secret)
			w.Header().Set("X-Ssn", secret)
		}, setup{rec: rec, http2: http2})
		got := web.get(t)
		require.Equal(t, "first;", got.body)
		require.Error(t, got.broken)
		require.False(t, got.contains(secret))
		require.NotContains(t, web.sent(), secret)
		requireAlarm(t, web, audithttp.ErrNotDurable)
	})
}

// Only a trailer is revealed after the body: it waits for its record too.
func TestTrailerWaitsForItsRecord(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		rec := audittest.NewRecorder()
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			w.Header().Set("Trailer", "X-Ssn")
			w.(http.Flusher).Flush()
			rec.FailWith(errDisk)
			_ = reveal(r.Context())
			w.Header().Set("X-Ssn", secret)
			w.Header().Set(http.TrailerPrefix+"X-Ssn-2", secret)
		}, setup{rec: rec, http2: http2})
		got := web.get(t)
		require.Error(t, got.broken)
		require.False(t, got.contains(secret))
		require.NotContains(t, web.sent(), secret)
	})
}

// A store that answers neither yes nor no counts as no, after audit.FlushTimeout.
func TestStalledStore(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		rec := audittest.NewRecorder()
		rec.Stall()
		held, err := audithttp.Hold(rec, guarded(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, secret)
		}), &audithttp.Options{Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		w := httptest.NewRecorder()
		began := time.Now()
		held.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		require.Equal(t, audit.FlushTimeout, time.Since(began))
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Empty(t, w.Body.String())
	})
}

// A client that hangs up does not save itself from the record.
func TestCancelledClientIsRecorded(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		entered, returned := make(chan struct{}), make(chan error, 1)
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			ended(r.Context())
			decide(r)
			_ = reveal(r.Context())
			_, _ = io.WriteString(w, secret)
			returned <- audit.Flush(r.Context())
		}, setup{http2: http2})
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL, http.NoBody)
		require.NoError(t, err)
		go func() {
			<-entered
			cancel()
		}()
		_, err = web.do(r)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, <-returned)
		_, ok := web.rec.Last("patient.read")
		require.True(t, ok)
	})
}

// The same without a flush of the handler's own: the end of the request records.
func TestCancelledRequestIsRecordedAtReturn(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	held, err := audithttp.Hold(rec, guarded(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, secret)
	}), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	held.ServeHTTP(httptest.NewRecorder(), r)
	require.Len(t, rec.Events(), 1)
}

// The connection broke, so no byte leaves any more; what was seen is recorded all the same.
func TestBrokenConnectionIsRecorded(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	var writeErr error
	held, err := audithttp.Hold(rec, guarded(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		_, writeErr = io.WriteString(w, "second")
		_ = audit.Seen(r.Context(), "patient-2", audit.Object{})
	}), nil)
	require.NoError(t, err)
	held.ServeHTTP(&broken{header: http.Header{}}, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	require.ErrorIs(t, writeErr, io.ErrClosedPipe)
	events := rec.Events()
	require.Len(t, events, 2)
	require.Equal(t, []audit.Patient{"patient-2"}, events[1].Patients)
}

// broken is a connection that nothing can be written to.
type broken struct{ header http.Header }

func (b *broken) Header() http.Header       { return b.header }
func (b *broken) WriteHeader(int)           {}
func (b *broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAlarmIsLoggedWithoutThePath(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	held, err := audithttp.Hold(audit.Discard{}, http.NotFoundHandler(), &audithttp.Options{
		Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/patients/jane-example?ssn="+secret, http.NoBody)
	r.Header.Set("X-Request-Id", "request-0001")
	held.ServeHTTP(httptest.NewRecorder(), r)
	line := logged.String()
	require.Equal(t, 1, strings.Count(line, "\n"))
	require.Contains(t, line, "level=ERROR")
	require.Contains(t, line, "request=request-0001")
	require.Contains(t, line, audithttp.ErrUndecided.Error())
	require.NotContains(t, line, "jane-example")
	require.NotContains(t, line, secret)
}
