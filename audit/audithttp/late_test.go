package audithttp_test

import (
	"errors"
	"io"
	"net/http"
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
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	versions(t, func(t *testing.T, http2 bool) {
		rec := audittest.NewRecorder()
		var left sync.WaitGroup
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			for i := range 4 {
				left.Go(func() {
					for {
						if audit.Seen(r.Context(), "patient-1", audit.Object{}) != nil {
							return
						}
						_, err := io.WriteString(w, strings.Repeat(".", 1<<12))
						_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
						if i == 0 {
							_ = http.NewResponseController(w).Flush()
						}
						if errors.Is(err, audithttp.ErrReturned) {
							return
						}
					}
				})
			}
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
