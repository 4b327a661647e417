package phi

import (
	"crypto/subtle"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
)

// mark is what every Text prints as.
const mark = "[PHI]"

// Text is a personal value in memory. The plaintext is behind a closure, so that no way of
// printing, encoding or comparing reaches it, not even through an unexported field of an
// enclosing struct. It leaves through Reveal and View, and into storage through a Codec.
//
// The zero Text is no value, SQL NULL, as opposed to an empty one. A Text cannot be compared
// with == or be a map key.
type Text struct {
	held func() *held
	i    int // field of the row
}

// held is where the values of a row, or a single loose one, are.
type held struct {
	loose string
	row   *lazyRow // nil for NewText
}

// NewText returns a Text that holds s.
func NewText(s string) Text {
	h := &held{loose: s}
	return Text{held: func() *held { return h }}
}

// IsZero reports whether t is no value at all.
func (t Text) IsZero() bool { return t.held == nil }

// open returns the plaintext to the package's own code.
func (t Text) open() (string, error) {
	if t.held == nil {
		return "", nil
	}
	h := t.held()
	if h.row == nil {
		return h.loose, nil
	}
	return h.row.open(t.i)
}

// Equal reports whether both are no value, or both hold the same plaintext. A value that
// cannot be opened equals nothing.
func (t Text) Equal(u Text) bool {
	if t.IsZero() || u.IsZero() {
		return t.IsZero() == u.IsZero()
	}
	a, errA := t.open()
	b, errB := u.open()
	return errA == nil && errB == nil && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// String returns "[PHI]".
func (t Text) String() string { return mark }

// GoString returns "[PHI]".
func (t Text) GoString() string { return mark }

// Format writes "[PHI]" for every verb.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mark)) }

// LogValue returns "[PHI]".
func (t Text) LogValue() slog.Value { return slog.StringValue(mark) }

// MarshalJSON returns "[PHI]" as a JSON string.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(mark) }

// MarshalText returns "[PHI]"; encoding/xml, among others, uses it.
func (t Text) MarshalText() ([]byte, error) { return []byte(mark), nil }

// GobEncode returns "[PHI]".
func (t Text) GobEncode() ([]byte, error) { return []byte(mark), nil }

// UnmarshalJSON reads a JSON string, or null as no value. It refuses "[PHI]" with ErrMark: a
// value that was hidden on its way out would otherwise come back as the patient's name.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s *string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("phi: a value must be a JSON string")
	}
	if s == nil {
		*t = Text{}
		return nil
	}
	return t.set(*s)
}

// UnmarshalText reads a value. It refuses "[PHI]" with ErrMark.
func (t *Text) UnmarshalText(data []byte) error { return t.set(string(data)) }

// GobDecode refuses: what GobEncode wrote holds no value.
func (t *Text) GobDecode([]byte) error { return ErrMark }

func (t *Text) set(s string) error {
	if s == mark {
		return ErrMark
	}
	*t = NewText(s)
	return nil
}

// Value returns ErrUnsealed, so that a Text given to database/sql is an error and not a
// plaintext column.
func (t Text) Value() (driver.Value, error) { return nil, ErrUnsealed }
