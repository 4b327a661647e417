package audithttp_test

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// The writer has the methods below and no other. Unwrap would let a ResponseController reach
// the response beneath, ReadFrom would be a second way to write.
func TestWriterHasNoSideDoor(t *testing.T) {
	t.Parallel()
	hold(t, func(w http.ResponseWriter, _ *http.Request) {
		require.Equal(t, []string{
			"EnableFullDuplex", "Flush", "FlushError", "Header", "Hijack", "SetReadDeadline",
			"SetWriteDeadline", "Write", "WriteHeader", "WriteString",
		}, methods(reflect.TypeOf(w)))
	})
}

// A handler gets the same answers below Hold as without it.
func TestBehavesLikeNetHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"no write", func(http.ResponseWriter, *http.Request) {}},
		{"status only", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }},
		{"small", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<p>hello") }},
		{"empty writes", func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(nil)
			tell(w, err)
			_, err = io.WriteString(w, "")
			tell(w, err)
		}},
		{"content type", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/pdf")
			_, _ = io.WriteString(w, "%PDF-")
		}},
		{"no date", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			_, _ = io.WriteString(w, "x")
		}},
		{"late header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Early", "1")
			w.WriteHeader(http.StatusOK)
			w.Header().Set("X-Early", "2")
			w.Header().Set("X-Late", "1")
		}},
		{"second status", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot)
		}},
		{"status after a write", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "x")
			w.WriteHeader(http.StatusTeapot)
		}},
		{"no content", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			_, err := io.WriteString(w, "x")
			tell(w, err)
		}},
		{"not modified", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotModified)
			_, err := io.WriteString(w, "x")
			tell(w, err)
		}},
		{"right length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			_, err := io.WriteString(w, "abc")
			tell(w, err)
		}},
		{"chunked", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 4 {
				_, _ = io.WriteString(w, strings.Repeat(strconv.Itoa(i), 30_000))
			}
		}},
		{"range", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=2-5")
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
		}},
		{"trailers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Trailer", "X-Sum, X-Other")
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
			w.Header().Set("X-Sum", "1")
			w.Header().Set("X-Other", "2")
			w.Header().Set("X-Undeclared", "3")
		}},
		{"trailers after a flush", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		}},
		{"early hints", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "x")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, http2 bool) {
				plain := httptest.NewUnstartedServer(c.handler)
				plain.Config.ErrorLog = log.New(io.Discard, "", 0)
				held := start(t, func(w http.ResponseWriter, r *http.Request) {
					decide(r)
					c.handler(w, r)
				}, setup{http2: http2})
				if plain.EnableHTTP2 = http2; http2 {
					plain.StartTLS()
				} else {
					plain.Start()
				}
				t.Cleanup(plain.Close)
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					want, err := (&site{Server: plain}).ask(t, method)
					require.NoError(t, err)
					got, err := held.ask(t, method)
					require.NoError(t, err)
					require.Equal(t, comparable(want), comparable(got))
				}
			})
		})
	}
}

// tell reports an error that a handler got in a trailer.
func tell(w http.ResponseWriter, err error) {
	if err != nil {
		w.Header().Add(http.TrailerPrefix+"X-Error", err.Error())
	}
}

// comparable leaves out what may differ: Hold tells the id of the request, and the length of
// a response up to 64 KiB, where net/http does so up to 2 KiB.
func comparable(a answer) answer {
	a.header = a.header.Clone()
	a.header.Del("X-Request-Id")
	a.header.Del("Content-Length")
	if a.header.Get("Date") != "" {
		a.header.Set("Date", "some")
	}
	return a
}

func TestErrorsOfWrites(t *testing.T) {
	t.Parallel()
	w := hold(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		_, err := io.WriteString(w, "abc")
		require.NoError(t, err)
		_, err = io.WriteString(w, "d")
		require.Equal(t, http.ErrContentLength, err)
	})
	require.Equal(t, "abc", w.Body.String())
	hold(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		_, err := io.WriteString(w, "abc")
		require.Equal(t, http.ErrBodyNotAllowed, err)
	})
	hold(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, code := range []int{-1, 0, 99, 1000} {
			require.Panics(t, func() { w.WriteHeader(code) })
		}
	})
}

