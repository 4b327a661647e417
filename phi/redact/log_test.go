package redact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/redact"
)

type visit struct{ Phone, Room string }

type valuer struct{ s string }

func (v valuer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("inner", v.s), slog.Int("ssn", 78051120))
}

type grumpy struct{}

func (grumpy) String() string { panic("no") }
func (grumpy) Error() string  { panic("no") }

type sullen struct{ N int }

func (sullen) MarshalJSON() ([]byte, error) { panic("no") }

// TestLogHandler: whatever way an identifier takes into a log, it ends before it.
func TestLogHandler(t *testing.T) {
	const ssn, mail, phone = "078-05-1120", "ana.ruiz@example.com", "212-555-0142"
	for name, log := range map[string]func(*slog.Logger){
		"message":       func(l *slog.Logger) { l.Info("no patient " + ssn) },
		"string":        func(l *slog.Logger) { l.Info("x", "q", ssn) },
		"in the middle": func(l *slog.Logger) { l.Info("x", "q", "a="+ssn+"&b=1") },
		"e-mail":        func(l *slog.Logger) { l.Info("x", "q", mail) },
		"phone":         func(l *slog.Logger) { l.Info("x", "q", phone) },
		"error": func(l *slog.Logger) {
			l.Info("x", "err", fmt.Errorf("insert: %w", errors.New("key ("+mail+") exists")))
		},
		"struct":         func(l *slog.Logger) { l.Info("x", "visit", visit{phone, "4"}) },
		"pointer":        func(l *slog.Logger) { l.Info("x", "visit", &visit{phone, "4"}) },
		"deep":           func(l *slog.Logger) { l.Info("x", "deep", struct{ P *visit }{&visit{phone, "4"}}) },
		"deep in slices": func(l *slog.Logger) { l.Info("x", "deep", []*visit{{mail, "4"}}) },
		"slice":          func(l *slog.Logger) { l.Info("x", "all", []string{"a", mail}) },
		"map":            func(l *slog.Logger) { l.Info("x", "all", map[string]string{"a": mail}) },
		"bytes":          func(l *slog.Logger) { l.Info("x", "body", []byte("to "+mail)) },
		"stringer":       func(l *slog.Logger) { l.Info("x", "b", bytes.NewBufferString(mail)) },
		"group":          func(l *slog.Logger) { l.Info("x", slog.Group("g", slog.Group("h", slog.String("q", ssn)))) },
		"valuer":         func(l *slog.Logger) { l.Info("x", "v", valuer{mail}) },
		"with":           func(l *slog.Logger) { l.With("q", ssn).Info("x") },
		"with in group":  func(l *slog.Logger) { l.WithGroup("g").With(slog.Group("h", "q", ssn)).Info("x") },
		"name of a key":  func(l *slog.Logger) { l.Info("x", "ssn", 78051120) },
		"key with name":  func(l *slog.Logger) { l.Info("x", "lastName", "Ruiz") },
		"key in capital": func(l *slog.Logger) { l.Info("x", "Patient-Name", "Ana Ruiz") },
		"key with time":  func(l *slog.Logger) { l.Info("x", "dob", time.Date(1985, 3, 14, 0, 0, 0, 0, time.UTC)) },
		"own key":        func(l *slog.Logger) { l.Info("x", "nickname", "Ruiz") },
		"mrn":            func(l *slog.Logger) { l.Info("looking for MRN 0012345") },
		"mbi":            func(l *slog.Logger) { l.Info("member 1EG4-TE5-MK73") },
		"bare phone":     func(l *slog.Logger) { l.Info("sms to phone 2125550142") },
		"card":           func(l *slog.Logger) { l.Info("card 4111111111111111 refused") },
	} {
		t.Run(name, func(t *testing.T) {
			for format, next := range map[string]func(io.Writer) slog.Handler{
				"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, timeless) },
				"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, timeless) },
			} {
				var b bytes.Buffer
				var told []string
				h := redact.NewLogHandler(next(&b), &redact.LogOptions{Keys: []string{"nickname"}, OnHit: func(_ context.Context, c phi.Class, rule string) { told = append(told, string(c)+" "+rule) }})
				log(slog.New(h))
				for _, secret := range []string{ssn, mail, phone, "Ruiz", "78051120", "0012345", "1EG4", "4111", "1985", "2125550142"} {
					require.NotContains(t, b.String(), secret, format)
				}
				require.Contains(t, b.String(), "[phi", format)
				require.Positive(t, h.Hits())
				require.Len(t, told, int(h.Hits()))
			}
		})
	}
}

// timeless leaves out the time of a record, whose digits may be those of anything.
var timeless = &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}}

