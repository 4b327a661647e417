package authn_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
)

// typing returns a try that answers ok, and how often it ran.
func typing(ok bool) (try func(context.Context) (bool, error), ran *atomic.Int64) {
	ran = &atomic.Int64{}
	return func(context.Context) (bool, error) {
		ran.Add(1)
		return ok, nil
	}, ran
}

// Codes that are typed on a page of who is signed in are charged where codes of sign-ins are: so
// many at once as one likes are as many as the policy allows, in all places together.
func TestGuesses(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h, p, here := settled(t, store)
		wrong, ran := typing(false)
		errs := atOnce(guesses(), func(i int) error {
			if i%2 == 0 {
				_, err := h.m.Prove(as(t.Context(), p), authn.Answer{Password: pw(good), Code: "000000"}, home)
				return err
			}
			return h.m.Guess(as(t.Context(), p), home, wrong)
		})
		for !errors.Is(errs[len(errs)-1], authn.ErrThrottled) || len(errs) == guesses() { // some found the hashers busy
			errs = append(errs, h.m.Guess(as(t.Context(), p), home, wrong))
		}
		require.Equal(t, 5, number(errs, authn.ErrWrongCode))
		before := ran.Load()
		require.ErrorIs(t, h.m.Guess(as(t.Context(), p), home, wrong), authn.ErrThrottled)
		require.Equal(t, before, ran.Load(), "a refused try does not run")

		right, ran := typing(true)
		require.NoError(t, h.m.Guess(as(t.Context(), p), here, right), "a known browser is counted apart")
		require.EqualValues(t, 1, ran.Load())
		require.NoError(t, h.m.Guess(as(t.Context(), p), home, right), "and ends the run of failures")
	})
}

// Only guesses: nothing else slips in between, so the number is exact.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h, p, _ := settled(t, store)
		wrong, ran := typing(false)
		errs := atOnce(guesses(), func(int) error {
			return inTheEnd(func() error { return h.m.Guess(as(t.Context(), p), home, wrong) })
		})
		require.Equal(t, 5, number(errs, authn.ErrWrongCode))
		require.Equal(t, guesses()-5, number(errs, authn.ErrThrottled))
		require.EqualValues(t, 5, ran.Load())
	})
}

func TestGuessAnswers(t *testing.T) {
	t.Parallel()
	h, p, here := settled(t, nil)
	right, ran := typing(true)
	wrong, _ := typing(false)
	me := as(t.Context(), p)
	require.ErrorIs(t, h.m.Guess(t.Context(), home, right), authn.ErrNoActor)
	require.ErrorIs(t, h.m.Guess(as(t.Context(), authn.Person{Tenant: "other", ID: p.ID}), home, right), authn.ErrNoActor)
	require.ErrorIs(t, h.m.With(h.store).Guess(me, home, right), authn.ErrState)
	require.Zero(t, ran.Load())

	h.rec.Reset()
	require.ErrorIs(t, h.m.Guess(me, home, wrong), authn.ErrWrongCode)
	events := h.rec.Find(authn.ActionReprove)
	require.Len(t, events, 1)
	require.Equal(t, authn.CodeWrongCode, events[0].Code)

	locked := h.m.Guess(me, home, func(context.Context) (bool, error) { return false, noMore{} })
	var throttled *authn.ThrottledError
	require.ErrorAs(t, locked, &throttled)
	require.True(t, throttled.Disabled)
	require.Equal(t, authn.CodeDisabled, h.rec.Find(authn.ActionReprove)[1].Code)

	required := errors.New("required here")
	require.Equal(t, required, h.m.Guess(me, home, func(context.Context) (bool, error) { return true, required }), "passed on")
	row, err := h.store.Credential(t.Context(), clinic, p.ID, authn.FamilySecond)
	require.NoError(t, err)
	require.Equal(t, 3, row.Failures, "what ended in an error is charged")

	require.NoError(t, h.m.Suspend(admin(t.Context()), clinic, p.ID, ""))
	require.ErrorIs(t, h.m.Guess(me, here, right), authn.ErrNoActor)
	require.Zero(t, ran.Load())
}

// What cannot be charged or recorded is not tried, or not answered; what was done is done.
func TestGuessFailsClosed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"store.Account", "store.GetPolicy", "factor.Enrolled", "store.Hit", "store.Charge"} {
		h, p, _ := settled(t, nil)
		right, ran := typing(true)
		h.wire.watch(func(_ int, call string) error {
			if call == name {
				return errBroken
			}
			return nil
		})
		require.ErrorIs(t, h.m.Guess(as(t.Context(), p), home, right), authn.ErrUnavailable, name)
		require.Zero(t, ran.Load(), name)
	}
	h, p, _ := settled(t, nil)
	right, ran := typing(true)
	h.wire.watch(func(_ int, call string) error {
		if call == "store.Clear" {
			return errBroken
		}
		return nil
	})
	require.NoError(t, h.m.Guess(as(t.Context(), p), home, right), "it is done, whatever is counted")
	require.EqualValues(t, 1, ran.Load())
	h.wire.watch(nil)
	h.rec.FailWith(errBroken)
	wrong, _ := typing(false)
	require.ErrorIs(t, h.m.Guess(as(t.Context(), p), home, wrong), authn.ErrUnavailable)
	ctx, cancel := context.WithCancel(as(t.Context(), p))
	cancel()
	require.Error(t, h.m.Guess(ctx, home, right))
	require.EqualValues(t, 1, ran.Load())
}

// noMore is a second factor that takes no codes any more.
type noMore struct{}

func (noMore) Error() string  { return "no more" }
func (noMore) Disabled() bool { return true }
