package tlog

import merkle "golang.org/x/mod/sumdb/tlog"

// Side is a side for tests.
type Side struct{ s side }

// Push adds a leaf hash.
func (s *Side) Push(h [32]byte) { s.s.push(merkle.Hash(h), nil) }

// Root returns the tree's hash.
func (s *Side) Root() Hash { return Hash(s.s.root()) }

// Clone returns a copy.
func (s *Side) Clone() *Side { return &Side{*s.s.clone()} }

// Path returns where the sink writes.
func (s *FileSink) Path() string { return s.path }

// LeafOf is a head's leaf hash in the root log.
func LeafOf(h Head) [32]byte { return h.leaf() }
