package authn

import (
	"errors"
	"fmt"
	"time"
)

// What callers can act on. No error of this package carries an identifier, an address, a
// secret or SQL.
var (
	// ErrDenied: nobody gets in with what was given. It is the one answer for an unknown
	// identifier, a wrong password, and a person who may not sign in.
	ErrDenied = errors.New("authn: sign-in refused")
	// ErrThrottled: too many tries; see ThrottledError for when the next one is worth making.
	ErrThrottled = errors.New("authn: too many tries")
	// ErrBusy: too many passwords are being hashed right now (HTTP 503); see BusyError.
	ErrBusy = errors.New("authn: busy")
	// ErrNetwork: whoever this is may not work from the address they come from (HTTP 403).
	ErrNetwork = errors.New("authn: not from this network")
	// ErrInactive: who signed in last too long ago is locked out until an administrator unlocks
	// them (HTTP 403). Only who has just proven a password or holds a link is told.
	ErrInactive = errors.New("authn: locked after a long time without a sign-in")
	// ErrApproval: who has set up their account waits for an administrator's approval (HTTP 403).
	// Only who has just proven a password is told.
	ErrApproval = errors.New("authn: not approved yet")
	// ErrNoSeat: Options.Admission has no room for the person. Nothing was changed.
	ErrNoSeat = errors.New("authn: no seat is left")
	// ErrRole: Options.Admission does not know the role that somebody is invited into. Nothing was
	// changed.
	ErrRole = errors.New("authn: role refused")
	// ErrRoleDenied: Options.Admission does not let whoever invites give the role (HTTP 403).
	ErrRoleDenied = fmt.Errorf("%w: not theirs to give", ErrRole)
	// ErrProof: Prove was given less than the policy asks for, see Manager.Asked.
	ErrProof = errors.New("authn: more has to be proven")
	// ErrNoFactor: a second factor was given that the person does not have, or that the policy does
	// not take.
	ErrNoFactor = errors.New("authn: no second factor is set up")
	// ErrNoPasskeys: nobody makes passkeys here: there is no Options.Passkeys, or the policy does
	// not take them. It wraps ErrNoFactor.
	ErrNoPasskeys = fmt.Errorf("%w: no passkeys here", ErrNoFactor)
	// ErrPasswordFirst: passkeys do not sign in alone here, a password comes first. It wraps
	// ErrDenied and says nothing about anybody: the policy is everybody's.
	ErrPasswordFirst = fmt.Errorf("%w: a password comes first", ErrDenied)
	// ErrPasskeyDisabled: this passkey takes part no more, because there may be a copy of it. It
	// wraps ErrDenied. Other factors do, and whoever gets in removes it and makes another one.
	ErrPasskeyDisabled = fmt.Errorf("%w: this passkey was disabled", ErrDenied)
	// ErrPolicy: a tenant's policy cannot be meant, or its stored form cannot be read.
	ErrPolicy = errors.New("authn: policy not usable")
	// ErrBanner: the banner was not acknowledged. It appears as Step.Problem.
	ErrBanner = errors.New("authn: banner not acknowledged")
	// ErrNetworkRules: a list of networks cannot be used.
	ErrNetworkRules = errors.New("authn: network rules not usable")
	// ErrTicket: the sign-in in progress is unknown, expired, already continued or overtaken
	// by a change of the account. The person starts again.
	ErrTicket = errors.New("authn: this sign-in is over, start again")
	// ErrWrongCode: a second-factor code was not right. It appears as Step.Problem.
	ErrWrongCode = errors.New("authn: wrong code")
	// ErrPasskey: a passkey's response was not accepted, or came too late. It wraps ErrWrongCode.
	ErrPasskey = fmt.Errorf("%w: the passkey's response was not accepted", ErrWrongCode)
	// ErrPassword: a new password is against the policy; see PolicyError for why.
	ErrPassword = errors.New("authn: password not acceptable")

	// ErrLink: the link is unusable; the three below say more and wrap it.
	ErrLink = errors.New("authn: link not valid")
	// ErrLinkUnknown: no such link was ever issued, or it is long forgotten.
	ErrLinkUnknown = fmt.Errorf("%w: unknown", ErrLink)
	// ErrLinkExpired: the link is past its lifetime. The person asks for a new one.
	ErrLinkExpired = fmt.Errorf("%w: expired", ErrLink)
	// ErrLinkUsed: the link was used before, or a newer one replaced it.
	ErrLinkUsed = fmt.Errorf("%w: already used", ErrLink)

	// ErrIdentifier: an identifier is empty, too long or no valid text.
	ErrIdentifier = errors.New("authn: identifier not valid")
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("authn: not found")
	// ErrExists: the person or the identifier exists already in the tenant.
	ErrExists = errors.New("authn: exists already")
	// ErrConflict: the row has another version than the writer expected.
	ErrConflict = errors.New("authn: changed by somebody else")
	// ErrState: the person's state does not allow this change, for example reinstating
	// somebody who was removed.
	ErrState = errors.New("authn: not possible in this state")
	// ErrSetUpDone: the tenant has people already; the first administrator is set up once.
	ErrSetUpDone = errors.New("authn: set-up is done")
	// ErrNoActor: the context carries no signed-in person of the tenant.
	ErrNoActor = errors.New("authn: nobody is signed in")

	// ErrUnavailable: a store, the vault, the session keeper, the second factor or the
	// recorder failed, so the answer is no (HTTP 503). It wraps the cause.
	ErrUnavailable = errors.New("authn: unavailable")
	// ErrPending: the change is made and durable, but ending the person's sessions, what else
	// they hold, or their seat, has not succeeded yet. Run keeps trying.
	ErrPending = errors.New("authn: the change is made, ending sessions is still pending")
	// ErrNotRunning: nobody calls Manager.Run, so messages that failed once are not tried again.
	ErrNotRunning = errors.New("authn: Run is not running")
)

