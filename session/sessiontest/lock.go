package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

func lockRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "lock_sets_the_time",
			Clause: "Lock sets Locked to at, raises Version by one, and returns how many sessions those were",
			Run:    lockSets,
		},
		{
			Name:   "lock_keeps_the_first_time",
			Clause: "A locked session keeps its first time",
			Run:    lockOnce,
		},
		{
			Name:   "lock_leaves_ended_sessions",
			Clause: "Lock changes sessions that have not ended",
			Run:    lockEnded,
		},
		{
			Name:   "lock_stays_with_its_person",
			Clause: "A selection names sessions of one person in one tenant",
			Run:    lockPerson,
		},
		{
			Name:   "lock_reaches_both_tokens",
			Clause: "Lock changes all rows of a session, and counts one",
			Run:    lockBoth,
		},
		{
			Name:   "lock_beside_rotate",
			Clause: "A session whose token is changed at the same time is locked afterwards under both tokens",
			Run:    lockBesideRotate,
		},
		{
			Name:   "lock_outlives_touch",
			Clause: "Only Rotate ends a lock, with a next that has none",
			Run:    lockOutlivesTouch,
		},
		{
			Name:   "lock_refuses_the_zero_time",
			Clause: "A zero time is refused",
			Run:    lockZero,
		},
	}
}

// lockedNow locks the selection and compares the count.
func lockedNow(ctx context.Context, s session.Store, which session.Selection, at time.Time, want int) error {
	n, err := s.Lock(ctx, which, at)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if n != want {
		return fmt.Errorf("lock changed %d sessions, want %d", n, want)
	}
	return nil
}

// locked returns the session as it is after it was locked.
func locked(v session.Session, at time.Time) session.Session {
	v.Locked = at
	v.Version++
	return v
}

func lockSets(ctx context.Context, s session.Store) error {
	a, still := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	b, c := record(ctx, s, clinic, bob, base()), record(ctx, s, clinic, bob, base())
	if err := create(ctx, s, a, still, b, c); err != nil {
		return err
	}
	at := base().Add(time.Minute + time.Microsecond)
	return errors.Join(
		lockedNow(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: a.Session.ID}, at, 1),
		holds(ctx, s, a.Key, locked(a.Session, at)),
		holds(ctx, s, still.Key, still.Session),
		lockedNow(ctx, s, session.Selection{Tenant: clinic, Person: bob, Except: c.Session.ID}, at, 1),
		holds(ctx, s, b.Key, locked(b.Session, at)),
		holds(ctx, s, c.Key, c.Session),
		lockedNow(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: "nothing"}, at, 0),
	)
}

func lockOnce(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	all := session.Selection{Tenant: clinic, Person: ann}
	return errors.Join(
		lockedNow(ctx, s, all, at, 1),
		lockedNow(ctx, s, all, at.Add(time.Minute), 0),
		holds(ctx, s, r.Key, locked(r.Session, at)),
	)
}

func lockEnded(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	all := session.Selection{Tenant: clinic, Person: ann}
	return errors.Join(
		revoked(ctx, s, all, base(), "x", 1),
		lockedNow(ctx, s, all, base().Add(time.Minute), 0),
		holds(ctx, s, r.Key, ended(r.Session, base(), "x")),
	)
}

func lockPerson(ctx context.Context, s session.Store) error {
	hers, his, elsewhere := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, bob, base()), record(ctx, s, other, ann, base())
	elsewhere.Session.ID = hers.Session.ID
	if err := create(ctx, s, hers, his, elsewhere); err != nil {
		return err
	}
	return errors.Join(
		lockedNow(ctx, s, session.Selection{Tenant: clinic, Person: ann}, base(), 1),
		holds(ctx, s, his.Key, his.Session),
		holds(ctx, s, elsewhere.Key, elsewhere.Session),
	)
}

func lockBoth(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	n, err := rotated(ctx, s, r, at)
	if err != nil {
		return err
	}
	if err := lockedNow(ctx, s, session.Selection{Tenant: clinic, Person: ann}, at, 1); err != nil {
		return err
	}
	return bothLocked(ctx, s, r.Key, n.Key)
}

func bothLocked(ctx context.Context, s session.Store, keys ...session.Key) error {
	for _, k := range keys {
		got, err := s.Get(ctx, k)
		if errors.Is(err, session.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if got.Session.Locked.IsZero() {
			return errors.New("a token of a locked session is not locked")
		}
	}
	return nil
}

func lockBesideRotate(ctx context.Context, s session.Store) error {
	for i := range racers {
		r := record(ctx, s, clinic, ann, base())
		if err := create(ctx, s, r); err != nil {
			return err
		}
		n := successor(ctx, s, r, base().Add(time.Minute))
		err := together(2, func(who int) error {
			if who == i%2 {
				_, err := s.Lock(ctx, session.Selection{Tenant: clinic, Person: ann, ID: r.Session.ID}, base().Add(time.Minute))
				return err
			}
			if err := s.Rotate(ctx, r.Key, n, base().Add(time.Minute+overlap)); !errors.Is(err, session.ErrConflict) {
				return err
			}
			return nil
		})
		if err == nil {
			err = bothLocked(ctx, s, r.Key, n.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func lockOutlivesTouch(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	if err := errors.Join(
		lockedNow(ctx, s, session.Selection{Tenant: clinic, Person: ann}, at, 1),
		touched(ctx, s, r.Key, at.Add(time.Minute), true),
	); err != nil {
		return err
	}
	got, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	if !got.Session.Locked.Equal(at) {
		return errors.New("a slow request unlocked the session")
	}
	n, err := rotated(ctx, s, session.Record{Key: r.Key, Session: got.Session}, at.Add(2*time.Minute))
	if err != nil {
		return err
	}
	return holds(ctx, s, n.Key, n.Session)
}

func lockZero(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	if _, err := s.Lock(ctx, session.Selection{Tenant: clinic, Person: ann}, time.Time{}); err == nil {
		return errors.New("lock at the zero time returned no error: the session would look unlocked")
	}
	return nil
}
