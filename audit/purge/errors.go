package purge

import (
	"errors"
	"fmt"
)

// What callers can act on. No error holds a tenant, an identifier or a value.
var (
	// ErrSettings: not a period that can be set.
	ErrSettings = errors.New("purge: not a period that can be set")
	// ErrFloor: less than audit.Floor. It is an ErrSettings.
	ErrFloor = fmt.Errorf("%w: the law asks for six years", ErrSettings)
	// ErrHold: not a hold that can be placed.
	ErrHold = errors.New("purge: not a hold that can be placed")
	// ErrPlan: not a plan that can be kept.
	ErrPlan = errors.New("purge: not a plan")
	// ErrNotFound: there is no such thing.
	ErrNotFound = errors.New("purge: not found")
	// ErrConflict: somebody else changed it meanwhile, or its state is another one by now.
	ErrConflict = errors.New("purge: changed meanwhile")
	// ErrOpen: the tenant has a plan that is neither carried out nor given up.
	ErrOpen = errors.New("purge: another plan is open")
	// ErrNothing: there is nothing that may be destroyed.
	ErrNothing = errors.New("purge: nothing is old enough")
	// ErrPerson: this is decided by a person of the tenant's staff, for themselves, without an
	// emergency grant.
	ErrPerson = errors.New("purge: not a person who can decide this")
	// ErrSamePerson: it takes somebody else. It is an ErrPerson.
	ErrSamePerson = fmt.Errorf("%w: it takes a second one", ErrPerson)
	// ErrExpired: the plan was not agreed to, or not begun, in time. Propose again.
	ErrExpired = errors.New("purge: the plan has expired")
	// ErrStopped: what the plan names may not be destroyed any more: a hold, a longer period or another purge
	// has come. The plan is closed.
	ErrStopped = errors.New("purge: the plan holds what has to be kept")
	// ErrBundle: the export of the plan is not there, or not what was made.
	ErrBundle = errors.New("purge: the export is missing or was changed")
	// ErrPending: no signed tree covers yet what was agreed to, or that the purge was recorded. Nothing
	// is destroyed; Run goes on.
	ErrPending = errors.New("purge: recorded, not covered yet")
	// ErrUnavailable: a store, the log or the recorder failed. It wraps the cause.
	ErrUnavailable = errors.New("purge: unavailable")
	// ErrNotRunning: nobody calls Run, so what was agreed to is not carried out after a crash.
	ErrNotRunning = errors.New("purge: Run is not running")
)

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
