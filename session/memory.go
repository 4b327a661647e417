package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const shards = 64 // as many as a word has bits, see list

// keepOver is how many rows of a person Create keeps that are not live any more, so that
// whoever presents one is told what became of it.
const keepOver = 64

// Memory is a Store in the memory of one process: for tests, demos and hosts that may sign
// everybody out when they restart. It is sharded, so that requests do not wait for each
// other. Memory that was needed once is kept for sessions to come.
type Memory struct {
	seed     maphash.Seed
	rows     [shards]rowShard
	owners   [shards]ownerShard
	manners  manners
	proofs   proofs
	policies policies
}

// A lock of a person's shard is taken before one of a row's, never the other way round, and who
// takes several of rows takes them in their order. Whoever changes a row, but for Touch, has
// locked its person's shard; who has may read it without the row's lock, except for what Touch
// writes, seen and idle.
type (
	ownerShard struct {
		mu   sync.Mutex
		rows map[owner][]*memoryRow // the newest first
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
		m.owners[i].rows = map[owner][]*memoryRow{}
	}
	m.manners.all = map[mannerKey]*manner{}
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
	for _, row := range m.people(who).rows[who] {
		if row.id == r.Session.ID {
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

// insert adds a row and reports whether its key was free. The person is locked.
func (m *Memory) insert(who owner, r Record) bool {
	people, shard, person := m.people(who), m.shard(&r.Key.Hash), who.person
	own := people.rows[who]
	if len(own) > 0 {
		person = own[0].person // one text for all rows of a person
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.find(&r.Key.Hash) != nil {
		return false
	}
	row := shard.add(newMemoryRow(r.Key.Hash, &r.Session, person, m.manners.of(&r.Session)))
	at, _ := slices.BinarySearchFunc(own, row, newestFirst)
	people.rows[who] = slices.Insert(own, at, row)
	return true
}

func newestFirst(a, b *memoryRow) int {
	return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(b.id, a.id))
}

// evict ends the oldest sessions beside fresh until limit are live.
func (m *Memory) evict(who owner, fresh Session, limit int) (evicted []string) {
	old := slices.DeleteFunc(m.list(who, fresh.Created), func(s Session) bool { return s.ID == fresh.ID })
	slices.Reverse(old)
	at := fresh.Created.UnixMicro()
	for _, s := range old[:max(0, len(old)+1-limit)] {
		m.change(Selection{s.Tenant, s.Person, s.ID, ""}, func(r *memoryRow) bool { return r.end(at, ReasonLimit) })
		evicted = append(evicted, s.ID)
	}
	return evicted
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, k Key) (f Found, err error) {
	if err := ctx.Err(); err != nil {
		return Found{}, err
	}
	shard := m.shard(&k.Hash)
	shard.mu.RLock()
	r := shard.find(&k.Hash)
	if r == nil {
		shard.mu.RUnlock()
		return Found{}, ErrNotFound
	}
	r.session(&f.Session) // its slices are never written to
	shard.mu.RUnlock()
	f.Policy = m.policies.get(f.Session.Tenant)
	return f, nil
}

// Touch implements Store.
func (m *Memory) Touch(ctx context.Context, k Key, seen, idleEnds time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	shard := m.shard(&k.Hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	at := seen.UnixMicro()
	r := shard.find(&k.Hash)
	if r == nil || !r.live(at) {
		return false, nil
	}
	if at > r.seen {
		r.seen, r.idle = at, idleEnds.UnixMicro()
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
	return m.change(which, func(r *memoryRow) bool { return r.end(at.UnixMicro(), reason) }), nil
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
	return m.change(which, func(r *memoryRow) bool { return r.lock(at.UnixMicro()) }), nil
}

// Rotate implements Store.
func (m *Memory) Rotate(ctx context.Context, old Key, next Record, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := &next.Session
	who := owner{n.Tenant, n.Person}
	defer m.lock(who)()
	m.forget(who, n.LastSeen)
	if !m.rotates(who, old, n) {
		return fmt.Errorf("memory: %w", ErrConflict)
	}
	if !m.insert(who, next) {
		return fmt.Errorf("memory: %w", ErrExists)
	}
	shard := m.shard(&old.Hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	r := shard.find(&old.Hash)
	r.some().superseded = true
	r.ends, r.idle = min(r.ends, until.UnixMicro()), min(r.idle, until.UnixMicro())
	return nil
}

// rotates reports whether the row of old is as next asks for. The person is locked.
func (m *Memory) rotates(who owner, old Key, next *Session) bool {
	shard := m.shard(&old.Hash)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	r := shard.find(&old.Hash)
	return r != nil && r.person == who.person && r.manner.key.tenant == who.tenant && r.id == next.ID &&
		!r.superseded() && r.version() == next.Version-1 && r.live(next.LastSeen.UnixMicro())
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

// list returns the person's live sessions, newest first. The person is locked. It takes the locks
// of all their rows before it copies any: the processor fetches rows together where no lock is
// between them, and with a million sessions that is what costs.
func (m *Memory) list(who owner, now time.Time) []Session {
	own, at := m.people(who).rows[who], now.UnixMicro()
	var where uint64 // one bit for each shard
	n := 0
	for _, r := range own {
		if r.listed(at) {
			where |= 1 << (r.hash[0] % shards)
			n++
		}
	}
	for rest := where; rest != 0; rest &= rest - 1 { // always in this order
		m.rows[bits.TrailingZeros64(rest)].mu.RLock()
	}
	all := make([]Session, 0, n)
	for _, r := range own {
		if r.listed(at) && at < r.idle {
			all = append(all, Session{})
			r.session(&all[len(all)-1])
		}
	}
	for rest := where; rest != 0; rest &= rest - 1 {
		m.rows[bits.TrailingZeros64(rest)].mu.RUnlock()
	}
	return all
}

// change applies f to the selected rows and counts the sessions that it changed. The person
// is locked.
func (m *Memory) change(which Selection, f func(*memoryRow) bool) (n int) {
	who := owner{which.Tenant, which.Person}
	for _, r := range m.people(who).rows[who] {
		if which.ID != "" && r.id != which.ID || which.Except != "" && r.id == which.Except {
			continue
		}
		shard := m.shard(&r.hash)
		shard.mu.Lock()
		if f(r) && !r.superseded() {
			n++
		}
		shard.mu.Unlock()
	}
	return n
}

// lock locks the person's shard and returns how to unlock it.
func (m *Memory) lock(who owner) (unlock func()) {
	people := m.people(who)
	people.mu.Lock()
	return people.mu.Unlock
}

func (m *Memory) shard(hash *[32]byte) *rowShard { return &m.rows[hash[0]%shards] }

func (m *Memory) people(who owner) *ownerShard {
	return &m.owners[maphash.Comparable(m.seed, who)%shards]
}
