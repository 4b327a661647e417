package passkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

const maxMembers = 32

// members are those of a JSON object, to be asked for by their exact names. encoding/json would
// take names in any case, and the last of those that are there twice.
type members []member

type member struct {
	name  string
	value []byte // JSON
}

// readJSON reads one JSON object and nothing behind it.
func readJSON(data []byte) (members, error) {
	if !utf8.Valid(data) {
		return nil, refused("not UTF-8")
	}
	if !json.Valid(data) {
		return nil, refused("not JSON")
	}
	return readObject(data)
}

// readObject reads an object that is a part of valid JSON. It refuses what two readers could read
// differently: a name twice, in any case.
func readObject(data []byte) (members, error) {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '{' {
		return nil, refused("not a JSON object")
	}
	all := make(members, 0, 8)
	for {
		i = skipSpace(data, i+1) // behind the brace or comma
		if data[i] == '}' {
			return all, nil
		}
		end := skipValue(data, i)
		name, ok := unquote(data[i:end])
		if !ok {
			return nil, refused("not JSON")
		}
		if slices.ContainsFunc(all, func(m member) bool { return strings.EqualFold(m.name, name) }) {
			return nil, refused("a JSON name twice")
		}
		if len(all) == maxMembers {
			return nil, refused("too many JSON names")
		}
		i = skipSpace(data, skipSpace(data, end)+1) // behind the colon
		end = skipValue(data, i)
		all = append(all, member{name, data[i:end]})
		if i = skipSpace(data, end); data[i] == '}' {
			return all, nil
		}
	}
}

// skipSpace returns where the next token of valid JSON begins, from i on.
func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n') {
		i++
	}
	return i
}

// skipValue returns where the value of valid JSON that begins at i ends.
func skipValue(data []byte, i int) int {
	for depth := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of the object around a number, true, false or null
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// unquote returns what a JSON string says.
func unquote(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	var s string
	return s, json.Unmarshal(value, &s) == nil
}

// value returns a member as JSON, or nothing.
func (m members) value(name string) []byte {
	for _, x := range m {
		if x.name == name {
			return x.value
		}
	}
	return nil
}

// text returns a member that is a string.
func (m members) text(name string) (string, error) {
	s, ok := unquote(m.value(name))
	if !ok {
		return "", refused("no " + name)
	}
	return s, nil
}

// bytes returns a member that is base64url of something.
func (m members) bytes(name string) ([]byte, error) {
	s, err := m.text(name)
	if err != nil {
		return nil, err
	}
	raw, err := decode(s)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, refused("no " + name)
	}
	return raw, nil
}

// decode reads base64url without padding (RFC 4648, section 5) in the one form that encode makes.
func decode(s string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // which the decoder skips
		return nil, refused("not base64url")
	}
	return raw, nil
}

func encode(p []byte) string { return base64.RawURLEncoding.EncodeToString(p) }
