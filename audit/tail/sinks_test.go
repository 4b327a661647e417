package tail_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/fhir"
	"github.com/wardkit/wardkit/audit/ocsf"
	"github.com/wardkit/wardkit/audit/tail"
)

// batch is one of n events.
func batch(t testing.TB, n int) tail.Batch {
	t.Helper()
	h := newHouse(t)
	h.record(t, clinic, n)
	var b tail.Batch
	h.sink.after = func(x tail.Batch) error { b = x; return nil }
	drain(t, h.feed(t, "one", func(o *tail.Options) { o.Batch = n }))
	require.Len(t, b.Entries, n)
	return b
}

// half writes a part of what it gets, once.
type half struct {
	bytes.Buffer
	room int
}

func (w *half) Write(b []byte) (int, error) {
	if w.room < 0 {
		return w.Buffer.Write(b)
	}
	n, _ := w.Buffer.Write(b[:min(w.room, len(b))])
	w.room = -1
	return n, errIO
}

// TestLines: a batch is lines, and a torn line is the only one that a reader cannot parse.
func TestLines(t *testing.T) {
	t.Parallel()
	b := batch(t, 3)
	w := &half{room: 100}
	l := &tail.Lines{W: w, Encoder: ocsf.Events{}}
	require.ErrorIs(t, l.Send(t.Context(), b), errIO)
	require.NoError(t, l.Send(t.Context(), b))
	require.NoError(t, l.Send(t.Context(), b))
	lines := strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
	require.Len(t, lines, 1+3+3)
	require.Len(t, lines[0], 100)
	for i, line := range lines[1:] {
		require.Contains(t, line, b.Entries[i%3].ID)
		require.True(t, strings.HasPrefix(line, "{") && strings.HasSuffix(line, "}"))
	}
	nothing := &half{room: 0}
	l = &tail.Lines{W: nothing}
	require.ErrorIs(t, l.Send(t.Context(), b), errIO)
	require.NoError(t, l.Send(t.Context(), b))
	require.True(t, strings.HasPrefix(nothing.String(), `{"index":0,`), "nothing was torn")

	require.Error(t, (&tail.Lines{}).Send(t.Context(), b))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Send(ctx, b), context.Canceled)
	b.Entries[1].Body = []byte("no event")
	n := nothing.Len()
	require.ErrorIs(t, (&tail.Lines{W: nothing, Encoder: fhir.AuditEvents{}}).Send(t.Context(), b), audit.ErrDamaged)
	require.Equal(t, n, nothing.Len(), "all or nothing of what cannot be encoded")
}

// short says that everything went well and wrote half.
type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) / 2, nil }

// file counts how often it was synchronised.
type file struct {
	*os.File
	syncs int
	err   error
}

func (f *file) Sync() error {
	f.syncs++
	return errors.Join(f.err, f.File.Sync())
}

// TestFile: what counts as sent is on disk.
func TestFile(t *testing.T) {
	t.Parallel()
	b := batch(t, 2)
	on, err := os.OpenFile(filepath.Join(t.TempDir(), "audit.ndjson"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	f := &file{File: on}
	l := &tail.Lines{W: f, Encoder: fhir.AuditEvents{}}
	require.NoError(t, l.Send(t.Context(), b))
	require.Equal(t, 1, f.syncs)
	text, err := os.ReadFile(on.Name())
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(text, []byte("\n")))
	f.err = errIO
	require.ErrorIs(t, l.Send(t.Context(), b), errIO)
	require.NoError(t, on.Close())
	require.ErrorIs(t, (&tail.Lines{W: short{}}).Send(t.Context(), b), io.ErrShortWrite)
}

// messages reads n messages of octet counting from a connection.
func messages(t testing.TB, c net.Conn, n int) (all []string) {
	t.Helper()
	r := bufio.NewReader(c)
	for range n {
		count, err := r.ReadString(' ')
		require.NoError(t, err)
		size, err := strconv.Atoi(strings.TrimSuffix(count, " "))
		require.NoError(t, err)
		m := make([]byte, size)
		_, err = io.ReadFull(r, m)
		require.NoError(t, err)
		all = append(all, string(m))
	}
	return all
}

// TestSyslog: RFC 5424 in the framing of RFC 6587 over a connection that breaks.
func TestSyslog(t *testing.T) {
	t.Parallel()
	b := batch(t, 3)
	b.Entries[1].Outcome, b.Entries[2].Outcome = audit.Failure, audit.MajorFailure
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	dials := 0
	s := &tail.Syslog{Encoder: ocsf.Events{}, Host: "api 1", Dial: func(ctx context.Context) (net.Conn, error) {
		if dials++; dials == 1 {
			return nil, errIO
		}
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.ErrorIs(t, s.Send(ctx, b), errIO)
	require.NoError(t, s.Send(ctx, b))
	conn, err := listener.Accept()
	require.NoError(t, err)
	for i, m := range messages(t, conn, 3) {
		pri := []string{"<110>1 ", "<108>1 ", "<107>1 "}[i]
		at := b.Entries[i].Recorded.Format("2006-01-02T15:04:05.000000Z")
		head := pri + at + " api_1 wardkit - note.read - "
		require.True(t, strings.HasPrefix(m, head), m)
		require.True(t, strings.HasPrefix(m[len(head):], `{"class_uid":6003,`))
		require.True(t, strings.HasSuffix(m, "}"))
		require.Contains(t, m, b.Entries[i].ID)
	}
	require.NoError(t, s.Send(ctx, b), "the same connection")
	require.Len(t, messages(t, conn, 3), 3)
	require.Equal(t, 2, dials)
	require.NoError(t, conn.Close())
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.NoError(t, s.Send(ctx, b))
	require.Equal(t, 3, dials)
	require.NoError(t, s.Close())

	require.Error(t, (&tail.Syslog{}).Send(ctx, b))
	over, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()
	broken := &tail.Syslog{Dial: func(context.Context) (net.Conn, error) {
		dials++
		one, _ := net.Pipe()
		return one, nil
	}}
	require.ErrorIs(t, broken.Send(over, b), os.ErrDeadlineExceeded, "nobody reads, and the time is over")
	require.Error(t, broken.Send(over, b))
	require.Equal(t, 5, dials, "a connection that may hold half a message is given up")
	b.Entries[1].Body = []byte("no event")
	require.ErrorIs(t, (&tail.Syslog{Dial: s.Dial, Encoder: fhir.AuditEvents{}}).Send(ctx, b), audit.ErrDamaged)
}
