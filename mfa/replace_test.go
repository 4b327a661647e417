package mfa_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// replace begins the move to a new phone and returns it.
func (w *world) replace(t testing.TB, person audit.ActorID, proof string) mfa.Key {
	t.Helper()
	uri, manual, ok, err := w.Replace(as(t, person), clinic, person, proof, string(person)+"@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	key, err := mfa.ParseURI(uri)
	require.NoError(t, err)
	require.Equal(t, key.Manual(), manual)
	return key
}

// There is no moment without a second factor, also where one is required.
func TestReplace(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		always := func(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return true, nil }
		w := newWorld(t, open(t), func(o *mfa.Options) { o.Required = always })
		old := w.enrol(t, lin)
		codes := w.issue(t, lin, old)
		first := w.row(t, lin)
		w.next()
		phone := w.replace(t, lin, w.code(t, old, 0))
		w.next()
		w.refuses(t, lin, w.code(t, phone, 0))
		w.passes(t, lin, w.code(t, old, 0))
		require.Empty(t, w.sessions.ended)

		ok, err := w.ConfirmReplacement(as(t, lin), clinic, lin, w.wrong(t, phone))
		require.NoError(t, err)
		require.False(t, ok)
		ok, err = w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, phone, 0))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []audit.ActorID{lin, lin}, w.sessions.ended, "before the change and after it")
		require.Contains(t, w.notices.topics(), "mfa.replaced")
		require.Len(t, w.rec.Find(mfa.ActionReplaced), 1)
		row := w.row(t, lin)
		require.NotEqual(t, first.ID, row.ID)
		require.Empty(t, row.Next)
		require.Zero(t, row.Failures)

		w.refuses(t, lin, w.code(t, phone, 0)) // used up by the confirmation
		w.next()
		w.refuses(t, lin, w.code(t, old, 0))
		w.passes(t, lin, w.code(t, phone, 0))
		w.recovers(t, lin, codes[0])
		_, err = w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, phone, 1))
		require.ErrorIs(t, err, mfa.ErrNotEnrolled, "nothing waits any more")
	})
}

// A lost phone, or one whose codes somebody guessed at until it was disabled.
func TestReplaceWithARecoveryCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 2 })
	old := w.enrol(t, lin)
	codes := w.issue(t, lin, old)
	w.next()
	w.refuses(t, lin, w.wrong(t, old))
	_, err := w.Verify(t.Context(), clinic, lin, w.wrong(t, old))
	require.ErrorIs(t, err, mfa.ErrLocked)
	_, _, _, err = w.Replace(as(t, lin), clinic, lin, w.code(t, old, 0), "lin@example.com")
	require.ErrorIs(t, err, mfa.ErrLocked)
	phone := w.replace(t, lin, codes[0])
	ok, err := w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, phone, 0))
	require.NoError(t, err)
	require.True(t, ok)
	w.next()
	w.passes(t, lin, w.code(t, phone, 0))
}

func TestReplaceIsForThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	old := w.enrol(t, lin)
	w.next()
	for name, ctx := range map[string]context.Context{"nobody": t.Context(), "an administrator": as(t, admin)} {
		uri, manual, ok, err := w.Replace(ctx, clinic, lin, w.code(t, old, 0), "lin@example.com")
		require.ErrorIs(t, err, mfa.ErrNotYours, name)
		require.False(t, ok)
		require.Empty(t, uri+manual)
		_, err = w.ConfirmReplacement(ctx, clinic, lin, w.code(t, old, 0))
		require.ErrorIs(t, err, mfa.ErrNotYours, name)
	}
	uri, _, ok, err := w.Replace(as(t, lin), clinic, lin, w.wrong(t, old), "lin@example.com")
	require.NoError(t, err)
	require.False(t, ok)
	require.Empty(t, uri)
	_, _, _, err = w.Replace(as(t, lin), clinic, lin, w.code(t, old, 0), "")
	require.ErrorIs(t, err, mfa.ErrName)
	_, err = w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, old, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	w.passes(t, lin, w.code(t, old, 0)) // not used up
}

func TestAReplacementWaitsForAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	old := w.enrol(t, lin)
	w.next()
	phone := w.replace(t, lin, w.code(t, old, 0))
	w.clock.add(time.Hour + time.Second)
	_, err := w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, phone, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	w.passes(t, lin, w.code(t, old, 0))
}

// An administrator's reset beats a replacement that was begun before.
func TestAResetEndsAReplacement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	old := w.enrol(t, lin)
	w.next()
	phone := w.replace(t, lin, w.code(t, old, 0))
	require.NoError(t, w.Reset(as(t, admin), clinic, lin, "stolen"))
	_, err := w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, phone, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	w.enrol(t, lin)
	_, err = w.ConfirmReplacement(as(t, lin), clinic, lin, w.code(t, phone, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
}

// Whoever can write to the database cannot make a key that merely waits the one that counts.
func TestANextKeyDoesNotOpenAsTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	old := w.enrol(t, lin)
	w.next()
	phone := w.replace(t, lin, w.code(t, old, 0))
	w.next()
	bad := w.row(t, lin)
	bad.Secret = bad.Next
	w.overwrite(t, bad)
	_, err := w.Verify(t.Context(), clinic, lin, w.code(t, phone, 0))
	require.ErrorIs(t, err, phi.ErrTampered)
}

func TestReplacingNeedsSessionsAndNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.Notices = nil })
	_, _, _, err := w.Replace(as(t, lin), clinic, lin, "123456", "lin@example.com")
	require.ErrorIs(t, err, mfa.ErrUnwired)
	_, err = w.ConfirmReplacement(as(t, lin), clinic, lin, "123456")
	require.ErrorIs(t, err, mfa.ErrUnwired)
}
