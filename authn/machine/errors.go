package machine

import (
	"errors"
	"fmt"
	"time"
)

// What callers can act on. No error of this package carries an identifier, a name, a key or SQL.
var (
	// ErrInvalid: nobody is let in with this credential. It is the one answer for what is
	// malformed, unknown, expired, revoked, or whose principal or person has no right to act now;
	// the audit log knows why.
	ErrInvalid = fmt.Errorf("%w: credential not valid", refusal(401))
	// ErrLimited: too many requests; see LimitedError.
	ErrLimited = fmt.Errorf("%w: too many requests", refusal(429))
	// ErrUnavailable: a part failed, so the answer is no (HTTP 503). It wraps the cause.
	ErrUnavailable = errors.New("machine: unavailable")

	// ErrNoActor: the context carries nobody who may do this: no person of a tenant. Programs make
	// no programs.
	ErrNoActor = fmt.Errorf("%w: no person is signed in", refusal(401))
	// ErrAssurance: the person must prove more: AAL2 (NIST SP 800-63B-4, section 2.2).
	ErrAssurance = fmt.Errorf("%w: a second factor is required", refusal(401))
	// ErrScope: a scope is more than the person may do, or nothing a program can do.
	ErrScope = fmt.Errorf("%w: a scope is beyond the rights of who grants it", refusal(403))
	// ErrSpec: what a principal shall be is not possible; see SpecError.
	ErrSpec = fmt.Errorf("%w: not possible as described", refusal(422))
	// ErrKeys: the principal has as many live keys as it may.
	ErrKeys = fmt.Errorf("%w: too many live keys", refusal(409))
	// ErrState: the principal's state does not allow this change.
	ErrState = fmt.Errorf("%w: not possible in this state", refusal(409))

	// ErrNotFound: no such row.
	ErrNotFound = fmt.Errorf("%w: not found", refusal(404))
	// ErrExists: a key or a token with this ID exists already.
	ErrExists = fmt.Errorf("%w: exists already", refusal(409))
	// ErrConflict: the principal has another version than the writer expected.
	ErrConflict = fmt.Errorf("%w: changed by somebody else", refusal(409))
	// ErrNotRunning: nobody calls Manager.Run here.
	ErrNotRunning = errors.New("machine: Run is not running")
)

// refusal is an HTTP status for hosts' tables, such as authn.Status, which find it by its method.
type refusal int

// Error begins the text of every error that has one.
func (refusal) Error() string { return "machine" }

// HTTPStatus returns the status.
func (r refusal) HTTPStatus() int { return int(r) }

// LimitedError is an ErrLimited that knows when to come back.
type LimitedError struct {
	RetryAfter time.Duration // whole seconds, at least one
}

// Error says that there were too many requests.
func (e *LimitedError) Error() string { return ErrLimited.Error() }

// Unwrap returns ErrLimited.
func (e *LimitedError) Unwrap() error { return ErrLimited }

// SpecError is an ErrSpec that says what is wrong. The words for people are the host's.
type SpecError struct{ Reason Reason }

// Error names the reason.
func (e *SpecError) Error() string { return ErrSpec.Error() + ": " + string(e.Reason) }

// Unwrap returns ErrSpec.
func (e *SpecError) Unwrap() error { return ErrSpec }

// Reason is why a principal cannot be as described.
type Reason string

// The reasons.
const (
	BadKind     Reason = "kind"      // neither a service nor an agent
	BadName     Reason = "name"      // empty, longer than MaxName bytes or not printable
	BadOwner    Reason = "owner"     // nobody who may act answers for it
	BadPerson   Reason = "person"    // an agent acts for a person who may act, and never for a program
	BadScopes   Reason = "scopes"    // none, more than MaxScopes, or one that is no name of an action
	BadExpiry   Reason = "expiry"    // in the past, or later than is allowed
	BadOverlap  Reason = "overlap"   // longer than is allowed, or negative
	BadKeyOrder Reason = "key_dates" // a key would live longer than its principal
)

func bad(r Reason) error { return &SpecError{r} }

// unavailable wraps a failure of a part.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
