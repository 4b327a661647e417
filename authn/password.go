package authn

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

const passwordMark = "[password]"

// Password is what somebody typed. It cannot be printed, logged or marshalled, and nothing
// outside this package can read it.
type Password struct{ value func() string }

// NewPassword wraps what was typed, as it was typed: trimming nothing, so that managers and
// pasting work.
func NewPassword(typed string) Password {
	return Password{func() string { return typed }}
}

// IsZero reports whether nothing was typed.
func (p Password) IsZero() bool { return p.reveal() == "" }

func (p Password) reveal() string {
	if p.value == nil {
		return ""
	}
	return p.value()
}

// String returns "[password]".
func (p Password) String() string { return passwordMark }

// GoString returns "[password]".
func (p Password) GoString() string { return passwordMark }

// Format writes "[password]" for every verb.
func (p Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(passwordMark)) }

// LogValue returns "[password]".
func (p Password) LogValue() slog.Value { return slog.StringValue(passwordMark) }

// MarshalJSON returns "[password]" as a JSON string.
func (p Password) MarshalJSON() ([]byte, error) { return json.Marshal(passwordMark) }

// MarshalText returns "[password]".
func (p Password) MarshalText() ([]byte, error) { return []byte(passwordMark), nil }
