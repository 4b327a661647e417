package session

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// forget drops rows that ended before, and of those that are not live then all but the last,
// so that memory does not grow with every sign-in. The person is locked.
func (m *Memory) forget(who owner, before time.Time) {
	type past struct {
		over int64
		hash [32]byte
	}
	var all []past
	at, stale := before.UnixMicro(), false
	for r := range m.of(who) {
		if !r.live(at) {
			all = append(all, past{r.over(), r.hash})
			stale = stale || r.ends < at
		}
	}
	if !stale && len(all) <= keepOver {
		return
	}
	slices.SortFunc(all, func(a, b past) int { return cmp.Compare(b.over, a.over) })
	beyond := map[[32]byte]bool{}
	for _, p := range all[min(keepOver, len(all)):] {
		beyond[p.hash] = true
	}
	m.drop(who, func(r *memoryRow) bool { return r.ends < at || beyond[r.hash] })
}

// drop forgets the person's rows that are doomed. The person is locked.
func (m *Memory) drop(who owner, doomed func(*memoryRow) bool) {
	people, last := m.people(who), ref(0)
	for at := people.first[who]; at != 0; {
		shard, i := &m.rows[at%shards], uint32(at/shards)-1
		shard.mu.Lock()
		r := shard.at(i)
		next := r.next
		if !doomed(r) {
			shard.mu.Unlock()
			at, last = next, at
			continue
		}
		m.manners.leave(r.manner)
		shard.remove(i)
		shard.mu.Unlock()
		at = next
		switch {
		case last != 0:
			m.link(last, next)
		case next != 0:
			people.first[who] = next
		default:
			delete(people.first, who)
		}
	}
}

// link says which row of the same person comes after one.
func (m *Memory) link(one, next ref) {
	shard := &m.rows[one%shards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	shard.at(uint32(one/shards) - 1).next = next
}

// Purge implements Store. It looks at every row.
func (m *Memory) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	for i := range m.owners {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		n += m.purgeOwners(&m.owners[i], before.UnixMicro(), limit-n)
	}
	m.proofs.mu.Lock()
	defer m.proofs.mu.Unlock()
	for k, until := range m.proofs.until {
		if n < limit && until.Before(before) {
			delete(m.proofs.until, k)
			n++
		}
	}
	return n, nil
}

func (m *Memory) purgeOwners(people *ownerShard, before int64, limit int) (n int) {
	people.mu.Lock()
	defer people.mu.Unlock()
	for who := range people.first {
		if n >= limit {
			break
		}
		m.drop(who, func(r *memoryRow) bool {
			if n >= limit || r.ends >= before {
				return false
			}
			n++
			return true
		})
	}
	return n
}
