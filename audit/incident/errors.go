package incident

import (
	"errors"
	"fmt"
	"time"
)

// What callers can act on. No error of this package carries an identifier, a text or SQL.
var (
	// ErrNotFound: no such case, or one that the person in ctx is the subject of.
	ErrNotFound = fmt.Errorf("%w: not found", refusal(404))
	// ErrConflict: the case has another version than the caller read.
	ErrConflict = fmt.Errorf("%w: changed by somebody else", refusal(409))
	// ErrState: the state of the case does not allow this.
	ErrState = fmt.Errorf("%w: not possible in this state", refusal(409))
	// ErrSecond: it takes another person than the one who did the step before.
	ErrSecond = fmt.Errorf("%w: it takes a second person", refusal(403))
	// ErrSubject: a subject of the case would own it.
	ErrSubject = fmt.Errorf("%w: a subject of the case cannot own it", refusal(422))
	// ErrAssessment: the answers do not allow the conclusion (45 CFR 164.402(2)).
	ErrAssessment = fmt.Errorf("%w: the answers do not allow this conclusion", refusal(422))
	// ErrOwed: somebody has to be told before the case is closed, or it is not known how many.
	ErrOwed = fmt.Errorf("%w: a notification is owed", refusal(409))
	// ErrInput: something is missing, too long, or not possible; see InputError.
	ErrInput = fmt.Errorf("%w: not possible as given", refusal(422))
	// ErrFull: the case holds as many of these as it can.
	ErrFull = fmt.Errorf("%w: no room for more", refusal(422))
	// ErrLimited: too many reports; see LimitedError.
	ErrLimited = fmt.Errorf("%w: too many reports", refusal(429))

	// ErrNoActor: the context carries nobody who may do this.
	ErrNoActor = fmt.Errorf("%w: nobody is signed in who may do this", refusal(401))
	// ErrAssurance: the person must prove more: AAL2 (NIST SP 800-63B-4, section 2.2).
	ErrAssurance = fmt.Errorf("%w: a second factor is required", refusal(401))

	// ErrDamaged: what is stored is not what was written.
	ErrDamaged = errors.New("incident: damaged")
	// ErrUnavailable: a part failed (HTTP 503). It wraps the cause.
	ErrUnavailable = errors.New("incident: unavailable")
)

// refusal is an HTTP status for hosts' tables, which find it by its method.
type refusal int

// Error begins the text of every error that has one.
func (refusal) Error() string { return "incident" }

// HTTPStatus returns the status.
func (r refusal) HTTPStatus() int { return int(r) }

// LimitedError is an ErrLimited that knows when to come back.
type LimitedError struct {
	RetryAfter time.Duration // whole seconds, at least one
}

// Error says that there were too many reports.
func (e *LimitedError) Error() string { return ErrLimited.Error() }

// Unwrap returns ErrLimited.
func (e *LimitedError) Unwrap() error { return ErrLimited }

// InputError is an ErrInput that names the field. The words for people are the host's.
type InputError struct{ Field string }

// Error names the field.
func (e *InputError) Error() string { return ErrInput.Error() + ": " + e.Field }

// Unwrap returns ErrInput.
func (e *InputError) Unwrap() error { return ErrInput }

func wrong(field string) error { return &InputError{field} }

// unavailable wraps a failure of a part.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
