package mfa_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// Each test here is a class of published holes in second factors: what went wrong elsewhere, as
// a thing that must not work here. Named are the ones that were written about; most have many
// cousins.

// Replay: a verifier that keeps no used step, or only the last code (Ory Kratos and better-auth
// keep none, Authboss keeps one), takes a code twice. Here a code is dead once any later one was
// used, also after a crash, also when the enrolment used it.
// Who is signed in, and proved a passkey just now, signs in once more and types no code: what their
// session proves is for their own factors, and no code.
func TestAttackASessionIsNoCode(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		w.own(t, lin)
		w.issue(t, lin, key)
		ctx := w.fresh(t, lin)
		_, ok, err := w.IssueCodes(ctx, clinic, lin, "")
		require.NoError(t, err)
		require.True(t, ok)
		methods, err := w.Verify(ctx, clinic, lin, "")
		require.NoError(t, err)
		require.Nil(t, methods)
	})
}

// Whoever has somebody's session asks for what takes a code and gives none: hosts charge what is
// typed, and nothing was, so it must not be what disables the app for good.
func TestAttackNoCodeDisablesNoApp(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), func(o *mfa.Options) { o.MaxFailures = 3 })
		key := w.enrol(t, lin)
		for range 4 {
			_, ok, err := w.IssueCodes(as(t, lin), clinic, lin, "")
			require.NoError(t, err)
			require.False(t, ok)
			_, _, ok, err = w.Replace(as(t, lin), clinic, lin, "", "lin@example.com")
			require.NoError(t, err)
			require.False(t, ok)
		}
		e, ok := w.rec.Last(mfa.ActionFailed)
		require.True(t, ok)
		require.Equal(t, "no_code", e.Code)
		w.next()
		w.passes(t, lin, w.code(t, key, 0))
	})
}

func TestAttackCodeUsedTwice(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		store := open(t)
		w := newWorld(t, store, nil)
		key := w.begin(t, lin)
		first := w.code(t, key, 0)
		ok, err := w.Confirm(t.Context(), clinic, lin, first)
		require.NoError(t, err)
		require.True(t, ok)
		w.refuses(t, lin, first)
		w.next()
		second, third := w.code(t, key, 0), w.code(t, key, 1)
		w.passes(t, lin, third)
		again, err := mfa.New(store, w.vault, w.rec, "Example Clinic", &w.options) // another server, or the same after a crash
		require.NoError(t, err)
		for _, used := range []string{first, second, third, second, first} {
			methods, err := again.Verify(t.Context(), clinic, lin, used)
			require.NoError(t, err)
			require.Nil(t, methods)
		}
	})
}

// CVE-2025-64102, GO-2025-4085: factors could be guessed without end. CVE-2025-24806: tries were
// counted per way in. Here every way that takes a code counts in one row: signing in, ending the
// factor, moving to another phone, a new list of recovery codes, with codes of either kind.
func TestAttackCVE_2025_64102_GuessesOnEveryWayShareOneCount(t *testing.T) {
	t.Parallel()
	const limit = 6
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = limit })
	key := w.enrol(t, lin)
	w.next()
	waiting := w.replace(t, lin, w.code(t, key, 0))
	bad, ctx := w.wrong(t, key), as(t, lin)
	recovery := strings.Repeat("ABCDE-", 4) + "ABCDEA"
	ways := []func() (bool, error){
		func() (bool, error) { m, err := w.Verify(ctx, clinic, lin, bad); return m != nil, err },
		func() (bool, error) { m, err := w.Verify(ctx, clinic, lin, recovery); return m != nil, err },
		func() (bool, error) { return w.Disable(ctx, clinic, lin, bad) },
		func() (bool, error) { _, ok, err := w.IssueCodes(ctx, clinic, lin, bad); return ok, err },
		func() (bool, error) { _, _, ok, err := w.Replace(ctx, clinic, lin, bad, "lin"); return ok, err },
		func() (bool, error) { return w.ConfirmReplacement(ctx, clinic, lin, w.wrong(t, waiting)) },
	}
	require.Len(t, ways, limit)
	for i, way := range ways[:limit-1] {
		ok, err := way()
		require.NoError(t, err, "way %d", i)
		require.False(t, ok)
		require.Equal(t, i+1, w.row(t, lin).Failures, "way %d is not counted", i)
	}
	_, err := ways[limit-1]()
	require.ErrorIs(t, err, mfa.ErrLocked)
	for i, way := range ways {
		_, err := way()
		require.ErrorIs(t, err, mfa.ErrLocked, "way %d goes on after the lock", i)
	}
	require.Equal(t, limit, w.row(t, lin).Failures)
}

// GO-2024-2788: an improper lockout led around the second factor. Whoever locks it by guessing is
// asked for it all the same, cannot enrol a phone of their own, and cannot end it.
func TestAttackGO_2024_2788_LockingIsNoWayAround(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 1 })
	key := w.enrol(t, lin)
	w.next()
	_, err := w.Verify(t.Context(), clinic, lin, w.wrong(t, key))
	require.ErrorIs(t, err, mfa.ErrLocked)
	on, err := w.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	require.True(t, on)
	good, ctx := w.code(t, key, 0), as(t, lin)
	_, _, err = w.Begin(ctx, clinic, lin, "mallory@example.com")
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	_, err = w.Confirm(ctx, clinic, lin, good)
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	_, err = w.Disable(ctx, clinic, lin, good)
	require.ErrorIs(t, err, mfa.ErrLocked)
	_, _, _, err = w.Replace(ctx, clinic, lin, good, "lin")
	require.ErrorIs(t, err, mfa.ErrLocked)
	_, _, err = w.IssueCodes(ctx, clinic, lin, good)
	require.ErrorIs(t, err, mfa.ErrLocked)
}

