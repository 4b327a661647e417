package mfa

import (
	"errors"
	"fmt"
	"time"
)

// What callers can act on when codes go by text message. A wrong code is not an error.
var (
	// ErrNumber: this is no telephone number of a person in the form +14155550123.
	ErrNumber = fmt.Errorf("%w: not a telephone number that can be used", answer(422))
	// ErrRegion: no messages are sent to numbers of this region; see TextOptions.Regions.
	ErrRegion = fmt.Errorf("%w: no text messages go to this region", answer(422))
	// ErrNoTexts: Options.Texts is nil, so no messages are sent.
	ErrNoTexts = fmt.Errorf("%w: text messages are not set up", answer(409))
	// ErrTextLimit: nothing is sent now; a *TextLimitError says until when.
	ErrTextLimit = fmt.Errorf("%w: no text message can be sent now", answer(429))
	// ErrTextNotSent: the message could not be handed over. Its code is dead.
	ErrTextNotSent = errors.New("mfa: the text message could not be sent")
	// ErrTextRisk: TextOptions.Risk does not trust the number now.
	ErrTextRisk = fmt.Errorf("%w: the number is not to be trusted now", answer(403))
	// ErrTextLocked: codes by text message were disabled after too many wrong ones, like
	// ErrLocked, of which it is one; other factors go on. The person ends it with RemoveText,
	// somebody else with Reset. Its method Disabled reports true.
	ErrTextLocked = fmt.Errorf("mfa: text messages: %w", ErrLocked)
)

// TextLimitError says until when no message is sent: while a code is live, or while a budget is
// used up. It wraps ErrTextLimit and does not say which budget it was, since that could tell
// something about others.
type TextLimitError struct{ wait time.Duration }

// Error says that nothing is sent now.
func (e *TextLimitError) Error() string { return ErrTextLimit.Error() }

// RetryAfter returns how long to wait, at least a second.
func (e *TextLimitError) RetryAfter() time.Duration { return e.wait }

// Unwrap returns ErrTextLimit.
func (e *TextLimitError) Unwrap() error { return ErrTextLimit }

// limitedUntil is the error of something that is possible again at a time.
func limitedUntil(then, now time.Time) error {
	return &TextLimitError{max(time.Second, then.Sub(now))}
}
