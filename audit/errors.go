package audit

import "errors"

// What callers can act on. Every error of this package wraps one of these or a store's own
// error; none carries an identifier, a value or SQL.
var (
	// ErrNoTrail: the context carries no Trail, so nothing can be decided or seen.
	ErrNoTrail = errors.New("audit: no trail in context")
	// ErrNoActor: the context carries no Actor and the event names none.
	ErrNoActor = errors.New("audit: no actor in context")
	// ErrUndecided: something was seen before anything was decided.
	ErrUndecided = errors.New("audit: seen before decided")
)
