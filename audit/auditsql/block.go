package auditsql

import (
	"cmp"
	"encoding/binary"
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
		key, count, rest, ok := section(data)
		if !ok {
			return nil, false
		}
		p := pair{key: key}
		for data = rest; count > 0; count-- {
			distance, n := uvarint(data)
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

// section reads the key and the number of places that the next ones of a block are of.
func section(data []byte) (key int64, count uint64, rest []byte, ok bool) {
	if len(data) < 8 {
		return 0, 0, nil, false
	}
	count, n := binary.Uvarint(data[8:])
	if n <= 0 || count == 0 || count > uint64(len(data)) {
		return 0, 0, nil, false
	}
	return int64(binary.BigEndian.Uint64(data)), count, data[8+n:], true
}

// skipPlaces returns what is behind so many varints.
func skipPlaces(data []byte, count uint64) ([]byte, bool) {
	for i, b := range data {
		if b < 0x80 {
			if count--; count == 0 {
				return data[i+1:], true
			}
		}
	}
	return nil, false
}

// uvarint is binary.Uvarint, quicker for the one byte that most distances are.
func uvarint(data []byte) (uint64, int) {
	if len(data) > 0 && data[0] < 0x80 {
		return uint64(data[0]), 1
	}
	return binary.Uvarint(data)
}

// maxPlace is the highest place there is.
const maxPlace = maxTenant<<indexBits | maxIndex

// posting is what a block of a run has for a key within a reach.
type posting struct {
	key    int64
	keep   int     // how many places are kept, the highest ones; 0 is all
	places []int64 // ascending
	more   bool    // the block, or the one before, may have more of them, below these
	older  bool    // some are before the reach
}

// read fills in what a block has, and reuses the room of places. It reports false for a damaged
// one, as far as it looks: up to the end of the key.
func (f *posting) read(data []byte, r reach) bool {
	f.places, f.more, f.older = f.places[:0], false, false
	for begin := true; len(data) > 0; begin = false {
		key, count, rest, ok := section(data)
		switch {
		case !ok:
			return false
		case key > f.key:
			return true
		case key < f.key:
			data, ok = skipPlaces(rest, count)
		default:
			data, ok = f.readPlaces(rest, count, r, begin)
		}
		if !ok {
			return false
		}
	}
	return true
}

// readSection is read for a block that was cut off behind what it may have of the key, at an offset. It
// reports false where nothing begins there, or something else: then these bytes were not the key.
func (f *posting) readSection(data []byte, r reach, at int) bool {
	f.places, f.more, f.older = f.places[:0], false, false
	for left := data; len(left) > 0; {
		key, count, rest, ok := section(left)
		switch here := len(data) - len(left); {
		case !ok || here > at:
			return false
		case here == at:
			if key == f.key {
				_, ok = f.readPlaces(rest, count, r, at == 0)
			}
			return ok && key == f.key
		}
		if left, ok = skipPlaces(rest, count); !ok {
			return false
		}
	}
	return false
}

// readPlaces reads those of the key; begin says that the block begins with them.
func (f *posting) readPlaces(data []byte, count uint64, r reach, begin bool) ([]byte, bool) {
	place := int64(0)
	for i := range count {
		distance, n := uvarint(data)
		if n <= 0 || distance > uint64(maxPlace-place) || i > 0 && distance == 0 {
			return nil, false
		}
		place, data = place+int64(distance), data[n:]
		switch {
		case place >= r.below:
		case place < r.from:
			f.older = place>>indexBits == r.from>>indexBits
		default:
			f.more = f.more || begin && i == 0
			f.add(place)
		}
	}
	return data, true
}

// add adds a place above the others, and lets go of the lowest where there are too many.
func (f *posting) add(place int64) {
	if f.keep > 0 && len(f.places) >= 2*f.keep {
		f.places = append(f.places[:0], f.places[len(f.places)-f.keep:]...)
		f.more = true
	}
	f.places = append(f.places, place)
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
