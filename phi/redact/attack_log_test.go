package redact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi/redact"
)

// Values whose ways of being printed say different things.
type (
	octets   []byte
	two      struct{ json, text, plain string }
	shortly  struct{ Phone string }
	detailed struct{ detail string }
	jsonErr  struct{ Phone string }
	textErr  struct{ text string }
	formed   struct{ s string }
	loud     struct{ s string }
	wrong    struct{ s string }
)

func (v two) MarshalJSON() ([]byte, error)    { return json.Marshal(v.json) }
func (v two) MarshalText() ([]byte, error)    { return []byte(v.text), nil }
func (v two) String() string                  { return v.plain }
func (shortly) String() string                { return "a visit" }
func (detailed) Error() string                { return "it failed" }
func (d detailed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "it failed: "+d.detail) }
func (jsonErr) Error() string                 { return "it failed" }
func (e jsonErr) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"about": e.Phone})
}
func (textErr) Error() string                  { return "it failed" }
func (e textErr) MarshalText() ([]byte, error) { return []byte(e.text), nil }
func (formed) String() string                  { return "formed" }
func (v formed) Format(f fmt.State, _ rune)    { _, _ = io.WriteString(f, v.s) }

func (v loud) MarshalJSON() ([]byte, error)  { panic(v.s) }
func (v loud) String() string                { return "loud" }
func (v wrong) MarshalJSON() ([]byte, error) { return nil, errors.New("no " + v.s) }
func (v wrong) MarshalText() ([]byte, error) { return nil, errors.New("no " + v.s) }
func (v wrong) String() string               { return "wrong" }

// TestLogHandlerTwoFaces: a handler prints a value in its own way, which may say more than another.
func TestLogHandlerTwoFaces(t *testing.T) {
	t.Parallel()
	const ssn, mail, phone = "078-05-1120", "ana.ruiz@example.com", "212-555-0142"
	for name, log := range map[string]func(*slog.Logger){
		"a type of bytes":           func(l *slog.Logger) { l.Info("x", "v", octets("to "+mail)) },
		"raw json":                  func(l *slog.Logger) { l.Info("x", "v", json.RawMessage(`{"q":"`+mail+`"}`)) },
		"raw json that is broken":   func(l *slog.Logger) { l.Info("x", "v", json.RawMessage(`{"q":"`+mail)) },
		"only json":                 func(l *slog.Logger) { l.Info("x", "v", two{json: mail}) },
		"only text":                 func(l *slog.Logger) { l.Info("x", "v", two{text: mail}) },
		"a stringer with fields":    func(l *slog.Logger) { l.Info("x", "v", shortly{phone}) },
		"a pointer to a stringer":   func(l *slog.Logger) { l.Info("x", "v", &shortly{phone}) },
		"an error with details":     func(l *slog.Logger) { l.Info("x", "v", detailed{mail}) },
		"an error in json":          func(l *slog.Logger) { l.Info("x", "v", jsonErr{phone}) },
		"an error in text":          func(l *slog.Logger) { l.Info("x", "v", textErr{mail}) },
		"a formatter":               func(l *slog.Logger) { l.Info("x", "v", formed{mail}) },
		"a key":                     func(l *slog.Logger) { l.Info("x", mail, 1) },
		"a key of a group":          func(l *slog.Logger) { l.Info("x", slog.Group(mail, slog.Int("n", 1))) },
		"a key in a group":          func(l *slog.Logger) { l.Info("x", slog.Group("g", slog.Int(mail, 1))) },
		"a key of with":             func(l *slog.Logger) { l.With(mail, 1).Info("x") },
		"a named group":             func(l *slog.Logger) { l.Info("x", slog.Group("note", slog.String("text", "Ana "+"Ruiz"))) },
		"a pointer to a value":      func(l *slog.Logger) { v := slog.StringValue(mail); l.Info("x", "v", &v) },
		"an attribute as a value":   func(l *slog.Logger) { l.Info("x", "v", slog.String("q", mail)) },
		"inline groups":             func(l *slog.Logger) { l.Info("x", slog.Group("", slog.Group("", slog.String("q", ssn)))) },
		"a slice of errors":         func(l *slog.Logger) { l.Info("x", "v", []error{errors.New("no " + mail)}) },
		"a joined error":            func(l *slog.Logger) { l.Info("x", "v", errors.Join(io.EOF, errors.New(mail))) },
		"not UTF-8":                 func(l *slog.Logger) { l.Info("x", "v", "\xff\xfe"+ssn+"\xff") },
		"no-break hyphens":          func(l *slog.Logger) { l.Info("x", "v", "078\u201105\u20111120") },
		"en dashes":                 func(l *slog.Logger) { l.Info("x", "v", "078–05–1120") },
		"full width":                func(l *slog.Logger) { l.Info("x", "v", "０７８-０５-１１２０") },
		"after much":                func(l *slog.Logger) { l.Info("x", "v", strings.Repeat("lorem ipsum ", 100_000)+ssn) },
		"groups, attributes, group": func(l *slog.Logger) { l.WithGroup("a").With("q", ssn).WithGroup("b").Info("x", "r", mail) },
		"a group of notes":          func(l *slog.Logger) { l.WithGroup("Notes").With("a", "Ana "+"Ruiz").Info("x", "b", "Ruiz") },
		"a group's name":            func(l *slog.Logger) { l.WithGroup(mail).Info("x", "b", 1) },
		"after a new line":          func(l *slog.Logger) { l.Info("x", "v", two{json: "a\n" + phone}) },
		"beside a sign":             func(l *slog.Logger) { l.Info("x", "v", two{json: "a&" + phone}) },
		"a panic":                   func(l *slog.Logger) { l.Info("x", "v", loud{mail}) },
		"an error of json":          func(l *slog.Logger) { l.Info("x", "v", wrong{mail}) },
		"a channel of a key":        func(l *slog.Logger) { l.Info("x", "dob", []byte("1950-02-03")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, open := range map[string]func(io.Writer) slog.Handler{
				"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, timeless) },
				"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, timeless) },
			} {
				var out bytes.Buffer
				log(slog.New(redact.NewLogHandler(open(&out), nil)))
				for _, secret := range []string{"05-1120", "０５", "05\u20111120", "05–1120", "ana.ruiz", "555-0142", "Ruiz", "1950", "YW5hLnJ1aX"} {
					require.NotContains(t, out.String(), secret, kind)
				}
			}
		})
	}
}
