package audit

import (
	"bytes"
	"strings"
)

// peek reads one string out of canonical bytes, without decoding the rest: sorting looks at
// many events and shows few. Each element of the path is a key of an object, or empty for the
// first element of a list. What is not there is empty; so is what is not canonical, which
// shows when the event is decoded.
func peek(body []byte, path ...string) string {
	v := body
	for _, key := range path {
		if v = member(v, key); v == nil {
			return ""
		}
	}
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	v = v[1 : len(v)-1]
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v)
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(string(v))
}

// member returns the value of a key in the object v, or for an empty key the first element of
// the list v; nil if there is none.
func member(v []byte, key string) []byte {
	if len(v) < 2 || v[0] != '{' && v[0] != '[' {
		return nil
	}
	list := v[0] == '['
	for i := 1; i < len(v)-1; i++ { // from one value to the next, over its comma
		found := list && key == ""
		if !list {
			end := skip(v, i)
			found = end-i == len(key)+2 && string(v[i+1:end-1]) == key
			i = end + 1 // the colon
		}
		end := skip(v, i)
		if found && end <= len(v) {
			return v[i:end]
		}
		if list {
			return nil
		}
		i = end
	}
	return nil
}

// skip returns the end of the value that starts at i.
func skip(v []byte, i int) int {
	for depth := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			for i++; i < len(v) && v[i] != '"'; i++ {
				if v[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return i // behind the last value without brackets
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue // digits and letters of a number or a literal
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(v)
}
