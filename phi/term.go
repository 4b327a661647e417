package phi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// A blind-index term, version 1, is what equality can be searched by:
//
//	0   1   epoch of the tenant's index root
//	1  16   first 128 bits of HMAC-SHA-256(key, LP(input) ‖ bucket)
//
// The key is HKDF-Expand(index root, "phi/v1/bidx" ‖ LP(index) ‖ LP(normaliser) ‖ LP(shape), 32),
// so a changed normaliser is another index. Bucket is 4 bytes, big endian, zero but in the shapes
// spread and words: there it is one of as many as Frequencies gives the input, chosen for each row by the
// first 8 bytes of HMAC-SHA-256(key, LP(input) ‖ LP(row)) modulo their number, so that a row that
// is written again keeps it. LP(x) is x after its length in 4 bytes, big endian.
//
//	shape         index         normaliser                              input
//	exact/128     entity.field  id@version                              normal form
//	lastN/128     entity.field  id@version                              its last N characters
//	prefix/128    entity.field  id@version                              each prefix, a term for each
//	compound/128  entity.name   LP(field) ‖ LP(id@version) ‖ LP(lastN)  LP(input) of each part
//	                            of each part, last0 for the whole
//	spread/128    entity.field  id@version                              normal form
//	words/128     entity.field  id@version                              each word of the normal form
//
// Vault.Term is of the shape exact under the normaliser raw@1.
const (
	termSize      = 17
	shapeExact    = "exact/128"
	shapeLast     = "last%d/128"
	shapePrefix   = "prefix/128"
	shapeCompound = "compound/128"
	shapeSpread   = "spread/128"
	shapeWords    = "words/128"
	rawTerm       = "raw@1"

	maxIndexEpoch = 255 // it is one byte of the term
)

// macID is what the key of an index is derived from, beside the root.
type macID struct{ index, normaliser, shape string }

// macPool computes terms without allocating.
type macPool struct {
	epoch byte
	pool  sync.Pool // of *mac
}

type mac struct {
	h   hash.Hash
	in  []byte
	sum [sha256.Size]byte
}

// Term returns the 17-byte term of normalised in index, for a fingerprint or a look-up column
// of the host's own. It is keyed per tenant: equal values of two tenants have different terms.
// Equal values of one tenant have equal terms, which is what makes them searchable, and what a
// stolen database shows; so index what is nearly unique and nothing with few values. An empty
// value has no term: the result is nil.
//
// When a rotation of the tenant's index ends, the term of a value changes. See Terms, and
// LastingTerm for a column that is not filled again.
func (v *Vault) Term(ctx context.Context, t audit.Tenant, index, normalised string) ([]byte, error) {
	return v.AppendTerm(ctx, nil, t, index, normalised)
}

// AppendTerm is Term that appends to dst, and allocates nothing where dst has room.
func (v *Vault) AppendTerm(ctx context.Context, dst []byte, t audit.Tenant, index, normalised string) ([]byte, error) {
	live, err := v.liveIndex(ctx, t, index)
	if err != nil || normalised == "" {
		return dst, err
	}
	return live.roots[0].mac(macID{index, rawTerm, shapeExact}).appendTerm(dst, normalised), nil
}

// LastingTerm is Term under the tenant's first index root, which no rotation replaces: for a
// look-up column that nobody fills again, such as that of the names people sign in with. It is
// not changed by a rotation, and so not helped by one: what a stolen root gave away of it stays
// given away.
func (v *Vault) LastingTerm(ctx context.Context, t audit.Tenant, index, normalised string) ([]byte, error) {
	live, err := v.liveIndex(ctx, t, index)
	if err != nil || normalised == "" {
		return nil, err
	}
	first, err := v.firstRoot(ctx, t, live)
	if err != nil {
		return nil, err
	}
	return first.mac(macID{index, rawTerm, shapeExact}).appendTerm(nil, normalised), nil
}

