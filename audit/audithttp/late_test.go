package audithttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// A goroutine outlives its request and keeps using the response, while the connection
// already serves the next one.
func TestLateWritesAreRefused(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		late := make(chan http.ResponseWriter, 1)
		first := true
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			if first {
				first = false
				late <- w
				_, _ = io.WriteString(w, "one")
				return
			}
			_, _ = io.WriteString(w, "two")
		}, setup{http2: http2})
		require.Equal(t, "one", web.get(t).body)

		w := <-late
		control := http.NewResponseController(w)
		_, err := io.WriteString(w, secret)
		require.ErrorIs(t, err, audithttp.ErrReturned)
		_, err = w.Write([]byte(secret + strings.Repeat("x", 2*audithttp.BufferSize)))
		require.ErrorIs(t, err, audithttp.ErrReturned)
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Ssn", secret)
		require.Empty(t, w.Header(), "a map that somebody may still read")
		require.ErrorIs(t, control.Flush(), audithttp.ErrReturned)
		_, _, err = control.Hijack()
		require.ErrorIs(t, err, audithttp.ErrReturned)
		require.ErrorIs(t, control.SetReadDeadline(time.Now()), audithttp.ErrReturned)
		require.ErrorIs(t, control.SetWriteDeadline(time.Now()), audithttp.ErrReturned)
		require.ErrorIs(t, control.EnableFullDuplex(), audithttp.ErrReturned)

		got := web.get(t)
		require.Equal(t, "two", got.body)
		require.Equal(t, http.StatusOK, got.status)
		require.Empty(t, got.header.Get("X-Ssn"))
		require.NotContains(t, web.sent(), secret)
	})
}

// What a goroutine reveals after the request waits for a record of its own, and is refused
// without one.
func TestLateRevealsWaitForTheirRecord(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		rec := audittest.NewRecorder()
		late := make(chan func() error, 1)
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			late <- func() error { return reveal(r.Context()) }
			_, _ = io.WriteString(w, "ok")
		}, setup{rec: rec, http2: http2})
		require.Equal(t, "ok", web.get(t).body)
		require.Len(t, rec.Events(), 1)

		again := <-late
		require.NoError(t, again())
		require.Len(t, rec.Events(), 2)
		require.Equal(t, []string{"ssn"}, rec.Events()[1].Objects[0].Fields)
		rec.FailWith(errDisk)
		require.ErrorIs(t, again(), errDisk)
	})
}

// The same after a panic.
func TestLateRevealAfterPanic(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	late := make(chan func() error, 1)
	web := start(t, func(_ http.ResponseWriter, r *http.Request) {
		decide(r)
		late <- func() error { return reveal(r.Context()) }
		panic("boom")
	}, setup{rec: rec})
	_, err := web.ask(t, http.MethodPost)
	require.Error(t, err)
	require.NoError(t, (<-late)())
	require.Len(t, rec.Events(), 2)
}

// Goroutines write, reveal and adjust while the handler returns: whatever reaches the client
// is on record, and the rest is refused.
func TestGoroutinesRaceTheReturn(t *testing.T) {
	t.Parallel()
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	versions(t, func(t *testing.T, http2 bool) {
		rec := audittest.NewRecorder()
		var busy, left sync.WaitGroup
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			busy.Add(4)
			for i := range 4 {
				left.Go(func() {
					begun := sync.OnceFunc(busy.Done)
					defer begun()
					for {
						if audit.Seen(r.Context(), "patient-1", audit.Object{}) != nil {
							return
						}
						_, err := io.WriteString(w, strings.Repeat(".", 1<<12))
						_, _ = w.Write([]byte("."))
						w.WriteHeader(http.StatusOK)
						_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
						if i == 0 {
							_ = http.NewResponseController(w).Flush()
						}
						begun()
						if errors.Is(err, audithttp.ErrReturned) || r.Context().Err() != nil {
							return
						}
					}
				})
			}
			busy.Wait()
			_ = reveal(r.Context())
			_, _ = io.WriteString(w, secret)
		}, setup{rec: rec, http2: http2})
		for range rounds {
			got := web.get(t)
			require.NoError(t, got.broken)
			require.Contains(t, got.body, secret)
			left.Wait()
		}
		require.False(t, web.tooEarly())
		require.Empty(t, web.raised())
	})
}

// What is seen while the response is on its way is already late: nothing would record it
// afterwards.
func TestSeenWhileTheResponseLeaves(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	var ctx context.Context
	held, err := audithttp.Hold(rec, guarded(func(w http.ResponseWriter, r *http.Request) {
		ctx = r.Context()
		_, _ = io.WriteString(w, "ok")
	}), nil)
	require.NoError(t, err)
	recorded := 0
	w := &hooked{header: http.Header{}, write: func() error {
		require.NoError(t, reveal(ctx))
		recorded = len(rec.Events())
		return nil
	}}
	held.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	require.Equal(t, 2, recorded)
}

// hooked is a response writer whose writes a test takes part in.
type hooked struct {
	header   http.Header
	write    func() error
	deadline func()
}

func (h *hooked) Header() http.Header         { return h.header }
func (h *hooked) WriteHeader(int)             {}
func (h *hooked) Write(p []byte) (int, error) { return len(p), h.write() }

func (h *hooked) SetWriteDeadline(time.Time) error {
	h.deadline()
	return nil
}

// A buffer comes back from the pool without what was in it.
func TestDroppedBytesDoNotReappear(t *testing.T) {
	t.Parallel()
	leak := true
	web := start(t, func(w http.ResponseWriter, r *http.Request) {
		if leak {
			_, _ = io.WriteString(w, strings.Repeat(secret, 1000))
			return
		}
		decide(r)
		_, _ = io.WriteString(w, "ok")
	}, setup{})
	for range 20 {
		leak = true
		requireDropped(t, web.get(t), http.StatusInternalServerError)
		leak = false
		require.Equal(t, "ok", web.get(t).body)
	}
	require.NotContains(t, web.sent(), secret)
}
