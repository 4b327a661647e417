package auditsql

import (
	"context"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Shape makes the runs of a store small, so that few entries make many of them.
func (s *Store) Shape(block, fan, piece int) { s.shape = shape{block, fan, piece} }

// Pair, Blocks and Pairs are the form of a block.
type Pair = pair

// MakePair returns a pair.
func MakePair(key, place int64) Pair { return pair{key, place} }

// Blocks cuts ascending pairs into blocks.
func Blocks(pairs []Pair, size int) (data [][]byte) {
	for _, b := range blocksOf(pairs, size) {
		data = append(data, b.data)
	}
	return data
}

// Pairs reads a block.
func Pairs(data []byte) ([]Pair, bool) { return decodeBlock(nil, data) }

// Tidy does one piece of merging.
func (s *Store) Tidy(ctx context.Context) (int, error) {
	n, _, err := s.tidySome(ctx)
	return n, err
}

// Kit returns the database.
func (s *Store) Kit() *sqlkit.DB { return s.db }

// Pack and Unpack are the stored form of canonical bytes.
func Pack(body []byte, tenant string, id []byte, recorded int64) []byte {
	return pack(body, packContext{tenant, id, recorded})
}

// Unpack is the inverse of Pack.
func Unpack(packed []byte, tenant string, id []byte, recorded int64) ([]byte, bool) {
	return unpack(packed, packContext{tenant, id, recorded})
}

// IDBytes are those of a UUID.
func IDBytes(id string) []byte {
	b, _ := idBytes(id)
	return b
}
