package tlog

import (
	"math/bits"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// Peaks is as much of a tree as is needed to go on with it: the hashes of the whole subtrees that
// it consists of, from the largest to the smallest. The zero Peaks is an empty tree.
type Peaks struct {
	size   int64
	hashes []merkle.Hash
}

// NewPeaks returns the peaks of a tree of so many leaves. Another number of hashes than such a
// tree has: ErrProof.
func NewPeaks(size int64, left []Hash) (*Peaks, error) {
	if size < 0 || len(left) != bits.OnesCount64(uint64(size)) {
		return nil, ErrProof
	}
	return &Peaks{size, merklesOf(left)}, nil
}

// Size returns the number of leaves.
func (p *Peaks) Size() int64 { return p.size }

// Push adds a leaf hash (audit.Leaf).
func (p *Peaks) Push(leaf [32]byte) {
	h := merkle.Hash(leaf)
	for n := p.size; n&1 == 1; n >>= 1 {
		last := len(p.hashes) - 1
		h = merkle.NodeHash(p.hashes[last], h)
		p.hashes = p.hashes[:last]
	}
	p.hashes = append(p.hashes, h)
	p.size++
}

// Root returns the tree's hash (RFC 6962, section 2.1).
func (p *Peaks) Root() Hash {
	if p.size == 0 {
		return Hash((&side{}).root())
	}
	last := len(p.hashes) - 1
	sum := p.hashes[last]
	for last > 0 {
		last--
		sum = merkle.NodeHash(p.hashes[last], sum)
	}
	return Hash(sum)
}

// Hashes returns the peaks, for NewPeaks.
func (p *Peaks) Hashes() []Hash { return hashesOf(p.hashes) }
