package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

func TestLock(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		store := open(t)
		a, b := newDesk(t, store), newDesk(t, store)
		b.clock = a.clock
		token, other := a.start(t, staff(ann)), a.start(t, staff(ann))
		require.NoError(t, a.Lock(a.in(t, token)))
		require.ErrorIs(t, b.state(token), session.ErrLocked, "on every server")
		require.ErrorIs(t, b.state(token), session.ErrNoSession)
		require.NoError(t, b.state(other), "another device is not locked")

		w, ctx := serve(a, get(token))
		who, _ := audit.ActorFrom(ctx)
		require.Equal(t, audit.KindAnonymous, who.Kind, "it acts for nobody")
		require.Empty(t, who.ID)
		require.Empty(t, w.Header()["Set-Cookie"], "the cookie is needed to unlock")
		require.Equal(t, session.StateLocked, session.Status(ctx))
		_, ok := session.From(ctx)
		require.False(t, ok)
		s, ok := session.Locked(ctx)
		require.True(t, ok)
		require.Equal(t, ann, s.Person, "so that the page can ask her")
		_, ok = session.Locked(a.in(t, other))
		require.False(t, ok)

		require.NoError(t, a.Lock(ctx), "twice is once")
		require.Len(t, a.log.Find("session.lock"), 1)
		for _, call := range []func() error{
			func() error { _, err := a.Rotate(ctx); return err },
			func() error { _, err := a.Reauthenticated(ctx, a.again(ann)); return err },
		} {
			require.ErrorIs(t, call(), session.ErrLocked)
		}
	})
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		id := d.is(t, token).ID
		require.NoError(t, d.Lock(d.in(t, token)))
		d.clock.Add(10 * time.Minute)

		next, err := d.Unlock(d.in(t, token), d.again(ann), session.Area("settings"))
		require.NoError(t, err)
		s := d.is(t, next)
		require.Equal(t, id, s.ID)
		require.True(t, s.Locked.IsZero())
		require.Equal(t, "settings", s.Fresh[0].Area)
		require.ErrorIs(t, d.state(token), session.ErrLocked, "the old token stays locked")
		d.clock.Add(10 * time.Second)
		require.ErrorIs(t, d.state(token), session.ErrEnded)
		require.NoError(t, d.state(next))
		require.Len(t, d.log.Find("session.unlock"), 1)

		_, err = d.Unlock(d.in(t, next), d.again(ann))
		require.ErrorIs(t, err, session.ErrNotLocked)
	})
}

func TestUnlockByAnotherPerson(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		require.NoError(t, d.Lock(d.in(t, token)))
		d.clock.Add(time.Second)
		next, err := d.Unlock(d.in(t, token), d.again(bob))
		require.ErrorIs(t, err, session.ErrDenied)
		require.Empty(t, next)
		require.ErrorIs(t, d.state(token), session.ErrLocked)
		e, _ := d.log.Last("session.unlock")
		require.Equal(t, "other_person", e.Code)
		require.Equal(t, audit.Failure, e.Outcome)
		require.Contains(t, e.Objects, audit.Object{Type: "person", ID: string(bob)})
	})
}

// Another person signs in on the locked workstation: the locked session ends with that.
func TestSwitchPerson(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		for _, locked := range []bool{true, false} {
			d := newDesk(t, open(t))
			hers := d.start(t, staff(ann))
			if locked {
				require.NoError(t, d.Lock(d.in(t, hers)))
			}
			his, err := d.Start(d.in(t, hers), staff(bob))
			require.NoError(t, err)
			require.Equal(t, bob, d.is(t, his).Person)
			require.ErrorIs(t, d.state(hers), session.ErrEnded)
			e, _ := d.log.Last("session.end")
			require.Equal(t, "switched", e.Detail["reason"])
			w, _ := serve(d, get(hers))
			require.Empty(t, w.Header()["Set-Cookie"], "a late answer must not clear his cookie")
		}
	})
}

// Being locked prolongs nothing.
func TestLockedSessionExpires(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	require.NoError(t, d.Lock(d.in(t, token)))
	for range 14 {
		d.clock.Add(time.Minute)
		require.ErrorIs(t, d.state(token), session.ErrLocked)
	}
	require.Zero(t, d.store.count("Touch"))
	d.clock.Add(time.Minute)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
}

func TestSignOutOfLockedSession(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	require.NoError(t, d.Lock(d.in(t, token)))
	require.NoError(t, d.SignOut(d.in(t, token)))
	require.ErrorIs(t, d.state(token), session.ErrEnded)
	e, _ := d.log.Last("session.end_all")
	require.Equal(t, ann, e.Actor.ID)
	require.NoError(t, d.SignOut(d.in(t, token)), "nothing is left to end")
	require.NoError(t, d.SignOut(t.Context()))
}

func TestSignOutScope(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		p := session.DefaultPolicy()
		p.SignOut = session.ThisDevice
		save(t, d.store, p)
		here, there := d.start(t, staff(ann)), d.start(t, staff(ann))
		require.NoError(t, d.SignOut(d.in(t, here)))
		require.ErrorIs(t, d.state(here), session.ErrEnded)
		require.NoError(t, d.state(there))

		save(t, d.store, session.DefaultPolicy())
		here = d.start(t, staff(ann))
		require.NoError(t, d.SignOut(d.in(t, here)))
		require.ErrorIs(t, d.state(here), session.ErrEnded)
		require.ErrorIs(t, d.state(there), session.ErrEnded)
	})
}

// Locking beside a change of token leaves no token unlocked.
func TestLockBesideTokenChange(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		for range 5 {
			old := d.start(t, staff(ann))
			d.clock.Add(time.Second)
			ctx := d.in(t, old)
			next := make(chan string)
			go func() {
				token, _ := d.Rotate(ctx)
				next <- token
			}()
			require.NoError(t, d.Lock(ctx))
			require.ErrorIs(t, d.state(old), session.ErrLocked)
			if token := <-next; token != "" {
				require.ErrorIs(t, d.state(token), session.ErrLocked)
			}
		}
	})
}

// Locking must not wait for the log.
func TestLocksEvenIfUnrecorded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	ctx := d.in(t, token)
	d.log.FailWith(errors.New("down"))
	require.ErrorIs(t, d.Lock(ctx), session.ErrUnrecorded)
	require.ErrorIs(t, d.state(token), session.ErrLocked)
}

func TestCurrent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	here, there := d.start(t, staff(ann)), d.start(t, staff(ann))
	ctx := d.in(t, here)
	require.True(t, d.is(t, here).Current(ctx))
	require.False(t, d.is(t, there).Current(ctx))
	require.False(t, d.is(t, here).Current(t.Context()))
	marked := 0
	for s, err := range d.List(ctx, clinic, ann) {
		require.NoError(t, err)
		if s.Current(ctx) {
			marked++
			require.Equal(t, d.is(t, here).ID, s.ID)
		}
	}
	require.Equal(t, 1, marked)
}
