package machine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// change is one lifecycle change: who makes it and what is recorded of it.
type change struct {
	action audit.Action
	verb   audit.Verb
	by     audit.Actor
	key    string // that it is about
	why    string // what somebody typed
	reason string // a code
	grants bool   // whether the principal has to be possible, and within the rights of who makes the change
	expect int64  // the version that the caller read; 0: whichever there is
}

// conflicts is how often a change is tried again because somebody else was faster.
const conflicts = 8

// forget is how long a dead key stays with its principal, as evidence.
const forget = 90 * day

// get reads a principal.
func (m *Manager) get(ctx context.Context, t audit.Tenant, id audit.ActorID) (Principal, error) {
	p, err := m.p.Store.Get(ctx, t, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Principal{}, unavailable("reading a principal", err)
	}
	return p, err
}

// edit changes a principal that is there.
func (m *Manager) edit(ctx context.Context, id audit.ActorID, c change, edit func(*Principal) error) (Principal, error) {
	p, err := m.get(ctx, c.by.Tenant, id)
	if err != nil {
		return Principal{}, err
	}
	return m.apply(ctx, c, p, edit)
}

// apply records what edit makes of p, as it was read, and then writes it. It is recorded once,
// however often the writing has to begin anew because somebody else was faster.
func (m *Manager) apply(ctx context.Context, c change, was Principal, edit func(*Principal) error) (Principal, error) {
	next, err := m.plan(ctx, c, was, edit)
	if err != nil {
		return Principal{}, err
	}
	if err := m.record(ctx, c, was, next, audit.Success, ""); err != nil { // it may be there all the same
		return Principal{}, m.undone(ctx, c, was, next, CodeNotApplied, err)
	}
	for range conflicts {
		err := m.p.Store.Apply(ctx, Change{Put: next, Expect: was.Version})
		switch {
		case err == nil:
			return next, nil
		case !errors.Is(err, ErrConflict):
			return next, m.settle(ctx, c, was, next, err)
		case c.expect != 0 || was.Version == 0:
			return Principal{}, m.undone(ctx, c, was, next, CodeNotApplied, ErrConflict)
		}
		fresh, err := m.get(ctx, next.Tenant, next.ID)
		planned := next
		if err == nil {
			planned, err = m.plan(ctx, c, fresh, edit)
		}
		if err != nil {
			return Principal{}, m.undone(ctx, c, was, next, CodeNotApplied, err)
		}
		was, next = fresh, planned
	}
	return Principal{}, m.undone(ctx, c, was, next, CodeNotApplied, ErrConflict)
}

// plan returns p as it shall be.
func (m *Manager) plan(ctx context.Context, c change, was Principal, edit func(*Principal) error) (Principal, error) {
	if c.expect != 0 && c.expect != was.Version {
		return Principal{}, ErrConflict
	}
	now, next := m.now(), was.clone()
	if err := edit(&next); err != nil {
		return Principal{}, err
	}
	next.Version = was.Version + 1
	next.Keys = slices.DeleteFunc(next.Keys, func(k Key) bool {
		end := k.Expires
		if !k.Revoked.IsZero() && k.Revoked.Before(end) {
			end = k.Revoked
		}
		return now.Sub(end) > forget
	})
	if c.grants {
		if err := m.possible(ctx, next, now); err != nil {
			return Principal{}, err
		}
	}
	return next, nil
}

// record makes durable what is about to be done, or that it was not.
func (m *Manager) record(ctx context.Context, c change, was, next Principal, o audit.Outcome, code string) error {
	if c.verb == "" {
		c.verb = audit.Update
	}
	d := describe(next)
	if c.reason != "" {
		d[detailReason] = c.reason
	}
	if was.Version > 0 && !slices.Equal(was.Scopes, next.Scopes) {
		before := map[string]string{}
		scopesIn(before, was.Scopes)
		for k, v := range before {
			d["before_"+k] = v
		}
	}
	err := m.p.Recorder.Record(ctx, audit.Event{
		ID: audit.NewID(m.now()), Tenant: next.Tenant, Action: c.action, Verb: c.verb, Outcome: o, Code: code, Actor: c.by,
		Objects: objects(next, c.key), Detail: d, Why: audit.NewPrivate(cut(c.why)),
	})
	if err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// settle finds out what became of a write that failed: nil if it was done after all.
func (m *Manager) settle(ctx context.Context, c change, was, next Principal, err error) error {
	if errors.Is(err, ErrExists) {
		return m.undone(ctx, c, was, next, CodeNotApplied, err)
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	code := CodeUnconfirmed
	switch now, rerr := m.get(asking, next.Tenant, next.ID); {
	case rerr == nil && now.Version == next.Version && same(now, next):
		return nil
	case rerr == nil && now.Version <= next.Version, errors.Is(rerr, ErrNotFound) && was.Version == 0:
		code = CodeNotApplied // a later version may have gone on from ours
	}
	return m.undone(ctx, c, was, next, code, unavailable("changing a principal", err))
}

// undone records that what was recorded did not happen, as far as is known, and returns why.
func (m *Manager) undone(ctx context.Context, c change, was, next Principal, code string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	return errors.Join(why, m.record(ctx, c, was, next, audit.MajorFailure, code))
}

// same compares what a change can write. Stores order keys by time, and of one instant by ID, where
// a new one is at the end.
func same(a, b Principal) bool {
	return a.State == b.State && a.Name == b.Name && a.Owner == b.Owner && a.Expires.Equal(b.Expires) && slices.Equal(a.Scopes, b.Scopes) &&
		slices.EqualFunc(byID(a.Keys), byID(b.Keys), func(x, y Key) bool {
			return x.ID == y.ID && x.Expires.Equal(y.Expires) && x.Revoked.Equal(y.Revoked)
		})
}

func byID(keys []Key) []Key {
	return slices.SortedFunc(slices.Values(keys), func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
}

// cut drops what an event could not hold.
func cut(s string) string {
	s = strings.ToValidUTF8(s, "")
	for len(s) > MaxWhy {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// shorten ends keys at the latest at t.
func shorten(keys []Key, t time.Time) {
	for i := range keys {
		if t.Before(keys[i].Expires) {
			keys[i].Expires = t
		}
	}
}

// revoke ends a key that was not ended yet.
func revoke(k *Key, now time.Time) {
	if k.Revoked.IsZero() {
		k.Revoked = now
	}
}
