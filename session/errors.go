package session

import (
	"errors"
	"fmt"
)

// Why a request is not signed in. ErrNoSession is the root: errors.Is(err, ErrNoSession)
// holds for all four and means "anonymous", which is not a failure of the server.
var (
	// ErrNoSession: no token was presented.
	ErrNoSession = errors.New("session: not signed in")
	// ErrExpired: the session reached its idle or absolute limit, or the clock ran backwards.
	ErrExpired = fmt.Errorf("%w: the session expired", ErrNoSession)
	// ErrEnded: the session was ended: signed out, replaced, or ended by somebody else.
	ErrEnded = fmt.Errorf("%w: the session was ended", ErrNoSession)
	// ErrInvalid: the token is malformed or nobody knows it.
	ErrInvalid = fmt.Errorf("%w: the token is not valid", ErrNoSession)
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
	// ErrLimits: limits that Limits.Validate refuses.
	ErrLimits = errors.New("session: limits")
)

// What stores answer.
var (
	// ErrExists: a session with this key or this id exists already.
	ErrExists = errors.New("session: the session exists already")
	// ErrNotFound: there is no such session, or it has ended already.
	ErrNotFound = errors.New("session: no such session")
)
