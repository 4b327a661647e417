package audithttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

var errRevoked = errors.New("session ended")

// Every piece of a stream is on record before it leaves.
func TestStreamRecordsPieceByPiece(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		rec := audittest.NewRecorder()
		var recorded []int
		web := start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			for _, patient := range []audit.Patient{"patient-1", "patient-2", "patient-3"} {
				_ = audit.Seen(r.Context(), patient, audit.Object{})
				_, _ = io.WriteString(w, string(patient)+";")
				recorded = append(recorded, len(rec.Events()))
				w.(http.Flusher).Flush()
				recorded = append(recorded, len(rec.Events()))
			}
		}, setup{rec: rec, http2: http2})
		require.Equal(t, "patient-1;patient-2;patient-3;", web.get(t).body)
		require.Equal(t, []int{0, 1, 1, 2, 2, 3}, recorded)
	})
}

// Without a flush the pieces are those of the buffer.
func TestStreamRecordsWhenTheBufferOverflows(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	piece := strings.Repeat("x", audithttp.BufferSize)
	var recorded []int
	web := start(t, func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		for range 3 {
			_ = reveal(r.Context())
			_, _ = io.WriteString(w, piece)
			recorded = append(recorded, len(rec.Events()))
		}
	}, setup{rec: rec})
	require.Len(t, web.get(t).body, 3*len(piece))
	require.Equal(t, []int{0, 1, 1}, recorded) // the third piece waits again
	require.Len(t, rec.Events(), 2)
}

// A stream asks again every 30 seconds, before further bytes.
func TestStreamIsRechecked(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		var web *site
		var asked []string
		web = start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			piece := "start"
			_ = audit.OnRecheck(r.Context(), func(context.Context) error {
				asked = append(asked, piece)
				return nil
			})
			for _, step := range []struct {
				name string
				wait time.Duration
			}{{"0s", 0}, {"29s", 29 * time.Second}, {"30s", time.Second}, {"59s", 29 * time.Second}, {"61s", 2 * time.Second}} {
				web.advance(step.wait)
				piece = step.name
				_, _ = io.WriteString(w, piece+";")
				w.(http.Flusher).Flush()
			}
		}, setup{http2: http2})
		require.Equal(t, "0s;29s;30s;59s;61s;", web.get(t).body)
		require.Equal(t, []string{"30s", "61s"}, asked)
	})
}

// The session ended meanwhile: the stream is cut off before its next byte, and what the
// recheck decided is on record.
func TestStreamIsCutWhenTheSessionEnds(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		var web *site
		atOnce := make(chan int, 1)
		web = start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			_ = audit.OnRecheck(r.Context(), func(ctx context.Context) error {
				actor := audit.Actor{ID: "therapist-1", Kind: audit.KindStaff, Tenant: "clinic-1"}
				_ = audit.Decide(audit.WithActor(ctx, actor), audit.Event{
					Action: "session.end", Verb: audit.Execute, Outcome: audit.Failure, Code: "revoked",
				})
				return errRevoked
			})
			_, _ = io.WriteString(w, "first;")
			w.(http.Flusher).Flush()
			web.advance(audithttp.RecheckEvery)
			_ = reveal(r.Context())
			_, _ = io.WriteString(w, secret)
			w.(http.Flusher).Flush()
			ended(r.Context())
			atOnce <- len(web.rec.Find("session.end"))
		}, setup{http2: http2})
		got := web.get(t)
		require.Equal(t, "first;", got.body)
		require.Error(t, got.broken)
		require.Equal(t, 1, <-atOnce)
		require.NotContains(t, web.sent(), secret)
		require.Equal(t, errRevoked, requireAlarm(t, web, audithttp.ErrRechecked).Cause)
		require.Len(t, web.rec.Find("session.end"), 1)
	})
}

// The overflow of the buffer asks too, not only a flush; and the end of the response does.
func TestRecheckAtOverflowAndReturn(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 2 * audithttp.BufferSize} {
		var web *site
		web = start(t, func(w http.ResponseWriter, r *http.Request) {
			decide(r)
			_ = audit.OnRecheck(r.Context(), func(context.Context) error { return errRevoked })
			web.advance(time.Minute)
			_, _ = io.WriteString(w, secret+strings.Repeat("x", size))
		}, setup{})
		requireDropped(t, web.get(t), http.StatusServiceUnavailable)
		require.NotContains(t, web.sent(), secret)
		requireAlarm(t, web, audithttp.ErrRechecked)
	}
}

// The client that went away does not make a recheck fail; one that hangs is ended.
func TestRecheckOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	var asked, deadline bool
	var state error
	held, err := audithttp.Hold(audit.Discard{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		_ = audit.OnRecheck(r.Context(), func(ctx context.Context) error {
			asked, state = true, ctx.Err()
			_, deadline = ctx.Deadline()
			return state
		})
		now = now.Add(time.Minute)
		_, _ = io.WriteString(w, "ok")
	}), &audithttp.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	held.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
	require.True(t, asked)
	require.NoError(t, state)
	require.True(t, deadline)
	require.Equal(t, "ok", w.Body.String())
}
