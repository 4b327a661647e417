package review

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Source is the log that is reviewed; audit.Memory and auditsql.Store are some.
type Source interface {
	// List is that of audit.Reader.
	List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error]
	// Orders yields how far each tenant's order has come.
	Orders(ctx context.Context) iter.Seq2[audit.Order, error]
}

// Place is how far the log of one tenant was reviewed.
type Place struct {
	Tenant  audit.Tenant
	Version int64  // 1 after the first Commit, one more after each
	Next    int64  // index of the first event that was not reviewed
	Data    []byte // what Reviewer remembers of the tenant, at most a few KiB
}

// Actor is what Reviewer remembers of one actor: counts of 30 days, what is in a window now, and
// digests of patients seen. At most MaxMemory bytes.
type Actor struct {
	ID   audit.ActorID // or one of Reviewer's own for everybody together, which begin with ~
	Data []byte
}

// MaxMemory is how many bytes are remembered of one actor at most, MaxActors how many actors of a
// tenant are remembered each for themselves; those who come later are watched together.
const (
	MaxMemory = 256 << 10
	MaxActors = 100_000
)

// Commit is what was made of some events, all or nothing.
type Commit struct {
	Place    Place     // Version is one more than what is stored
	Actors   []Actor   // new ones, and in place of what there was
	Findings []Finding // those with Version 1 are new, each other one more than what is stored
}

// Filter selects findings of one tenant. An empty field does not restrict.
type Filter struct {
	Tenant audit.Tenant
	States []State
	Rule   Name
	Actor  audit.ActorID
	Below  Mark // findings that come after this one; the zero Mark: from the newest on
	Limit  int  // 1 and up
}

// Mark is where a finding stands among others: by Index, then by ID.
type Mark struct {
	Index int64
	ID    string
}

// Store keeps how far the review has come, what it remembers, its findings and its settings.
// Memory and reviewsql.Store implement it, reviewtest.TestStore proves somebody else's.
//
// A Store is safe for concurrent use, from several processes too, and shares no memory with its
// callers.
type Store interface {
	Tail
	Findings
	Rules
}

// Tail keeps how far the log was reviewed.
type Tail interface {
	// Place returns how far a tenant was reviewed. Not there: the zero Place, no error. Cancelled: an
	// error.
	Place(ctx context.Context, tenant audit.Tenant) (Place, error)

	// Actors returns what is remembered of some actors, in any order, each once. Not there: left
	// out. Cancelled: an error.
	Actors(ctx context.Context, tenant audit.Tenant, ids []audit.ActorID) ([]Actor, error)

	// Commit stores c if and only if the tenant's Place, zero where there is none, and each finding
	// have the version before. Not there, there already or with another version: ErrConflict, and
	// nothing changes. Twice at once: one succeeds, the other answers ErrConflict. Cancelled half-way:
	// an error, and all of it is there or nothing. Nil means that all of it survives a crash.
	Commit(ctx context.Context, c Commit) error
}

// Findings keeps findings.
type Findings interface {
	// Finding returns one, ErrNotFound if the tenant has none of this ID. Cancelled: an error.
	Finding(ctx context.Context, tenant audit.Tenant, id string) (Finding, error)

	// List yields the findings that f selects, the highest Mark first, at most f.Limit. None:
	// nothing. Added or changed meanwhile: may or may not be among them, never twice. Cancelled or
	// failing: the last pair holds the error.
	List(ctx context.Context, f Filter) iter.Seq2[Finding, error]

	// Update replaces the finding of the same ID if and only if what is stored has the version
	// before f.Version. Not there, or another version: ErrConflict, and nothing changes. Twice at
	// once: one succeeds. Cancelled half-way: an error, and it is replaced or not. Nil means that it
	// survives a crash.
	Update(ctx context.Context, f Finding) error

	// Count returns how many findings the tenant has in each state; a state without any may be
	// left out. Cancelled: an error.
	Count(ctx context.Context, tenant audit.Tenant) (map[State]int, error)
}

// Rules keeps settings.
type Rules interface {
	// Settings returns what SaveSettings stored last. Not there: the zero Settings, no error.
	// Cancelled: an error.
	Settings(ctx context.Context, tenant audit.Tenant) (Settings, error)

	// SaveSettings stores s if and only if what is stored has the version before s.Version, 0 where
	// nothing is. Another version: ErrConflict, and nothing changes. Twice at once: one succeeds.
	// Cancelled half-way: an error, and it is stored or not. Nil means that it survives a crash.
	SaveSettings(ctx context.Context, tenant audit.Tenant, s Settings) error
}
