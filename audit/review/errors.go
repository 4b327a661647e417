package review

import (
	"errors"
	"fmt"
)

// What callers can act on. No error holds a tenant, an identifier or a value.
var (
	// ErrNotFound: the tenant has no such finding.
	ErrNotFound = errors.New("review: no such finding")
	// ErrConflict: somebody else changed it since it was read.
	ErrConflict = errors.New("review: it was changed meanwhile")
	// ErrOwn: nobody reviews a finding about themselves.
	ErrOwn = errors.New("review: the finding is about this person")
	// ErrReviewer: only a person of the tenant's staff reviews.
	ErrReviewer = errors.New("review: not a person who can review")
	// ErrChange: from the state that the finding has, by this person, no such change leads on, or the
	// change lacks what it needs. The text says which.
	ErrChange = errors.New("review: not a change that can be made")
	// ErrSettings: settings that no rule could work with. The text names the rule and the bound.
	ErrSettings = errors.New("review: settings cannot be used")
	// ErrQuery: a list was asked for that there is none of.
	ErrQuery = errors.New("review: not a list that can be asked for")
	// ErrBehind: the log is shorter than what was reviewed, as after a backup was put back. Nothing
	// is reviewed until somebody looks.
	ErrBehind = errors.New("review: the log is shorter than what was reviewed")
	// ErrUnavailable: the log, the store, the recorder or the sealer failed. It wraps the cause.
	ErrUnavailable = errors.New("review: unavailable")
	// ErrNotRunning: nobody calls Run, so nothing new is reviewed.
	ErrNotRunning = errors.New("review: Run is not running")
)

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}

func wrong(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
}