// hold runs h below Hold, decided, into a recorder.
func hold(t testing.TB, h http.HandlerFunc) *httptest.ResponseRecorder {
	t.Helper()
	held, err := audithttp.Hold(audit.Discard{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		h(w, r)
	}), nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	held.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	return w
}

// HEAD reveals as much as GET (a header, a length) and is recorded like it.
func TestHeadIsRecordedLikeGet(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		web := start(t, guarded(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
		}), setup{http2: http2})
		var lengths []string
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			web.rec.Reset()
			got, err := web.ask(t, method)
			require.NoError(t, err)
			lengths = append(lengths, got.header.Get("Content-Length"))
			event, ok := web.rec.Last("patient.read")
			require.True(t, ok)
			require.Equal(t, []audit.Patient{"patient-1"}, event.Patients)
		}
		require.Equal(t, []string{"5000", "5000"}, lengths)
	})
}

// No informational response leaves, whoever decided what.
func TestInformationalResponsesAreWithheld(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, http2 bool) {
		web := start(t, guarded(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</"+secret+">; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(http.StatusContinue)
			w.WriteHeader(http.StatusNoContent)
		}), setup{http2: http2})
		var early []int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				early = append(early, code)
				return nil
			},
		})
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL, http.NoBody)
		require.NoError(t, err)
		got, err := web.do(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, got.status)
		require.Empty(t, early)
	})
}

// Deadlines reach the connection.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	web := start(t, func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Now()), control.EnableFullDuplex()); err != nil {
			panic(err)
		}
		_, err := io.ReadAll(r.Body)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			panic("read")
		}
		_ = control.SetWriteDeadline(time.Now())
		w.(http.Flusher).Flush()
		_, err = w.Write(make([]byte, 1<<20))
		if err == nil {
			panic("written")
		}
	}, setup{})
	client, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	_, err = io.WriteString(client, "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n\r\n")
	require.NoError(t, err)
	all, _ := io.ReadAll(client)
	require.Empty(t, all)
}

// A deadline ends a write that is stuck because nobody reads; it must not wait for it.
func TestDeadlineDuringWrite(t *testing.T) {
	t.Parallel()
	stuck, set := make(chan struct{}), make(chan struct{})
	under := &hooked{
		header:   http.Header{},
		deadline: func() { close(set) },
		write: func() error {
			close(stuck)
			select {
			case <-set:
				return os.ErrDeadlineExceeded
			case <-time.After(time.Minute):
				return errors.New("nobody ended the write")
			}
		},
	}
	held, err := audithttp.Hold(audit.Discard{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		other := make(chan error, 1)
		go func() {
			<-stuck
			other <- http.NewResponseController(w).SetWriteDeadline(time.Now())
		}()
		_, err := w.Write(make([]byte, 2*audithttp.BufferSize))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, <-other)
	}), nil)
	require.NoError(t, err)
	held.ServeHTTP(under, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
}

func TestUnsupportedControls(t *testing.T) {
	t.Parallel()
	hold(t, func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		require.ErrorIs(t, control.SetReadDeadline(time.Time{}), http.ErrNotSupported)
		require.ErrorIs(t, control.SetWriteDeadline(time.Time{}), http.ErrNotSupported)
		require.ErrorIs(t, control.EnableFullDuplex(), http.ErrNotSupported)
		_, _, err := control.Hijack()
		require.ErrorIs(t, err, http.ErrNotSupported)
		require.NoError(t, control.Flush())
	})
}

// What every event of a request carries.
func TestEventsCarryTheRequest(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	web := start(t, guarded(nothing), setup{rec: rec, options: audithttp.Options{
		Client: audit.Client{App: "web"},
		Server: audit.Server{ID: "server-1", Site: "example", Version: "1"},
	}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL, http.NoBody)
	require.NoError(t, err)
	r.Header.Set("X-Request-Id", "request-0001")
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	got, err := web.do(r)
	require.NoError(t, err)
	require.Equal(t, []string{"request-0001"}, got.header["X-Request-Id"])
	event, ok := rec.Last("patient.read")
	require.True(t, ok)
	require.Equal(t, audit.Correlation{Request: "request-0001", Trace: "0af7651916cd43dd8448eb211c80319c"}, event.Correlation)
	require.Equal(t, "web", event.Client.App)
	require.Equal(t, "server-1", event.Server.ID)
}
