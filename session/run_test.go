package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	require.ErrorIs(t, d.Health(t.Context()), session.ErrNotRunning)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	running := make(chan struct{})
	d.store.on("Purge", func() { close(running); d.store.on("Purge", nil) })
	go func() { ended <- d.Run(ctx) }()
	<-running
	require.NoError(t, d.Health(t.Context()))
	d.store.breaks("Get", context.DeadlineExceeded)
	require.ErrorIs(t, d.Health(t.Context()), session.ErrUnavailable)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	d.store.breaks("Get", nil)
	require.ErrorIs(t, d.Health(t.Context()), session.ErrNotRunning)
}

func TestPurge(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		old, ended := d.start(t, staff(ann)), d.start(t, staff(ann))
		require.NoError(t, d.End(t.Context(), ended, "x"))
		save(t, d.store, risky())
		d.clock.Add(time.Second)
		old, err := d.Reauthenticated(d.in(t, old), d.again(ann), session.Confirm(export, patient17))
		require.NoError(t, err)
		d.clock.Add(35*time.Hour + 59*time.Minute)
		n, err := d.Purge(t.Context())
		require.NoError(t, err)
		if _, ok := d.store.Store.(*sessionredis.Store); ok {
			require.Zero(t, n, "Redis clears away by itself, by a clock of its own")
			return
		}
		require.Equal(t, 2, n, "the token in the overlap and the confirmation")
		require.ErrorIs(t, d.state(old), session.ErrExpired, "its person is still told so")
		kept := d.start(t, staff(bob))
		d.clock.Add(2 * time.Minute)
		n, err = d.Purge(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.ErrorIs(t, d.state(old), session.ErrInvalid)
		require.ErrorIs(t, d.state(ended), session.ErrInvalid)
		require.NoError(t, d.state(kept))
	})
}

// Many rows go in many small steps.
func TestPurgeInBatches(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	for range 1200 {
		d.start(t, staff(ann))
	}
	d.clock.Add(37 * time.Hour)
	n, err := d.Purge(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1200, n)
	require.Equal(t, 3, d.store.count("Purge"))
}

// Run goes on where the store fails, and leaves nothing behind.
func TestRun(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		store := &faulty{Store: session.NewMemory()}
		m, err := session.New(store, audittest.NewRecorder(), session.RemoteAddr, nil)
		require.NoError(t, err)
		_, err = m.Start(t.Context(), audit.Actor{ID: ann, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL1})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		store.breaks("Purge", errors.New("down"))
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		time.Sleep(90 * time.Second)
		require.Equal(t, 2, store.count("Purge"))
		store.breaks("Purge", nil)
		time.Sleep(37 * time.Hour)
		n, err := store.Store.Purge(t.Context(), time.Now().Add(-24*time.Hour), 10)
		require.NoError(t, err)
		require.Zero(t, n, "Run was here before")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
