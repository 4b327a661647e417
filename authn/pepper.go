package authn

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

const (
	minPepper   = 32 // bytes
	maxPepperID = 32 // bytes
	pepperMark  = "[pepper]"
)

// Pepper is a key that passwords pass through before they are hashed (HMAC-SHA-256), kept apart
// from the database: a stolen database alone cannot be searched for passwords then (NIST SP
// 800-63B-4, section 3.1.1.2). It cannot be printed, logged or marshalled.
type Pepper struct {
	id  string
	key func() []byte
}

// NewPepper returns a pepper. The id, 1 to 32 bytes, is stored with each hash that was made
// with it; the key has 32 bytes or more, random, out of a KMS or a secret store. Whoever loses
// it loses every password that was hashed with it, and a new password is the way back.
func NewPepper(id string, key []byte) (Pepper, error) {
	if id == "" || len(id) > maxPepperID {
		return Pepper{}, errors.New("authn: the id of a pepper has 1 to 32 bytes")
	}
	if len(key) < minPepper {
		return Pepper{}, errors.New("authn: a pepper has 32 bytes at least")
	}
	key = slices.Clone(key)
	return Pepper{id, func() []byte { return key }}, nil
}

// apply returns what is hashed in place of the password.
func (p Pepper) apply(password string) []byte {
	if p.key == nil {
		return []byte(password)
	}
	h := hmac.New(sha256.New, p.key())
	_, _ = h.Write([]byte(password)) // never fails (hash.Hash)
	return h.Sum(nil)
}

// String returns "[pepper]".
func (p Pepper) String() string { return pepperMark }

// GoString returns "[pepper]".
func (p Pepper) GoString() string { return pepperMark }

// Format writes "[pepper]" for every verb.
func (p Pepper) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(pepperMark)) }

// LogValue returns "[pepper]".
func (p Pepper) LogValue() slog.Value { return slog.StringValue(pepperMark) }

// MarshalJSON returns "[pepper]" as a JSON string.
func (p Pepper) MarshalJSON() ([]byte, error) { return json.Marshal(pepperMark) }

// MarshalText returns "[pepper]".
func (p Pepper) MarshalText() ([]byte, error) { return []byte(pepperMark), nil }
