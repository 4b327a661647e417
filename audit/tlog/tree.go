package tlog

import (
	"crypto/sha256"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// Trees are kept as the tiles of C2SP's tlog-tiles: 256 hashes side by side, of each 256 one
// hash on the next level. The lowest level is not kept, because the events' own rows hold it.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// side is the right side of a tree: what has to be known of it to go on with it and to have its
// root. For each level it holds the hashes of the last tile, unless that is full.
type side struct {
	size  int64
	tiles [][]merkle.Hash
}

// push adds a leaf hash. Each tile that it fills is given to full, valid until the next push.
func (s *side) push(h merkle.Hash, full func(level int, n int64, hashes []merkle.Hash)) {
	s.size++
	for level := 0; ; level++ {
		if level == len(s.tiles) {
			s.tiles = append(s.tiles, make([]merkle.Hash, 0, tileWidth))
		}
		t := append(s.tiles[level], h)
		if len(t) < tileWidth {
			s.tiles[level] = t
			return
		}
		if full != nil {
			full(level, s.nodes(level)/tileWidth-1, t)
		}
		h = subtree(t)
		s.tiles[level] = t[:0]
	}
}

// nodes is how many whole nodes there are on a level of tiles.
func (s *side) nodes(level int) int64 { return s.size >> (tileHeight * level) }

// root returns the hash of the whole tree (RFC 6962, section 2.1): the whole subtrees of which
// it consists, joined from the right to the left.
func (s *side) root() merkle.Hash {
	if s.size == 0 {
		return sha256.Sum256(nil)
	}
	var sum *merkle.Hash
	for _, t := range s.tiles {
		end := len(t)
		for width := 1; width <= end; width <<= 1 {
			if len(t)&width == 0 {
				continue
			}
			h := subtree(t[end-width : end])
			if end -= width; sum != nil {
				h = merkle.NodeHash(h, *sum)
			}
			sum = &h
		}
	}
	return *sum
}

// clone returns a side that can go on by itself.
func (s *side) clone() *side {
	c := &side{size: s.size}
	for _, t := range s.tiles {
		c.tiles = append(c.tiles, append(make([]merkle.Hash, 0, tileWidth), t...))
	}
	return c
}

// subtree returns the hash over a power of two of hashes.
func subtree(hashes []merkle.Hash) merkle.Hash {
	var room [tileWidth]merkle.Hash
	row := room[:copy(room[:], hashes)]
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = merkle.NodeHash(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

// tileBytes are hashes as a tile keeps them, 32 bytes each.
func tileBytes(hashes []merkle.Hash) []byte {
	b := make([]byte, 0, len(hashes)*merkle.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// tileHashes reads the first n hashes of a tile; false where it has fewer.
func tileHashes(data []byte, n int) ([]merkle.Hash, bool) {
	if len(data) < n*merkle.HashSize {
		return nil, false
	}
	out := make([]merkle.Hash, n, tileWidth)
	for i := range out {
		out[i] = merkle.Hash(data[i*merkle.HashSize:])
	}
	return out, true
}
