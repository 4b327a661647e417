package auditsql

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// pair says that the entry at a place is found by a key.
type pair struct{ key, place int64 }

func comparePairs(a, b pair) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.place, b.place))
}

// block is a row of audit_block: pairs in ascending order, the first of them in the clear.
type block struct {
	first pair
	data  []byte
}

// maxBlock is the size of a block in bytes: two fit on a page of PostgreSQL, one on SQLite's.
const maxBlock = 3800

// blocksOf cuts ascending pairs into blocks. The form is, for each key: 8 bytes of the key,
// the number of its places, the first place and the distances to the next ones, as varints.
func blocksOf(pairs []pair, size int) []block {
	var out []block
	for len(pairs) > 0 {
		data, n := encodeBlock(pairs, size)
		out = append(out, block{pairs[0], data})
		pairs = pairs[n:]
	}
	return out
}

// encodeBlock returns a block of at most size bytes, and of one pair at least, and how many
// pairs went into it.
func encodeBlock(pairs []pair, size int) (data []byte, n int) {
	for n < len(pairs) {
		end, places := n+1, binary.AppendUvarint(nil, uint64(pairs[n].place))
		room := size - len(data) - 8 - binary.MaxVarintLen16
		for end < len(pairs) && pairs[end].key == pairs[n].key {
			next := binary.AppendUvarint(places, uint64(pairs[end].place-pairs[end-1].place))
			if len(next) > room {
				break
			}
			places = next
			end++
		}
		if n > 0 && len(places) > room {
			break
		}
		data = binary.BigEndian.AppendUint64(data, uint64(pairs[n].key))
		data = binary.AppendUvarint(data, uint64(end-n))
		data = append(data, places...)
		n = end
	}
	return data, n
}

// decodeBlock appends the pairs of a block; it reports false for what encodeBlock never
// wrote.
func decodeBlock(pairs []pair, data []byte) ([]pair, bool) {
	start := len(pairs)
	for len(data) > 0 {
		if len(data) < 8 {
			return nil, false
		}
		p := pair{key: int64(binary.BigEndian.Uint64(data))}
		data = data[8:]
		count, n := binary.Uvarint(data)
		if n <= 0 || count == 0 || count > uint64(len(data)) {
			return nil, false
		}
		data = data[n:]
		for range count {
			distance, n := binary.Uvarint(data)
			if n <= 0 || distance > uint64(maxPlace-p.place) {
				return nil, false
			}
			p.place += int64(distance)
			if len(pairs) > start && comparePairs(pairs[len(pairs)-1], p) >= 0 {
				return nil, false
			}
			pairs, data = append(pairs, p), data[n:]
		}
	}
	return pairs, len(pairs) > start
}

// maxPlace is the highest place there is.
const maxPlace = maxTenant<<indexBits | maxIndex

// placesIn returns the places that a block has for a key within reach, ascending. first tells
// that the block before may have more of them; older that some are before the reach.
func placesIn(pairs []pair, key int64, r reach) (places []int64, first, older bool) {
	at, _ := slices.BinarySearchFunc(pairs, pair{key, r.from}, comparePairs)
	first = at == 0
	older = at > 0 && pairs[at-1].key == key && pairs[at-1].place>>indexBits == r.from>>indexBits
	for ; at < len(pairs) && pairs[at].key == key && pairs[at].place < r.below; at++ {
		places = append(places, pairs[at].place)
	}
	return places, first && len(places) > 0, older
}

// merged returns all pairs of ascending lists in ascending order, up to and including last.
func merged(lists [][]pair, last pair) []pair {
	var out []pair
	for {
		best := -1
		for i, l := range lists {
			if len(l) > 0 && (best < 0 || comparePairs(l[0], lists[best][0]) < 0) {
				best = i
			}
		}
		if best < 0 || comparePairs(lists[best][0], last) > 0 {
			return out
		}
		out = append(out, lists[best][0])
		lists[best] = lists[best][1:]
	}
}
