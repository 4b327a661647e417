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
		row  *memoryRow
	}
	var all []past
	at, stale := before.UnixMicro(), false
	for _, r := range m.people(who).rows[who] {
		shard := m.shard(&r.hash)
		shard.mu.RLock()
		live, over := r.live(at), r.over()
		shard.mu.RUnlock()
		if !live {
			all = append(all, past{over, r})
			stale = stale || r.ends < at
		}
	}
	if !stale && len(all) <= keepOver {
		return
	}
	slices.SortFunc(all, func(a, b past) int { return cmp.Compare(b.over, a.over) })
	beyond := map[*memoryRow]bool{}
	for _, p := range all[min(keepOver, len(all)):] {
		beyond[p.row] = true
	}
	m.drop(who, func(r *memoryRow) bool { return r.ends < at || beyond[r] })
}

// drop forgets the person's rows that are doomed. The person is locked.
func (m *Memory) drop(who owner, doomed func(*memoryRow) bool) {
	people := m.people(who)
	left := slices.DeleteFunc(people.rows[who], func(r *memoryRow) bool {
		if !doomed(r) {
			return false
		}
		m.manners.leave(r.manner)
		shard := m.shard(&r.hash)
		shard.mu.Lock()
		defer shard.mu.Unlock()
		shard.remove(r)
		return true
	})
	if len(left) == 0 {
		delete(people.rows, who)
		return
	}
	people.rows[who] = left
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
	for who := range people.rows {
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
