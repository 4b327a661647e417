package support

import (
	"errors"
	"fmt"
)

// What callers can act on. No error of this package carries an identifier, a text or SQL.
var (
	// ErrNotFound: the person in ctx has no such access.
	ErrNotFound = fmt.Errorf("%w: not found", refusal(404))
	// ErrConflict: somebody else changed it since it was read.
	ErrConflict = fmt.Errorf("%w: changed by somebody else", refusal(409))
	// ErrOpen: the operator has a request or an access in this tenant that is not over.
	ErrOpen = fmt.Errorf("%w: another one is open", refusal(409))
	// ErrState: the state does not allow this.
	ErrState = fmt.Errorf("%w: not possible in this state", refusal(409))
	// ErrInput: something is missing, too long, or not possible; see InputError.
	ErrInput = fmt.Errorf("%w: not possible as given", refusal(422))
	// ErrWider: an approval would give more than was asked for.
	ErrWider = fmt.Errorf("%w: more than was asked for", refusal(422))
	// ErrLimited: the operator has asked this tenant too often today.
	ErrLimited = fmt.Errorf("%w: too many requests", refusal(429))

	// ErrNoActor: the context carries nobody who may do this.
	ErrNoActor = fmt.Errorf("%w: nobody is signed in who may do this", refusal(401))
	// ErrAssurance: the person must prove more: AAL2 (NIST SP 800-63B-4, section 2.2).
	ErrAssurance = fmt.Errorf("%w: a second factor is required", refusal(401))
	// ErrStepUp: the person must prove again who they are (RFC 9470).
	ErrStepUp = fmt.Errorf("%w: a fresh proof of identity is needed", refusal(401))
	// ErrOperator: the platform does not let the operator ask, or not any more.
	ErrOperator = fmt.Errorf("%w: not an operator who may ask", refusal(403))
	// ErrSelf: whoever asked cannot approve, nor can anybody else of the platform.
	ErrSelf = fmt.Errorf("%w: not by the platform's own people", refusal(403))
	// ErrRights: whoever approves has not the rights to grant this role; it wraps rbac's error.
	ErrRights = fmt.Errorf("%w: beyond the rights of who approves", refusal(403))
	// ErrClosed: there is no access that stands: not approved, not begun, over, or ended.
	ErrClosed = fmt.Errorf("%w: there is no access", refusal(403))

	// ErrDamaged: what is stored is not what was written.
	ErrDamaged = errors.New("support: damaged")
	// ErrUnavailable: a part failed (HTTP 503). It wraps the cause.
	ErrUnavailable = errors.New("support: unavailable")
	errElsewhere   = errors.New("the grant is not found in Parts.Grants, or not alone; it has to be the Authorizer's own store")

	// ErrNotRunning: nobody calls Run, so nobody is reminded and nothing is settled.
	ErrNotRunning = errors.New("support: Run is not running")
)

// refusal is an HTTP status for hosts' tables, which find it by its method.
type refusal int

// Error begins the text of every error that has one.
func (refusal) Error() string { return "support" }

// HTTPStatus returns the status.
func (r refusal) HTTPStatus() int { return int(r) }

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
