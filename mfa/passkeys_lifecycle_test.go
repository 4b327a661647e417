package mfa_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

func always(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return true, nil }

func TestRemovingAPasskey(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		lost, kept := w.own(t, lin), w.own(t, lin)
		keys := w.keys(t, lin)
		w.lives(t, lin, keys[0].ID, true)
		require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[0].ID))
		w.lives(t, lin, keys[0].ID, false)
		w.lives(t, lin, keys[1].ID, true)
		w.lives(t, diaz, keys[1].ID, false)
		w.lives(t, lin, "", false)
		require.Equal(t, []audit.ActorID{lin, lin}, w.sessions.ended, "before the change and after it")
		require.Equal(t, []string{"mfa.passkey_added", "mfa.passkey_added", "mfa.passkey_removed"}, w.notices.topics())
		removed, ok := w.rec.Last(mfa.ActionPasskeyRemoved)
		require.True(t, ok)
		require.Equal(t, []audit.Object{{Type: "person", ID: "p-lin"}, {Type: "passkey", ID: keys[0].ID}}, removed.Objects)
		_, err := w.use(t.Context(), lin, lost)
		require.ErrorIs(t, err, passkeytest.ErrNone, "it is not asked for")
		nothing(t)(w.use(t.Context(), "", lost))
		require.Equal(t, "unknown_passkey", w.refusal(t))
		w.works(t, lin, kept)
		require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[0].ID), mfa.ErrNotFound)
		require.Len(t, w.sessions.ended, 2, "what is not there ends nothing")

		require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, w.keys(t, lin)[0].ID))
		require.False(t, w.enrolled(t, lin))
		_, _, err = w.AskPasskey(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrNotEnrolled)
		_, err = w.store.Get(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrNotFound, "nothing is left")
		again, err := w.make(t.Context(), lin, kept, "") // guided set-up, on the same device
		require.NoError(t, err)
		require.Equal(t, lin, again.ID)
		w.works(t, lin, kept)
	})
}

func TestTheLastFactorStaysWhereOneIsRequired(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), func(o *mfa.Options) { o.Required = always })
		key := w.enrol(t, lin)
		d := w.own(t, lin)
		id := w.keys(t, lin)[0].ID

		// The app can go while the passkey stays, and the other way round, never both.
		w.next()
		ok, err := w.Disable(as(t, lin), clinic, lin, w.code(t, key, 0))
		require.NoError(t, err)
		require.True(t, ok)
		w.works(t, lin, d)
		w.sessions.ended = nil
		require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, id), mfa.ErrRequired)
		require.Empty(t, w.sessions.ended)
		w.works(t, lin, d)

		key = w.beginAs(t, lin)
		require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, id), mfa.ErrRequired, "a pending app is none")
		ok, err = w.Confirm(w.fresh(t, lin), clinic, lin, w.code(t, key, 0))
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, id))
		w.next()
		_, err = w.Disable(as(t, lin), clinic, lin, w.code(t, key, 0))
		require.ErrorIs(t, err, mfa.ErrRequired)
		w.passes(t, lin, w.code(t, key, 0))
	})
}

// beginAs begins an app for somebody who has other factors.
func (w *world) beginAs(t testing.TB, person audit.ActorID) mfa.Key {
	t.Helper()
	uri, _, err := w.Begin(w.fresh(t, person), clinic, person, "x@example.com")
	require.NoError(t, err)
	key, err := mfa.ParseURI(uri)
	require.NoError(t, err)
	return key
}

func TestDisablingTheAppKeepsTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	codes := w.issue(t, lin, key)
	d := w.own(t, lin)
	w.next()
	ok, err := w.Disable(as(t, lin), clinic, lin, w.code(t, key, 0))
	require.NoError(t, err)
	require.True(t, ok)
	status, err := w.Status(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.Equal(t, mfa.Status{Person: lin, State: mfa.Off, Codes: 10, Passkeys: 1, Text: mfa.TextStatus{State: mfa.Off}}, status)
	w.works(t, lin, d)
	w.recovers(t, lin, codes[0])
	w.next()
	w.refuses(t, lin, w.code(t, key, 0))
	_, err = w.Disable(w.fresh(t, lin), clinic, lin, "")
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
}

