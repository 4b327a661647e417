package tlog

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Source is the log of events that trees are built over; audit.Memory and auditsql.Store are
// some.
type Source interface {
	// List is that of audit.Reader.
	List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error]
	// Orders yields how far each tenant's order has come.
	Orders(ctx context.Context) iter.Seq2[audit.Order, error]
	// Leaves returns the leaf hashes of a tenant's events from place from to to-1. One that is
	// not there: audit.ErrDamaged.
	Leaves(ctx context.Context, tenant audit.Tenant, from, to int64) ([][32]byte, error)
	// Purged is that of audit.Purger.
	Purged(ctx context.Context, tenant audit.Tenant, from, to int64) ([]audit.Span, error)
}

// Head is what one tenant's tree was at one time, an entry of the root log.
type Head struct {
	N      int64        `json:"n"` // place in the root log, dense from 0
	Tenant audit.Tenant `json:"tenant"`
	Size   int64        `json:"size"` // events covered: those with Index 0 to Size-1
	Root   Hash         `json:"root"`
	At     time.Time    `json:"at"` // UTC, microseconds
}

// Tile is a row of a tree: up to 256 hashes of 32 bytes side by side. Level 1 is made of the
// hashes of 256 leaves each. The root log's tiles have the empty tenant.
type Tile struct {
	Tenant audit.Tenant
	Level  int   // 1 and up
	N      int64 // place on its level, from 0
	Data   []byte
}

// Signed is a checkpoint as it was signed.
type Signed struct {
	Size int64  // of the root log
	Note []byte // C2SP signed note; nil for none
}

// Commit is what one integration adds, all or nothing.
type Commit struct {
	Was    int64  // size of the root log before, 0 for none
	Heads  []Head // with N from Was on
	Tiles  []Tile // new ones, and longer ones in place of those there were
	Signed Signed // of size Was+len(Heads)
}

// Store keeps what Log builds. It proves nothing by itself: whatever it answers is compared
// with what was signed. Memory and tlogsql.Store implement it, tlogtest.TestStore proves
// somebody else's.
//
// A Store is safe for concurrent use, from several processes too, and shares no memory with its
// callers.
type Store interface {
	Trees
	Heads
}

// Trees keeps checkpoints and tiles.
type Trees interface {
	// Latest returns the checkpoint committed last. None: the zero Signed.
	Latest(ctx context.Context) (Signed, error)

	// Commit adds c if and only if Latest has the size c.Was; otherwise, also where somebody
	// else is doing so at the same time, nothing changes: ErrConflict. Nil means that all of it
	// survives a crash. Cancelled half-way: an error, and all of it is there or nothing.
	Commit(ctx context.Context, c Commit) error

	// Tiles returns the data of some tiles of one tenant, in the order asked for. Not there: nil.
	// Data of t is not looked at.
	Tiles(ctx context.Context, tenant audit.Tenant, t []Tile) ([][]byte, error)
}

// Heads keeps the root log.
type Heads interface {
	// Heads yields the entries from place from on, in order. None: nothing. Committed meanwhile:
	// may or may not be among them. Failing: the last pair holds the error.
	Heads(ctx context.Context, from int64) iter.Seq2[Head, error]

	// HeadsOf is Heads with one tenant's entries only.
	HeadsOf(ctx context.Context, tenant audit.Tenant, from int64) iter.Seq2[Head, error]
}
