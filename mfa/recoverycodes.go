package mfa

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

const codesMark = "[recovery codes]"

// RecoveryCodes are the codes of a new list, to be shown once, printed and kept. They print as
// "[recovery codes]"; only Reveal returns them.
type RecoveryCodes struct {
	reveal func() []string // behind a function, because formatting looks into unexported fields
}

// Reveal returns the codes, each of 26 letters and digits of base32 in five groups with dashes
// between: "ABCDE-FGHIJ-KLMNO-PQRST-UVWXYZ". The zero RecoveryCodes has none.
func (c RecoveryCodes) Reveal() []string {
	if c.reveal == nil {
		return nil
	}
	return c.reveal()
}

// String returns "[recovery codes]".
func (c RecoveryCodes) String() string { return codesMark }

// GoString returns "[recovery codes]".
func (c RecoveryCodes) GoString() string { return codesMark }

// Format writes "[recovery codes]" for every verb.
func (c RecoveryCodes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(codesMark)) }

// LogValue returns "[recovery codes]".
func (c RecoveryCodes) LogValue() slog.Value { return slog.StringValue(codesMark) }

// MarshalJSON returns "[recovery codes]" as a JSON string.
func (c RecoveryCodes) MarshalJSON() ([]byte, error) { return json.Marshal(codesMark) }

// MarshalText returns "[recovery codes]".
func (c RecoveryCodes) MarshalText() ([]byte, error) { return []byte(codesMark), nil }
