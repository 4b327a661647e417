package audithttp_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// attack is one way to get the secret out of a handler.
type attack struct {
	name    string
	method  string // GET where empty
	http1   bool   // impossible over HTTP/2
	handler http.HandlerFunc
}

// attacks are all of them. None decides; the tests put that before.
func attacks(t *testing.T) []attack {
	file := filepath.Join(t.TempDir(), "note.txt")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat(secret+"\n", 20_000)), 0o600))
	long := strings.Repeat("x", 3*audithttp.BufferSize)
	return []attack{
		{name: "write", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(secret))
		}},
		{name: "write string", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, secret)
		}},
		{name: "header and cookie", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ssn", secret)
			http.SetCookie(w, &http.Cookie{Name: "ssn", Value: secret})
			w.WriteHeader(http.StatusOK)
		}},
		{name: "header without a status", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ssn", secret)
		}},
		{name: "redirect", handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/?ssn="+secret, http.StatusSeeOther)
		}},
		{name: "error page", handler: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, secret, http.StatusNotFound)
		}},
		{name: "flush through ResponseController", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, secret)
			_ = http.NewResponseController(w).Flush()
		}},
		{name: "flush through Flusher", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, secret)
			w.(http.Flusher).Flush()
		}},
		{name: "flush, then write", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, secret)
		}},
		{name: "flush the header", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ssn", secret)
			w.(http.Flusher).Flush()
		}},
		{name: "unwrap through middleware", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(unwrapping{w}, secret)
			_ = http.NewResponseController(unwrapping{unwrapping{w}}).Flush()
		}},
		{name: "unwrap by hand", handler: func(w http.ResponseWriter, _ *http.Request) {
			for {
				u, ok := w.(interface{ Unwrap() http.ResponseWriter })
				if !ok {
					break
				}
				w = u.Unwrap()
			}
			_, _ = io.WriteString(w, secret)
		}},
		{name: "head", method: http.MethodHead, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ssn", secret)
			_, _ = io.WriteString(w, secret)
		}},
		{name: "beyond the buffer", handler: func(w http.ResponseWriter, _ *http.Request) {
			for range 3 * audithttp.BufferSize / len(secret) {
				_, _ = io.WriteString(w, secret)
			}
		}},
		{name: "one write beyond the buffer", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(secret + long))
		}},
		{name: "one string beyond the buffer", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, secret+long)
		}},
		{name: "copy a file", handler: func(w http.ResponseWriter, _ *http.Request) {
			f, err := os.Open(file)
			if err != nil {
				panic(err)
			}
			defer f.Close()
			_, _ = io.Copy(w, f) // sendfile, where a writer has ReadFrom
		}},
		{name: "ReadFrom", handler: func(w http.ResponseWriter, _ *http.Request) {
			if rf, ok := w.(io.ReaderFrom); ok {
				_, _ = rf.ReadFrom(strings.NewReader(secret))
				return
			}
			_, _ = io.WriteString(w, secret)
		}},
		{name: "ServeContent", handler: func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "note.txt", time.Time{}, strings.NewReader(strings.Repeat(secret, 20_000)))
		}},
		{name: "ServeFile", handler: func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, file)
		}},
		{name: "early hints", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</"+secret+">; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(http.StatusOK)
		}},
		{name: "declared trailer", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Ssn")
			_, _ = io.WriteString(w, "see below")
			w.Header().Set("X-Ssn", secret)
		}},
		{name: "trailer by prefix", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "see below")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Ssn", secret)
		}},
		{name: "second status", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ssn", secret)
			w.WriteHeader(http.StatusOK)
			w.WriteHeader(http.StatusNotFound)
		}},
		{name: "false Content-Length", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "22")
			_, _ = io.WriteString(w, secret)
			_, _ = io.WriteString(w, secret)
			_, _ = io.WriteString(w, secret)
		}},
		{name: "hijack", http1: true, handler: func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+secret)
		}},
		{name: "hijack, buffered writer", http1: true, handler: func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + secret)
			_ = rw.Flush()
		}},
		{name: "hijack after a write", http1: true, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "11")
			_, _ = io.WriteString(w, secret)
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				c.Close()
			}
		}},
	}
}

// unwrapping is middleware as hosts write it: it embeds the writer and tells which.
type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// eachAttack runs f for every attack over every HTTP version.
func eachAttack(t *testing.T, f func(t *testing.T, a attack, http2 bool)) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		for _, a := range attacks(t) {
			if a.method == "" {
				a.method = http.MethodGet
			}
			if http2 && a.http1 {
				continue
			}
			t.Run(a.name, func(t *testing.T) { f(t, a, http2) })
		}
	})
}

// A handler on a raw mux, beside the guarded routes: nobody decided.
func TestNobodyDecided(t *testing.T) {
	eachAttack(t, func(t *testing.T, a attack, http2 bool) {
		mux := http.NewServeMux()
		mux.Handle("/patients/1", a.handler)
		web := start(t, mux.ServeHTTP, setup{http2: http2})
		got, err := web.ask(t, a.method)
		require.NoError(t, err)
		requireDropped(t, got, http.StatusInternalServerError)
		requireAlarm(t, web, audithttp.ErrUndecided)
		require.NotContains(t, web.sent(), secret)
		require.Empty(t, web.rec.Events())
	})
}

// Decided and seen, but the store does not keep it.
func TestNothingIsRecorded(t *testing.T) {
	failure := errors.New("disk full")
	eachAttack(t, func(t *testing.T, a attack, http2 bool) {
		rec := audittest.NewRecorder()
		rec.FailWith(failure)
		web := start(t, guarded(a.handler), setup{rec: rec, http2: http2})
		got, err := web.ask(t, a.method)
		require.NoError(t, err)
		requireDropped(t, got, http.StatusServiceUnavailable)
		alarm := requireAlarm(t, web, audithttp.ErrNotDurable)
		require.Equal(t, failure, alarm.Cause)
		require.False(t, alarm.Sent)
		require.NotContains(t, web.sent(), secret)
	})
}

// Decided, seen and recorded: the same handlers work, and the secret never leaves before its
// record. It also shows that the two tests above would see it leave.
func TestRecordedBeforeSent(t *testing.T) {
	eachAttack(t, func(t *testing.T, a attack, http2 bool) {
		web := start(t, guarded(a.handler), setup{http2: http2})
		got, err := web.ask(t, a.method)
		require.NoError(t, err)
		require.NoError(t, got.broken)
		require.True(t, got.contains(secret))
		if http2 {
			require.Equal(t, 2, got.proto)
		}
		require.False(t, web.tooEarly())
		require.Empty(t, web.raised())
		event, ok := web.rec.Last("patient.read")
		require.True(t, ok)
		require.Equal(t, []string{"ssn"}, event.Objects[0].Fields)
	})
}

// guarded decides and reveals before h.
func guarded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		if err := reveal(r.Context()); err != nil {
			return
		}
		h(w, r)
	}
}
