package phi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"github.com/wardkit/wardkit/audit"
)

// A blind-index term, version 1, is what equality can be searched by:
//
//	0   1   epoch of the tenant's index root
//	1  16   first 128 bits of HMAC-SHA-256(key, LP(normalised) ‖ bucket)
//
// bucket is 4 bytes, zero in an exact index. The key is HKDF-Expand(index root,
// "phi/v1/bidx" ‖ LP(index) ‖ LP(normaliser@version) ‖ LP(shape), 32): a changed normaliser
// is another index.
const (
	termSize   = 17
	shapeExact = "exact/128"
	rawTerm    = "raw@1"

	maxIndexEpoch = 255 // it is one byte of the term
)

type macKey struct {
	root              KeyID
	index, normaliser string
}

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

// Term returns the 17-byte term of normalised in index, for hosts' own look-up columns. It is
// keyed per tenant: equal values of two tenants have different terms. Equal values of one
// tenant have equal terms, which is what makes them searchable, and what a stolen database
// shows; so index what is nearly unique and nothing with few values. An empty value has no
// term: the result is nil.
func (v *Vault) Term(ctx context.Context, t audit.Tenant, index, normalised string) ([]byte, error) {
	return v.term(ctx, t, index, rawTerm, normalised)
}

func (v *Vault) term(ctx context.Context, t audit.Tenant, index, normaliser, normalised string) ([]byte, error) {
	if t == "" || index == "" {
		return nil, ErrBinding
	}
	if normalised == "" {
		return nil, nil
	}
	root, err := v.sealing(ctx, slot{tenant: t, purpose: PurposeIndex})
	if err != nil {
		return nil, err
	}
	return v.indexMAC(root, index, normaliser).term(normalised), nil
}

func (v *Vault) indexMAC(root *key, index, normaliser string) *macPool {
	id := macKey{root.id, index, normaliser}
	if m, ok := v.macs.get(id, v.tick()); ok {
		return m
	}
	label := appendLP(appendLP(appendLP(nil, index), normaliser), shapeExact)
	k := expand(root.root, "phi/v1/bidx"+string(label), keySize)
	m := &macPool{epoch: byte(root.epoch)}
	m.pool.New = func() any { return &mac{h: hmac.New(sha256.New, k)} }
	v.macs.put(id, m, root.expires)
	return m
}

func (p *macPool) term(normalised string) []byte {
	m := p.pool.Get().(*mac)
	m.in = append(appendLP(m.in[:0], normalised), 0, 0, 0, 0)
	m.h.Reset()
	m.h.Write(m.in)
	out := make([]byte, 0, termSize)
	out = append(out, p.epoch)
	out = append(out, m.h.Sum(m.sum[:0])[:termSize-1]...)
	clear(m.in)
	p.pool.Put(m)
	return out
}
