package session

import (
	"encoding/binary"
	"sync"
)

const chunk = 256 // rows that are allocated at once

// rowShard holds rows, and finds them by their hash in a table of open addresses. A hash is
// as good as random, so its bytes say where to look: one place of 4 bytes, nearly always, and
// then the row. A place says where the row is, plus 1, in as many bits as the number of places
// takes, and has bits of the hash in the others.
type rowShard struct {
	mu     sync.RWMutex
	places []uint32 // a power of two
	used   int
	chunks []*[chunk]memoryRow
	free   uint32 // the first of those that were removed, plus 1; a list by place
}

func (s *rowShard) at(i uint32) *memoryRow { return &s.chunks[i/chunk][i%chunk] }

func home(hash *[32]byte) uint32 { return binary.LittleEndian.Uint32(hash[8:]) }
func mark(hash *[32]byte) uint32 { return binary.LittleEndian.Uint32(hash[16:]) }

// find returns the row with this hash, nil without one.
func (s *rowShard) find(hash *[32]byte) *memoryRow {
	if len(s.places) == 0 {
		return nil
	}
	mask, want := uint32(len(s.places)-1), mark(hash)
	for p := home(hash) & mask; s.places[p] != 0; p = (p + 1) & mask {
		if (s.places[p]^want)&^mask != 0 {
			continue
		}
		if r := s.at(s.places[p]&mask - 1); r.hash == *hash {
			return r
		}
	}
	return nil
}

// add keeps a row whose hash is not there yet.
func (s *rowShard) add(r memoryRow) *memoryRow {
	if s.used*4 >= len(s.places)*3 {
		s.grow()
	}
	r.place = uint32(s.used)
	if s.free != 0 {
		r.place = s.free - 1
		s.free = s.at(r.place).place
	} else if r.place/chunk == uint32(len(s.chunks)) {
		s.chunks = append(s.chunks, new([chunk]memoryRow))
	}
	row := s.at(r.place)
	*row = r
	s.used++
	s.enter(&r.hash, r.place)
	return row
}

func (s *rowShard) enter(hash *[32]byte, i uint32) {
	mask := uint32(len(s.places) - 1)
	p := home(hash) & mask
	for s.places[p] != 0 {
		p = (p + 1) & mask
	}
	s.places[p] = mark(hash)&^mask | (i + 1)
}

func (s *rowShard) grow() {
	old := s.places
	s.places = make([]uint32, max(16, 2*len(old)))
	for _, place := range old {
		if place != 0 {
			i := place&uint32(len(old)-1) - 1
			s.enter(&s.at(i).hash, i)
		}
	}
}

// remove forgets a row that is there, and moves those that had to make way for it back.
func (s *rowShard) remove(r *memoryRow) {
	mask, i := uint32(len(s.places)-1), r.place
	p := home(&r.hash) & mask
	for s.places[p]&mask-1 != i {
		p = (p + 1) & mask
	}
	for q := (p + 1) & mask; s.places[q] != 0; q = (q + 1) & mask {
		h := home(&s.at(s.places[q]&mask-1).hash) & mask
		if (q-h)&mask >= (q-p)&mask { // it may be as early as p
			s.places[p] = s.places[q]
			p = q
		}
	}
	s.places[p] = 0
	s.used--
	*r = memoryRow{place: s.free}
	s.free = i + 1
}
