package mfa_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// issue gives a person a new list, proven with the code of the next step.
func (w *world) issue(t testing.TB, person audit.ActorID, key mfa.Key) []string {
	t.Helper()
	w.next()
	codes, ok, err := w.IssueCodes(as(t, person), clinic, person, w.code(t, key, 0))
	require.NoError(t, err)
	require.True(t, ok)
	return codes.Reveal()
}

// recovers asserts that a recovery code is accepted.
func (w *world) recovers(t testing.TB, person audit.ActorID, code string) {
	t.Helper()
	methods, err := w.Verify(t.Context(), clinic, person, code)
	require.NoError(t, err)
	require.Equal(t, []string{"recovery"}, methods)
}

func (w *world) codesLeft(t testing.TB, person audit.ActorID) int {
	t.Helper()
	s, err := w.Status(t.Context(), clinic, person)
	require.NoError(t, err)
	return s.Codes
}

func TestRecoveryCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		require.Zero(t, w.codesLeft(t, lin))
		codes := w.issue(t, lin, key)
		require.Len(t, codes, 10)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(codes))), 10)
		for _, code := range codes {
			require.Regexp(t, `^([A-Z2-7]{5}-){4}[A-Z2-7]{6}$`, code)
		}
		require.Equal(t, 10, w.codesLeft(t, lin))

		w.recovers(t, lin, codes[3])
		w.refuses(t, lin, codes[3])
		w.recovers(t, lin, strings.ToLower(strings.ReplaceAll(codes[0], "-", " ")))
		w.refuses(t, diaz0(t, w), codes[1])
		require.Equal(t, 8, w.codesLeft(t, lin))
		require.Equal(t, 1, w.row(t, lin).Failures, "the used code was a guess; right ones do not clear the app's count")
		require.Len(t, w.rec.Find(mfa.ActionRecovered), 2)
		require.Equal(t, "recovery", w.rec.Find(mfa.ActionRecovered)[0].Detail["method"])
		require.Subset(t, w.notices.topics(), []string{"mfa.codes_issued", "mfa.recovered"})
		w.next()
		w.passes(t, lin, w.code(t, key, 0))
	})
}

// diaz0 enrols a second person.
func diaz0(t testing.TB, w *world) audit.ActorID {
	t.Helper()
	w.enrol(t, diaz)
	return diaz
}

func TestANewListEndsTheOldOne(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		key := w.enrol(t, lin)
		old := w.issue(t, lin, key)
		codes, ok, err := w.IssueCodes(as(t, lin), clinic, lin, old[0]) // a code of the old list is a proof too
		require.NoError(t, err)
		require.True(t, ok)
		for _, code := range old {
			w.refuses(t, lin, code)
		}
		require.Equal(t, 10, w.codesLeft(t, lin))
		w.recovers(t, lin, codes.Reveal()[9])
	})
}

func TestOneRecoveryCodeManyRequestsOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		code := w.issue(t, lin, w.enrol(t, lin))[0]
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if methods, err := w.Verify(t.Context(), clinic, lin, code); err == nil && methods != nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, won.Load())
		require.Equal(t, 9, w.codesLeft(t, lin))
	})
}

// Who guesses at the app until it is disabled does not keep its owner out.
func TestARecoveryCodeWorksWhileTheAppIsLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 3 })
	key := w.enrol(t, lin)
	codes := w.issue(t, lin, key)
	w.next()
	for range 2 {
		w.refuses(t, lin, w.wrong(t, key))
	}
	_, err := w.Verify(t.Context(), clinic, lin, w.wrong(t, key))
	require.ErrorIs(t, err, mfa.ErrLocked)
	w.recovers(t, lin, codes[0])
	_, err = w.Verify(t.Context(), clinic, lin, w.code(t, key, 0))
	require.ErrorIs(t, err, mfa.ErrLocked, "the app stays disabled")
	_, err = w.Verify(t.Context(), clinic, lin, codes[0])
	require.ErrorIs(t, err, mfa.ErrLocked, "a used code is a wrong code")
}

func TestWrongRecoveryCodesAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), func(o *mfa.Options) { o.MaxFailures = 3 })
	key := w.enrol(t, lin)
	foreign := newWorld(t, mfa.NewMemory(), nil)
	strange := foreign.issue(t, lin, foreign.enrol(t, lin))
	for range 2 {
		w.refuses(t, lin, strange[0])
	}
	_, err := w.Verify(t.Context(), clinic, lin, strange[0])
	require.ErrorIs(t, err, mfa.ErrLocked)
	_, err = w.Verify(t.Context(), clinic, lin, w.code(t, key, 1))
	require.ErrorIs(t, err, mfa.ErrLocked)
	_, err = w.Verify(t.Context(), clinic, "p-nobody", strange[0])
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
}

func TestCodesAreForThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	w.next()
	for name, ctx := range map[string]context.Context{
		"nobody":           t.Context(),
		"an administrator": as(t, admin),
		"on their behalf": audit.WithActor(t.Context(), audit.Actor{
			ID: lin, Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: lin,
		}),
		"another tenant": audit.WithActor(t.Context(), audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: "other-clinic"}),
	} {
		codes, ok, err := w.IssueCodes(ctx, clinic, lin, w.code(t, key, 0))
		require.ErrorIs(t, err, mfa.ErrNotYours, name)
		require.False(t, ok)
		require.Empty(t, codes.Reveal())
	}
	codes, ok, err := w.IssueCodes(as(t, lin), clinic, lin, w.wrong(t, key))
	require.NoError(t, err)
	require.False(t, ok)
	require.Empty(t, codes.Reveal())
	_, _, err = w.IssueCodes(as(t, diaz), clinic, diaz, "123456")
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	require.Len(t, w.issue(t, lin, key), 10, "the code was not used up")
}

func TestCodesEndWithTheFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	codes := w.issue(t, lin, w.enrol(t, lin))
	require.NoError(t, w.Reset(as(t, admin), clinic, lin, "lost everything"))
	_, err := w.Verify(t.Context(), clinic, lin, codes[0])
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
	w.enrol(t, lin)
	w.refuses(t, lin, codes[0])

	w.enrol(t, diaz)
	codes = w.issue(t, diaz, mustKey(t, w, diaz))
	ok, err := w.Disable(as(t, diaz), clinic, diaz, codes[0])
	require.NoError(t, err)
	require.True(t, ok, "a recovery code is a proof of who asks")
	_, err = w.Verify(t.Context(), clinic, diaz, codes[1])
	require.ErrorIs(t, err, mfa.ErrNotEnrolled)
}

// mustKey enrols the person anew and returns the key.
func mustKey(t testing.TB, w *world, person audit.ActorID) mfa.Key {
	t.Helper()
	require.NoError(t, w.Reset(as(t, admin), clinic, person, ""))
	return w.enrol(t, person)
}

// Whoever can write to the database can neither add a code, nor move a list to somebody else.
func TestTamperedCodesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	codes := w.issue(t, lin, w.enrol(t, lin))
	theirs := w.issue(t, diaz, w.enrol(t, diaz))
	good := w.row(t, lin)
	for i := range good.Recovery {
		bad := w.row(t, lin)
		bad.Recovery = slices.Clone(good.Recovery)
		bad.Recovery[i] ^= 1
		w.overwrite(t, bad)
		_, err := w.Verify(t.Context(), clinic, lin, codes[0])
		require.ErrorIs(t, err, mfa.ErrUnavailable, "byte %d", i)
	}
	moved := w.row(t, lin)
	moved.Recovery = w.row(t, diaz).Recovery
	w.overwrite(t, moved)
	for _, code := range []string{codes[0], theirs[0]} {
		_, err := w.Verify(t.Context(), clinic, lin, code)
		require.ErrorIs(t, err, phi.ErrTampered)
	}
	require.Zero(t, w.row(t, lin).Failures)
	failed, ok := w.rec.Last(mfa.ActionFailed)
	require.True(t, ok)
	require.Equal(t, "unreadable", failed.Code)
}

func TestRecoveryCodesDoNotPrint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	w.next()
	w.notices.fail = errBroken // so that messages stay
	codes, ok, err := w.IssueCodes(as(t, lin), clinic, lin, w.code(t, key, 0))
	require.NoError(t, err)
	require.True(t, ok)
	list := codes.Reveal()
	inside := struct{ codes mfa.RecoveryCodes }{codes}
	text, err := json.Marshal(map[string]any{"codes": codes})
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("issued", "codes", codes)
	messages, err := w.store.Claim(t.Context(), w.clock.Now().Add(time.Hour), w.clock.Now(), 100)
	require.NoError(t, err)
	dump := string(text) + log.String() + fmt.Sprintf("%+v %s %+v %+v", messages, bodies(messages), w.rec.Events(), w.row(t, lin))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		dump += fmt.Sprintf(verb, codes) + fmt.Sprintf(verb, inside)
	}
	require.Contains(t, dump, "[recovery codes]")
	for _, code := range list {
		require.NotContains(t, dump, code)
		require.NotContains(t, dump, strings.ReplaceAll(code, "-", ""))
		require.NotContains(t, dump, code[:11])
	}
	list[0] = "changed"
	require.NotEqual(t, "changed", codes.Reveal()[0])
	require.Empty(t, mfa.RecoveryCodes{}.Reveal())
}

// Whatever is typed is a recovery code with one meaning, or none at all.
func FuzzRecoveryCode(f *testing.F) {
	f.Add("ABCDE-FGHIJ-KLMNO-PQRST-UVWXYA")
	f.Add("123456")
	f.Add("abcde fghij klmno pqrst uvwx01")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := mfa.ReadRecovery(typed)
		if !ok {
			require.Nil(t, code)
			return
		}
		require.Len(t, code, 16)
		again, ok := mfa.ReadRecovery(mfa.ShowRecovery(code))
		require.True(t, ok)
		require.Equal(t, code, again)
	})
}

func TestReadRecovery(t *testing.T) {
	t.Parallel()
	raw := []byte("sixteen bytes ok")
	shown := mfa.ShowRecovery(raw)
	for _, typed := range []string{
		shown, strings.ToLower(shown), strings.ReplaceAll(shown, "-", ""), " " + strings.ReplaceAll(shown, "-", " ") + " ",
		strings.NewReplacer("O", "0", "I", "1", "B", "8").Replace(shown),
	} {
		code, ok := mfa.ReadRecovery(typed)
		require.True(t, ok, typed)
		require.Equal(t, raw, code)
	}
	for _, typed := range []string{"", "123456", shown[1:], shown + "A", shown[:len(shown)-1] + "Z", strings.Repeat("-", 200) + shown, "9" + shown[1:]} {
		_, ok := mfa.ReadRecovery(typed)
		require.False(t, ok, typed)
	}
}