// What nobody can use any more keeps nobody out: it goes with the last that could be used.
func TestTheLastUsableOneTakesTheDisabledWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.clone(t, lin, w.own(t, lin))
	w.own(t, lin)
	keys := w.keys(t, lin)
	require.Len(t, keys, 2)
	require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[1].ID))
	require.False(t, w.enrolled(t, lin))
	require.Empty(t, w.keys(t, lin))

	w = newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Required = always })
	w.clone(t, lin, w.own(t, lin))
	w.own(t, lin)
	keys = w.keys(t, lin)
	require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[1].ID), mfa.ErrRequired)
	require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[0].ID), "the disabled one may go")
}

// lives asserts whether what a passkey has proven counts still.
func (w *world) lives(t testing.TB, person audit.ActorID, id string, want bool) {
	t.Helper()
	lives, err := w.PasskeyLives(t.Context(), clinic, person, id)
	require.NoError(t, err)
	require.Equal(t, want, lives)
}

// clone lets a copy of the device sign, then the device itself, whose counter is behind.
func (w *world) clone(t testing.TB, person audit.ActorID, d *passkeytest.Device) {
	t.Helper()
	proof, err := w.use(t.Context(), person, d.Clone())
	require.NoError(t, err)
	require.Equal(t, person, proof.ID)
	_, err = w.use(t.Context(), person, d)
	require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
	w.lives(t, person, proof.Session, false)
}

func TestAResetEndsEverything(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		codes := w.issue(t, lin, key)
		one, two, theirs := w.own(t, lin), w.own(t, lin), w.own(t, diaz)
		w.clone(t, lin, two)
		require.NoError(t, w.Reset(as(t, admin), clinic, lin, "lost her bag"))
		require.False(t, w.enrolled(t, lin))
		require.Empty(t, w.keys(t, lin))
		for _, d := range []*passkeytest.Device{one, two} {
			nothing(t)(w.use(t.Context(), "", d))
		}
		_, err := w.Verify(t.Context(), clinic, lin, codes[0])
		require.ErrorIs(t, err, mfa.ErrNotEnrolled)
		w.works(t, diaz, theirs)
		reset, ok := w.rec.Last(mfa.ActionReset)
		require.True(t, ok)
		require.Equal(t, "all", reset.Detail["method"])

		w.enrol(t, lin) // enrols anew, and nothing of before comes back
		require.Empty(t, w.keys(t, lin))
		nothing(t)(w.use(t.Context(), "", one))
	})
}

func TestAResetOfSomebodyWithPasskeysOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Required = always })
	w.clone(t, lin, w.own(t, lin))
	_, _, err := w.AskPasskey(t.Context(), clinic, lin)
	require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
	require.True(t, w.enrolled(t, lin))
	require.NoError(t, w.Reset(as(t, admin), clinic, lin, "copied"))
	require.False(t, w.enrolled(t, lin))
	w.own(t, lin)
}

// A copy disables the key for everybody who holds it, at once and for ever.
func TestACopiedPasskeyIsDisabled(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		d := w.own(t, lin)
		thief := d.Clone()
		other := w.own(t, lin)
		w.works(t, lin, d) // the owner is two ahead
		proof, err := w.use(t.Context(), "", thief)
		require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
		require.Empty(t, proof.ID)
		require.Equal(t, "cloned", w.refusal(t))
		require.Equal(t, []audit.ActorID{lin}, w.sessions.ended, "whoever came in with the copy is out")
		require.Contains(t, w.notices.topics(), "mfa.passkey_cloned")
		require.Len(t, w.rec.Find(mfa.ActionPasskeyCloned), 1)
		for range 3 { // the thief goes on counting, the owner too
			_, err = w.use(t.Context(), "", thief)
			require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
			_, err = w.use(t.Context(), "", d)
			require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
		}
		require.Equal(t, "disabled", w.refusal(t))
		require.Len(t, w.rec.Find(mfa.ActionPasskeyCloned), 1, "once")
		keys := w.keys(t, lin)
		require.Equal(t, w.clock.Now(), keys[0].Disabled)
		require.True(t, keys[1].Disabled.IsZero())
		require.NoError(t, w.RenamePasskey(as(t, lin), clinic, lin, keys[0].ID, "broken"))
		_, err = w.use(t.Context(), "", d)
		require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
		w.works(t, lin, other)
	})
}

