package phi

import (
	"context"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// Terms are all blind-index terms of one row: what a row no longer has is not among them.
type Terms struct {
	Entity string // "patient"
	Row    string // the host's row id
	List   []Term // none for an index without a value, several for prefixes and while a root is replaced
}

// Check refuses, with ErrBinding, terms without tenant, entity, row or field, ids that not
// every database can store, and terms that are not of the length that Vault.Term gives. Stores call it first.
func (t Terms) Check(tenant audit.Tenant) error {
	if tenant == "" || t.Entity == "" || t.Row == "" || !storable(string(tenant), t.Row) {
		return ErrBinding
	}
	for _, term := range t.List {
		if term.Field == "" || len(term.Value) != termSize {
			return ErrBinding
		}
	}
	return nil
}

// CheckEpochs refuses, with ErrStaleTerms, terms that a rotation has left behind: one of an
// epoch below floor, or an index that has none of the epoch need. Zero asks for nothing. What
// TermReindexer.RequireTerms has set, stores check in SaveTerms.
func (t Terms) CheckEpochs(floor, need byte) error {
	for _, term := range t.List {
		has := func(other Term) bool { return other.Field == term.Field && other.Epoch() == need }
		if term.Epoch() < floor || need > 0 && !slices.ContainsFunc(t.List, has) {
			return ErrStaleTerms
		}
	}
	return nil
}

// Of returns those terms that are of an epoch.
func (t Terms) Of(epoch byte) Terms {
	list := slices.DeleteFunc(slices.Clone(t.List), func(term Term) bool { return term.Epoch() != epoch })
	return Terms{t.Entity, t.Row, list}
}

// Term is one value's term in one index.
type Term struct {
	Field  string // name of the index: "phone", "ssn.last4"
	Unique bool   // no two rows of the tenant may have it
	Value  []byte // 17 bytes, see Vault.Term
}

// Epoch returns the epoch of the index root that the term was computed under, 0 for no term.
func (t Term) Epoch() byte {
	if len(t.Value) == 0 {
		return 0
	}
	return t.Value[0]
}

// Query asks for the rows of an entity that have one of the terms in a field's index. Made by
// Codec.Lookup. A Query without terms matches nothing.
type Query struct {
	Entity string
	Field  string
	Unique bool
	Terms  [][]byte
}

// TermStore keeps the blind-index terms of rows, beside the host's tables: SaveTerms and
// DeleteTerms belong into the transaction that writes the row.
//
// Implementations are safe for concurrent use, share no memory with their callers, and pass
// phitest.TestTerms. A call whose context has ended is an error.
type TermStore interface {
	// SaveTerms replaces the terms of the row by these, all or nothing. A unique term that
	// another row of the tenant and entity holds: *DuplicateError, and nothing changes. Twice
	// at once for two rows: exactly one gets it. Terms that Terms.CheckEpochs refuses for what
	// RequireTerms has set: ErrStaleTerms, and nothing changes. Repeating it changes nothing.
	// Cancelled half-way: all or nothing.
	SaveTerms(ctx context.Context, t audit.Tenant, terms Terms) error
	// DeleteTerms removes every term of the row. Not there: no error.
	DeleteTerms(ctx context.Context, t audit.Tenant, entity, row string) error
	// Lookup returns the ids of the rows that match, each once, in ascending order. None: an
	// empty list and no error.
	Lookup(ctx context.Context, t audit.Tenant, q Query) ([]string, error)
}

// IndexStore is a TermStore whose index can be rotated.
type IndexStore interface {
	TermStore
	TermReindexer
}

// TermReindexer is what rotating an index needs of a term store. Its methods concern all
// entities of a tenant; they are never called inside a host's transaction.
type TermReindexer interface {
	// RequireTerms raises, durably, the epochs that SaveTerms asks for, see Terms.CheckEpochs.
	// Lower than before: nothing changes. When it returns, no SaveTerms is in progress, in any
	// process, that did not see it; it waits for the transactions that they belong to, and
	// fails, changing nothing, where that takes too long. Cancelled half-way: all or nothing.
	RequireTerms(ctx context.Context, t audit.Tenant, floor, need byte) error
	// Reindex gives those of the rows that have terms, and none of this epoch or a later one,
	// their terms of this epoch; a row whose list has none of it loses its terms. It returns how
	// many rows that were. Rows without terms, rows that are up to date and rows that somebody
	// else is writing are left alone. A unique term that another row holds: *DuplicateError, and
	// nothing changes. Cancelled half-way, or killed: all or nothing.
	Reindex(ctx context.Context, t audit.Tenant, epoch byte, rows []Terms) (int, error)
	// Behind returns, for each entity, how many rows have terms and none of this epoch or a
	// later one. None: an empty map.
	Behind(ctx context.Context, t audit.Tenant, epoch byte) (map[string]int, error)
	// DropTerms deletes up to limit terms of epochs below this one, and returns how many. It
	// returns fewer than limit only when none is left.
	DropTerms(ctx context.Context, t audit.Tenant, below byte, limit int) (int, error)
}
