package machine

import "github.com/wardkit/wardkit/authn"

// NewKeyText and ParseText let tests reach the codec.
func NewKeyText(prefix string, token bool) (text authn.Secret, id string, hash [32]byte) {
	m := markKey
	if token {
		m = markToken
	}
	s, c := newCredential(prefix, m)
	return s, c.id, c.hash
}

// ParseText parses a credential.
func ParseText(prefix, s string) (id string, token bool, hash [32]byte, ok bool) {
	c, ok := parseCredential(prefix, s)
	return c.id, c.mark == markToken, c.hash, ok
}
