package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const shards = 64

// Memory is a Store in the memory of one process: for tests, demos and hosts that may sign
// everybody out when they restart. It is sharded, so that requests do not wait for each
// other.
type Memory struct {
	seed   maphash.Seed
	rows   [shards]rowShard
	owners [shards]ownerShard
}

// A lock of a person's shard is taken before one of a row's, never the other way round.
type (
	rowShard struct {
		mu   sync.RWMutex
		rows map[[32]byte]*Session
	}
	ownerShard struct {
		mu    sync.Mutex
		owned map[owner]map[string][32]byte // by session id
	}
	owner struct {
		tenant audit.Tenant
		person audit.ActorID
	}
)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	m := &Memory{seed: maphash.MakeSeed()}
	for i := range shards {
		m.rows[i].rows = map[[32]byte]*Session{}
		m.owners[i].owned = map[owner]map[string][32]byte{}
	}
	return m
}

var _ Store = (*Memory)(nil)

// Create implements Store. It forgets the person's sessions that are long over.
func (m *Memory) Create(ctx context.Context, r Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := r.Session.Clone()
	who := owner{s.Tenant, s.Person}
	people := m.people(who)
	people.mu.Lock()
	defer people.mu.Unlock()
	m.forget(people.owned[who], s.Created)
	if _, taken := people.owned[who][s.ID]; taken {
		return fmt.Errorf("memory: %w", ErrExists)
	}
	shard := m.shard(r.Key.Hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if _, taken := shard.rows[r.Key.Hash]; taken {
		return fmt.Errorf("memory: %w", ErrExists)
	}
	shard.rows[r.Key.Hash] = &s
	if people.owned[who] == nil {
		people.owned[who] = map[string][32]byte{}
	}
	people.owned[who][s.ID] = r.Key.Hash
	return nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, k Key) (Session, error) {
	if err := ctx.Err(); err != nil {
		return Session{}, err
	}
	shard := m.shard(k.Hash)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	s, ok := shard.rows[k.Hash]
	if !ok {
		return Session{}, ErrNotFound
	}
	return s.Clone(), nil
}

// Touch implements Store.
func (m *Memory) Touch(ctx context.Context, k Key, seen, idleEnds time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	shard := m.shard(k.Hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	s, ok := shard.rows[k.Hash]
	if !ok || !live(s, seen) {
		return false, nil
	}
	if seen.After(s.LastSeen) {
		s.LastSeen, s.IdleEnds = seen, idleEnds
	}
	return true, nil
}

// Revoke implements Store.
func (m *Memory) Revoke(ctx context.Context, which Selection, at time.Time, reason string) (n int, err error) {
	if at.IsZero() {
		return 0, errors.New("session: revoking at the zero time")
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	who := owner{which.Tenant, which.Person}
	people := m.people(who)
	people.mu.Lock()
	defer people.mu.Unlock()
	for id, hash := range people.owned[who] {
		if which.ID != "" && id != which.ID || which.Except != "" && id == which.Except {
			continue
		}
		if m.revoke(hash, at, reason) {
			n++
		}
	}
	return n, nil
}

func (m *Memory) revoke(hash [32]byte, at time.Time, reason string) bool {
	shard := m.shard(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	s, ok := shard.rows[hash]
	if !ok || !s.Ended.IsZero() {
		return false
	}
	s.Ended, s.Reason = at, reason
	return true
}

// List implements Store.
func (m *Memory) List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Session{}, err)
			return
		}
		for _, s := range m.list(owner{t, person}, now) {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (m *Memory) list(who owner, now time.Time) []Session {
	people := m.people(who)
	people.mu.Lock()
	defer people.mu.Unlock()
	var all []Session
	for _, hash := range people.owned[who] {
		shard := m.shard(hash)
		shard.mu.RLock()
		if s := shard.rows[hash]; live(s, now) {
			all = append(all, s.Clone())
		}
		shard.mu.RUnlock()
	}
	slices.SortFunc(all, func(a, b Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return all
}

// forget drops sessions that ended before, so that memory does not grow with every sign-in.
func (m *Memory) forget(owned map[string][32]byte, before time.Time) {
	for id, hash := range owned {
		shard := m.shard(hash)
		shard.mu.Lock()
		if shard.rows[hash].Ends.Before(before) {
			delete(shard.rows, hash)
			delete(owned, id)
		}
		shard.mu.Unlock()
	}
}

func (m *Memory) shard(hash [32]byte) *rowShard { return &m.rows[hash[0]%shards] }

func (m *Memory) people(who owner) *ownerShard {
	return &m.owners[maphash.Comparable(m.seed, who)%shards]
}

func live(s *Session, now time.Time) bool {
	return s.Ended.IsZero() && now.Before(s.IdleEnds) && now.Before(s.Ends)
}
