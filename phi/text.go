package phi

import (
	"context"
	"encoding/json"
	"errors"
)

// Text is a personal value in memory. The plaintext is behind a closure, so that no way of
// printing, encoding or comparing reaches it, not even through an unexported field of an
// enclosing struct. It leaves through Reveal and View, and into storage through a Codec.
//
// The zero Text is no value, SQL NULL, as opposed to an empty one. A Text cannot be compared
// with == or be a map key.
type Text struct{ value }

// NewText returns a Text that holds s.
func NewText(s string) Text { return Text{newValue(s)} }

// Reveal returns the plaintext, "" for no value. The context's Sight must allow Full for the
// class, and the field is added to the request's audit event first.
//
// It returns ErrNoSight or ErrNotAllowed where it may not, ErrUnrecorded where the access
// cannot be recorded, and the errors of Vault.Unseal, as a *FieldError, where the value
// cannot be opened.
func (t Text) Reveal(ctx context.Context) (string, error) { return t.reveal(ctx) }

// Equal reports whether both are no value, or both hold the same plaintext. A value that
// cannot be opened equals nothing.
func (t Text) Equal(u Text) bool { return t.equal(u.value) }

func asIs(s string) string { return s }

// UnmarshalJSON reads a JSON string, or null as no value. It refuses "[PHI]" with ErrMark: a
// value that was hidden on its way out would otherwise come back as the patient's name.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s *string
	if err := json.Unmarshal(data, &s); err != nil {
		return errors.New("phi: a value must be a JSON string") // the cause may quote it
	}
	if s == nil {
		*t = Text{}
		return nil
	}
	return t.UnmarshalText([]byte(*s))
}

// UnmarshalText reads a value. It refuses "[PHI]", Hidden and what has the bullets of a mask with ErrMark.
func (t *Text) UnmarshalText(data []byte) error {
	if isMark(string(data)) {
		return ErrMark
	}
	*t = NewText(string(data))
	return nil
}