// Keys that are synced do not count, and nothing of the kind is said of them.
func TestASyncedPasskeyIsNoCopy(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		phone := passkeytest.New(origin)
		phone.Synced = true
		require.Equal(t, []string{"swk", "user"}, w.add(t, lin, phone, "").Methods)
		laptop := phone.Clone()
		for range 3 {
			w.works(t, lin, phone)
			w.works(t, lin, laptop)
		}
		require.True(t, w.keys(t, lin)[0].Synced && w.keys(t, lin)[0].BackedUp)
	})
}

func TestRecoveryCodesWithoutAnApp(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		d := w.own(t, lin)
		takes, err := w.TakesCodes(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.False(t, takes)
		w.refuses(t, lin, "123456")
		require.Zero(t, w.row(t, lin).Failures, "there is nothing to guess at")

		codes, ok, err := w.IssueCodes(w.fresh(t, lin), clinic, lin, "")
		require.NoError(t, err)
		require.True(t, ok)
		takes, err = w.TakesCodes(t.Context(), clinic, lin)
		require.NoError(t, err)
		require.True(t, takes)
		list := codes.Reveal()
		w.recovers(t, lin, list[0])
		w.refuses(t, lin, list[0])
		_, ok, err = w.IssueCodes(as(t, lin), clinic, lin, list[1])
		require.NoError(t, err)
		require.True(t, ok, "a code of the list proves as much")
		w.works(t, lin, d)
		require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, w.keys(t, lin)[0].ID))
		_, err = w.Verify(t.Context(), clinic, lin, list[2])
		require.ErrorIs(t, err, mfa.ErrNotEnrolled, "codes are no factor of their own")
		_, _, err = w.IssueCodes(w.fresh(t, lin), clinic, lin, "")
		require.True(t, err != nil)
	})
}

// Who just proved a passkey can part from a locked app without a code of it, and move it.
func TestAPasskeyStandsInForTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Required, o.MaxFailures = always, 1 })
	key := w.enrol(t, lin)
	d := w.own(t, lin)
	w.next()
	_, err := w.Verify(t.Context(), clinic, lin, w.wrong(t, key))
	require.ErrorIs(t, err, mfa.ErrLocked)
	id := w.keys(t, lin)[0].ID
	require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, id), mfa.ErrRequired, "a locked app is no use")
	uri, _, ok, err := w.Replace(w.fresh(t, lin), clinic, lin, "", "lin@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	phone, err := mfa.ParseURI(uri)
	require.NoError(t, err)
	ok, err = w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, phone, 0))
	require.NoError(t, err)
	require.True(t, ok)
	w.works(t, lin, d)
	w.next()
	w.passes(t, lin, w.code(t, phone, 0))
	ok, err = w.Disable(w.fresh(t, lin), clinic, lin, "")
	require.NoError(t, err)
	require.True(t, ok)
	w.works(t, lin, d)
}

func TestEndingAPasskeyNeedsSessionsAndNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Sessions = nil })
	w.own(t, lin)
	require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, w.keys(t, lin)[0].ID), mfa.ErrUnwired)
}

func TestSessionsThatDoNotEndKeepThePasskey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	d := w.own(t, lin)
	w.own(t, lin)
	keys := w.keys(t, lin)
	w.sessions.fail = errBroken
	require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, keys[0].ID), errBroken)
	w.works(t, lin, d)
	_, err := w.use(t.Context(), "", d.Clone())
	require.NoError(t, err)
	_, err = w.use(t.Context(), "", d)
	require.ErrorIs(t, err, mfa.ErrPasskeyDisabled, "sessions or not, a copy is out")
	require.Empty(t, w.sessions.ended)
	w.sessions.fail = nil
	w.clock.add(time.Hour)
	require.NoError(t, w.Deliver(t.Context()))
	require.Equal(t, []audit.ActorID{lin}, w.sessions.ended, "later")
}

