package mfa_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

func TestTextFromEnrolmentToSignIn(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		enrolled, err := w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, enrolled)
		code := w.beginText(t, lin, "+1 (415) 555-0123")
		require.Regexp(t, `^[0-9]{6}$`, code)
		enrolled, err = w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, enrolled, "nothing is confirmed yet")

		me := w.anew(t.Context(), lin)
		ok, err := w.ConfirmText(me, clinic, lin, another(code))
		require.NoError(t, err)
		require.False(t, ok)
		ok, err = w.ConfirmText(me, clinic, lin, code)
		require.NoError(t, err)
		require.True(t, ok)
		ok, err = w.ConfirmText(me, clinic, lin, code)
		require.NoError(t, err)
		require.False(t, ok, "a code confirms once")
		w.textRefuses(t, lin, code)
		enrolled, err = w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.True(t, enrolled)
		hint, err := w.TextHint(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.Equal(t, "•• 23", hint)

		code = w.send(t, lin)
		w.textPasses(t, lin, code[:3]+" "+code[3:])
		w.textRefuses(t, lin, code)
		require.Equal(t, []string{linsNumber, linsNumber}, w.carrier.numbers())
		require.Equal(t, []string{"mfa.text_added"}, w.notices.topics())
		require.Len(t, w.rec.Find(mfa.ActionTextSent), 2)
		require.Len(t, w.rec.Find(mfa.ActionTextVerified), 1)
		added, ok := w.rec.Last(mfa.ActionTextAdded)
		require.True(t, ok)
		require.Equal(t, lin, added.Actor.ID)
		require.Equal(t, "sms", added.Detail["method"])
	})
}

func TestTextStatusMarksARestrictedAuthenticator(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	status := func() mfa.TextStatus {
		s, err := w.Status(t.Context(), clinic, lin)
		require.NoError(t, err)
		own, err := w.TextStatus(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.Equal(t, own, s.Text)
		return own
	}
	require.Equal(t, mfa.TextStatus{State: mfa.Off}, status())
	w.beginText(t, lin, linsNumber)
	require.Equal(t, mfa.TextStatus{State: mfa.Pending, Restricted: true, Notice: mfa.NoticeRestricted}, status())
	w.clock.add(5 * time.Minute)
	require.Equal(t, mfa.TextStatus{State: mfa.Off}, status())
	w.number(t, lin, linsNumber)
	since := w.clock.Now()
	require.Equal(t, mfa.TextStatus{
		State: mfa.On, Hint: "•• 23", Since: since, LastUsed: since, Restricted: true, Notice: mfa.NoticeRestricted,
	}, status())
	for s, err := range w.List(t.Context(), clinic) {
		require.NoError(t, err)
		require.Equal(t, mfa.TextStatus{State: mfa.On, Since: since, Restricted: true, Notice: mfa.NoticeRestricted}, s.Text)
	}
}

func TestOneCodeLivesPerPerson(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.number(t, lin, linsNumber)
		code := w.send(t, lin)
		ends := w.clock.Now().Add(5 * time.Minute)
		w.clock.add(4*time.Minute + 59*time.Second)
		for range 3 {
			again, err := w.SendText(t.Context(), clinic, lin)
			require.NoError(t, err)
			require.Equal(t, ends, again)
		}
		_, err := w.BeginText(w.anew(t.Context(), lin), clinic, lin, "+14155550199")
		limited(t, err, time.Second)
		require.Equal(t, 2, w.carrier.count(), "the one that enrolled and the one that lives")
		w.textPasses(t, lin, code)
		code = w.send(t, lin)
		w.clock.add(5 * time.Minute)
		w.textRefuses(t, lin, code) // ended
		w.textPasses(t, lin, w.send(t, lin))
	})
}

func TestManySendsAtOnceSendOne(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.number(t, lin, linsNumber)
		together(crowd(), func(int) {
			again, err := w.SendText(t.Context(), clinic, lin)
			if err != nil || !again.Equal(w.clock.Now().Add(5*time.Minute)) {
				t.Error(again, err)
			}
		})
		require.Equal(t, 2, w.carrier.count())
		w.textPasses(t, lin, w.carrier.last(t))
	})
}

