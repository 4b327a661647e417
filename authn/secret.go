package authn

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
)

const secretMark = "[secret]"

// Secret is a value that grants something: a session token, a ticket, a link. It cannot be
// printed, logged or marshalled by accident; every such way yields "[secret]".
type Secret struct{ value func() string }

// NewSecret wraps s, for hosts' tests and for a token that came in with a request.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{func() string { return s }}
}

// Reveal returns the value, "" for the zero Secret. It is the one way to it, so that a
// search finds every use.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// IsZero reports whether s holds nothing.
func (s Secret) IsZero() bool { return s.value == nil }

// String returns "[secret]".
func (s Secret) String() string { return secretMark }

// GoString returns "[secret]".
func (s Secret) GoString() string { return secretMark }

// Format writes "[secret]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secretMark)) }

// LogValue returns "[secret]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(secretMark) }

// MarshalJSON returns "[secret]" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(secretMark) }

// MarshalText returns "[secret]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(secretMark), nil }

// tokenLen is the length of a token: 256 bits in unpadded base64url (RFC 4648, section 5).
const tokenLen = 43

// newToken returns a fresh 256-bit token and the hash that is stored of it.
func newToken() (token Secret, hash []byte) {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	s := base64.RawURLEncoding.EncodeToString(b[:])
	return NewSecret(s), sum(s)
}

// hashToken returns the stored form of a token that came from outside. It reports false for
// what newToken cannot have made; a truncated token never reaches a store.
func hashToken(token string) ([]byte, bool) {
	if len(token) != tokenLen {
		return nil, false
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(token); err != nil {
		return nil, false
	}
	return sum(token), true
}

// sum is what a store keeps of a token: 256 random bits need no slow hash.
func sum(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}
