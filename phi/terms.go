package phi

import (
	"context"

	"github.com/wardkit/wardkit/audit"
)

// Terms are all blind-index terms of one row: what a row no longer has is not among them.
type Terms struct {
	Entity string // "patient"
	Row    string // the host's row id
	List   []Term // at most one for each index
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

// Term is one value's term in one index.
type Term struct {
	Field  string // as in the tag: "phone"
	Unique bool   // no two rows of the tenant may have it
	Value  []byte // 17 bytes, see Vault.Term
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
	// at once for two rows: exactly one gets it. Repeating it changes nothing. Cancelled
	// half-way: all or nothing.
	SaveTerms(ctx context.Context, t audit.Tenant, terms Terms) error
	// DeleteTerms removes every term of the row. Not there: no error.
	DeleteTerms(ctx context.Context, t audit.Tenant, entity, row string) error
	// Lookup returns the ids of the rows that match, each once, in ascending order. None: an
	// empty list and no error.
	Lookup(ctx context.Context, t audit.Tenant, q Query) ([]string, error)
}
