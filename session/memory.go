package session

import (
	"cmp"
	"context"
	"crypto/rand"
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
	seed     maphash.Seed
	rows     [shards]rowShard
	owners   [shards]ownerShard
	proofs   proofs
	policies policies
}

// A lock of a person's shard is taken before one of a row's, never the other way round.
// Whoever changes a row, but for Touch, has locked its person's shard.
type (
	rowShard struct {
		mu   sync.RWMutex
		rows map[[32]byte]*Session
	}
	ownerShard struct {
		mu    sync.Mutex
		owned map[owner]map[[32]byte]struct{} // the hashes of a person's rows
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
		m.owners[i].owned = map[owner]map[[32]byte]struct{}{}
	}
	m.proofs.until = map[proofKey]time.Time{}
	m.policies.saved = map[audit.Tenant]*Policy{}
	return m
}

var _ Store = (*Memory)(nil)

// Create implements Store. It forgets the person's sessions that are long over.
func (m *Memory) Create(ctx context.Context, r Record, limit int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	who := owner{r.Session.Tenant, r.Session.Person}
	defer m.lock(who)()
	m.forget(who, r.Session.Created)
	for hash := range m.hashes(who) {
		if s := m.row(hash); s.ID == r.Session.ID {
			return nil, fmt.Errorf("memory: %w", ErrExists)
		}
	}
	if !m.insert(who, r) {
		return nil, fmt.Errorf("memory: %w", ErrExists)
	}
	if limit <= 0 {
		return nil, nil
	}
	return m.evict(who, r.Session, limit), nil
}

// insert adds a row and reports whether its key was free.
func (m *Memory) insert(who owner, r Record) bool {
	shard := m.shard(r.Key.Hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if _, taken := shard.rows[r.Key.Hash]; taken {
		return false
	}
	s := r.Session.Clone()
	shard.rows[r.Key.Hash] = &s
	people := m.people(who)
	if people.owned[who] == nil {
		people.owned[who] = map[[32]byte]struct{}{}
	}
	people.owned[who][r.Key.Hash] = struct{}{}
	return true
}

// evict ends the oldest sessions beside fresh until limit are live.
func (m *Memory) evict(who owner, fresh Session, limit int) (evicted []string) {
	old := slices.DeleteFunc(m.list(who, fresh.Created), func(s Session) bool { return s.ID == fresh.ID })
	slices.Reverse(old)
	for _, s := range old[:max(0, len(old)+1-limit)] {
		m.change(Selection{s.Tenant, s.Person, s.ID, ""}, func(s *Session) bool {
			return end(s, fresh.Created, ReasonLimit)
		})
		evicted = append(evicted, s.ID)
	}
	return evicted
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, k Key) (Found, error) {
	if err := ctx.Err(); err != nil {
		return Found{}, err
	}
	shard := m.shard(k.Hash)
	shard.mu.RLock()
	s, ok := shard.rows[k.Hash]
	if !ok {
		shard.mu.RUnlock()
		return Found{}, ErrNotFound
	}
	f := Found{Session: *s} // its slices are never written to
	shard.mu.RUnlock()
	f.Policy = m.policies.get(f.Session.Tenant)
	return f, nil
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
	defer m.lock(owner{which.Tenant, which.Person})()
	return m.change(which, func(s *Session) bool { return end(s, at, reason) }), nil
}

// Lock implements Store.
func (m *Memory) Lock(ctx context.Context, which Selection, at time.Time) (n int, err error) {
	if at.IsZero() {
		return 0, errors.New("session: locking at the zero time")
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	defer m.lock(owner{which.Tenant, which.Person})()
	return m.change(which, func(s *Session) bool {
		if !s.Ended.IsZero() || !s.Locked.IsZero() {
			return false
		}
		s.Locked = at
		s.Version++
		return true
	}), nil
}

// Rotate implements Store.
func (m *Memory) Rotate(ctx context.Context, old Key, next Record, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := next.Session
	who := owner{n.Tenant, n.Person}
	defer m.lock(who)()
	if _, his := m.people(who).owned[who][old.Hash]; !his {
		return fmt.Errorf("memory: %w", ErrConflict)
	}
	s := m.row(old.Hash)
	if s.ID != n.ID || s.Superseded || s.Version != n.Version-1 || !live(&s, n.LastSeen) {
		return fmt.Errorf("memory: %w", ErrConflict)
	}
	if !m.insert(who, next) {
		return fmt.Errorf("memory: %w", ErrExists)
	}
	shard := m.shard(old.Hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	row := shard.rows[old.Hash]
	row.Superseded = true
	row.Ends, row.IdleEnds = earlier(row.Ends, until), earlier(row.IdleEnds, until)
	return nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Session{}, err)
			return
		}
		who := owner{t, person}
		unlock := m.lock(who)
		all := m.list(who, now)
		unlock()
		for _, s := range all {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// Route implements Store.
func (m *Memory) Route(ctx context.Context, _ audit.Tenant, _ audit.ActorID) (route [16]byte, err error) {
	rand.Read(route[:]) // never fails (crypto/rand)
	return route, ctx.Err()
}

// list returns the person's live sessions, newest first. The person is locked.
func (m *Memory) list(who owner, now time.Time) []Session {
	var all []Session
	for hash := range m.hashes(who) {
		if s := m.row(hash); live(&s, now) && !s.Superseded {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return all
}

// change applies f to the selected rows and counts the sessions that it changed. The person
// is locked.
func (m *Memory) change(which Selection, f func(*Session) bool) (n int) {
	for hash := range m.hashes(owner{which.Tenant, which.Person}) {
		shard := m.shard(hash)
		shard.mu.Lock()
		s := shard.rows[hash]
		selected := (which.ID == "" || s.ID == which.ID) && (which.Except == "" || s.ID != which.Except)
		if selected && f(s) && !s.Superseded {
			n++
		}
		shard.mu.Unlock()
	}
	return n
}

// end ends a row that has not ended.
func end(s *Session, at time.Time, reason string) bool {
	if !s.Ended.IsZero() {
		return false
	}
	s.Ended, s.Reason = at, reason
	return true
}

// forget drops rows that were over before, so that memory does not grow with every sign-in.
// The person is locked.
func (m *Memory) forget(who owner, before time.Time) (n int) {
	for hash := range m.hashes(who) {
		if m.row(hash).Ends.Before(before) {
			m.remove(who, hash)
			n++
		}
	}
	return n
}

func (m *Memory) remove(who owner, hash [32]byte) {
	shard, people := m.shard(hash), m.people(who)
	shard.mu.Lock()
	delete(shard.rows, hash)
	shard.mu.Unlock()
	if delete(people.owned[who], hash); len(people.owned[who]) == 0 {
		delete(people.owned, who)
	}
}

// row returns a copy of a row that is there.
func (m *Memory) row(hash [32]byte) Session {
	shard := m.shard(hash)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return *shard.rows[hash]
}

// hashes are the person's rows. The person is locked.
func (m *Memory) hashes(who owner) map[[32]byte]struct{} { return m.people(who).owned[who] }

// lock locks the person's shard and returns how to unlock it.
func (m *Memory) lock(who owner) (unlock func()) {
	people := m.people(who)
	people.mu.Lock()
	return people.mu.Unlock
}

func (m *Memory) shard(hash [32]byte) *rowShard { return &m.rows[hash[0]%shards] }

func (m *Memory) people(who owner) *ownerShard {
	return &m.owners[maphash.Comparable(m.seed, who)%shards]
}

func live(s *Session, now time.Time) bool {
	return s.Ended.IsZero() && now.Before(s.IdleEnds) && now.Before(s.Ends)
}
