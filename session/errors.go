package session

import (
	"errors"
	"fmt"
)

// answer is an HTTP status for hosts' tables, such as authn.Status, which find it by its method.
type answer int

// Error begins the text of every error that has one.
func (answer) Error() string { return "session" }

// HTTPStatus returns the status.
func (a answer) HTTPStatus() int { return int(a) }

// Why a request is not signed in. ErrNoSession is the root: errors.Is(err, ErrNoSession)
// holds for all of them and means "anonymous", which is not a failure of the server.
var (
	// ErrNoSession: no token was presented.
	ErrNoSession = fmt.Errorf("%w: not signed in", answer(401))
	// ErrExpired: the session reached its idle or absolute limit, or the clock ran backwards.
	ErrExpired = fmt.Errorf("%w: the session expired", ErrNoSession)
	// ErrEnded: the session was ended: signed out, replaced, or ended by somebody else.
	ErrEnded = fmt.Errorf("%w: the session was ended", ErrNoSession)
	// ErrInvalid: the token is malformed or nobody knows it.
	ErrInvalid = fmt.Errorf("%w: the token is not valid", ErrNoSession)
	// ErrLocked: the session is locked. The person who locked it may unlock it or sign out.
	ErrLocked = fmt.Errorf("%w: the session is locked", ErrNoSession)
	// ErrBlocked: the session lives, but not for requests from this network.
	ErrBlocked = fmt.Errorf("%w: not from this network", ErrNoSession)
)

// Why a request is refused whatever it carries.
var (
	// ErrAmbiguous: more than one token was presented (RFC 6750, section 2).
	ErrAmbiguous = fmt.Errorf("%w: more than one token presented", answer(400))
	// ErrCrossOrigin: a browser sent an unsafe request on behalf of another site.
	ErrCrossOrigin = fmt.Errorf("%w: cross-origin request", answer(403))
	// ErrUnavailable: the store or the limits could not be asked, so nobody is signed in.
	// It wraps their error.
	ErrUnavailable = fmt.Errorf("%w: sessions are unavailable", answer(503))
)

// What the calls about sessions answer.
var (
	// ErrActor: the actor cannot have a session: no id, no tenant, nothing proven.
	ErrActor = errors.New("session: the actor cannot have a session")
	// ErrDenied: the actor in the context belongs to another tenant, or nobody acts.
	ErrDenied = fmt.Errorf("%w: denied", answer(403))
	// ErrUnrecorded: what was done could not be recorded. It wraps the recorder's error.
	ErrUnrecorded = fmt.Errorf("%w: not recorded", answer(503))
	// ErrStale: the person did not prove anything since the session knows, or too long ago.
	ErrStale = fmt.Errorf("%w: the proof is not fresh", answer(401))
	// ErrNotLocked: there is nothing to unlock.
	ErrNotLocked = fmt.Errorf("%w: the session is not locked", answer(409))
	// ErrNotRunning: Run does not run in this process.
	ErrNotRunning = errors.New("session: Run is not running")
	// ErrLimits: limits that Limits.Validate refuses.
	ErrLimits = fmt.Errorf("%w: limits", answer(422))
	// ErrPolicy: a policy that Policy.Validate refuses, or that cannot be read back.
	ErrPolicy = fmt.Errorf("%w: policy", answer(422))
)

// What stores answer.
var (
	// ErrExists: a session with this key or this id exists already.
	ErrExists = fmt.Errorf("%w: the session exists already", answer(409))
	// ErrNotFound: there is no such session, or it has ended already.
	ErrNotFound = fmt.Errorf("%w: no such session", answer(404))
	// ErrConflict: somebody else changed the session or the policy first.
	ErrConflict = fmt.Errorf("%w: changed meanwhile", answer(409))
)
