package phi

import (
	"crypto/subtle"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
)

// mark is what every personal value prints as.
const mark = "[PHI]"

// value is what Text, Date and Number share: a plaintext behind a closure, which nothing that
// prints, encodes or compares can follow, and the ways to see it. The zero value is no value.
type value struct {
	held func() held
	i    int // field of the row
}

// held is where the values of a row, or a single loose one, are.
type held struct {
	loose string
	row   *lazyRow // nil for a loose one
}

func newValue(plain string) value {
	return value{held: func() held { return held{loose: plain} }}
}

// IsZero reports whether there is no value at all, SQL NULL.
func (t value) IsZero() bool { return t.held == nil }

// open returns the plaintext to the package's own code.
func (t value) open() (string, error) {
	if t.held == nil {
		return "", nil
	}
	return t.held().open(t.i)
}

// open returns the plaintext of field i, which a loose value has not got.
func (h held) open(i int) (string, error) {
	if h.row == nil {
		return h.loose, nil
	}
	return h.row.open(i)
}

// equal compares plaintexts. What cannot be opened equals nothing.
func (t value) equal(u value) bool {
	if t.IsZero() || u.IsZero() {
		return t.IsZero() == u.IsZero()
	}
	h, other := t.held(), u.held()
	if h.row == nil {
		h, other, t, u = other, h, u, t
	}
	want, err := other.open(u.i)
	if err != nil {
		return false
	}
	if h.row == nil {
		return equalText([]byte(h.loose), want)
	}
	return h.row.holds(t.i, want)
}

// equalText compares in a time that depends on the lengths alone.
func equalText(a []byte, b string) bool { return subtle.ConstantTimeCompare(a, []byte(b)) == 1 }

// String returns "[PHI]".
func (t value) String() string { return mark }

// GoString returns "[PHI]".
func (t value) GoString() string { return mark }

// Format writes "[PHI]" for every verb.
func (t value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mark)) }

// LogValue returns "[PHI]".
func (t value) LogValue() slog.Value { return slog.StringValue(mark) }

// MarshalJSON returns "[PHI]" as a JSON string.
func (t value) MarshalJSON() ([]byte, error) { return json.Marshal(mark) }

// MarshalText returns "[PHI]"; encoding/xml, among others, uses it.
func (t value) MarshalText() ([]byte, error) { return []byte(mark), nil }

// GobEncode returns "[PHI]".
func (t value) GobEncode() ([]byte, error) { return []byte(mark), nil }

// GobDecode refuses: what GobEncode wrote holds no value.
func (t *value) GobDecode([]byte) error { return ErrMark }

// Value returns ErrUnsealed, so that a personal value given to database/sql is an error and
// not a plaintext column.
func (t value) Value() (driver.Value, error) { return nil, ErrUnsealed }