// A person with the app moves to another number: the first goes on until the second is proven.
func TestReplacingANumberLeavesNoGap(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.number(t, lin, linsNumber)
		code := w.beginText(t, lin, "+12125550187")
		hint, err := w.TextHint(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.Equal(t, "•• 23", hint)
		w.textRefuses(t, lin, code) // for confirming, not for signing in
		require.Empty(t, w.sessions.ended)
		ok, err := w.ConfirmText(w.anew(t.Context(), lin), clinic, lin, code)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []audit.ActorID{lin, lin}, w.sessions.ended, "before and after")
		require.Contains(t, w.notices.topics(), "mfa.text_replaced")
		w.textPasses(t, lin, w.send(t, lin))
		require.Equal(t, []string{linsNumber, "+12125550187", "+12125550187"}, w.carrier.numbers())
	})
}

func TestRemoveText(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		me := w.anew(t.Context(), lin)
		require.ErrorIs(t, w.RemoveText(me, clinic, lin), mfa.ErrNotEnrolled)
		w.number(t, lin, linsNumber)
		require.ErrorIs(t, w.RemoveText(as(t, lin), clinic, lin), mfa.ErrUnproven)
		require.ErrorIs(t, w.RemoveText(w.anew(t.Context(), admin), clinic, lin), mfa.ErrNotYours)
		require.ErrorIs(t, w.RemoveText(t.Context(), clinic, lin), mfa.ErrNotYours)
		require.Empty(t, w.sessions.ended)
		code := w.send(t, lin)
		require.NoError(t, w.RemoveText(me, clinic, lin))
		require.Equal(t, []audit.ActorID{lin, lin}, w.sessions.ended)
		require.Contains(t, w.notices.topics(), "mfa.text_removed")
		_, err := w.VerifyText(t.Context(), clinic, lin, code)
		require.ErrorIs(t, err, mfa.ErrNotEnrolled)
		_, err = w.SendText(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrNotEnrolled)
		_, err = w.store.Number(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrNotFound)
		enrolled, err := w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, enrolled)
	})
}

func TestTheLastRequiredFactorStays(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), func(o *mfa.Options) {
			o.Required = func(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return true, nil }
		})
		w.number(t, lin, linsNumber)
		me := w.anew(t.Context(), lin)
		require.ErrorIs(t, w.RemoveText(me, clinic, lin), mfa.ErrRequired)
		require.Empty(t, w.sessions.ended, "nothing happened")
		w.textPasses(t, lin, w.send(t, lin))

		uri, _, err := w.Begin(me, clinic, lin, "lin@example.com")
		require.NoError(t, err)
		key, err := mfa.ParseURI(uri)
		require.NoError(t, err)
		ok, err := w.Confirm(me, clinic, lin, w.code(t, key, 0))
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, w.RemoveText(me, clinic, lin), "the app is there")
		w.next()
		w.passes(t, lin, w.code(t, key, 0))
	})
}

// Where a factor is required, two removals at once cannot take the last two.
func TestTheLastTwoFactorsDoNotGoAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), func(o *mfa.Options) {
			o.Required = func(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return true, nil }
		})
		key := w.enrol(t, lin)
		w.number(t, lin, linsNumber)
		w.next()
		me := w.anew(t.Context(), lin)
		code := w.code(t, key, 0)
		errs := make([]error, 2)
		together(2, func(i int) {
			if i == 0 {
				errs[i] = w.RemoveText(me, clinic, lin)
			} else {
				_, errs[i] = w.Disable(me, clinic, lin, code)
			}
		})
		enrolled, err := w.Enrolled(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.True(t, enrolled, "%v", errs)
	})
}

func TestResetEndsTheNumberToo(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.enrol(t, lin)
		w.number(t, lin, linsNumber)
		code := w.send(t, lin)
		require.NoError(t, w.Reset(as(t, admin), clinic, lin, "lost her phone"))
		_, err := w.VerifyText(t.Context(), clinic, lin, code)
		require.ErrorIs(t, err, mfa.ErrNotEnrolled)
		_, err = w.store.Number(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrNotFound)
		hint, err := w.TextHint(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.Empty(t, hint)
	})
}

