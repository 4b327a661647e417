package audit

import (
	"context"
	"crypto/sha256"
	"iter"
	"math"
	"slices"
	"time"
)

// Entry is one event as a store keeps it. Body is the event; Tenant, ID, Recorded, Actor,
// Action, Outcome, Patients and Objects repeat parts of it so that a store can find it.
type Entry struct {
	Index    int64 // place in the tenant's order, dense from 0; -1 until it has one
	Tenant   Tenant
	ID       string    // UUID in its 36-character lower-case form
	Recorded time.Time // UTC, microseconds
	Actor    ActorID   // empty for the anonymous actor
	Action   Action
	Outcome  Outcome
	Patients []Patient // each once
	Objects  []Ref     // each once; ID may be empty

	Body     []byte   // canonical bytes, at most MaxBody
	Leaf     [32]byte // SHA-256(0x00 ‖ Body), the leaf hash of RFC 6962
	Openings []byte   // sealed private values; nil if there are none
}

// Ref names an object for finding the events about it.
type Ref struct{ Type, ID string }

// Filter selects entries of one tenant. An empty field does not restrict; a list matches any
// of its values. All that is set must match, each its own part of the entry, text byte for byte.
type Filter struct {
	Tenant     Tenant    // always set
	From, To   time.Time // From ≤ Recorded < To; Recorded need not follow Index
	Actors     []ActorID
	Actions    []Action
	Outcomes   []Outcome
	Patient    Patient // one of the entry's patients
	ObjectType string  // of one of the entry's objects
	ObjectID   string  // only together with ObjectType, of the same object
}

// Matches reports whether f selects e.
func (f *Filter) Matches(e *Entry) bool {
	return e.Tenant == f.Tenant &&
		(f.From.IsZero() || !e.Recorded.Before(f.From)) &&
		(f.To.IsZero() || e.Recorded.Before(f.To)) &&
		(len(f.Actors) == 0 || slices.Contains(f.Actors, e.Actor)) &&
		(len(f.Actions) == 0 || slices.Contains(f.Actions, e.Action)) &&
		(len(f.Outcomes) == 0 || slices.Contains(f.Outcomes, e.Outcome)) &&
		(f.Patient == "" || slices.Contains(e.Patients, f.Patient)) &&
		(f.ObjectType == "" || slices.ContainsFunc(e.Objects, func(r Ref) bool {
			return r.Type == f.ObjectType && (f.ObjectID == "" || r.ID == f.ObjectID)
		}))
}

// Newest is the bound of a first page: List below it starts at the newest entry.
const Newest int64 = math.MaxInt64

// Backlog is what a store holds that has no place in the order yet.
type Backlog struct {
	Waiting int       // entries, counted up to 100,000
	Oldest  time.Time // Recorded of the one that waits longest; zero if none waits
	Refused int       // entries that the store keeps but will not place: they were not written by this log
}

// Store keeps entries and never changes them. It holds no logic: Log validates, encodes,
// groups and retries. Every answer the comments give is a rule of audittest.TestStore, named
// after its contract; what takes a second process or a crash is one of audittest.TestFork and
// audittest.TestCrash.
//
// A store is safe for concurrent use, keeps copies of what it is given, hands out copies,
// and honours the context's end wherever it waits.
type Store interface {
	Appender
	Sequencer
	Reader
	Eraser
}

// Appender makes entries durable.
type Appender interface {
	// Append makes all entries durable or none. Nil means that they survive a crash of the
	// process and of the machine. Their Index is not looked at: Sequence gives it.
	//
	// Not there: it is added. Already there under the same tenant and ID with the same Body:
	// it counts as done and what is stored stays as it is, erased openings included. With
	// another Body: ErrConflict, and nothing of the call is kept. The same entry twice in one
	// call is one entry. One ID with two bodies in one call: ErrConflict, too. Two calls at
	// once with the same entry: both succeed, one copy is kept. Cancelled half-way: an error,
	// and all or none are there; the caller appends again to find out. No entries: nil.
	Append(ctx context.Context, entries []Entry) error
}

// Sequencer gives entries their order. Entries of many processes become durable in any order;
// an order that is assigned while they do would make every writer wait for every other, so it
// is assigned afterwards. A store may also do all of it in Append; Sequence then finds nothing.
type Sequencer interface {
	// Sequence gives entries that are durable and have no place yet their Index, at most limit
	// of them, and makes them findable with List. The first of a tenant has Index 0, each next
	// one the number after, without a gap and never changed again. What was durable before
	// another Append began comes before what that one added.
	//
	// It returns how many it placed. Fewer than limit: everything that was durable before the
	// call has its place, whoever gave it. Nothing waits: 0. Twice at once, also from two
	// processes: each entry is placed once. Cancelled half-way, or killed: all or none of the
	// call are placed, and the next call goes on.
	Sequence(ctx context.Context, limit int) (int, error)

	// Backlog says what waits for Sequence. Cancelled: an error.
	Backlog(ctx context.Context) (Backlog, error)
}

// Reader finds entries.
type Reader interface {
	// Get returns one entry with its Openings, as soon as Append has returned; Patients and
	// Objects are left out, they are in Body. Its Index is -1 until Sequence has placed it.
	// Not there, or there under another tenant: ErrNotFound. Cancelled: an error.
	Get(ctx context.Context, tenant Tenant, id string) (Entry, error)

	// List yields the placed entries that f selects and whose Index is below the bound, the
	// highest first, limit at most; limit is at least 1. Each is whole, but Patients, Objects
	// and Openings are left out. None: the sequence is empty. Placed meanwhile: may or may not
	// be among them, never twice and never out of order. Cancelled or failing: the last pair
	// holds the error. The caller may call the store again, or stop, inside the loop.
	List(ctx context.Context, f Filter, below int64, limit int) iter.Seq2[Entry, error]

	// Count returns how many entries List would yield from Newest on, and stops at limit.
	// None: 0. Cancelled: an error.
	Count(ctx context.Context, f Filter, limit int) (int, error)
}

// Eraser forgets private values.
type Eraser interface {
	// Erase removes the Openings of these events for good and touches nothing else. Not
	// there, or erased before: that is no error. Twice at once: both succeed. Cancelled
	// half-way: an error, and all or none are erased; the caller erases again. Nil means that
	// the erasure survives a crash.
	Erase(ctx context.Context, tenant Tenant, ids []string) error
}

// Leaf returns the leaf hash of RFC 6962, section 2.1, of an event's canonical bytes:
// SHA-256(0x00 ‖ body).
func Leaf(body []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(body)
	var leaf [32]byte
	h.Sum(leaf[:0])
	return leaf
}
