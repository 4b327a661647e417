package audit

import (
	"context"
	"crypto/sha256"
	"iter"
	"slices"
	"strings"
	"time"
)

// Entry is one event as a store keeps it. Body is the event; Tenant, ID, Recorded, Actor,
// Action, Outcome, Patients and Objects repeat parts of it so that a store can find it.
type Entry struct {
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
// of its values. All that is set must match.
type Filter struct {
	Tenant     Tenant    // always set
	From, To   time.Time // From ≤ Recorded < To
	Actors     []ActorID
	Actions    []Action
	Outcomes   []Outcome
	Patient    Patient
	ObjectType string
	ObjectID   string // only together with ObjectType, of the same object
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

// Position is a place in the order of List: newest first, by Recorded and then by ID, both
// descending. The zero Position is before the newest.
type Position struct {
	Recorded time.Time
	ID       string
}

// IsZero reports whether p is the position before the newest entry.
func (p Position) IsZero() bool { return p.Recorded.IsZero() && p.ID == "" }

// Compare orders positions as List does: negative if p comes before o, which is newer first.
// The zero Position comes before all others.
func (p Position) Compare(o Position) int {
	if p.IsZero() || o.IsZero() {
		switch {
		case p == o:
			return 0
		case p.IsZero():
			return -1
		}
		return 1
	}
	if c := o.Recorded.Compare(p.Recorded); c != 0 {
		return c
	}
	return strings.Compare(o.ID, p.ID)
}

// Position returns the place of e in the order of List.
func (e *Entry) Position() Position { return Position{e.Recorded, e.ID} }

// Store keeps entries and never changes them. It holds no logic: Log validates, encodes,
// groups and retries. Every answer the comments give is a rule of audittest.TestStore.
//
// A store gives entries no number. Entries of many processes become visible in any order;
// a dense order is assigned afterwards by sequencing, so nobody may read an order out of
// Recorded, ID or the moment of Append.
//
// A store is safe for concurrent use, keeps copies of what it is given, hands out copies,
// and honours the context's end wherever it waits.
type Store interface {
	// Append makes all entries durable or none. Nil means that they survive a crash of the
	// process and of the machine.
	//
	// Not there: it is added. Already there under the same tenant and ID with the same Body:
	// it counts as done and what is stored stays as it is, erased openings included. With
	// another Body: ErrConflict, and nothing of the call is kept. The same holds for an ID
	// that occurs twice in one call. Two calls at once with the same entry: both succeed,
	// one copy is kept. Cancelled half-way: an error, and all or none are there; the caller
	// appends again to find out. No entries: nil.
	Append(ctx context.Context, entries []Entry) error

	// Get returns one entry with its Openings; Patients and Objects are left out, they are
	// in Body. Not there, or there under another tenant: ErrNotFound. Cancelled: an error.
	Get(ctx context.Context, tenant Tenant, id string) (Entry, error)

	// List yields the entries that f selects and that come after the position, newest
	// first, limit at most; limit is at least 1. Patients, Objects and Openings are left
	// out. None: the sequence is empty. Appended meanwhile: may or may not be among them,
	// never twice and never out of order. Cancelled or failing: the last pair holds the
	// error. The caller may call the store again, or stop, inside the loop.
	List(ctx context.Context, f Filter, after Position, limit int) iter.Seq2[Entry, error]

	// Erase removes the Openings of these events for good and touches nothing else. Not
	// there, or erased before: that is no error. Twice at once: both succeed. Cancelled
	// half-way: an error, and all or none are erased; the caller erases again.
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
