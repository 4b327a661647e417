// Package wire appends JSON without reflection, for encoders of events.
package wire

import (
	"encoding/base64"
	"strconv"
	"time"
)

// Writer appends JSON to B. It places the commas. Texts are those of an event: UTF-8 without
// control characters.
type Writer struct{ B []byte }

// Root begins the outermost object, whatever is before it.
func (w *Writer) Root() { w.B = append(w.B, '{') }

// Object begins an object as an element of a list.
func (w *Writer) Object() {
	w.comma()
	w.B = append(w.B, '{')
}

// Begin begins an object under a key.
func (w *Writer) Begin(key string) {
	w.key(key)
	w.B = append(w.B, '{')
}

// End ends an object.
func (w *Writer) End() { w.B = append(w.B, '}') }

// List begins a list under a key.
func (w *Writer) List(key string) {
	w.key(key)
	w.B = append(w.B, '[')
}

// EndList ends a list.
func (w *Writer) EndList() { w.B = append(w.B, ']') }

// Str writes a text under a key; an empty one is left out.
func (w *Writer) Str(key, s string) {
	if s != "" {
		w.key(key)
		w.value(s)
	}
}

// Value writes a text as an element of a list.
func (w *Writer) Value(s string) {
	w.comma()
	w.value(s)
}

// Int writes a number under a key.
func (w *Writer) Int(key string, n int64) {
	w.key(key)
	w.B = strconv.AppendInt(w.B, n, 10)
}

// Bool writes true or false under a key.
func (w *Writer) Bool(key string, v bool) {
	w.key(key)
	w.B = strconv.AppendBool(w.B, v)
}

// Bytes writes bytes in base64 (RFC 4648, section 4) under a key.
func (w *Writer) Bytes(key string, b []byte) {
	w.key(key)
	w.B = append(w.B, '"')
	w.B = base64.StdEncoding.AppendEncode(w.B, b)
	w.B = append(w.B, '"')
}

// Time writes a time as RFC 3339 in UTC with six decimals under a key; the zero time is left out.
func (w *Writer) Time(key string, t time.Time) {
	if !t.IsZero() {
		w.key(key)
		w.B = append(w.B, '"')
		b := t.UTC().AppendFormat(w.B, time.RFC3339) // twice as fast as a layout of our own
		b = append(b[:len(b)-1], ".000000Z\""...)
		for i, n := len(b)-3, t.Nanosecond()/1000; n > 0; i, n = i-1, n/10 {
			b[i] = byte('0' + n%10)
		}
		w.B = b
	}
}

// Raw writes JSON that is ready, in parts: an element of a list, or a member with its key.
func (w *Writer) Raw(parts ...string) {
	w.comma()
	b := w.B
	for _, p := range parts {
		b = append(b, p...)
	}
	w.B = b
}

// comma writes the comma between two values.
func (w *Writer) comma() {
	if n := len(w.B); n > 0 {
		switch w.B[n-1] {
		case '{', '[':
		default:
			w.B = append(w.B, ',')
		}
	}
}

func (w *Writer) key(key string) {
	w.comma()
	b := append(append(w.B, '"'), key...)
	w.B = append(b, '"', ':')
}

// value writes a text. Events hold no control characters, so two escapes are all there is.
func (w *Writer) value(s string) {
	b := append(w.B, '"')
	start := 0
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(append(b, s[start:i]...), '\\')
			start = i
		}
	}
	w.B = append(append(b, s[start:]...), '"')
}
