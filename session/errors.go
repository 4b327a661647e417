package session

import (
	"errors"
	"fmt"
)

// Why a request is not signed in. ErrNoSession is the root: errors.Is(err, ErrNoSession)
// holds for all of them and means "anonymous", which is not a failure of the server.
var (
	// ErrNoSession: no token was presented.
	ErrNoSession = errors.New("session: not signed in")
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
	ErrAmbiguous = errors.New("session: more than one token presented")
	// ErrCrossOrigin: a browser sent an unsafe request on behalf of another site.
	ErrCrossOrigin = errors.New("session: cross-origin request")
	// ErrUnavailable: the store or the limits could not be asked, so nobody is signed in.
	// It wraps their error.
	ErrUnavailable = errors.New("session: sessions are unavailable")
)

// What the calls about sessions answer.
var (
	// ErrActor: the actor cannot have a session: no id, no tenant, nothing proven.
	ErrActor = errors.New("session: the actor cannot have a session")
	// ErrDenied: the actor in the context belongs to another tenant, or nobody acts.
	ErrDenied = errors.New("session: denied")
	// ErrUnrecorded: what was done could not be recorded. It wraps the recorder's error.
	ErrUnrecorded = errors.New("session: not recorded")
	// ErrStale: the person did not prove anything since the session knows, or too long ago.
	ErrStale = errors.New("session: the proof is not fresh")
	// ErrNotLocked: there is nothing to unlock.
	ErrNotLocked = errors.New("session: the session is not locked")
	// ErrNotRunning: Run does not run in this process.
	ErrNotRunning = errors.New("session: Run is not running")
	// ErrLimits: limits that Limits.Validate refuses.
	ErrLimits = errors.New("session: limits")
	// ErrPolicy: a policy that Policy.Validate refuses, or that cannot be read back.
	ErrPolicy = errors.New("session: policy")
)

// What stores answer.
var (
	// ErrExists: a session with this key or this id exists already.
	ErrExists = errors.New("session: the session exists already")
	// ErrNotFound: there is no such session, or it has ended already.
	ErrNotFound = errors.New("session: no such session")
	// ErrConflict: somebody else changed the session or the policy first.
	ErrConflict = errors.New("session: changed meanwhile")
)
