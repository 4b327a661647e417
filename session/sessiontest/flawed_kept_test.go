package sessiontest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// kept is what flawed holds beside rows.
type kept struct {
	policies map[audit.Tenant]*session.Policy
	first    map[audit.Tenant]*session.Policy // what Get saw first
	proofs   []session.Proof
}

func (f *flawed) Rotate(ctx context.Context, old session.Key, next session.Record, until time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r, n := f.find(old), next.Session
	if r == nil {
		return session.ErrConflict
	}
	v := &r.v
	live := v.Ended.IsZero() && n.LastSeen.Before(v.Ends) &&
		(n.LastSeen.Before(v.IdleEnds) || f.is("rotate_needs_a_live_session"))
	version := v.Version == n.Version-1 || v.Version < n.Version && f.is("rotate_needs_the_version_it_read")
	mine := v.Person == n.Person && v.ID == n.ID && (v.Tenant == n.Tenant || f.is("rotate_needs_the_same_session"))
	if !mine || !version || !live || v.Superseded && !f.is("rotate_happens_once") {
		return session.ErrConflict
	}
	if have := f.find(next.Key); have != nil {
		if f.is("rotate_refuses_a_key_that_exists") {
			have.v = n
			return nil
		}
		return session.ErrExists
	}
	v.Superseded = true
	if v.Ends.After(until) || f.is("rotate_ends_the_old_token_in_time") {
		v.Ends = until
	}
	if v.IdleEnds.After(until) || f.is("rotate_ends_the_old_token_in_time") {
		v.IdleEnds = until
	}
	if f.is("rotate_keeps_what_the_old_token_had") {
		v.Methods = n.Methods
	}
	f.add(next, v)
	return nil
}

// add is the second half of Rotate, which should be one step with the first.
func (f *flawed) add(next session.Record, old *session.Session) {
	n := next.Session.Clone()
	switch {
	case f.is("revoke_beside_rotate"):
		was := old.Locked
		if f.pause(); !old.Locked.Equal(was) {
			n.Locked = old.Locked
		}
	case f.is("lock_beside_rotate"):
		f.pause()
		n.Ended, n.Reason = old.Ended, old.Reason
	case f.is("rotate_adds_the_new_token"):
		n.Fresh = nil
	}
	f.rows = append(f.rows, &flawedRow{next.Key, n})
}

func (f *flawed) Lock(ctx context.Context, which session.Selection, at time.Time) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if at.IsZero() && !f.is("lock_refuses_the_zero_time") {
		return 0, errors.New("zero time")
	}
	for _, r := range f.rows {
		switch {
		case r.v.Tenant != which.Tenant && !f.is("lock_stays_with_its_person"), r.v.Person != which.Person:
		case which.ID != "" && r.v.ID != which.ID:
		case which.Except != "" && r.v.ID == which.Except && !f.is("lock_sets_the_time"):
		case !r.v.Ended.IsZero() && !f.is("lock_leaves_ended_sessions"):
		case !r.v.Locked.IsZero() && !f.is("lock_keeps_the_first_time"):
		default:
			r.v.Locked = at
			r.v.Version++
			if !r.v.Superseded || f.is("lock_reaches_both_tokens") {
				n++
			}
		}
	}
	return n, nil
}

func (f *flawed) Put(ctx context.Context, p session.Proof) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !f.is("put_again_is_one_proof") {
		f.take(p.Tenant, p.Key)
	}
	f.proofs = append(f.proofs, p)
	return nil
}

func (f *flawed) Consume(ctx context.Context, t audit.Tenant, k session.Key, now time.Time) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if f.is("consume_uses_up") && f.has(t, k, now) {
		f.pause()
		f.take(t, k)
		return true, nil
	}
	p, ok := f.take(t, k)
	return ok && (p.Until.After(now) || f.is("consume_keeps_to_until")), nil
}

func (f *flawed) take(t audit.Tenant, k session.Key) (session.Proof, bool) {
	for i, p := range f.proofs {
		if (p.Tenant == t || f.is("consume_stays_in_its_tenant")) && p.Key.Hash == k.Hash {
			f.proofs = append(f.proofs[:i:i], f.proofs[i+1:]...)
			return p, true
		}
	}
	return session.Proof{}, false
}

func (f *flawed) has(t audit.Tenant, k session.Key, now time.Time) bool {
	return slices.ContainsFunc(f.proofs, func(p session.Proof) bool {
		return p.Tenant == t && p.Key.Hash == k.Hash && p.Until.After(now)
	})
}

// policyOf is what Get returns beside a session.
func (f *flawed) policyOf(t audit.Tenant) *session.Policy {
	p := f.policies[t]
	if f.is("policy_stays_in_its_tenant") && p == nil {
		for _, p = range f.policies {
			break
		}
	}
	if f.is("get_returns_the_policy") {
		if f.first == nil {
			f.first = map[audit.Tenant]*session.Policy{}
		}
		if f.first[t] == nil {
			f.first[t] = p
		}
		return f.first[t]
	}
	return p
}

func (f *flawed) GetPolicy(ctx context.Context, t audit.Tenant) (*session.Policy, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if p := f.policies[t]; p != nil {
		return p, nil
	}
	return nil, session.ErrNotFound
}

func (f *flawed) SavePolicy(ctx context.Context, t audit.Tenant, p session.Policy) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var version int64
	if have := f.policies[t]; have != nil {
		version = have.Version
	}
	if p.Version != version+1 && (p.Version <= version || !f.is("policy_needs_the_version_before")) {
		return session.ErrConflict
	}
	if !f.is("policy_is_a_copy") {
		p = p.Clone()
	}
	if have := f.policies[t]; have != nil && p.Kinds == nil && f.is("policy_comes_back_whole") {
		p.Kinds = have.Kinds
	}
	if f.policies == nil {
		f.policies = map[audit.Tenant]*session.Policy{}
	}
	f.policies[t] = &p
	return nil
}

func (f *flawed) Route(ctx context.Context, _ audit.Tenant, _ audit.ActorID) (route [16]byte, err error) {
	if !f.is("route_is_random") {
		rand.Read(route[:])
	}
	return route, ctx.Err()
}

func (f *flawed) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if f.is("purge_keeps_to_the_limit") && limit == 0 {
		limit = 1000
	}
	if f.is("purge_deletes_what_is_over") {
		before = before.Add(time.Microsecond)
	}
	var rows []*flawedRow
	for _, r := range f.rows {
		if n < limit && r.v.Ends.Before(before) {
			n++
			continue
		}
		rows = append(rows, r)
	}
	f.rows = rows
	var proofs []session.Proof
	for _, p := range f.proofs {
		if n < limit && p.Until.Before(before) {
			n++
			continue
		}
		proofs = append(proofs, p)
	}
	f.proofs = proofs
	return n, nil
}
