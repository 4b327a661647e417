package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
)

func atMost(n int) session.Policy {
	l := session.DefaultLimits()
	l.Sessions = n
	return session.Policy{Limits: l}
}

func TestSimultaneousSessions(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, atMost(2))
		elsewhere := staff(ann)
		elsewhere.Tenant = "clinic-2"
		apart := []string{d.start(t, staff(bob)), d.start(t, elsewhere)}
		first := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		second := d.start(t, staff(ann))
		require.NoError(t, d.state(first))
		id := d.is(t, first).ID
		d.clock.Add(time.Second)
		third := d.start(t, staff(ann))
		require.ErrorIs(t, d.state(first), session.ErrEnded, "the oldest goes")
		for _, token := range append(apart, second, third) {
			require.NoError(t, d.state(token))
		}
		ends := d.log.Find("session.end")
		require.Len(t, ends, 1)
		require.Equal(t, "limit", ends[0].Detail["reason"])
		require.Equal(t, []audit.Object{{Type: "session", ID: id}, {Type: "person", ID: string(ann)}}, ends[0].Objects)

		save(t, d.store, atMost(1)) // acts when somebody signs in
		require.NoError(t, d.state(second))
		d.clock.Add(time.Second)
		fourth := d.start(t, staff(ann))
		require.ErrorIs(t, d.state(second), session.ErrEnded)
		require.ErrorIs(t, d.state(third), session.ErrEnded)
		require.NoError(t, d.state(fourth))
	})
}

// A change of token takes no second place.
func TestLimitCountsSessionsNotTokens(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, atMost(2))
		first := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		next, err := d.Rotate(d.in(t, first))
		require.NoError(t, err)
		second := d.start(t, staff(ann))
		require.NoError(t, d.state(next))
		require.NoError(t, d.state(first), "and the old token works meanwhile")
		d.clock.Add(time.Second)
		third := d.start(t, staff(ann))
		require.ErrorIs(t, d.state(next), session.ErrEnded)
		require.ErrorIs(t, d.state(first), session.ErrEnded, "out under both tokens")
		require.NoError(t, d.state(second))
		require.NoError(t, d.state(third))
	})
}

// 64 sign-ins at once, on two servers, and never more than three are alive.
func TestLimitRace(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		store := open(t)
		a, b := newDesk(t, store), newDesk(t, store)
		save(t, store, atMost(3))
		tokens := make(chan string, 64)
		for i := range cap(tokens) {
			go func() {
				d := []*desk{a, b}[i%2]
				token, err := d.Start(t.Context(), staff(ann))
				for sqlkit.IsBusy(err) { // one writer, and a slow disk
					token, err = d.Start(t.Context(), staff(ann))
				}
				if err != nil {
					t.Error(err)
				}
				tokens <- token
			}()
		}
		all := make([]string, cap(tokens))
		for i := range all {
			all[i] = <-tokens
		}
		alive := 0
		for _, token := range all {
			if a.state(token) == nil {
				alive++
			}
		}
		require.Equal(t, 3, alive)
		listed, err := list(audit.WithActor(t.Context(), staff(ann)), a)
		require.NoError(t, err)
		require.Len(t, listed, 3)
		require.Len(t, append(a.log.Find("session.end"), b.log.Find("session.end")...), 61, "each end is on record")
	})
}

// Who signs in once more in the browser of the session that has to go is told one end, not two
// of which one found nothing.
func TestOwnSessionMakesRoom(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, atMost(1))
		first := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		second, err := d.Start(d.in(t, first), staff(ann))
		require.NoError(t, err)
		require.ErrorIs(t, d.state(first), session.ErrEnded)
		require.NoError(t, d.state(second))
		ends := d.log.Find("session.end")
		require.Len(t, ends, 1)
		require.Equal(t, audit.Success, ends[0].Outcome)
		require.Equal(t, "limit", ends[0].Detail["reason"])

		d.clock.Add(time.Second)
		_, err = d.Start(d.in(t, second), staff(bob)) // another person's ends as before
		require.NoError(t, err)
		e, _ := d.log.Last("session.end")
		require.Equal(t, "switched", e.Detail["reason"])
		require.Equal(t, audit.Success, e.Outcome)
	})
}
