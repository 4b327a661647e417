package tlog

import (
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
)

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

// AgesOf are the ages that heads give, which are a root log.
func AgesOf(t audit.Tenant, heads ...Head) *Ages {
	a, c := &Ages{tenant: t}, &clock{}
	for _, h := range heads {
		c.add(h)
	}
	for _, h := range heads {
		if h.Tenant == t {
			a.add(h, c.of(h))
		}
	}
	return a
}

// SaveEvery lets Save be called every n events.
func (o *VerifyOptions) SaveEvery(n int64) { o.every = n }