// A number is the person's where the row of all their factors says so. One that was left behind
// by a release that did not know numbers, and reset the rest, is dead.
func TestANumberLeftBehindIsDead(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	w.enrol(t, lin)
	w.number(t, lin, linsNumber)
	code := w.send(t, lin)
	left := w.numberRow(t, lin)
	require.NoError(t, w.Reset(as(t, admin), clinic, lin, "lost her phone"))
	w.enrol(t, lin)
	require.NoError(t, w.store.ApplyNumber(t.Context(), mfa.NumberChange{Was: mfa.Ref{Tenant: clinic, Person: lin}, Put: &left}))
	_, err := w.VerifyText(t.Context(), clinic, lin, code)
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	_, err = w.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	hint, err := w.TextHint(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Empty(t, hint)
	w.number(t, lin, "+12125550187")
	w.textPasses(t, lin, w.send(t, lin))
}

func TestWithoutASenderThereAreNoTexts(t *testing.T) {
	t.Parallel()
	store := mfa.NewMemory()
	w := newTexting(t, store, nil)
	w.number(t, lin, linsNumber)
	o := w.options
	o.Texts = nil
	bare, err := mfa.New(store, w.vault, w.rec, "Example Clinic", &o)
	require.NoError(t, err)
	me := w.anew(t.Context(), lin)
	hint, err := bare.TextHint(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Empty(t, hint)
	_, err = bare.SendText(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrNoTexts)
	_, err = bare.VerifyText(t.Context(), clinic, lin, "123456")
	require.ErrorIs(t, err, mfa.ErrNoTexts)
	_, err = bare.BeginText(me, clinic, lin, linsNumber)
	require.ErrorIs(t, err, mfa.ErrNoTexts)
	_, err = bare.ConfirmText(me, clinic, lin, "123456")
	require.ErrorIs(t, err, mfa.ErrNoTexts)
	enrolled, err := bare.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, enrolled, "switching texts off must not let a password alone in")
	status, err := bare.TextStatus(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Equal(t, mfa.On, status.State)
	require.NoError(t, bare.RemoveText(me, clinic, lin))
}

func TestTextOptionsAreChecked(t *testing.T) {
	t.Parallel()
	w := newTexting(t, mfa.NewMemory(), nil)
	good := func() *mfa.TextOptions { return &mfa.TextOptions{Sender: w.carrier, Windows: w.windows} }
	for name, spoil := range map[string]func(*mfa.TextOptions){
		"sender":    func(o *mfa.TextOptions) { o.Sender = nil },
		"windows":   func(o *mfa.TextOptions) { o.Windows = nil },
		"long life": func(o *mfa.TextOptions) { o.Lifetime = 10*time.Minute + 1 },
		"no life":   func(o *mfa.TextOptions) { o.Lifetime = -1 },
		"tries":     func(o *mfa.TextOptions) { o.Tries = 11 },
		"no tries":  func(o *mfa.TextOptions) { o.Tries = -1 },
		"budget":    func(o *mfa.TextOptions) { o.Tenant.Day = -1 },
		"ratio":     func(o *mfa.TextOptions) { o.Unverified = -1 },
		"region":    func(o *mfa.TextOptions) { o.Regions = []string{"+1", "44"} },
		"no code":   func(o *mfa.TextOptions) { o.Regions = []string{"+4"} },
		"anywhere":  func(o *mfa.TextOptions) { o.Regions = []string{"+"} },
		"satellite": func(o *mfa.TextOptions) { o.Regions = []string{"+881"} },
	} {
		o := w.options
		o.Texts = good()
		spoil(o.Texts)
		_, err := mfa.New(w.store, w.vault, w.rec, "Example Clinic", &o)
		require.Error(t, err, name)
	}
	o := w.options
	o.Texts = good()
	_, err := mfa.New(w.store, w.vault, w.rec, "Example Clinic", &o)
	require.NoError(t, err)
	require.Equal(t, good(), o.Texts, "the host's options are its own")
}
