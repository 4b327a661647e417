package mfa_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/mfa"
)

func TestReset(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		w.next()
		require.NoError(t, w.Reset(as(t, admin), clinic, lin, "lost her phone"))

		_, err := w.Verify(t.Context(), clinic, lin, w.code(t, key, 0))
		require.ErrorIs(t, err, mfa.ErrNotEnrolled)
		require.Equal(t, []audit.ActorID{lin, lin}, w.sessions.ended, "before the change and after it")
		require.Equal(t, []string{"mfa.enrolled", "mfa.reset"}, w.notices.topics())
		reset, ok := w.rec.Last(mfa.ActionReset)
		require.True(t, ok)
		require.Equal(t, admin, reset.Actor.ID)
		require.Equal(t, "s-1", reset.Actor.Session)
		require.Equal(t, []audit.Object{{Type: "person", ID: "p-lin"}}, reset.Objects)
		why, ok := reset.Why.Reveal()
		require.True(t, ok)
		require.Equal(t, "lost her phone", why)
		require.True(t, reset.Occurred.Start.Equal(w.clock.Now()))

		left, err := w.store.Claim(t.Context(), w.clock.Now().Add(time.Hour), w.clock.Now(), 10)
		require.NoError(t, err)
		require.Empty(t, left, "everything was delivered")
		require.ErrorIs(t, w.Reset(as(t, admin), clinic, lin, ""), mfa.ErrNotEnrolled)
		w.enrol(t, lin)
	})
}

func TestResetIsForSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.enrol(t, lin)
	require.ErrorIs(t, w.Reset(t.Context(), clinic, lin, ""), mfa.ErrNotYours, "nobody is signed in")
	nobody := audit.WithActor(t.Context(), audit.Actor{Kind: audit.KindAnonymous, Tenant: clinic})
	require.ErrorIs(t, w.Reset(nobody, clinic, lin, ""), mfa.ErrNotYours)
	require.ErrorIs(t, w.Reset(as(t, lin), clinic, lin, ""), mfa.ErrNotYours)
	var invalid *audit.InvalidError
	require.ErrorAs(t, w.Reset(as(t, admin), clinic, lin, strings.Repeat("x", audit.MaxPrivate+1)), &invalid)
	require.Empty(t, w.sessions.ended)
	enrolled, err := w.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, enrolled)
}

func TestDisable(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		used := w.code(t, key, 0)
		w.next()
		for _, code := range []string{w.wrong(t, key), used} {
			ok, err := w.Disable(as(t, lin), clinic, lin, code)
			require.NoError(t, err)
			require.False(t, ok)
		}
		require.Empty(t, w.sessions.ended)
		ok, err := w.Disable(as(t, lin), clinic, lin, w.code(t, key, 0))
		require.NoError(t, err)
		require.True(t, ok)
		enrolled, err := w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, enrolled)
		require.Equal(t, []string{"mfa.enrolled", "mfa.disabled"}, w.notices.topics())
		require.Len(t, w.rec.Find(mfa.ActionDisabled), 1)
	})
}

func TestDisableIsForThePersonAndNeverWhereRequired(t *testing.T) {
	t.Parallel()
	always := func(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return true, nil }
	unknown := func(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return false, errBroken }
	for name, c := range map[string]struct {
		required func(context.Context, audit.Tenant, audit.ActorID) (bool, error)
		actor    audit.Actor
		want     error
	}{
		"required":         {always, audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: clinic}, mfa.ErrRequired},
		"nobody asked":     {nil, audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: clinic}, mfa.ErrRequired},
		"cannot be said":   {unknown, audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: clinic}, mfa.ErrUnavailable},
		"an administrator": {optional, audit.Actor{ID: admin, Kind: audit.KindStaff, Tenant: clinic}, mfa.ErrNotYours},
		"another tenant":   {optional, audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: "other-clinic"}, mfa.ErrNotYours},
		"on their behalf":  {optional, audit.Actor{ID: lin, Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: lin}, mfa.ErrNotYours},
		"nobody":           {optional, audit.Actor{}, mfa.ErrNotYours},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Required = c.required })
			key := w.enrol(t, lin)
			w.next()
			ok, err := w.Disable(audit.WithActor(t.Context(), c.actor), clinic, lin, w.code(t, key, 0))
			require.ErrorIs(t, err, c.want)
			require.False(t, ok)
			w.passes(t, lin, w.code(t, key, 0)) // not even used up
		})
	}
}

