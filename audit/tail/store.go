package tail

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Source is the log that is followed; audit.Memory and auditsql.Store are some.
type Source interface {
	// List is that of audit.Reader.
	List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error]
	// Orders yields how far each tenant's order has come.
	Orders(ctx context.Context) iter.Seq2[audit.Order, error]
	// Leaves returns the leaf hashes of the places from to to-1, purged ones among them.
	Leaves(ctx context.Context, tenant audit.Tenant, from, to int64) ([][32]byte, error)
	// Purged is that of audit.Purger.
	Purged(ctx context.Context, tenant audit.Tenant, from, to int64) ([]audit.Span, error)
}

// Batch is what a sink gets: everything of a tenant from place From to To-1 that was not purged, in
// order. An entry has Tenant, ID, Index, Body, Leaf and what it was found by; private values are commitments.
type Batch struct {
	Tenant   audit.Tenant
	From, To int64
	Entries  []audit.Entry // at least one
}

// Sink hands events on.
type Sink interface {
	// Send returns nil only when the receiver has the whole batch: then it is never sent again.
	// After any error, and after a crash, the same events come again, perhaps in another cut; the
	// receiver knows them by Entry.ID. The context ends after Options.Timeout.
	// Batches of one tenant come one after the other; a sink is not called twice at once.
	Send(ctx context.Context, b Batch) error
}

// Cursor is how far one feed has come in one tenant's order, and who is sending it.
type Cursor struct {
	Feed    string
	Tenant  audit.Tenant
	Next    int64     // the first place that the sink has not confirmed
	Last    [32]byte  // leaf hash of the place before; zero where Next is 0
	Holder  string    // the process that sends, "" for none
	Until   time.Time // when its lease ends, UTC, microseconds
	Version int64     // how often it was stored
}

// Cursors keeps cursors. Memory and tailsql.Store implement it, tailtest.TestCursors proves somebody
// else's. It is safe for concurrent use, from several processes too.
type Cursors interface {
	// Get returns a feed's cursor in one tenant's order. Not there: one with Feed and Tenant and
	// nothing else. Cancelled: an error.
	Get(ctx context.Context, feed string, tenant audit.Tenant) (Cursor, error)

	// Put stores c, with a Version that is one more, if and only if the stored one has c.Version; a
	// Version of 0 is that of a cursor which is not there. Not there though c.Version is not 0, there
	// already, another Version, and all but one of several at once: ErrConflict, and nothing changes.
	// Cancelled half-way: an error, and it is stored or not; the caller asks. Nil means that other
	// processes see it.
	Put(ctx context.Context, c Cursor) error

	// All yields every cursor of a feed, by tenant, byte by byte. None: the sequence is empty.
	// Cancelled or failing: the last pair holds the error. The caller may call the store again inside
	// the loop.
	All(ctx context.Context, feed string) iter.Seq2[Cursor, error]
}