// TestLogHandlerLeavesAlone: what logs are full of stays as it is.
func TestLogHandlerLeavesAlone(t *testing.T) {
	var plain, clean bytes.Buffer
	h := redact.NewLogHandler(slog.NewJSONHandler(&clean, timeless), nil)
	for _, l := range []*slog.Logger{slog.New(slog.NewJSONHandler(&plain, timeless)), slog.New(h)} {
		l = l.With("server", "web-2", "pid", 1234567)
		l.Info("request", "method", "GET", "path", "/patients/0190c2d4-7e1b-7c3a-9f10-5a2b3c4d5e6f/note", "status", 200, "took", 12*time.Millisecond, "bytes", int64(1234567890))
		l.Info("listening on 127.0.0.1:8080", "at", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "version", "v1.22.333", "commit", "9fceb02d0ae598e95dc970b74767f19372d61af8")
		l.Info("moment 1767225600123 and 2026-01-02T03:04:05.123456Z", "trace", "4bf92f3577b34da6a3ce929d0e0e4736", "nothing", nil, "yes", true, "rate", 0.25)
		l.Warn("retrying", "err", errors.New("dial tcp 192.0.2.7:5432: connection refused"), "grumpy", slog.StringValue("x"), "duration", "1m30.123456789s")
		l.Info("hidden", "ssn", "[PHI]", "email", "")
		l.Info("row 2125550142 of 12125550142, key 12345678901234567890")
		l.Debug("never")
	}
	require.Equal(t, plain.String(), clean.String())
	require.Zero(t, h.Hits())
}

func TestLogHandlerSurvives(t *testing.T) {
	var b bytes.Buffer
	l := slog.New(redact.NewLogHandler(slog.NewTextHandler(&b, nil), nil))
	l.Info("x", "stringer", grumpy{})
	l.Info("x", "json", sullen{7}, "func", func() {})
	l.Info("y", "error", error(grumpy{}), "nil", (*visit)(nil))
	require.Contains(t, b.String(), "msg=x")
	require.Contains(t, b.String(), "msg=y")
	require.PanicsWithValue(t, "redact: a log handler without a next one", func() { redact.NewLogHandler(nil, nil) })
	require.False(t, redact.NewLogHandler(slog.NewTextHandler(&b, nil), nil).Enabled(t.Context(), slog.LevelDebug))
}

// TestLogHandlerIsAHandler runs the standard library's own test.
func TestLogHandlerIsAHandler(t *testing.T) {
	var b bytes.Buffer
	h := redact.NewLogHandler(slog.NewJSONHandler(&b, nil), nil)
	require.NoError(t, slogtest.TestHandler(h, func() (all []map[string]any) {
		for line := range strings.Lines(b.String()) {
			all = append(all, parse(t, line))
		}
		return all
	}))
}

func TestScanLog(t *testing.T) {
	log := "level=INFO msg=ok took=12ms\nlevel=INFO msg=\"no 078-05-1120\"\nlevel=INFO q=Okonkwo\nlevel=INFO to=a@example.com\n"
	leaks, err := redact.ScanLog(strings.NewReader(log), redact.Identifier{Class: phi.ClassName, Value: "Ada Okonkwo"})
	require.NoError(t, err)
	require.Equal(t, []redact.Leak{{2, phi.ClassSSN, "ssn"}, {3, phi.ClassName, "known"}, {4, phi.ClassEmail, "email"}}, leaks)
	require.Equal(t, "line 2: ssn (ssn)", leaks[0].String())
	_, err = redact.ScanLog(strings.NewReader(strings.Repeat("x", 2<<20)))
	require.ErrorIs(t, err, redact.ErrLine)
	_, err = redact.ScanLog(io.MultiReader(strings.NewReader("a\n"), failingReader{}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type report struct{ lines []string }

func (*report) Helper() {}
func (r *report) Errorf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func TestCheckLog(t *testing.T) {
	var r report
	redact.CheckLog(&r, "all well\n")
	require.Empty(t, r.lines)
	redact.CheckLog(&r, "write to a@example.com\n")
	require.Equal(t, []string{"the log holds what it must not: line 1: email (email)"}, r.lines)
	redact.CheckLog(&r, strings.Repeat("x", 2<<20))
	require.Len(t, r.lines, 2, "what was not looked at is not clean")
}

// discard is a handler that costs nothing.
type discard struct{}

func (discard) Enabled(context.Context, slog.Level) bool  { return true }
func (discard) Handle(context.Context, slog.Record) error { return nil }
func (d discard) WithAttrs([]slog.Attr) slog.Handler      { return d }
func (d discard) WithGroup(string) slog.Handler           { return d }

func cleanRecord() slog.Record {
	r := slog.NewRecord(time.Unix(0, 0), slog.LevelInfo, "request served", 0)
	r.AddAttrs(slog.String("method", "GET"), slog.String("path", "/patients/page/12"), slog.Int("status", 200), slog.Duration("took", 12*time.Millisecond), slog.String("request", "c4d2b7a9e1f03"))
	return r
}

func TestLogHandlerAllocatesNothing(t *testing.T) {
	h, r := redact.NewLogHandler(discard{}, nil), cleanRecord()
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = h.Handle(t.Context(), r) }))
}

func BenchmarkLogHandler(b *testing.B) {
	uuid := cleanRecord()
	uuid.AddAttrs(slog.String("id", "0190c2d4-7e1b-7c3a-9f10-5a2b3c4d5e6f"))
	hit := cleanRecord()
	hit.AddAttrs(slog.String("q", "no 078-05-1120"))
	for _, c := range []struct {
		name string
		r    slog.Record
	}{{"clean", cleanRecord()}, {"uuid", uuid}, {"hit", hit}} {
		b.Run(c.name, func(b *testing.B) {
			h := redact.NewLogHandler(discard{}, nil)
			b.ReportAllocs()
			for b.Loop() {
				_ = h.Handle(b.Context(), c.r)
			}
		})
	}
}
