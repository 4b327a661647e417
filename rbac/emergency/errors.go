package emergency

import (
	"errors"
	"fmt"
	"time"
)

// What callers can act on. No error of this package carries an identifier, a text or SQL.
var (
	// ErrNotFound: the tenant has no such grant.
	ErrNotFound = fmt.Errorf("%w: not found", refusal(404))
	// ErrConflict: somebody else changed it since it was read.
	ErrConflict = fmt.Errorf("%w: changed by somebody else", refusal(409))
	// ErrOpen: it is open: the person has access already, and nobody reviews it before it is over.
	ErrOpen = fmt.Errorf("%w: it is open", refusal(409))
	// ErrOver: it is over already, or was reviewed already.
	ErrOver = fmt.Errorf("%w: it is over", refusal(409))
	// ErrNotNeeded: the person may read the patient without an emergency.
	ErrNotNeeded = fmt.Errorf("%w: not needed", refusal(409))
	// ErrClosed: an emergency would let the person read nothing more of this patient.
	ErrClosed = fmt.Errorf("%w: an emergency opens nothing here", refusal(403))
	// ErrLimited: the person has opened too many patients in the last day; see LimitedError.
	ErrLimited = fmt.Errorf("%w: too many openings", refusal(429))
	// ErrInput: something is missing, too short, too long, or not possible; see InputError.
	ErrInput = fmt.Errorf("%w: not possible as given", refusal(422))

	// ErrNoActor: the context carries nobody who may do this.
	ErrNoActor = fmt.Errorf("%w: nobody is signed in who may do this", refusal(401))
	// ErrAssurance: the person must prove more: AAL2 (NIST SP 800-63B-4, section 2.2).
	ErrAssurance = fmt.Errorf("%w: a second factor is required", refusal(401))
	// ErrOwn: nobody reviews their own emergency.
	ErrOwn = fmt.Errorf("%w: one's own", refusal(403))
	// ErrProof: the decision that was handed over does not let the person open this patient.
	ErrProof = fmt.Errorf("%w: not decided for this", refusal(403))

	// ErrSettings: settings that cannot be used. The text names the field.
	ErrSettings = errors.New("emergency: settings cannot be used")
	// ErrUnavailable: a part failed (HTTP 503), and nothing was opened. It wraps the cause.
	ErrUnavailable = errors.New("emergency: unavailable")
	// ErrNotRunning: nobody calls Run: notices are not retried, and nobody is reminded of reviews.
	ErrNotRunning = errors.New("emergency: Run is not running")
	// ErrUntold: somebody was to be told something and could not be.
	ErrUntold = errors.New("emergency: notices are waiting")
	// ErrRelation: an ErrUnavailable that stays: Relations.Emergency of the policy does not ask Parts.Store,
	// so that what is opened lets nobody in. It was ended at once.
	ErrRelation = fmt.Errorf("%w: Relations.Emergency of the policy does not ask Parts.Store", ErrUnavailable)
)

// refusal is an HTTP status for hosts' tables, which find it by its method.
type refusal int

// Error begins the text of every error that has one.
func (refusal) Error() string { return "emergency" }

// HTTPStatus returns the status.
func (r refusal) HTTPStatus() int { return int(r) }

// InputError is an ErrInput that names the field: "reason", "words", "for", "verdict". The words for
// people are the host's.
type InputError struct{ Field string }

// Error names the field.
func (e *InputError) Error() string { return ErrInput.Error() + ": " + e.Field }

// Unwrap returns ErrInput.
func (e *InputError) Unwrap() error { return ErrInput }

// LimitedError is an ErrLimited that knows when the next opening is possible.
type LimitedError struct {
	RetryAfter time.Duration // whole seconds, at least one
}

// Error says that there were too many.
func (e *LimitedError) Error() string { return ErrLimited.Error() }

// Unwrap returns ErrLimited.
func (e *LimitedError) Unwrap() error { return ErrLimited }

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
