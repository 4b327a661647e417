package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
)

const (
	tokenPrefix = "wks1_" // names the format; another format gets another number
	tokenBytes  = 48      // 16 bytes routing tag, 32 bytes secret
	tokenChars  = len(tokenPrefix) + tokenBytes/3*4
	tokenMark   = "[session token]"
)

// Token is the secret that a client presents: "wks1_" and 64 characters of base64url, which
// are a random 16-byte routing tag and a random 256-bit secret. Whoever has it is the
// person, so it prints as "[session token]"; Reveal is the only way out.
type Token struct{ reveal func() string }

// NewToken returns a fresh random token.
func NewToken() Token {
	var route [16]byte
	rand.Read(route[:]) // never fails (crypto/rand)
	return newToken(route)
}

// newToken returns a fresh random token with the routing tag given.
func newToken(route [16]byte) Token {
	var b [tokenBytes]byte
	copy(b[:], route[:])
	rand.Read(b[len(route):]) // never fails (crypto/rand)
	s := tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return Token{func() string { return s }}
}

// ParseToken reads a token. Its error is ErrInvalid and says nothing about what is wrong.
func ParseToken(s string) (Token, error) {
	if _, ok := parseKey(s); !ok {
		return Token{}, ErrInvalid
	}
	return Token{func() string { return s }}, nil
}

// Reveal returns the token itself, to be handed to the client and nobody else; "" for the
// zero Token.
func (t Token) Reveal() string {
	if t.reveal == nil {
		return ""
	}
	return t.reveal()
}

// Key returns what a store finds the session by. The zero Token has the zero Key, which no
// session has.
func (t Token) Key() Key {
	k, _ := parseKey(t.Reveal())
	return k
}

// String returns "[session token]".
func (t Token) String() string { return tokenMark }

// GoString returns "[session token]".
func (t Token) GoString() string { return tokenMark }

// Format writes "[session token]" for every verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(tokenMark)) }

// LogValue returns "[session token]".
func (t Token) LogValue() slog.Value { return slog.StringValue(tokenMark) }

// MarshalText returns "[session token]", in JSON too.
func (t Token) MarshalText() ([]byte, error) { return []byte(tokenMark), nil }

// parseKey checks the form of a token and hashes it. What is malformed costs no more than
// the length check or one decoding of 64 characters, however long it is, and no look-up.
func parseKey(s string) (k Key, ok bool) {
	if len(s) != tokenChars || s[:len(tokenPrefix)] != tokenPrefix {
		return Key{}, false
	}
	// The hash covers the version, the tag and the secret, in one block of SHA-256.
	var b [len(tokenPrefix) + tokenBytes]byte
	copy(b[:], tokenPrefix)
	var text [tokenChars - len(tokenPrefix)]byte
	copy(text[:], s[len(tokenPrefix):])
	n, err := base64.RawURLEncoding.Decode(b[len(tokenPrefix):], text[:])
	if err != nil || n != tokenBytes { // the decoder skips line breaks
		return Key{}, false
	}
	copy(k.Route[:], b[len(tokenPrefix):])
	k.Hash = sha256.Sum256(b[:])
	return k, true
}
