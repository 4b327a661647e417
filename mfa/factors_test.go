package mfa_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

func TestEnrolAndVerify(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		enrolled, err := w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, enrolled)

		key := w.begin(t, lin)
		require.Equal(t, "Example Clinic", key.Issuer())
		require.Equal(t, "p-lin@example.com", key.Account())
		enrolled, err = w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, enrolled, "not before a code confirms it")

		ok, err := w.Confirm(t.Context(), clinic, lin, w.wrong(t, key))
		require.NoError(t, err)
		require.False(t, ok)
		ok, err = w.Confirm(t.Context(), clinic, lin, w.code(t, key, 0))
		require.NoError(t, err)
		require.True(t, ok)
		enrolled, err = w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.True(t, enrolled)
		require.Equal(t, []string{"mfa.enrolled"}, w.notices.topics())

		w.refuses(t, lin, w.code(t, key, 0)) // the enrolment code is used up
		w.next()
		w.passes(t, lin, w.code(t, key, 0))
		for _, action := range []audit.Action{mfa.ActionBegun, mfa.ActionFailed, mfa.ActionEnrolled, mfa.ActionReplayed, mfa.ActionVerified} {
			require.Len(t, w.rec.Find(action), 1, action)
		}
	})
}

func TestACodeIsAcceptedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		w.next()
		code := w.code(t, key, 0)
		w.passes(t, lin, code)
		w.refuses(t, lin, code)
		w.refuses(t, lin, code[:3]+" "+code[3:])
		w.next() // still inside the window
		w.refuses(t, lin, code)
		w.passes(t, lin, w.code(t, key, 0))
		replayed, ok := w.rec.Last(mfa.ActionReplayed)
		require.True(t, ok)
		require.Equal(t, audit.Failure, replayed.Outcome)
		require.Equal(t, "used_before", replayed.Code)
		require.Zero(t, w.row(t, lin).Failures, "a replay is no guess")
	})
}

func TestTheWindowIsOneStepEitherSide(t *testing.T) {
	t.Parallel()
	for steps, ok := range map[int]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mfa.NewMemory(), nil)
			w.plant(t, lin, []byte(rfcSecret))
			if code := w.code(t, rfcKey(t), steps); ok {
				w.passes(t, lin, code)
			} else {
				w.refuses(t, lin, code)
			}
		})
	}
}

func TestALaterCodeUsesUpEarlierOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.plant(t, lin, []byte(rfcSecret))
	w.passes(t, lin, w.code(t, rfcKey(t), 1))
	w.refuses(t, lin, w.code(t, rfcKey(t), 0))
	w.refuses(t, lin, w.code(t, rfcKey(t), -1))
}

// The server's clock may be set back or forward; no step of it brings a used code back, and a
// person is locked out no longer than the clock is wrong.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{-24 * time.Hour, -time.Minute, -time.Second, time.Second, time.Minute, 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mfa.NewMemory(), nil)
			w.plant(t, lin, []byte(rfcSecret))
			used := w.code(t, rfcKey(t), 0)
			w.passes(t, lin, used)
			w.clock.add(jump)
			w.refuses(t, lin, used)
			w.clock.add(-jump)
			w.refuses(t, lin, used)
			w.next()
			w.passes(t, lin, w.code(t, rfcKey(t), 0))
		})
	}
}

func TestBefore1970NothingMatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.plant(t, lin, []byte(rfcSecret))
	w.clock.now = time.Unix(-1e6, 0)
	code, err := rfcKey(t).Code(time.Unix(0, 0))
	require.NoError(t, err)
	w.refuses(t, lin, code)
}

func TestHowACodeMayBeTyped(t *testing.T) {
	t.Parallel()
	wide := func(s string) string { // FULLWIDTH DIGIT ZERO …
		return strings.Map(func(r rune) rune { return r - '0' + '\uff10' }, s)
	}
	for name, c := range map[string]struct {
		typed func(a, b string) string
		ok    bool
	}{
		"plain":          {func(a, b string) string { return a + b }, true},
		"one space":      {func(a, b string) string { return a + " " + b }, true},
		"spaces around":  {func(a, b string) string { return " " + a + "  " + b + " " }, true},
		"a dash":         {func(a, b string) string { return a + "-" + b }, false},
		"a tab":          {func(a, b string) string { return a + "\t" + b }, false},
		"a line break":   {func(a, b string) string { return a + b + "\n" }, false},
		"a hard space":   {func(a, b string) string { return a + "\u00a0" + b }, false},
		"a sign":         {func(a, b string) string { return "+" + a + b }, false},
		"a digit more":   {func(a, b string) string { return a + b + "0" }, false},
		"a digit before": {func(a, b string) string { return "0" + a + b }, false},
		"a digit less":   {func(a, b string) string { return a + b[:2] }, false},
		"other digits":   {func(a, b string) string { return wide(a + b) }, false},
		"nothing":        {func(string, string) string { return "" }, false},
		"only spaces":    {func(string, string) string { return "      " }, false},
		"much too long":  {func(a, b string) string { return a + b + strings.Repeat(" ", 1<<20) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mfa.NewMemory(), nil)
			w.plant(t, lin, []byte(rfcSecret))
			code := w.code(t, rfcKey(t), 0)
			typed := c.typed(code[:3], code[3:])
			if c.ok {
				w.passes(t, lin, typed)
				return
			}
			w.refuses(t, lin, typed)
			require.Equal(t, 1, w.row(t, lin).Failures)
		})
	}
}

func TestCodesOfOthersAreWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	mine, theirs := w.enrol(t, lin), w.enrol(t, diaz)
	w.next()
	require.NotEqual(t, mine.Manual(), theirs.Manual())
	w.refuses(t, lin, w.code(t, theirs, 0))
	methods, err := w.Verify(t.Context(), "other-clinic", lin, w.code(t, mine, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled, "the same person in another tenant is somebody else")
	require.Nil(t, methods)
	w.passes(t, lin, w.code(t, mine, 0))
}

func TestVerifyNeedsAConfirmedFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	_, err := w.Verify(t.Context(), clinic, lin, "123456")
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	key := w.begin(t, lin)
	_, err = w.Verify(t.Context(), clinic, lin, w.code(t, key, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	_, err = w.Confirm(t.Context(), clinic, diaz, "123456")
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
}

func TestBeginReplacesOnlyWhatIsPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	first := w.begin(t, lin)
	second := w.begin(t, lin)
	require.NotEqual(t, first.Manual(), second.Manual())
	ok, err := w.Confirm(t.Context(), clinic, lin, w.code(t, first, 0))
	require.NoError(t, err)
	require.False(t, ok, "the replaced key is dead")
	ok, err = w.Confirm(t.Context(), clinic, lin, w.code(t, second, 0))
	require.NoError(t, err)
	require.True(t, ok)

	_, _, err = w.Begin(t.Context(), clinic, lin, "lin@example.com")
	require.ErrorIs(t, err, mfa.ErrEnrolled, "a confirmed factor is not replaced")
	_, err = w.Confirm(t.Context(), clinic, lin, w.code(t, second, 0))
	require.ErrorIs(t, err, mfa.ErrEnrolled)
}

func TestAShownKeyExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.begin(t, lin)
	w.clock.add(time.Hour + time.Second)
	_, err := w.Confirm(t.Context(), clinic, lin, w.code(t, key, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	status, err := w.Status(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Equal(t, mfa.Off, status.State)
	w.enrol(t, lin)
}

func TestConstructorRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	for name, try := range map[string]func() (*mfa.Factors, error){
		"no store":      func() (*mfa.Factors, error) { return mfa.New(nil, w.vault, w.rec, "Example", nil) },
		"no vault":      func() (*mfa.Factors, error) { return mfa.New(w.store, nil, w.rec, "Example", nil) },
		"no recorder":   func() (*mfa.Factors, error) { return mfa.New(w.store, w.vault, nil, "Example", nil) },
		"no issuer":     func() (*mfa.Factors, error) { return mfa.New(w.store, w.vault, w.rec, " ", nil) },
		"only colons":   func() (*mfa.Factors, error) { return mfa.New(w.store, w.vault, w.rec, "::", nil) },
		"a long issuer": func() (*mfa.Factors, error) { return mfa.New(w.store, w.vault, w.rec, strings.Repeat("x", 129), nil) },
		"a line break":  func() (*mfa.Factors, error) { return mfa.New(w.store, w.vault, w.rec, "a\nb", nil) },
		"invalid UTF-8": func() (*mfa.Factors, error) { return mfa.New(w.store, w.vault, w.rec, "a\xff", nil) },
		"too many failures": func() (*mfa.Factors, error) {
			return mfa.New(w.store, w.vault, w.rec, "Example", &mfa.Options{MaxFailures: 101})
		},
		"negative failures": func() (*mfa.Factors, error) {
			return mfa.New(w.store, w.vault, w.rec, "Example", &mfa.Options{MaxFailures: -1})
		},
		"negative retry": func() (*mfa.Factors, error) {
			return mfa.New(w.store, w.vault, w.rec, "Example", &mfa.Options{Retry: -1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := try()
			require.Error(t, err)
			require.Nil(t, f)
		})
	}
	_, err := mfa.New(nil, nil, nil, "", &mfa.Options{MaxFailures: 101, Retry: -1})
	require.ErrorContains(t, err, "missing: store, vault, recorder", "everything at once")
	require.ErrorIs(t, err, mfa.ErrName)
	require.ErrorContains(t, err, "MaxFailures")
	require.ErrorContains(t, err, "Retry")
	f, err := mfa.New(w.store, w.vault, audit.Discard{}, "Example", nil)
	require.NoError(t, err)
	_, _, err = f.Begin(t.Context(), clinic, lin, "a\x00b")
	require.ErrorIs(t, err, mfa.ErrName)
}

func TestEventsNameActorAndPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.begin(t, lin)
	begun, ok := w.rec.Last(mfa.ActionBegun)
	require.True(t, ok)
	require.Equal(t, audit.KindAnonymous, begun.Actor.Kind)
	require.Equal(t, clinic, begun.Tenant)
	require.Equal(t, []audit.Object{{Type: "person", ID: "p-lin"}}, begun.Objects)
	_, _, err := w.Begin(as(t, lin), clinic, lin, "lin@example.com")
	require.NoError(t, err)
	begun, _ = w.rec.Last(mfa.ActionBegun)
	require.Equal(t, lin, begun.Actor.ID)
}

func TestEventsJoinTheRequestsTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	w.next()
	ctx, trail := audit.WithTrail(t.Context(), w.rec, audit.Event{Correlation: audit.Correlation{Request: "r-1"}})
	_, err := w.Verify(ctx, clinic, lin, w.code(t, key, 0))
	require.NoError(t, err)
	require.True(t, trail.Decided())
	require.Empty(t, w.rec.Find(mfa.ActionVerified), "durable with the trail, before the response leaves")
	require.NoError(t, trail.Flush(t.Context()))
	verified, ok := w.rec.Last(mfa.ActionVerified)
	require.True(t, ok)
	require.Equal(t, "r-1", verified.Correlation.Request)
}

// A context that ends is a refusal, never an acceptance.
func TestACancelledRequestIsClosed(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		w.next()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		methods, err := w.Verify(ctx, clinic, lin, w.code(t, key, 0))
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Nil(t, methods)
	})
}
