package tlog

import (
	"context"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// Leaves are the leaf hashes under a signed head, each proven by it. It keeps the 256 that it read
// last, so neighbours cost little, and is for one goroutine.
type Leaves struct {
	reader merkle.HashReader
	size   int64
	n      int64 // of the tile that it keeps; -1 for none
	tile   []merkle.Hash
}

// Leaves returns the leaf hashes under a head that Range or Prove of this Log returned.
func (l *Log) Leaves(ctx context.Context, h Head) *Leaves {
	return &Leaves{reader: l.reader(ctx, h.Tenant, h.Size, h.Root), size: h.Size, n: -1}
}

// At returns the leaf hash of the event at an index of the tenant's order, whatever the event's row
// says. ErrUncovered if the head does not cover it; ErrTampered if what is stored does not prove it any
// more; ErrUnavailable.
func (p *Leaves) At(index int64) (Hash, error) {
	if index < 0 || index >= p.size {
		return Hash{}, ErrUncovered
	}
	if n := index / tileWidth; n != p.n {
		var ask []int64
		for at := n * tileWidth; at < min((n+1)*tileWidth, p.size); at++ {
			ask = append(ask, merkle.StoredHashIndex(0, at))
		}
		tile, err := p.reader.ReadHashes(ask)
		if err != nil {
			return Hash{}, proofError(err)
		}
		p.n, p.tile = n, tile
	}
	return Hash(p.tile[index%tileWidth]), nil
}
