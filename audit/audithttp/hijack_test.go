package audithttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
)

// hijacked connects to a handler that hijacks and returns, and hands over both ends.
func hijacked(t *testing.T, rec *audittest.Recorder, prepare func(http.ResponseWriter, *http.Request)) (*site, net.Conn, *bufio.ReadWriter, net.Conn) {
	t.Helper()
	type ends struct {
		conn net.Conn
		rw   *bufio.ReadWriter
	}
	got := make(chan ends, 1)
	web := start(t, func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		prepare(w, r)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			close(got)
			return
		}
		if _, err := io.WriteString(w, secret); err != http.ErrHijacked { //nolint:errorlint // as net/http returns it
			panic("written after the hijack")
		}
		got <- ends{c, rw}
	}, setup{rec: rec})
	client, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	require.NoError(t, client.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(client, "GET /socket HTTP/1.1\r\nHost: example.com\r\n\r\n")
	require.NoError(t, err)
	end, ok := <-got
	require.True(t, ok)
	t.Cleanup(func() { end.conn.Close() })
	return web, end.conn, end.rw, client
}

func nothing(http.ResponseWriter, *http.Request) {}

// receive reads n bytes from the client's end.
func receive(t *testing.T, client net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(client, b)
	require.NoError(t, err)
	return string(b)
}

// Each write on a hijacked connection waits for the record of what was seen before.
func TestHijackedWritesWaitForTheirRecord(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	var see func() error
	web, conn, rw, client := hijacked(t, rec, func(_ http.ResponseWriter, r *http.Request) {
		see = func() error { return reveal(r.Context()) }
	})
	require.Len(t, rec.Events(), 1)
	require.NoError(t, see())
	_, err := io.WriteString(conn, secret)
	require.NoError(t, err)
	require.Equal(t, secret, receive(t, client, len(secret)))

	_, err = rw.WriteString("buffered")
	require.NoError(t, err)
	require.NoError(t, rw.Flush())
	require.Equal(t, "buffered", receive(t, client, 8))
	require.False(t, web.tooEarly())
	require.Empty(t, web.raised())

	// The other direction is the client's own.
	_, err = io.WriteString(client, "hello\n")
	require.NoError(t, err)
	line, err := rw.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
}

// The store fails: the write is refused, the connection closed, and it stays so.
func TestHijackedConnectionIsCutWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	var see func() error
	web, conn, rw, client := hijacked(t, rec, func(_ http.ResponseWriter, r *http.Request) {
		see = func() error { return reveal(r.Context()) }
	})
	rec.FailWith(errDisk)
	require.ErrorIs(t, see(), errDisk)
	_, err := io.WriteString(conn, secret)
	require.ErrorIs(t, err, audithttp.ErrWithheld)
	rec.FailWith(nil)
	_, err = io.WriteString(conn, secret)
	require.ErrorIs(t, err, audithttp.ErrWithheld)
	_, _ = rw.WriteString(secret)
	require.ErrorIs(t, rw.Flush(), audithttp.ErrWithheld)
	rest, err := io.ReadAll(client)
	require.NoError(t, err, "the connection is still open")
	require.Empty(t, rest)
	require.NotContains(t, web.sent(), secret)
	require.True(t, requireAlarm(t, web, audithttp.ErrNotDurable).Sent)
}

// The session ends: a hijacked connection asks every 30 seconds, too.
func TestHijackedConnectionIsRechecked(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	var ended error
	web, conn, _, client := hijacked(t, rec, func(_ http.ResponseWriter, r *http.Request) {
		_ = audit.OnRecheck(r.Context(), func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err() // the request's own context ended with its handler
			}
			return ended
		})
	})
	web.advance(audithttp.RecheckEvery)
	_, err := io.WriteString(conn, "alive")
	require.NoError(t, err)
	require.Equal(t, "alive", receive(t, client, 5))
	ended = errRevoked
	_, err = io.WriteString(conn, "still")
	require.NoError(t, err)
	require.Equal(t, "still", receive(t, client, 5))
	web.advance(audithttp.RecheckEvery)
	_, err = io.WriteString(conn, secret)
	require.ErrorIs(t, err, audithttp.ErrWithheld)
	rest, err := io.ReadAll(client)
	require.NoError(t, err, "the connection is still open")
	require.Empty(t, rest)
	requireAlarm(t, web, audithttp.ErrRechecked)
}

// What was written before the hijack leaves first, recorded.
func TestHijackAfterWrites(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	web, conn, _, client := hijacked(t, rec, func(w http.ResponseWriter, r *http.Request) {
		_ = reveal(r.Context())
		w.Header().Set("Content-Length", "11")
		_, _ = io.WriteString(w, secret)
	})
	_, err := io.WriteString(conn, "raw")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	all, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Regexp(t, `^HTTP/1\.1 200 OK\r\n(?s:.)*\r\n\r\n`+secret+"raw$", string(all))
	require.False(t, web.tooEarly())
}

// The handler of a hijacked connection leaves something unrecorded: the alarm tells.
func TestHijackedAndUnrecordedAtReturn(t *testing.T) {
	t.Parallel()
	rec := audittest.NewRecorder()
	done := make(chan struct{})
	web := start(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		decide(r)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		rec.FailWith(errDisk)
		_ = reveal(r.Context())
		_ = c.Close()
	}, setup{rec: rec})
	_, err := web.ask(t, http.MethodPost)
	require.Error(t, err)
	<-done
	require.Eventually(t, func() bool { return len(web.raised()) == 1 }, 30*time.Second, time.Millisecond)
	requireAlarm(t, web, audithttp.ErrNotDurable)
}

// Over HTTP/2 there is nothing to hijack, and the response is still there, and still waits.
func TestHijackOverHTTP2(t *testing.T) {
	t.Parallel()
	dropped := start(t, func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		_, _ = io.WriteString(w, secret)
		_, _, _ = http.NewResponseController(w).Hijack()
		panic("boom")
	}, setup{http2: true})
	_, err := dropped.ask(t, http.MethodPost)
	require.Error(t, err)
	web := start(t, func(w http.ResponseWriter, r *http.Request) {
		decide(r)
		_, _, err := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(w, err.Error())
	}, setup{http2: true})
	got := web.get(t)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, http.ErrNotSupported.Error(), got.body)
}

// The connection has the methods of a net.Conn and no other: none of NetConn, SyscallConn,
// File or ReadFrom, which would lead around Write.
func TestHijackedConnectionHasNoSideDoor(t *testing.T) {
	t.Parallel()
	_, conn, _, _ := hijacked(t, audittest.NewRecorder(), nothing)
	require.Equal(t, methods(reflect.TypeFor[net.Conn]()), methods(reflect.TypeOf(conn)))
	require.NotNil(t, conn.LocalAddr())
	require.NotNil(t, conn.RemoteAddr())
	require.NoError(t, conn.SetDeadline(time.Time{}))
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	require.NoError(t, conn.SetWriteDeadline(time.Time{}))
}

// methods lists the exported methods of a type.
func methods(t reflect.Type) []string {
	var names []string
	for i := range t.NumMethod() {
		names = append(names, t.Method(i).Name)
	}
	return names
}