// ThrottledError is an ErrThrottled that knows when the next try is worth making.
type ThrottledError struct {
	// RetryAfter is how long to wait, rounded up to whole seconds; zero if Disabled.
	RetryAfter time.Duration
	// Disabled says that the limit of consecutive failures is reached (NIST SP 800-63B-4,
	// section 3.2.2): waiting does not help, a new password or second factor does.
	Disabled bool
}

// Error says that there were too many tries.
func (e *ThrottledError) Error() string { return ErrThrottled.Error() }

// Unwrap returns ErrThrottled.
func (e *ThrottledError) Unwrap() error { return ErrThrottled }

// BusyError is an ErrBusy that knows when to come back.
type BusyError struct {
	RetryAfter time.Duration // whole seconds, at least one
}

// Error says that the server is busy.
func (e *BusyError) Error() string { return ErrBusy.Error() }

// Unwrap returns ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// PolicyError is an ErrPassword that says what is wrong, as NIST SP 800-63B-4, section
// 3.1.1.2 asks ("the reason for rejection").
type PolicyError struct {
	Reason Reason
	Min    int // shortest acceptable length, in Unicode code points
	Max    int // longest acceptable length, in Unicode code points
}

// Error names the reason.
func (e *PolicyError) Error() string { return ErrPassword.Error() + ": " + string(e.Reason) }

// Unwrap returns ErrPassword.
func (e *PolicyError) Unwrap() error { return ErrPassword }

// Reason is why a password is not acceptable. The words are the host's.
type Reason string

// The reasons.
const (
	TooShort Reason = "too short"           // fewer than PolicyError.Min code points
	TooLong  Reason = "too long"            // more than PolicyError.Max code points
	Common   Reason = "commonly used"       // on the list of common passwords
	Context  Reason = "contains known word" // little more than the person's or the service's name
	Invalid  Reason = "not valid text"      // not valid UTF-8, or control characters
	Same     Reason = "same as before"      // a due change has to change something
	Breached Reason = "stolen elsewhere"    // Options.Breaches knows it
)

// unavailable wraps a failure of a collaborator.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
