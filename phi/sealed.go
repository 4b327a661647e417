package phi

import (
	"database/sql/driver"
	"encoding/base64"
	"fmt"
	"strings"
)

// Sealed is a value as it is stored: encrypted and bound to its place. It is the only type
// of this package that goes into and comes out of a database, as BYTEA or BLOB, or in its
// text form. Nil is SQL NULL. It may be logged.
type Sealed []byte

const textPrefix = "phi1."

// String returns the text form: "phi1." and unpadded base64url (RFC 4648, section 5).
func (s Sealed) String() string {
	if s == nil {
		return ""
	}
	return textPrefix + base64.RawURLEncoding.EncodeToString(s)
}

// MarshalText returns the text form.
func (s Sealed) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text form, and nothing that differs from it in any character.
func (s *Sealed) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = nil
		return nil
	}
	b64, ok := strings.CutPrefix(string(text), textPrefix)
	if !ok {
		return ErrUnknownSuite
	}
	if strings.ContainsAny(b64, "\r\n") { // which the decoder would skip
		return ErrTruncated
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(b64)
	if err != nil {
		return ErrTruncated // the cause could quote a character of a value
	}
	if _, err := parse(b); err != nil {
		return err
	}
	*s = b
	return nil
}

// Value returns the bytes for the database. It refuses what this package did not seal, so
// that plaintext converted to a Sealed does not slip through.
func (s Sealed) Value() (driver.Value, error) {
	if s == nil {
		return nil, nil
	}
	if _, err := parse(s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsealed, err)
	}
	return []byte(s), nil
}

// Scan reads what Value wrote, or its text form from a text column. A damaged value is
// scanned as it is and refused when it is opened, so that one bad field does not hide the row.
func (s *Sealed) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s = nil
	case []byte:
		*s = append(Sealed{}, v...)
	case string:
		return s.UnmarshalText([]byte(v))
	default:
		return ErrUnknownSuite
	}
	return nil
}

// KeyID returns the name of the key under which s is sealed.
func (s Sealed) KeyID() (KeyID, error) {
	h, err := parse(s)
	return h.kid, err
}
