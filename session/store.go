package session

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Key is how a store finds a session. It comes from a token but does not lead back to it.
type Key struct {
	// Route is the token's random routing tag, which Keeper.Route gave: stores that spread
	// keys over several servers may place by it, others ignore it. It is covered by Hash.
	Route [16]byte
	// Hash is the SHA-256 of the whole token. It is the only trace of the token at rest.
	Hash [32]byte
}

// Record is a new row: a session with the key of its token.
type Record struct {
	Key     Key
	Session Session
}

// Found is what one read for a request finds.
type Found struct {
	Session Session
	// Policy is the tenant's saved policy, nil if it never saved one.
	Policy *Policy
}

// Selection names sessions of one person in one tenant.
type Selection struct {
	Tenant audit.Tenant
	Person audit.ActorID
	ID     string // only this one, if not empty
	Except string // all but this one, if not empty
}

// Proof is a confirmation that may be used once, until a time.
type Proof struct {
	Tenant audit.Tenant
	// Key is the Route of the token that was confirmed with, and a hash over that token's
	// hash and over what was confirmed: it dies with the token.
	Key   Key
	Until time.Time
}

// Store keeps sessions and what belongs to them. Every write carries its condition, so that
// nothing a slow request does can bring an ended session back. Stores read no clock: now is
// an argument. Times are kept to the microsecond. Package sessiontest proves a store.
//
// A session is one row, or two for the moments after a change of its token: then one row is
// Superseded, keeps what was proven when it was made, and works until its own Ends. It is
// the same session: Lock and Revoke reach both, List, limits and counts see one.
//
// A row is live at a time if it has not ended and that time is before its IdleEnds and Ends.
//
// What a method returns is a snapshot that no later call changes, and that the caller does
// not change either; what a method was given it copies where it keeps it. Every method
// returns soon after ctx is done, with an error; cancelled half-way, a write has happened
// completely or not at all. All methods are safe for concurrent use by any number of
// processes, and what one of them has answered holds for all from then on.
type Store interface {
	Rows
	Changes
	Proofs
	Policies
	Keeper
}

// Rows is the part of a Store that a session lives and ends in.
type Rows interface {
	// Create adds a session. It must not exist: if one has the same key hash, or the same
	// tenant, person and id, Create changes nothing and returns an error that wraps
	// ErrExists. Of several at once exactly one succeeds.
	//
	// With a limit above 0 it ends, in the same step, with ReasonLimit at r.Session.Created,
	// as many of the person's sessions that are live at that time as it takes for limit to
	// be live with the new one: the oldest by Created, then by id. It returns the ids of
	// those, oldest first. However many are created at once, never more than limit are live.
	//
	// It may forget rows of the same person that reached Ends before r.Session.Created and,
	// of those that are not live at that time, all but the 64 that were live last.
	Create(ctx context.Context, r Record, limit int) (evicted []string, err error)

	// Get returns the session with this key hash, ended or not, together with the policy
	// that its tenant has saved, in one read. Not there: an error that wraps ErrNotFound. It
	// reads what is committed, never a cache that may be behind.
	Get(ctx context.Context, k Key) (Found, error)

	// Touch moves LastSeen to seen and IdleEnds to idleEnds if and only if the row is live
	// at seen. It reports whether it is. A live row that was seen later already stays as it
	// is and is reported live. An ended session stays ended, whoever read it before. Not
	// there: false, and nothing is created.
	Touch(ctx context.Context, k Key, seen, idleEnds time.Time) (live bool, err error)

	// List yields the person's sessions that are live at now, superseded rows left out,
	// newest first by Created, then by id. It costs what the person's own sessions cost.
	// After an error it stops. The store may be used while it runs.
	List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[Session, error]

	// Revoke ends the selected sessions that have not ended yet, with the time and reason
	// given, and returns how many sessions those were, a superseded row not counted beside
	// its successor. It is monotone: a session that has ended keeps its first time and
	// reason. Nothing selected: 0, no error. Of several at once each session is ended, and
	// counted, by one. A session whose token is changed at the same time is dead afterwards
	// under both tokens. A zero time is refused.
	Revoke(ctx context.Context, which Selection, at time.Time, reason string) (n int, err error)
}

// Changes is the part of a Store that changes a session that goes on.
type Changes interface {
	// Rotate gives the session of old another token, in one step: it adds next, and marks
	// the row of old as Superseded, with Ends and IdleEnds moved to until where they are
	// later; the rest of that row stays as it is. It does so if and only if the row of old
	// is live at next.Session.LastSeen, not superseded, of the tenant, person and id of
	// next, and its Version is one less than next's; otherwise nothing changes and the
	// error wraps ErrConflict, also where old is not there. If next's key exists, nothing
	// changes and the error wraps ErrExists. Of several at once exactly one succeeds. It may
	// forget what Create may, at next.Session.LastSeen.
	//
	// next.Key.Route equals old.Route.
	Rotate(ctx context.Context, old Key, next Record, until time.Time) error

	// Lock sets Locked to at, and raises Version by one, on the selected sessions that have
	// not ended and are not locked yet, on all their rows, and returns how many sessions
	// those were, superseded rows not counted. A locked session keeps its first time. Only
	// Rotate ends a lock, with a next that has none. Nothing selected: 0, no error. A
	// session whose token is changed at the same time is locked afterwards under both
	// tokens. A zero time is refused.
	Lock(ctx context.Context, which Selection, at time.Time) (n int, err error)
}

// Proofs is the part of a Store that keeps confirmations until they are used.
type Proofs interface {
	// Put keeps a proof. One with the same tenant and key hash is replaced: it can still be
	// used only once.
	Put(ctx context.Context, p Proof) error

	// Consume uses the proof up and reports whether there was one whose Until is after now.
	// Of several at once exactly one is told so. Not there, used, over: false, no error.
	Consume(ctx context.Context, t audit.Tenant, k Key, now time.Time) (ok bool, err error)
}

// Policies is the part of a Store that keeps the tenants' policies. It is durable where
// sessions need not be.
type Policies interface {
	// GetPolicy returns the policy that t saved last, with its Version. Not there: an error
	// that wraps ErrNotFound.
	GetPolicy(ctx context.Context, t audit.Tenant) (*Policy, error)

	// SavePolicy replaces the policy of t if and only if the saved one has the version
	// p.Version-1, where 0 means none; otherwise nothing changes and the error wraps
	// ErrConflict. Of several at once exactly one succeeds. Once it has returned nil, every
	// Get of every process that begins afterwards returns p.
	SavePolicy(ctx context.Context, t audit.Tenant, p Policy) error
}

// Keeper is the part of a Store that looks after the place of rows.
type Keeper interface {
	// Route returns the routing tag for the tokens of this person: random, never derived
	// from who it is. Stores that do not place rows by it return a fresh one each time.
	Route(ctx context.Context, t audit.Tenant, person audit.ActorID) ([16]byte, error)

	// Purge deletes up to limit rows whose Ends, and proofs whose Until, is before the time
	// given, and returns how many it deleted; fewer than limit means that none is left. It may
	// leave that to the store's own expiry and return 0. A limit below 1 deletes nothing.
	Purge(ctx context.Context, before time.Time, limit int) (n int, err error)
}