func TestEndingNeedsSessionsAndNotices(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*mfa.Options){
		"no sessions": func(o *mfa.Options) { o.Sessions = nil },
		"no notices":  func(o *mfa.Options) { o.Notices = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mfa.NewMemory(), edit)
			key := w.enrol(t, lin)
			require.ErrorIs(t, w.Reset(as(t, admin), clinic, lin, ""), mfa.ErrUnwired)
			_, err := w.Disable(as(t, lin), clinic, lin, w.code(t, key, 1))
			require.ErrorIs(t, err, mfa.ErrUnwired)
			require.ErrorIs(t, w.Health(t.Context()), mfa.ErrUnwired)
		})
	}
}

// What cannot be delivered at once is delivered later: nothing is lost, whoever fails.
func TestWhatIsOwedIsDeliveredLater(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		w.enrol(t, lin)
		w.notices.fail = errBroken
		w.rec.FailWith(errBroken)
		require.NoError(t, w.Reset(as(t, admin), clinic, lin, "lost phone"), "made and durable")
		enrolled, err := w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, enrolled)

		require.NoError(t, w.Deliver(t.Context()), "not due yet")
		w.clock.add(time.Minute)
		require.ErrorIs(t, w.Deliver(t.Context()), errBroken)
		w.notices.fail = nil
		w.rec.FailWith(nil)
		w.clock.add(time.Minute)
		require.NoError(t, w.Deliver(t.Context()))
		require.Equal(t, []string{"mfa.enrolled", "mfa.reset"}, w.notices.topics())
		reset, ok := w.rec.Last(mfa.ActionReset)
		require.True(t, ok)
		require.Equal(t, admin, reset.Actor.ID)
		w.clock.add(time.Hour)
		require.NoError(t, w.Deliver(t.Context()))
		require.Len(t, w.rec.Find(mfa.ActionReset), 1)
		require.Len(t, w.notices.topics(), 2, "once")
	})
}

// Sessions that cannot be ended before the change stop it; those that cannot be ended after
// it are ended later, and the administrator is told.
func TestSessionsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.enrol(t, lin)
	w.sessions.fail = errBroken
	require.ErrorIs(t, w.Reset(as(t, admin), clinic, lin, ""), errBroken)
	enrolled, err := w.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, enrolled, "nothing happened")

	w.sessions.fail = nil
	second := &flaky{Sessions: w.sessions, failFrom: 2}
	w.options.Sessions = second
	w.Factors, err = mfa.New(w.store, w.vault, w.rec, "Example Clinic", &w.options)
	require.NoError(t, err)
	require.ErrorIs(t, w.Reset(as(t, admin), clinic, lin, ""), mfa.ErrPending)
	require.Len(t, w.rec.Find(mfa.ActionReset), 1)
	second.failFrom = 0
	w.clock.add(time.Minute)
	require.NoError(t, w.Deliver(t.Context()))
	require.Equal(t, []audit.ActorID{lin, lin}, w.sessions.ended)
}

// flaky fails from its n-th call on, never if n is 0.
type flaky struct {
	mfa.Sessions
	calls, failFrom int
}

func (f *flaky) EndAll(ctx context.Context, t audit.Tenant, p audit.ActorID, reason string) error {
	if f.calls++; f.failFrom > 0 && f.calls >= f.failFrom {
		return errBroken
	}
	return f.Sessions.EndAll(ctx, t, p, reason)
}

// hangUp is a client that goes away as soon as the change is made.
type hangUp struct {
	mfa.Sessions
	calls  int
	cancel func()
}

func (h *hangUp) EndAll(ctx context.Context, t audit.Tenant, p audit.ActorID, reason string) error {
	if h.calls++; h.calls == 2 {
		h.cancel()
	}
	return errors.Join(ctx.Err(), h.Sessions.EndAll(ctx, t, p, reason))
}

func TestAClientThatGoesAwayStopsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(as(t, admin))
	w := newWorld(t, mfa.NewMemory(), nil)
	w.options.Sessions = &hangUp{Sessions: w.sessions, cancel: cancel}
	var err error
	w.Factors, err = mfa.New(w.store, w.vault, w.rec, "Example Clinic", &w.options)
	require.NoError(t, err)
	w.enrol(t, lin)
	require.NoError(t, w.Reset(ctx, clinic, lin, ""))
	require.Error(t, ctx.Err())
	require.Len(t, w.sessions.ended, 2)
	require.Len(t, w.rec.Find(mfa.ActionReset), 1)
	require.Contains(t, w.notices.topics(), "mfa.reset")
}

