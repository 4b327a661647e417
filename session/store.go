package session

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Key is how a store finds a session. It comes from a token but does not lead back to it.
type Key struct {
	// Route is the token's random routing tag: stores that spread keys over several servers
	// may place by it, others ignore it. It is covered by Hash.
	Route [16]byte
	// Hash is the SHA-256 of the whole token. It is the only trace of the token at rest.
	Hash [32]byte
}

// Record is a new session with the key of its token.
type Record struct {
	Key     Key
	Session Session
}

// Selection names sessions of one person in one tenant.
type Selection struct {
	Tenant audit.Tenant
	Person audit.ActorID
	ID     string // only this one, if not empty
	Except string // all but this one, if not empty
}

// Store keeps sessions. Every write carries its condition, so that nothing a slow request
// does can bring an ended session back. Stores read no clock. Times are kept to the
// microsecond. Package sessiontest proves a store.
//
// Every method returns soon after ctx is done, with an error; cancelled half-way, a write
// has happened completely or not at all. All methods are safe for concurrent use by any
// number of processes.
type Store interface {
	// Create adds a session. It must not exist: if one has the same key hash, or the same
	// tenant, person and id, Create changes nothing and returns an error that wraps
	// ErrExists. Of several at once exactly one succeeds. It may forget sessions of the same
	// person that reached Ends before r.Session.Created.
	Create(ctx context.Context, r Record) error

	// Get returns the session with this key hash, ended or not; what it returns is the
	// caller's own copy. Not there: an error that wraps ErrNotFound. It reads what is
	// committed, never a cache of its own.
	Get(ctx context.Context, k Key) (Session, error)

	// Touch moves LastSeen to seen and IdleEnds to idleEnds if and only if the session is
	// live at seen: not ended, and seen is before its IdleEnds and its Ends. It reports
	// whether it is live. A live session that was seen later already stays as it is and is
	// reported live. An ended session stays ended, whoever read it before. Not there:
	// false, and nothing is created.
	Touch(ctx context.Context, k Key, seen, idleEnds time.Time) (live bool, err error)

	// Revoke ends the selected sessions that have not ended yet, with the time and reason
	// given, and returns how many those were. It is monotone: a session that has ended keeps
	// its first time and reason. Nothing selected: 0, no error. Of several at once each
	// session is ended, and counted, by one. A zero time is refused.
	Revoke(ctx context.Context, which Selection, at time.Time, reason string) (n int, err error)

	// List yields the person's sessions that are live at now (not ended, now before
	// IdleEnds and Ends), newest first by Created, then by id. It costs what the person's
	// own sessions cost. After an error it stops. The store may be used while it runs.
	List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[Session, error]
}
