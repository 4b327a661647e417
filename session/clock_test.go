package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

func TestClockStepsBack(t *testing.T) {
	t.Parallel()

	t.Run("extends nothing", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, session.NewMemory())
		token := d.start(t, staff(ann))
		d.clock.Add(10 * time.Minute)
		other := d.start(t, staff(bob)) // somebody who looks at the clock
		d.clock.Add(-10 * time.Minute)
		require.NoError(t, d.state(other), "the step itself ends nobody")
		d.clock.Add(5 * time.Minute) // 15 minutes have passed
		require.ErrorIs(t, d.state(token), session.ErrExpired)
		require.NoError(t, d.state(other))
		d.clock.Add(15 * time.Minute)
		require.ErrorIs(t, d.state(other), session.ErrExpired)
	})

	t.Run("revives nothing", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, session.NewMemory())
		expired, ended := d.start(t, staff(ann)), d.start(t, staff(bob))
		require.NoError(t, d.End(t.Context(), ended, session.ReasonSignOut))
		d.clock.Add(15 * time.Minute)
		require.ErrorIs(t, d.state(expired), session.ErrExpired)
		d.clock.Add(-15 * time.Minute)
		require.ErrorIs(t, d.state(expired), session.ErrExpired)
		require.ErrorIs(t, d.state(ended), session.ErrEnded)
	})

	t.Run("ends what a server meets that restarted behind", func(t *testing.T) {
		t.Parallel()
		store := session.NewMemory()
		d := newDesk(t, store)
		token := d.start(t, staff(ann))
		behind := newDesk(t, store)
		behind.clock.Add(-61 * time.Second) // more than a grain
		require.ErrorIs(t, behind.state(token), session.ErrExpired)
		require.ErrorIs(t, d.state(token), session.ErrExpired, "nobody knows how long it was idle")
	})

	t.Run("allows for servers' clocks to differ a little", func(t *testing.T) {
		t.Parallel()
		store := session.NewMemory()
		d := newDesk(t, store)
		token := d.start(t, staff(ann))
		behind := newDesk(t, store)
		behind.clock.Add(-time.Second)
		require.NoError(t, behind.state(token))
	})

	t.Run("catches up with the host's clock", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, session.NewMemory())
		token := d.start(t, staff(ann))
		d.clock.Add(-time.Hour)
		require.NoError(t, d.state(token))
		d.clock.Add(time.Hour + 20*time.Minute) // the step is mended and 20 minutes are over
		require.ErrorIs(t, d.state(token), session.ErrExpired)
	})
}
