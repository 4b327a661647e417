package audit

import (
	"errors"
	"fmt"
	"strings"
)

// What callers can act on. Every error of this package wraps one of these or a store's own
// error; none carries an identifier, a value or SQL.
var (
	// ErrNoTrail: the context carries no Trail, so nothing can be decided or seen.
	ErrNoTrail = errors.New("audit: no trail in context")
	// ErrNoActor: the context carries no Actor and the event names none.
	ErrNoActor = errors.New("audit: no actor in context")
	// ErrUndecided: something was seen before anything was decided.
	ErrUndecided = errors.New("audit: seen before decided")

	// ErrInvalid: an event lacks something or holds what cannot be recorded. The error is an
	// *InvalidError that names the fields.
	ErrInvalid = errors.New("audit: invalid event")
	// ErrBusy: the queue of a Log is full; nothing was recorded. Try again later.
	ErrBusy = errors.New("audit: too many events are waiting to be recorded")
	// ErrUnconfirmed: the store did not say in time that the events are durable. They may or
	// may not be; recording them again under the same IDs is safe. It also wraps the cause.
	ErrUnconfirmed = errors.New("audit: not confirmed durable")
	// ErrConflict: another event has this ID.
	ErrConflict = errors.New("audit: another event has this id")
	// ErrNotFound: the tenant has no event of this ID.
	ErrNotFound = errors.New("audit: no such event")
	// ErrPurged: the tenant's event of this ID was destroyed after its retention. It is an ErrNotFound.
	ErrPurged = fmt.Errorf("%w any more", ErrNotFound)
	// ErrUnavailable: the store could not be read. It also wraps the cause.
	ErrUnavailable = errors.New("audit: the store did not answer")
	// ErrBadQuery: a Query lacks its tenant or contradicts itself.
	ErrBadQuery = errors.New("audit: invalid query")
	// ErrBadCursor: a cursor was forged, or made for another tenant, filter or sorting, or by
	// a process with another key. Start again at the first page.
	ErrBadCursor = errors.New("audit: invalid cursor")
	// ErrTooMany: a sorted Query matches more than MaxSorted events. Narrow it.
	ErrTooMany = errors.New("audit: too many events to sort")
	// ErrRunning: Run was called while it runs.
	ErrRunning = errors.New("audit: run was called twice")
	// ErrDamaged: stored bytes are not what was recorded.
	ErrDamaged = errors.New("audit: a stored event is damaged")
	// ErrSealing: the sealer could not seal or unseal private values. It also wraps the cause.
	ErrSealing = errors.New("audit: sealing private values failed")
)

// InvalidError says what keeps an event from being recorded. It holds names of fields, such
// as "action" or "objects.id", never their values.
type InvalidError struct {
	Missing []string // required and empty
	Wrong   []string // too long, not UTF-8, with control characters, out of range
}

// Error lists the fields.
func (e *InvalidError) Error() string {
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, "missing "+strings.Join(e.Missing, ", "))
	}
	if len(e.Wrong) > 0 {
		parts = append(parts, "not recordable "+strings.Join(e.Wrong, ", "))
	}
	return ErrInvalid.Error() + ": " + strings.Join(parts, "; ")
}

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// hidden joins a sentinel and the cause without printing the cause: a driver's or a KMS's
// error text may hold anything.
type hidden struct{ sentinel, cause error }

func (h hidden) Error() string   { return h.sentinel.Error() }
func (h hidden) Unwrap() []error { return []error{h.sentinel, h.cause} }

// Cause returns what lies behind an error of this package, such as the store's or the sealer's
// own error, for the operator's log; an error without a cause is its own. The stores of wardkit
// quote no values in theirs; whether a host's own store does is for the host to know.
func Cause(err error) error {
	for h := (hidden{}); errors.As(err, &h); {
		err = h.cause
	}
	return err
}

// hint adds a constant text to a sentinel.
func hint(sentinel error, text string) error { return fmt.Errorf("%w: %s", sentinel, text) }

// because wraps cause so that errors.Is finds both, and prints only the sentinel.
func because(sentinel, cause error) error {
	if cause == nil || errors.Is(cause, sentinel) {
		return sentinel
	}
	return hidden{sentinel, cause}
}