// CVE-2025-64103, CVE-2024-45042: a session of one factor was enough to change the other. Here a
// session alone changes nothing: each change takes a code, and of the person themselves.
func TestAttackCVE_2025_64103_ASessionAloneChangesNoFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	w.issue(t, lin, key)
	before := w.row(t, lin)
	tries := func(ctx context.Context, proof string) {
		ok, err := w.Disable(ctx, clinic, lin, proof)
		require.True(t, err != nil || !ok)
		_, ok, err = w.IssueCodes(ctx, clinic, lin, proof)
		require.True(t, err != nil || !ok)
		_, _, ok, err = w.Replace(ctx, clinic, lin, proof, "mallory@example.com")
		require.True(t, err != nil || !ok)
		require.ErrorIs(t, w.Reset(ctx, clinic, lin, "mine"), mfa.ErrNotYours)
	}
	for _, empty := range []string{"", " ", "000000", "------", strings.Repeat("A", 26)} {
		tries(as(t, lin), empty)
	}
	w.next()
	good := w.code(t, key, 0)
	for name, a := range map[string]audit.Actor{
		"nobody":                {},
		"another tenant":        {ID: lin, Kind: audit.KindStaff, Tenant: "other-clinic", Session: "s-1"},
		"acting for the person": {ID: lin, Kind: audit.KindStaff, Tenant: clinic, Session: "s-1", OnBehalfOf: "p-admin"},
	} {
		ctx := audit.WithActor(t.Context(), a)
		_, err := w.Disable(ctx, clinic, lin, good)
		require.ErrorIs(t, err, mfa.ErrNotYours, name)
		_, _, err = w.IssueCodes(ctx, clinic, lin, good)
		require.ErrorIs(t, err, mfa.ErrNotYours, name)
		_, _, _, err = w.Replace(ctx, clinic, lin, good, "lin")
		require.ErrorIs(t, err, mfa.ErrNotYours, name)
		_, err = w.ConfirmReplacement(ctx, clinic, lin, good)
		require.ErrorIs(t, err, mfa.ErrNotYours, name)
	}
	after := w.row(t, lin)
	require.Equal(t, before.ID, after.ID)
	require.Equal(t, before.Secret, after.Secret)
	require.Equal(t, before.Recovery, after.Recovery)
	w.passes(t, lin, good)
}

// CVE-2026-27946: people could confirm what they had not shown to own. A key that was shown
// before the last Begin, or to somebody else, confirms nothing.
func TestAttackCVE_2026_27946_OnlyTheKeyThatWaitsConfirms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	stolen := w.begin(t, lin) // somebody looked at this picture
	w.begin(t, lin)
	foreign := w.begin(t, diaz)
	for _, key := range []mfa.Key{stolen, foreign} {
		ok, err := w.Confirm(t.Context(), clinic, lin, w.code(t, key, 0))
		require.NoError(t, err)
		require.False(t, ok)
	}
	w.clock.add(61 * time.Minute)
	_, err := w.Confirm(t.Context(), clinic, diaz, w.code(t, foreign, 0))
	require.ErrorIs(t, err, mfa.ErrNotEnrolled, "a picture of yesterday")
}

// CVE-2026-55670: an id of one tenant, used again in another, was the same person. The same id
// elsewhere has no factor, no codes and no key, and a row that is copied there does not open.
func TestAttackCVE_2026_55670_TheSameIDInAnotherTenant(t *testing.T) {
	t.Parallel()
	const other audit.Tenant = "other-clinic"
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	codes := w.issue(t, lin, key)
	w.next()
	on, err := w.Enrolled(t.Context(), other, lin)
	require.NoError(t, err)
	require.False(t, on)
	for _, code := range []string{w.code(t, key, 0), codes[0]} {
		_, err = w.Verify(t.Context(), other, lin, code)
		require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	}
	require.ErrorIs(t, w.Reset(as(t, admin), other, lin, ""), mfa.ErrNotEnrolled)
	copied := w.row(t, lin)
	copied.Tenant = other
	require.NoError(t, w.store.Apply(t.Context(), mfa.Change{Was: mfa.Ref{Tenant: other, Person: lin}, Put: &copied}))
	for _, code := range []string{w.code(t, key, 0), codes[0]} {
		methods, err := w.Verify(t.Context(), other, lin, code)
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Nil(t, methods)
	}
	w.passes(t, lin, w.code(t, key, 0))
	w.recovers(t, lin, codes[0])
}

// CVE-2026-27840: a shortened token was as good as the whole one. CVE-2026-47203: two spellings
// of one value were two values. A recovery code is whole or wrong, and in whatever spelling it
// is one code, used once.
func TestAttackCVE_2026_27840_ShortenedAndRespelledRecoveryCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	code := w.issue(t, lin, w.enrol(t, lin))[0]
	plain := strings.ReplaceAll(code, "-", "")
	for n := range len(plain) {
		w.refuses(t, lin, plain[:n])
		if n > 0 {
			w.refuses(t, lin, plain[n:])
		}
	}
	for _, longer := range []string{plain + "A", "A" + plain, plain + plain, plain + "\x00", plain + "="} {
		w.refuses(t, lin, longer)
	}
	require.Equal(t, 10, w.codesLeft(t, lin))
	w.recovers(t, lin, " "+strings.ToLower(code)+" ")
	for _, again := range []string{code, plain, strings.ToLower(plain), strings.ReplaceAll(code, "-", " ")} {
		w.refuses(t, lin, again)
	}
	require.Equal(t, 9, w.codesLeft(t, lin))
}
