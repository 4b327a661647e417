package audit

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

const privateMark = "[private]"

// Private is a personal or free-text value on its way into an event: an address, a typed
// reason. The event keeps only a salted commitment to it; the value itself is sealed beside
// the event and can be erased without touching the event. Private prints as "[private]".
type Private struct {
	value      func() string
	commitment []byte // SHA-256, set on events that were read back
}

// NewPrivate wraps s. An empty s yields the zero Private, which is left out of the event.
func NewPrivate(s string) Private {
	if s == "" {
		return Private{}
	}
	return Private{value: func() string { return s }}
}

// IsZero reports whether p holds neither a value nor a commitment.
func (p Private) IsZero() bool { return p.value == nil && p.commitment == nil }

// Commitment returns the 32-byte commitment of a Private that was read back from a log,
// nil otherwise.
func (p Private) Commitment() []byte { return p.commitment }

// Reveal returns the value. It reports false for a Private that was read back from a log
// and not opened with Log.Open.
func (p Private) Reveal() (string, bool) {
	if p.value == nil {
		return "", false
	}
	return p.value(), true
}

// String returns "[private]".
func (p Private) String() string { return privateMark }

// GoString returns "[private]".
func (p Private) GoString() string { return privateMark }

// Format writes "[private]" for every verb.
func (p Private) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(privateMark)) }

// LogValue returns "[private]".
func (p Private) LogValue() slog.Value { return slog.StringValue(privateMark) }

// MarshalJSON returns "[private]" as a JSON string.
func (p Private) MarshalJSON() ([]byte, error) { return json.Marshal(privateMark) }

// MarshalText returns "[private]".
func (p Private) MarshalText() ([]byte, error) { return []byte(privateMark), nil }
