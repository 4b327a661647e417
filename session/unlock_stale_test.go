package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

// What was proven before the screen was locked, for example to an identity provider that did
// not ask again, says nothing about who stands before the locked screen.
func TestUnlockWithProofFromBeforeTheLock(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		d.clock.Add(10 * time.Second)
		before := d.again(ann)
		d.clock.Add(10 * time.Second)
		require.NoError(t, d.Lock(d.in(t, token)))
		d.clock.Add(10 * time.Second)
		next, err := d.Unlock(d.in(t, token), before)
		require.ErrorIs(t, err, session.ErrStale)
		require.Empty(t, next)
		require.ErrorIs(t, d.state(token), session.ErrLocked)
		_, err = d.Unlock(d.in(t, token), d.again(ann))
		require.NoError(t, err)
	})
}
