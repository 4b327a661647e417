package rbac

import (
	"errors"
	"fmt"
)

// What callers can act on. Denied and failed are different: ErrDenied is an answer,
// ErrUndecided says that there is none. Both close.
var (
	// ErrDenied: the rules say no. The error is a *Denial, which says why.
	ErrDenied = errors.New("rbac: denied")
	// ErrNothing: no row can match, because no role in force grants the action anywhere.
	// It is an ErrDenied.
	ErrNothing = fmt.Errorf("%w: no row can match", ErrDenied)
	// ErrReason: the action needs a reason and none was given. It is an ErrDenied that the
	// person can mend.
	ErrReason = fmt.Errorf("%w: a reason is needed", ErrDenied)
	// ErrStepUp: the person has to prove again who they are; Decision.Challenge says how. It is
	// an ErrDenied that the person can mend.
	ErrStepUp = fmt.Errorf("%w: a fresh proof of identity is needed", ErrDenied)
	// ErrSecondPerson: somebody else has to approve it first. It is an ErrDenied.
	ErrSecondPerson = fmt.Errorf("%w: a second person has to approve", ErrDenied)
	// ErrUndecided: it could not be found out or not be recorded: a store failed, there is no
	// trail. Nothing may be done or shown.
	ErrUndecided = errors.New("rbac: could not decide")
	// ErrNotFound: a load function returns it (or wraps it) for a resource that is not there.
	ErrNotFound = errors.New("rbac: resource not found")

	// ErrConflict: the tenant's grants were changed by somebody else in the meantime.
	ErrConflict = errors.New("rbac: grants were changed meanwhile")
	// ErrGrantExists: a grant with this ID is there already.
	ErrGrantExists = errors.New("rbac: grant exists")
	// ErrNoGrant: there is no such grant in force.
	ErrNoGrant = errors.New("rbac: no such grant")
	// ErrBadGrant: the grant could not mean anything: an unknown role, no person, practices
	// for a role that has no use for them.
	ErrBadGrant = errors.New("rbac: grant refused")
)

// Denial is the error of a denied action. errors.Is finds ErrDenied in it, and ErrNothing,
// ErrReason, ErrStepUp or ErrSecondPerson where that is why.
type Denial struct{ Decision Decision }

// Error returns a text without the code: what a caller shows is its own.
func (d *Denial) Error() string { return d.Unwrap().Error() }

// Unwrap returns the sentinel that d is about.
func (d *Denial) Unwrap() error {
	switch d.Decision.Code {
	case CodeReason:
		return ErrReason
	case CodeStepUp, CodeAssurance:
		return ErrStepUp
	case CodeSecondPerson:
		return ErrSecondPerson
	case CodeNothing:
		return ErrNothing
	}
	return ErrDenied
}