// A number counts as enrolled, but is no use while text messages are turned off.
func TestANumberIsNoUseWithoutTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Required = always })
	w.own(t, lin)
	head := w.row(t, lin)
	head.Texted = w.clock.Now()
	w.overwrite(t, head)
	require.ErrorIs(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, w.keys(t, lin)[0].ID), mfa.ErrRequired)
}

// What is under way with an app that was never confirmed touches nobody's passkeys or codes.
func TestAPendingAppBesideAPasskey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 1 })
	d := w.own(t, lin)
	codes, _, err := w.IssueCodes(w.fresh(t, lin), clinic, lin, "")
	require.NoError(t, err)
	_, _, _, err = w.Replace(w.fresh(t, lin), clinic, lin, "", "lin@example.com")
	require.ErrorIs(t, err, mfa.ErrNotEnrolled, "there is no app to replace")
	key := w.beginAs(t, lin)
	_, err = w.Confirm(w.fresh(t, lin), clinic, lin, w.wrong(t, key))
	require.ErrorIs(t, err, mfa.ErrLocked)
	w.refuses(t, lin, w.code(t, key, 0))
	w.recovers(t, lin, codes.Reveal()[0])
	w.works(t, lin, d)
	key = w.beginAs(t, lin)
	ok, err := w.Confirm(w.fresh(t, lin), clinic, lin, w.code(t, key, 0))
	require.NoError(t, err)
	require.True(t, ok)
	w.recovers(t, lin, codes.Reveal()[1])
	w.works(t, lin, d)
}

// A registration adds nothing once the person's factors are others than when it began; what
// changes no factor does not disturb it.
func TestARegistrationIsForTheFactorsItBeganWith(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, w *world, d *passkeytest.Device, id string)
		added     bool
	}{
		"a use":  {func(t *testing.T, w *world, d *passkeytest.Device, _ string) { w.works(t, lin, d) }, true},
		"a code": {func(t *testing.T, w *world, _ *passkeytest.Device, _ string) { w.refuses(t, lin, "123456") }, true},
		"a name": {func(t *testing.T, w *world, _ *passkeytest.Device, id string) {
			require.NoError(t, w.RenamePasskey(as(t, lin), clinic, lin, id, "renamed"))
		}, true},
		"a shown app": {func(t *testing.T, w *world, _ *passkeytest.Device, _ string) { w.beginAs(t, lin) }, true},
		"an app": {func(t *testing.T, w *world, _ *passkeytest.Device, _ string) {
			ok, err := w.Confirm(w.fresh(t, lin), clinic, lin, w.code(t, w.beginAs(t, lin), 0))
			require.NoError(t, err)
			require.True(t, ok)
		}, false},
		"a passkey": {func(t *testing.T, w *world, _ *passkeytest.Device, _ string) { w.own(t, lin) }, false},
		"another in its place": {func(t *testing.T, w *world, _ *passkeytest.Device, id string) {
			w.own(t, lin)
			require.NoError(t, w.RemovePasskey(w.fresh(t, lin), clinic, lin, id))
		}, false},
		"a copy": {func(t *testing.T, w *world, d *passkeytest.Device, _ string) { w.clone(t, lin, d) }, false},
		"a reset": {func(t *testing.T, w *world, _ *passkeytest.Device, _ string) {
			require.NoError(t, w.Reset(as(t, admin), clinic, lin, ""))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mfa.NewMemory(), nil)
			d := w.own(t, lin)
			options, state, err := w.BeginPasskey(w.fresh(t, lin), clinic, lin, "lin@example.com")
			require.NoError(t, err)
			response, err := passkeytest.New(origin).Create(options)
			require.NoError(t, err)
			c.meanwhile(t, w, d, w.keys(t, lin)[0].ID)
			before := len(w.keys(t, lin))
			proof, err := w.AddPasskey(w.fresh(t, lin), clinic, lin, state, response, "")
			require.NoError(t, err)
			require.Equal(t, c.added, proof.ID == lin)
			if !c.added {
				require.Equal(t, "ceremony", w.refusal(t))
				require.Len(t, w.keys(t, lin), before)
			}
		})
	}
}
