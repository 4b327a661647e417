package rbac

import "strings"

// isWord reports whether s is a lower-case letter followed by lower-case letters, digits and
// underscores.
func isWord(s string) bool {
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
	return len(words) > 1
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