// A reset can be a part of the host's own transaction.
func TestResetInTheHostsTransaction(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		store := sqlStore(t, e)
		w := newWorld(t, store, nil)
		key := w.enrol(t, lin)
		d := w.own(t, lin)
		for _, commit := range []bool{false, true} {
			w.next()
			tx, err := e.Pool.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			require.NoError(t, w.With(store.WithTx(tx)).Reset(as(t, admin), clinic, lin, "leaves us"))
			require.Empty(t, w.sessions.ended, "the host does that before")
			require.Empty(t, w.rec.Find(mfa.ActionReset))
			if !commit {
				require.NoError(t, tx.Rollback())
				require.NoError(t, w.Deliver(t.Context()))
				w.passes(t, lin, w.code(t, key, 0))
				w.works(t, lin, d)
				continue
			}
			require.NoError(t, tx.Commit())
			nothing(t)(w.use(t.Context(), "", d))
			require.NoError(t, w.Deliver(t.Context()))
			require.Equal(t, []audit.ActorID{lin}, w.sessions.ended)
			require.Len(t, w.rec.Find(mfa.ActionReset), 1)
			enrolled, err := w.Enrolled(t.Context(), clinic, lin)
			require.NoError(t, err)
			require.False(t, enrolled)
		}
	})
}

func TestStatusAndList(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), func(o *mfa.Options) { o.MaxFailures = 2 })
		w.enrol(t, "p-on")
		w.begin(t, "p-pending")
		w.own(t, "p-keys")
		w.enrol(t, "p-both")
		w.own(t, "p-both")
		w.clock.add(-2 * time.Second)
		locked := w.enrol(t, "p-locked")
		w.next()
		w.refuses(t, "p-locked", w.wrong(t, locked))
		_, err := w.Verify(t.Context(), clinic, "p-locked", w.wrong(t, locked))
		require.ErrorIs(t, err, mfa.ErrLocked)
		none := mfa.TextStatus{State: mfa.Off}
		want := map[audit.ActorID]mfa.Status{
			"p-on":      {Person: "p-on", State: mfa.On, Since: start, LastUsed: start, Text: none},
			"p-pending": {Person: "p-pending", State: mfa.Pending, Text: none},
			"p-locked":  {Person: "p-locked", State: mfa.Locked, Since: start, LastUsed: start, Failures: 2, Text: none},
			"p-keys":    {Person: "p-keys", State: mfa.Off, Passkeys: 1, Text: none},
			"p-both":    {Person: "p-both", State: mfa.On, Since: start.Add(time.Second), LastUsed: start.Add(time.Second), Passkeys: 1, Text: none},
		}
		var listed []audit.ActorID
		for s, err := range w.List(t.Context(), clinic) {
			require.NoError(t, err)
			require.Equal(t, want[s.Person], s)
			single, err := w.Status(t.Context(), clinic, s.Person)
			require.NoError(t, err)
			require.Equal(t, s, single)
			listed = append(listed, s.Person)
		}
		require.Equal(t, slices.Sorted(maps.Keys(want)), listed)
		for range w.List(t.Context(), "other-clinic") {
			t.Error("the other clinic has nobody")
		}
		off, err := w.Status(t.Context(), clinic, "p-off")
		require.NoError(t, err)
		require.Equal(t, mfa.Status{Person: "p-off", State: mfa.Off, Text: none}, off)
		for range w.List(t.Context(), clinic) {
			break // allowed
		}
	})
}

func TestRunDeliversAndHealthTells(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Retry = time.Millisecond })
	require.ErrorIs(t, w.Health(t.Context()), mfa.ErrNotRunning)
	w.rec.FailWith(errBroken)
	w.plant(t, lin, []byte(rfcSecret))
	require.NoError(t, w.Reset(as(t, admin), clinic, lin, ""))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	until(t, func() bool { // the clock moves, so what failed is due again
		w.clock.add(time.Second)
		return errors.Is(w.Health(t.Context()), errBroken)
	})
	w.rec.FailWith(nil)
	until(t, func() bool {
		w.clock.add(time.Second)
		return w.Health(t.Context()) == nil && len(w.rec.Find(mfa.ActionReset)) == 1
	})
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.ErrorIs(t, w.Health(t.Context()), mfa.ErrNotRunning)
}

// until waits for a condition.
func until(t testing.TB, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 30*time.Second, time.Millisecond)
}
