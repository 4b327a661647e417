package mfa_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
)

// crowd is how many requests race.
func crowd() int {
	if testing.Short() {
		return 16
	}
	return 64
}

// together runs f in many goroutines at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

func TestOneCodeManyRequestsOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		w.next()
		code := w.code(t, key, 0)
		var won atomic.Int64
		together(crowd(), func(int) {
			methods, err := w.Verify(t.Context(), clinic, lin, code)
			if err != nil {
				t.Error(err)
			}
			if methods != nil {
				won.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Len(t, w.rec.Find(mfa.ActionVerified), 1)
		require.Len(t, w.rec.Find(mfa.ActionReplayed), crowd()-1)
	})
}

func TestOneEnrolmentCodeManyRequestsOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.begin(t, lin)
		code := w.code(t, key, 0)
		var won atomic.Int64
		together(crowd(), func(int) {
			ok, err := w.Confirm(t.Context(), clinic, lin, code)
			if err != nil && !errors.Is(err, mfa.ErrEnrolled) {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Len(t, w.rec.Find(mfa.ActionEnrolled), 1)
		w.refuses(t, lin, code)
	})
}

// However many guesses come at once, the authenticator is disabled after MaxFailures, and the
// right code does not help any more.
func TestGuessesAtOnceNeverGetMoreTries(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), func(o *mfa.Options) { o.MaxFailures = 10 })
		key := w.enrol(t, lin)
		w.next()
		guess := w.wrong(t, key)
		var tried, locked atomic.Int64
		together(crowd(), func(int) {
			switch methods, err := w.Verify(t.Context(), clinic, lin, guess); {
			case errors.Is(err, mfa.ErrLocked):
				locked.Add(1)
			case err != nil || methods != nil:
				t.Error(methods, err)
			default:
				tried.Add(1)
			}
		})
		require.EqualValues(t, 9, tried.Load(), "the tenth locks")
		require.EqualValues(t, crowd()-9, locked.Load())
		_, err := w.Verify(t.Context(), clinic, lin, w.code(t, key, 0))
		require.ErrorIs(t, err, mfa.ErrLocked)
		require.Len(t, w.rec.Find(mfa.ActionLocked), 1)
		require.Contains(t, w.notices.topics(), "mfa.locked")
	})
}

func TestTheCapIs100(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.plant(t, lin, []byte(rfcSecret))
	guess := w.wrong(t, rfcKey(t))
	for range 99 {
		w.refuses(t, lin, guess)
	}
	_, err := w.Verify(t.Context(), clinic, lin, guess)
	require.ErrorIs(t, err, mfa.ErrLocked)
}

func TestASuccessClearsTheCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 3 })
	w.plant(t, lin, []byte(rfcSecret))
	for range 4 {
		guess := w.wrong(t, rfcKey(t))
		w.refuses(t, lin, guess)
		w.refuses(t, lin, guess)
		w.passes(t, lin, w.code(t, rfcKey(t), 0))
		w.next()
	}
}

// Who knows the password and guesses codes until the authenticator is disabled must not get
// to enrol a phone of their own.
func TestALockedFactorIsStillEnrolled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 1 })
	key := w.enrol(t, lin)
	_, err := w.Verify(t.Context(), clinic, lin, w.wrong(t, key))
	require.ErrorIs(t, err, mfa.ErrLocked)

	enrolled, err := w.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, enrolled)
	_, _, err = w.Begin(t.Context(), clinic, lin, "attacker@example.com")
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	ok, err := w.Disable(as(t, lin), clinic, lin, w.code(t, key, 1))
	require.ErrorIs(t, err, mfa.ErrLocked)
	require.False(t, ok)
	status, err := w.Status(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Equal(t, mfa.Locked, status.State)

	require.NoError(t, w.Reset(as(t, admin), clinic, lin, "lost phone"))
	w.next()
	w.enrol(t, lin)
}

func TestALockedEnrolmentBeginsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 2 })
	key := w.begin(t, lin)
	guess := w.wrong(t, key)
	ok, err := w.Confirm(t.Context(), clinic, lin, guess)
	require.NoError(t, err)
	require.False(t, ok)
	_, err = w.Confirm(t.Context(), clinic, lin, guess)
	require.ErrorIs(t, err, mfa.ErrLocked)
	_, err = w.Confirm(t.Context(), clinic, lin, w.code(t, key, 0))
	require.ErrorIs(t, err, mfa.ErrLocked)
	status, err := w.Status(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Equal(t, mfa.Off, status.State)
	w.enrol(t, lin)
	require.Len(t, w.rec.Find(mfa.ActionLocked), 1)
}

// authn tells a locked authenticator from a failure by shape, without importing this package.
func TestLockedSaysSo(t *testing.T) {
	t.Parallel()
	var d interface{ Disabled() bool }
	require.ErrorAs(t, mfa.ErrLocked, &d)
	require.True(t, d.Disabled())
	require.False(t, errors.As(mfa.ErrRequired, &d))
}