// Terms returns one term for each live epoch of the tenant's index root, oldest first: two
// while the index is rotated, else one. A host that keeps terms in a table of its own stores
// all of them and finds a row by any of them. An empty value has none.
func (v *Vault) Terms(ctx context.Context, t audit.Tenant, index, normalised string) ([][]byte, error) {
	live, err := v.liveIndex(ctx, t, index)
	if err != nil || normalised == "" {
		return nil, err
	}
	return live.terms(nil, macID{index, rawTerm, shapeExact}, normalised), nil
}

func (v *Vault) liveIndex(ctx context.Context, t audit.Tenant, index string) (*liveRoots, error) {
	if t == "" || index == "" {
		return nil, ErrBinding
	}
	return v.live(ctx, t)
}

// terms appends the terms of input in every live epoch.
func (l *liveRoots) terms(dst [][]byte, id macID, input string) [][]byte {
	for _, r := range l.roots {
		dst = append(dst, r.mac(id).appendTerm(nil, input))
	}
	return dst
}

// rowTerms computes all terms of a row. Plain returns the plaintext of a field, and false for
// no value.
func (v *Vault) rowTerms(ctx context.Context, t audit.Tenant, row string, l *layout, plain func(field int) (string, bool)) ([]Term, error) {
	var list []Term
	var live *liveRoots
	var room [maxPrefix]string
	for i := range l.indexes {
		ix := &l.indexes[i]
		inputs, err := ix.inputs(room[:0], l, plain)
		if err != nil {
			return nil, err
		}
		if live == nil && len(inputs) > 0 {
			if live, err = v.live(ctx, t); err != nil {
				return nil, &FieldError{l.entity + "." + ix.name, err}
			}
			list = make([]Term, 0, len(l.indexes)*len(live.roots))
		}
		for _, in := range inputs {
			for _, r := range live.roots {
				m := r.mac(ix.mac)
				bucket := m.bucket(in, row, ix.spread.Buckets(in))
				list = append(list, Term{Field: ix.name, Unique: ix.unique, Value: m.appendBucket(nil, in, bucket)})
			}
		}
	}
	return list, nil
}

// buckets appends the terms of all buckets of input in every live epoch.
func (l *liveRoots) buckets(dst [][]byte, id macID, input string, of int) [][]byte {
	for _, r := range l.roots {
		for b := range of {
			dst = append(dst, r.mac(id).appendBucket(nil, input, uint32(b)))
		}
	}
	return dst
}

// deriveMAC returns the key of an index under a root.
func deriveMAC(root []byte, id macID) []byte {
	label := appendLP(appendLP(appendLP(nil, id.index), id.normaliser), id.shape)
	return expand(root, "phi/v1/bidx"+string(label), keySize)
}

func newMacPool(epoch byte, key []byte) *macPool {
	m := &macPool{epoch: epoch}
	m.pool.New = func() any { return &mac{h: hmac.New(sha256.New, key)} }
	return m
}

func (p *macPool) appendTerm(dst []byte, input string) []byte { return p.appendBucket(dst, input, 0) }

// bucket returns which of so many buckets a row's term of input is in.
func (p *macPool) bucket(input, row string, of int) uint32 {
	if of < 2 {
		return 0
	}
	m := p.pool.Get().(*mac)
	m.in = appendLP(appendLP(m.in[:0], input), row)
	m.h.Reset()
	m.h.Write(m.in)
	n := binary.BigEndian.Uint64(m.h.Sum(m.sum[:0])) % uint64(of)
	clear(m.in)
	p.pool.Put(m)
	return uint32(n)
}

func (p *macPool) appendBucket(dst []byte, input string, bucket uint32) []byte {
	m := p.pool.Get().(*mac)
	m.in = binary.BigEndian.AppendUint32(appendLP(m.in[:0], input), bucket)
	m.h.Reset()
	m.h.Write(m.in)
	if cap(dst)-len(dst) < termSize {
		dst = append(make([]byte, 0, len(dst)+termSize), dst...)
	}
	dst = append(dst, p.epoch)
	dst = append(dst, m.h.Sum(m.sum[:0])[:termSize-1]...)
	clear(m.in)
	p.pool.Put(m)
	return dst
}
