package session

import (
	"encoding/binary"
	"sync"
)

// ref says where a row is: its place in its shard, and the shard in the lowest bits. 0 is
// nowhere.
type ref uint32

const chunk = 256 // rows that are allocated at once

// rowShard holds rows, and finds them by their hash in a table of open addresses. A hash is
// as good as random, so its bytes say where to look: one place of 8 bytes, nearly always, and
// then the row. A place holds 32 more bits of the hash, and where the row is plus 1.
type rowShard struct {
	mu     sync.RWMutex
	places []uint64 // a power of two
	used   int
	chunks []*[chunk]memoryRow
	free   ref // first of those that were removed, a list by next
}

func (s *rowShard) at(i uint32) *memoryRow { return &s.chunks[i/chunk][i%chunk] }

func home(hash *[32]byte) uint64 { return binary.LittleEndian.Uint64(hash[8:]) }
func mark(hash *[32]byte) uint64 { return uint64(binary.LittleEndian.Uint32(hash[16:])) << 32 }

// find returns the row with this hash, nil without one.
func (s *rowShard) find(hash *[32]byte) (i uint32, r *memoryRow) {
	if len(s.places) == 0 {
		return 0, nil
	}
	mask, want := uint64(len(s.places)-1), mark(hash)
	for p := home(hash) & mask; s.places[p] != 0; p = (p + 1) & mask {
		if s.places[p]&^0xffffffff != want {
			continue
		}
		i = uint32(s.places[p]) - 1
		if r = s.at(i); r.hash == *hash {
			return i, r
		}
	}
	return 0, nil
}

// add keeps a row whose hash is not there yet.
func (s *rowShard) add(r memoryRow) (i uint32) {
	if s.used*4 >= len(s.places)*3 {
		s.grow()
	}
	if s.free != 0 {
		i = uint32(s.free) - 1
		s.free = s.at(i).next
	} else {
		if i = uint32(s.used); i/chunk == uint32(len(s.chunks)) {
			s.chunks = append(s.chunks, new([chunk]memoryRow))
		}
	}
	*s.at(i) = r
	s.used++
	s.place(&r.hash, i)
	return i
}

func (s *rowShard) place(hash *[32]byte, i uint32) {
	mask := uint64(len(s.places) - 1)
	p := home(hash) & mask
	for s.places[p] != 0 {
		p = (p + 1) & mask
	}
	s.places[p] = mark(hash) | uint64(i+1)
}

func (s *rowShard) grow() {
	old := s.places
	s.places = make([]uint64, max(16, 2*len(old)))
	for _, place := range old {
		if place != 0 {
			i := uint32(place) - 1
			s.place(&s.at(i).hash, i)
		}
	}
}

// remove forgets a row that is there, and moves those that had to make way for it back.
func (s *rowShard) remove(i uint32) {
	mask := uint64(len(s.places) - 1)
	r := s.at(i)
	p := home(&r.hash) & mask
	for uint32(s.places[p])-1 != i {
		p = (p + 1) & mask
	}
	for q := (p + 1) & mask; s.places[q] != 0; q = (q + 1) & mask {
		h := home(&s.at(uint32(s.places[q])-1).hash) & mask
		if (q-h)&mask >= (q-p)&mask { // it may be as early as p
			s.places[p] = s.places[q]
			p = q
		}
	}
	s.places[p] = 0
	s.used--
	*r = memoryRow{next: s.free}
	s.free = ref(i + 1)
}
