package audit

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// reader reads JSON from left to right, as Encode writes it: without white space, with two
// escapes, without floats and nulls. Its methods report false for anything else; what they
// accept and Encode would write otherwise is found by comparing, see Decode. Texts without
// escapes share the memory of the whole.
type reader struct{ left string }

// next consumes the next byte if it is c.
func (r *reader) next(c byte) bool {
	if r.left == "" || r.left[0] != c {
		return false
	}
	r.left = r.left[1:]
	return true
}

// object calls member for each key, which reads the value.
func (r *reader) object(member func(key string) bool) bool {
	if !r.next('{') {
		return false
	}
	for {
		var key string
		if !text(r, &key) || !r.next(':') || !member(key) {
			return false
		}
		if !r.next(',') {
			return r.next('}')
		}
	}
}

// list calls item for each element, which reads it.
func (r *reader) list(item func() bool) bool {
	if !r.next('[') {
		return false
	}
	for item() {
		if !r.next(',') {
			return r.next(']')
		}
	}
	return false
}

func text[T ~string](r *reader, to *T) bool {
	if !r.next('"') {
		return false
	}
	for i := 0; i < len(r.left); i++ {
		switch r.left[i] {
		case '"':
			*to, r.left = T(r.left[:i]), r.left[i+1:]
			return true
		case '\\':
			return escaped(r, to)
		}
	}
	return false
}

// escaped reads the rest of a text that has a backslash in it.
func escaped[T ~string](r *reader, to *T) bool {
	var b strings.Builder
	for i := 0; i < len(r.left); i++ {
		switch r.left[i] {
		case '"':
			*to, r.left = T(b.String()), r.left[i+1:]
			return true
		case '\\':
			if i++; i == len(r.left) || r.left[i] != '"' && r.left[i] != '\\' {
				return false
			}
		}
		b.WriteByte(r.left[i])
	}
	return false
}

func texts[T ~string](r *reader, to *[]T) bool {
	return r.list(func() bool {
		var t T
		ok := text(r, &t)
		*to = append(*to, t)
		return ok
	})
}

// integer reads one from 0 to limit.
func integer[T ~int | ~int64 | ~uint8](r *reader, to *T, limit int64) bool {
	end := 0
	for end < len(r.left) && '0' <= r.left[end] && r.left[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(r.left[:end], 10, 64)
	*to, r.left = T(n), r.left[end:]
	return err == nil && n <= limit
}

func (r *reader) flag(to *bool) bool {
	for _, word := range []string{"true", "false"} {
		if rest, ok := strings.CutPrefix(r.left, word); ok {
			*to, r.left = word == "true", rest
			return true
		}
	}
	return false
}

// time reads what appendTime writes. A day or an hour that there is not becomes another time, which is
// written otherwise.
func (r *reader) time(to *time.Time) bool {
	const template = `"0000-00-00T00:00:00.000000Z"`
	if len(r.left) < len(template) {
		return false
	}
	var n [7]int // year to microsecond
	part := 0
	for i := 1; i < len(template); i++ {
		switch c := r.left[i]; {
		case template[i] != '0':
			if c != template[i] {
				return false
			}
			part++
		case c < '0' || c > '9':
			return false
		default:
			n[part] = 10*n[part] + int(c-'0')
		}
	}
	r.left = r.left[len(template):]
	*to = time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 1000*n[6], time.UTC)
	return true
}

func (r *reader) bytes(to *[]byte) bool {
	var s string
	if !text(r, &s) {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(s)
	*to = b
	return err == nil
}

func (r *reader) private(to *Private) bool {
	return r.object(func(key string) bool { return key == "$c" && r.bytes(&to.commitment) })
}
