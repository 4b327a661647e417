package mfa

import (
	"errors"
	"fmt"
)

// What callers can act on. A wrong code is not an error: Verify answers with no methods,
// Confirm and Disable with false. No error carries an identifier, a code or a secret.
var (
	// ErrNotEnrolled: the person has no second factor here, or for Confirm none that waits to
	// be confirmed.
	ErrNotEnrolled = fmt.Errorf("%w: no second factor is enrolled", answer(409))
	// ErrEnrolled: the person has a second factor already. It is not replaced by a new
	// enrolment, or whoever knows a password could bring a phone of their own; it ends with
	// Disable or Reset first.
	ErrEnrolled = fmt.Errorf("%w: a second factor is enrolled already", answer(409))
	// ErrLocked: the authenticator was disabled after too many consecutive wrong codes
	// (NIST SP 800-63B-4, section 3.2.2). Only Reset ends it, or Replace with a recovery code.
	// Its method Disabled, by which authn knows it, reports true.
	ErrLocked = fmt.Errorf("mfa: %w", lockedError{})
	// ErrUnproven: the person is signed in, but has not proven a second factor within the last 15
	// minutes (audit.Actor: Assurance, AuthTime), which this takes. Let them prove who they are.
	ErrUnproven = fmt.Errorf("%w: a second factor has to be proven again first", answer(401))
	// ErrRequired: the person must have a second factor and cannot do without.
	ErrRequired = fmt.Errorf("%w: a second factor is required of this person", answer(409))
	// ErrNotYours: only the person disables their own second factor, nobody resets their own,
	// and nobody does either without being signed in.
	ErrNotYours = fmt.Errorf("%w: this is not for this actor to do", answer(403))
	// ErrUnwired: Options names no Sessions or no Notices, which ending a factor needs.
	ErrUnwired = errors.New("mfa: no sessions or no notices were given")
	// ErrFIPS: time-based codes are HMAC-SHA-1, which GODEBUG=fips140=only forbids.
	ErrFIPS = errors.New("mfa: one-time codes with SHA-1 are not allowed in FIPS 140-only mode")
	// ErrURI: the text is not an otpauth URI of the one kind this package makes.
	ErrURI = errors.New("mfa: not an otpauth URI of this package's kind")
	// ErrName: an issuer, an account name or a passkey's label is empty, too long or holds what
	// cannot be printed.
	ErrName = fmt.Errorf("%w: unusable name", answer(422))

	// ErrNoPasskeys: Options names no WebAuthn.
	ErrNoPasskeys = fmt.Errorf("%w: no passkeys here", answer(409))
	// ErrTooMany: the person has MaxPasskeys passkeys.
	ErrTooMany = fmt.Errorf("%w: too many passkeys", answer(409))
	// ErrPasskeyDisabled: the passkey was disabled because there is a second copy of it, or all
	// that the person has were. Its method Disabled, by which authn knows it, reports true.
	ErrPasskeyDisabled = fmt.Errorf("mfa: %w", disabledError{})

	// ErrUnavailable: the store, the vault, the recorder or the sessions failed, so the answer
	// is no (HTTP 503). It wraps the cause.
	ErrUnavailable = errors.New("mfa: unavailable")
	// ErrPending: the change is made and durable, but ending the person's sessions has not
	// succeeded yet. Run keeps trying.
	ErrPending = fmt.Errorf("%w: the change is made, ending sessions is still pending", answer(202))
	// ErrNotRunning: nobody calls Run, so a message that failed once waits for ever.
	ErrNotRunning = errors.New("mfa: Run is not running")
)

// answer is an HTTP status for hosts' tables, such as authn.Status, which find it by its method.
type answer int

// Error begins the text of every error that has one.
func (answer) Error() string { return "mfa" }

// HTTPStatus returns the status.
func (a answer) HTTPStatus() int { return int(a) }

type lockedError struct{}

func (lockedError) Error() string {
	return "the authenticator is disabled after too many wrong codes"
}

func (lockedError) Disabled() bool { return true }

type disabledError struct{}

func (disabledError) Error() string { return "the passkey is disabled, there is a copy of it" }

func (disabledError) Disabled() bool { return true }

// What a Store answers.
var (
	// ErrNotFound: there is no such credential.
	ErrNotFound = fmt.Errorf("%w: no such credential", answer(404))
	// ErrConflict: somebody else changed the credential since it was read.
	ErrConflict = fmt.Errorf("%w: the credential was changed meanwhile", answer(409))
)

// errWrong is a code that was refused and counted; it leaves the package as false or nil.
var errWrong = errors.New("mfa: wrong code")

// unavailable wraps a failure of a collaborator.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
