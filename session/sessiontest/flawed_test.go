package sessiontest_test

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// flawed is a store as simple as can be that is broken in the one place its flaw names, the
// name of the rule that must catch it. Without a flaw it is right.
type flawed struct {
	flaw string
	mu   sync.Mutex
	rows []*flawedRow
	kept
}

type flawedRow struct {
	key session.Key
	v   session.Session
}

func (f *flawed) is(flaw string) bool { return f.flaw == flaw }

func (f *flawed) find(k session.Key) *flawedRow {
	for _, r := range f.rows {
		if r.key == k {
			return r
		}
	}
	return nil
}

func (f *flawed) Create(ctx context.Context, r session.Record, limit int) (evicted []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil && !f.is("cancelled_means_not_done") {
		return nil, ctx.Err()
	}
	v := r.Session.Clone()
	if f.is("get_returns_a_snapshot") {
		v.Methods = r.Session.Methods
	}
	if f.is("get_returns_what_was_created") {
		v.Organization = ""
	}
	if have := f.find(r.Key); have != nil {
		if f.is("create_refuses_a_key_that_exists") {
			have.v = v
			return nil, nil
		}
		return nil, session.ErrExists
	}
	for _, have := range f.rows {
		if have.v.Tenant == v.Tenant && have.v.Person == v.Person && have.v.ID == v.ID && !f.is("create_refuses_an_id_that_exists") {
			return nil, session.ErrExists
		}
	}
	if limit > 0 {
		evicted = f.evict(v, limit)
	}
	if limit > 0 && f.is("create_never_exceeds_the_limit") {
		f.pause()
	}
	f.rows = append(f.rows, &flawedRow{r.Key, v})
	return evicted, nil
}

// pause lets others in where one step should be one step.
func (f *flawed) pause() {
	f.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	f.mu.Lock()
}

// evict ends the oldest so that one less than limit are left beside fresh.
func (f *flawed) evict(fresh session.Session, limit int) (ids []string) {
	var all []session.Session
	for _, r := range f.rows {
		v := r.v
		switch {
		case v.Tenant != fresh.Tenant, v.Person != fresh.Person && !f.is("create_limits_one_person"):
		case v.Superseded, !v.Ended.IsZero():
		case (!fresh.Created.Before(v.IdleEnds) || !fresh.Created.Before(v.Ends)) && !f.is("create_counts_only_live_sessions"):
		default:
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b session.Session) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	for _, v := range all[:max(0, len(all)+1-limit)] {
		for _, r := range f.rows {
			if r.v.ID == v.ID && r.v.Ended.IsZero() && (!r.v.Superseded || !f.is("create_counts_sessions_not_tokens")) {
				r.v.Ended, r.v.Reason = fresh.Created, session.ReasonLimit
			}
		}
		ids = append(ids, v.ID)
	}
	if f.is("create_ends_the_oldest_beyond_the_limit") {
		slices.Reverse(ids)
	}
	return ids
}

func (f *flawed) Get(ctx context.Context, k session.Key) (session.Found, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return session.Found{}, ctx.Err()
	}
	r := f.find(k)
	if r == nil {
		if f.is("get_of_an_unknown_key") && k.Hash == [32]byte{} {
			return session.Found{}, nil
		}
		return session.Found{}, session.ErrNotFound
	}
	return session.Found{Session: r.v.Clone(), Policy: f.policyOf(r.v.Tenant)}, nil
}

func (f *flawed) Touch(ctx context.Context, k session.Key, seen, idleEnds time.Time) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	r := f.find(k)
	if r == nil {
		if f.is("touch_of_an_unknown_key") {
			f.rows = append(f.rows, &flawedRow{key: k})
		}
		return false, nil
	}
	if !r.v.Ended.IsZero() {
		if !f.is("an_ended_session_never_comes_back") {
			return false, nil
		}
		r.v.Ended, r.v.Reason = time.Time{}, "" // the whole row, as the slow request knew it
	}
	if !seen.Before(r.v.IdleEnds) && !f.is("touch_refuses_after_idle") ||
		!seen.Before(r.v.Ends) && !f.is("touch_refuses_after_the_end") {
		return false, nil
	}
	if f.is("lock_outlives_touch") {
		r.v.Locked = time.Time{}
	}
	switch {
	case f.is("touch_moves_a_live_session") && seen.After(r.v.LastSeen):
		r.v.LastSeen = seen // but IdleEnds only as far as it was, see touch_never_moves_back
	case seen.After(r.v.LastSeen), f.is("touch_never_moves_back"):
		r.v.LastSeen, r.v.IdleEnds = seen, idleEnds
	}
	return true, nil
}

func (f *flawed) Revoke(ctx context.Context, which session.Selection, at time.Time, reason string) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if at.IsZero() && !f.is("revoke_refuses_the_zero_time") {
		return 0, errors.New("zero time")
	}
	return f.revoke(which, at, reason), nil
}

func (f *flawed) revoke(which session.Selection, at time.Time, reason string) (n int) {
	for _, r := range f.rows {
		switch {
		case r.v.Tenant != which.Tenant && !f.is("revoke_stays_in_its_tenant"):
		case r.v.Person != which.Person && !f.is("revoke_stays_with_its_person"):
		case which.ID != "" && r.v.ID != which.ID && !f.is("revoke_ends_one"):
		case which.ID != "" && r.v.ID[:13] != which.ID[:13]: // the time in the id is not the id
		case which.Except != "" && r.v.ID == which.Except && !f.is("revoke_spares_the_exception"):
		case !r.v.Ended.IsZero() && !f.is("revoke_is_monotone"):
		case f.is("revoke_ends_all_of_a_person") && which.ID == "" && which.Except == "" && n == 2:
		default:
			r.v.Ended, r.v.Reason = at, reason
			if !r.v.Superseded || f.is("revoke_ends_both_tokens") {
				n++
			}
		}
	}
	return n
}

func (f *flawed) List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[session.Session, error] {
	return func(yield func(session.Session, error) bool) {
		if ctx.Err() != nil {
			yield(session.Session{}, ctx.Err())
			return
		}
		if f.is("list_allows_other_calls_meanwhile") {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.yield(f.list(t, person, now), yield)
			return
		}
		f.mu.Lock()
		all := f.list(t, person, now)
		f.mu.Unlock()
		f.yield(all, yield)
	}
}

func (f *flawed) list(t audit.Tenant, person audit.ActorID, now time.Time) []session.Session {
	var all []session.Session
	for _, r := range f.rows {
		switch {
		case r.v.Tenant != t && !f.is("list_stays_in_its_tenant"):
		case r.v.Person != person && !f.is("list_stays_with_its_person"):
		case !r.v.Ended.IsZero() && !f.is("list_leaves_out_ended_sessions"):
		case r.v.Superseded && !f.is("list_leaves_out_superseded_rows"):
		case (!now.Before(r.v.IdleEnds) || !now.Before(r.v.Ends)) && !f.is("list_leaves_out_expired_sessions"):
		default:
			all = append(all, r.v.Clone())
		}
	}
	slices.SortFunc(all, func(a, b session.Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	if f.is("list_yields_newest_first") {
		slices.Reverse(all)
	}
	return all
}

func (f *flawed) yield(all []session.Session, yield func(session.Session, error) bool) {
	for _, v := range all {
		if !yield(v, nil) {
			return
		}
	}
}
