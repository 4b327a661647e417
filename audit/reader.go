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
// escapes share the memory of the whole. A place is a number: a string cut shorter with each byte
// would be a pointer written with each byte, which costs while memory is collected.
type reader struct {
	all string
	at  int
}

// next consumes the next byte if it is c.
func (r *reader) next(c byte) bool {
	if r.at >= len(r.all) || r.all[r.at] != c {
		return false
	}
	r.at++
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
	for i := r.at; i < len(r.all); i++ {
		switch r.all[i] {
		case '"':
			*to, r.at = T(r.all[r.at:i]), i+1
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
	for i := r.at; i < len(r.all); i++ {
		switch r.all[i] {
		case '"':
			*to, r.at = T(b.String()), i+1
			return true
		case '\\':
			if i++; i == len(r.all) || r.all[i] != '"' && r.all[i] != '\\' {
				return false
			}
		}
		b.WriteByte(r.all[i])
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
	end := r.at
	for end < len(r.all) && '0' <= r.all[end] && r.all[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(r.all[r.at:end], 10, 64)
	*to, r.at = T(n), end
	return err == nil && n <= limit
}

func (r *reader) flag(to *bool) bool {
	for _, word := range []string{"true", "false"} {
		if strings.HasPrefix(r.all[r.at:], word) {
			*to, r.at = word == "true", r.at+len(word)
			return true
		}
	}
	return false
}

// time reads what appendTime writes. A day or an hour that there is not becomes another time, which is
// written otherwise.
func (r *reader) time(to *time.Time) bool {
	const template = `"0000-00-00T00:00:00.000000Z"`
	if len(r.all)-r.at < len(template) {
		return false
	}
	var n [7]int // year to microsecond
	part := 0
	for i := 1; i < len(template); i++ {
		switch c := r.all[r.at+i]; {
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
	r.at += len(template)
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
