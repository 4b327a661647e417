package mfa

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
)

const textCodeMark = "[text message code]"

// TextCode is the six digits of a text message. It prints as "[text message code]"; only Reveal
// and Line return it.
type TextCode struct {
	reveal func() string // behind a function, because formatting looks into unexported fields
}

// newTextCode makes a code; each of the million is equally likely.
func newTextCode() (TextCode, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return TextCode{}, unavailable("making a code", err)
	}
	s := fmt.Sprintf("%0*d", digits, n)
	return TextCode{reveal: func() string { return s }}, nil
}

// Reveal returns the digits. The zero TextCode has none, "".
func (c TextCode) Reveal() string {
	if c.reveal == nil {
		return ""
	}
	return c.reveal()
}

// Line returns what the message's last line should be: "@clinic.example.com #123456", by which
// browsers offer the code on the pages of that domain and on no others (WICG, Origin-bound
// one-time codes delivered via SMS). The domain is the configured one, without a scheme, never
// one that a request named.
func (c TextCode) Line(domain string) string { return "@" + domain + " #" + c.Reveal() }

// String returns "[text message code]".
func (c TextCode) String() string { return textCodeMark }

// GoString returns "[text message code]".
func (c TextCode) GoString() string { return textCodeMark }

// Format writes "[text message code]" for every verb.
func (c TextCode) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(textCodeMark)) }

// LogValue returns "[text message code]".
func (c TextCode) LogValue() slog.Value { return slog.StringValue(textCodeMark) }

// MarshalJSON returns "[text message code]" as a JSON string.
func (c TextCode) MarshalJSON() ([]byte, error) { return json.Marshal(textCodeMark) }

// MarshalText returns "[text message code]".
func (c TextCode) MarshalText() ([]byte, error) { return []byte(textCodeMark), nil }
