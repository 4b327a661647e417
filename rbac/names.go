package rbac

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// isWord reports whether s is a lower-case letter followed by lower-case letters, digits and
// underscores, short enough for an event.
func isWord(s string) bool {
	if len(s) > audit.MaxName {
		return false
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z':
		case i > 0 && (r == '_' || r >= '0' && r <= '9'):
		default:
			return false
		}
	}
	return s != ""
}

// isActionName reports whether s is two or more words with dots between them.
func isActionName(s string) bool {
	words := strings.Split(s, ".")
	for _, w := range words {
		if !isWord(w) {
			return false
		}
	}
	return len(words) > 1 && len(s) <= audit.MaxName
}

// compareText orders by pairs of texts: each first against the one two places on.
func compareText(a1, b1, a2, b2 string) int {
	return cmp.Or(cmp.Compare(a1, b1), cmp.Compare(a2, b2))
}

// isIdentifier reports whether s is an SQL identifier that needs no quotes.
func isIdentifier(s string) bool {
	for i, r := range s {
		switch {
		case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		case i > 0 && r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// validID reports whether an id means the same in Go and in SQL and fits into an event:
// UTF-8 without control characters, 1 to audit.MaxID bytes.
func validID(id string) bool {
	return id != "" && len(id) <= audit.MaxID && utf8.ValidString(id) && strings.IndexFunc(id, unicode.IsControl) < 0
}
