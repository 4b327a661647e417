package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// faulty is a store whose n-th call fails before or after its effect, or stalls.
type faulty struct {
	mfa.Store
	mu    sync.Mutex
	calls int
	at    int // 0: never
	mode  string
}

func (f *faulty) arm(at int, mode string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.at, f.mode = 0, at, mode
}

// hit reports whether the call was reached since arm.
func (f *faulty) hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at > 0 && f.calls >= f.at
}

func (f *faulty) call(ctx context.Context, effect func() error) error {
	f.mu.Lock()
	f.calls++
	mode := ""
	if f.at == f.calls {
		mode = f.mode
	}
	f.mu.Unlock()
	switch mode {
	case "fails":
		return errBroken
	case "stalls":
		<-ctx.Done()
		return ctx.Err()
	case "is cut off":
		if err := effect(); err != nil {
			return err
		}
		return errBroken // done, but nobody hears of it
	}
	return effect()
}

func (f *faulty) Get(ctx context.Context, t audit.Tenant, p audit.ActorID) (c mfa.Credential, err error) {
	err = f.call(ctx, func() error { c, err = f.Store.Get(ctx, t, p); return err })
	return c, err
}

func (f *faulty) Apply(ctx context.Context, c mfa.Change) error {
	return f.call(ctx, func() error { return f.Store.Apply(ctx, c) })
}

func (f *faulty) Advance(ctx context.Context, r mfa.Ref, step int64, now time.Time) (ok bool, err error) {
	err = f.call(ctx, func() error { ok, err = f.Store.Advance(ctx, r, step, now); return err })
	return ok && err == nil, err
}

func (f *faulty) Fail(ctx context.Context, r mfa.Ref, limit int, now time.Time) (n int, err error) {
	err = f.call(ctx, func() error { n, err = f.Store.Fail(ctx, r, limit, now); return err })
	return n, err
}

func (f *faulty) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[mfa.Credential, error] {
	return func(yield func(mfa.Credential, error) bool) {
		if err := f.call(ctx, func() error { return nil }); err != nil {
			yield(mfa.Credential{}, err)
			return
		}
		f.Store.List(ctx, t, after)(yield)
	}
}

func (f *faulty) Claim(ctx context.Context, now, until time.Time, limit int) (m []audit.Message, err error) {
	err = f.call(ctx, func() error { m, err = f.Store.Claim(ctx, now, until, limit); return err })
	return m, err
}

func (f *faulty) Done(ctx context.Context, t audit.Tenant, id string) error {
	return f.call(ctx, func() error { return f.Store.Done(ctx, t, id) })
}

// operation is something a host asks for; passed is whether it let somebody through.
type operation func(t *testing.T, ctx context.Context, w *world, key mfa.Key) (passed bool, err error)

// Every store call of every operation fails, stalls or is cut off once. The answer is closed
// and typed, and afterwards the world is as before the operation or as after it.
func TestEveryStoreCallMayFail(t *testing.T) {
	t.Parallel()
	operations := map[string]operation{
		"enrolled": func(_ *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			return w.Enrolled(ctx, clinic, lin)
		},
		"begin": func(_ *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			uri, manual, err := w.Begin(ctx, clinic, "p-other", "other@example.com")
			return uri != "" || manual != "", err
		},
		"confirm": func(t *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			return w.Confirm(ctx, clinic, "p-new", w.code(t, w.pending, 0))
		},
		"verify": func(t *testing.T, ctx context.Context, w *world, key mfa.Key) (bool, error) {
			methods, err := w.Verify(ctx, clinic, lin, w.code(t, key, 0))
			return methods != nil, err
		},
		"reset": func(_ *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			err := w.Reset(audit.WithActor(ctx, audit.Actor{ID: admin, Kind: audit.KindStaff, Tenant: clinic}), clinic, lin, "why")
			return err == nil, err
		},
		"disable": func(t *testing.T, ctx context.Context, w *world, key mfa.Key) (bool, error) {
			return w.Disable(audit.WithActor(ctx, audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: clinic}), clinic, lin, w.code(t, key, 0))
		},
		"issue codes": func(t *testing.T, ctx context.Context, w *world, key mfa.Key) (bool, error) {
			codes, ok, err := w.IssueCodes(self(ctx), clinic, lin, w.code(t, key, 0))
			return ok || len(codes.Reveal()) > 0, err
		},
		"recover": func(_ *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			methods, err := w.Verify(ctx, clinic, lin, w.codes[0])
			return methods != nil, err
		},
		"replace": func(t *testing.T, ctx context.Context, w *world, key mfa.Key) (bool, error) {
			uri, _, ok, err := w.Replace(self(ctx), clinic, lin, w.code(t, key, 0), "lin@example.com")
			return ok || uri != "", err
		},
		"confirm replacement": func(t *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			me := audit.WithActor(ctx, audit.Actor{ID: diaz, Kind: audit.KindStaff, Tenant: clinic})
			return w.ConfirmReplacement(me, clinic, diaz, w.code(t, w.phone, 0))
		},
		"status": func(_ *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			s, err := w.Status(ctx, clinic, lin)
			return s.State == mfa.On, err
		},
		"list": func(_ *testing.T, ctx context.Context, w *world, _ mfa.Key) (passed bool, err error) {
			for s, e := range w.List(ctx, clinic) {
				passed, err = passed || s.State == mfa.On, errors.Join(err, e)
			}
			return passed && err == nil, err
		},
		"deliver": func(_ *testing.T, ctx context.Context, w *world, _ mfa.Key) (bool, error) {
			err := w.Deliver(ctx)
			return err == nil, err
		},
	}
	for name, do := range operations {
		for _, mode := range []string{"fails", "stalls", "is cut off"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				bubble.Test(t, func(t *testing.T) { // what stalls ends in no time
					for at := 1; oneFault(t, at, mode, do); at++ {
					}
				})
			})
		}
	}
}

// self is a context with the person whose factor it is.
func self(ctx context.Context) context.Context {
	return audit.WithActor(ctx, audit.Actor{ID: lin, Kind: audit.KindStaff, Tenant: clinic})
}

// oneFault runs an operation whose store call number at goes wrong; it reports false once the
// operation makes fewer calls.
func oneFault(t *testing.T, at int, mode string, do operation) bool {
	store := &faulty{Store: mfa.NewMemory()}
	w := newWorld(t, store, nil)
	w.pending = w.begin(t, "p-new")
	key := w.enrol(t, lin)
	w.codes = w.issue(t, lin, key)
	old := w.enrol(t, diaz)
	w.next()
	w.phone = w.replace(t, diaz, w.code(t, old, 0))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	store.arm(at, mode)
	passed, err := do(t, ctx, w, key)
	if !store.hit() {
		require.NoError(t, err)
		require.True(t, passed)
		return false
	}
	if err != nil {
		require.ErrorIs(t, err, mfa.ErrUnavailable, "call %d", at)
		require.False(t, passed, "call %d", at)
	}
	store.arm(0, "")
	w.consistent(t, key)
	return true
}

// consistent asserts that the person is either enrolled with this key or not at all, and that
// whatever is owed can be delivered.
func (w *world) consistent(t *testing.T, key mfa.Key) {
	t.Helper()
	w.clock.add(time.Hour)
	require.NoError(t, w.Deliver(t.Context()))
	enrolled, err := w.Enrolled(t.Context(), clinic, lin)
	require.NoError(t, err)
	if enrolled {
		w.passes(t, lin, w.code(t, key, 0))
		return
	}
	ended := append(w.rec.Find(mfa.ActionReset), w.rec.Find(mfa.ActionDisabled)...)
	require.Len(t, ended, 1, "what ended a factor is on record")
	require.NotEmpty(t, w.sessions.ended)
}

func TestARecorderThatFailsClosesEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	w.next()
	w.rec.FailWith(errBroken)
	uri, manual, err := w.Begin(t.Context(), clinic, diaz, "diaz@example.com")
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	require.Empty(t, uri+manual)
	for _, code := range []string{w.code(t, key, 0), w.code(t, key, 0), w.wrong(t, key)} { // right, replayed, wrong
		methods, err := w.Verify(t.Context(), clinic, lin, code)
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Nil(t, methods)
	}
	require.Equal(t, 1, w.row(t, lin).Failures, "a guess counts whether or not it could be recorded")
	w.rec.FailWith(nil)
	w.refuses(t, lin, w.code(t, key, 0)) // used up
}

func TestKeysOutOfReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	w.clock.add(phi.DefaultCacheTTL + time.Minute)
	w.kms.fail = errBroken
	_, err := w.Verify(t.Context(), clinic, lin, w.code(t, key, 0))
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	require.ErrorIs(t, err, phi.ErrUnavailable)
	_, _, err = w.Begin(t.Context(), clinic, diaz, "diaz@example.com")
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	require.Error(t, w.Reset(as(t, admin), clinic, lin, ""))
	require.Empty(t, w.rec.Find(mfa.ActionFailed), "nobody guessed")
	w.kms.fail = nil
	w.passes(t, lin, w.code(t, key, 0))
}

func TestATamperedKeyIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.enrol(t, lin)
	w.next()
	good := w.row(t, lin)
	for i := range good.Secret {
		bad := w.row(t, lin)
		bad.Secret = slices.Clone(good.Secret)
		bad.Secret[i] ^= 1
		w.overwrite(t, bad)
		methods, err := w.Verify(t.Context(), clinic, lin, w.code(t, key, 0))
		require.ErrorIs(t, err, mfa.ErrUnavailable, "byte %d", i)
		require.Nil(t, methods)
	}
	failed, ok := w.rec.Last(mfa.ActionFailed)
	require.True(t, ok)
	require.Equal(t, "unreadable", failed.Code)
	require.Equal(t, audit.MajorFailure, failed.Outcome)
	require.Len(t, w.rec.Find(mfa.ActionFailed), len(good.Secret))
	require.Zero(t, w.row(t, lin).Failures)
	bad := w.row(t, lin)
	bad.Secret = good.Secret
	w.overwrite(t, bad)
	w.passes(t, lin, w.code(t, key, 0))
}

// Whoever can write to the database cannot move their own key into somebody else's row.
func TestAKeyOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.enrol(t, lin)
	attacker := w.enrol(t, diaz)
	w.next()
	victim := w.row(t, lin)
	victim.Secret = w.row(t, diaz).Secret
	w.overwrite(t, victim)
	methods, err := w.Verify(t.Context(), clinic, lin, w.code(t, attacker, 0))
	require.ErrorIs(t, err, phi.ErrTampered)
	require.Nil(t, methods)
	w.passes(t, diaz, w.code(t, attacker, 0))
}

func TestAnEmptyKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 19, 21} {
		w := newWorld(t, mfa.NewMemory(), nil)
		w.plant(t, lin, make([]byte, size))
		methods, err := w.Verify(t.Context(), clinic, lin, "328482") // HOTP of the empty key, counter 0
		require.ErrorIs(t, err, mfa.ErrUnavailable)
		require.Nil(t, methods)
	}
}

// overwrite replaces the row, as somebody with access to the database could.
func (w *world) overwrite(t *testing.T, c mfa.Credential) {
	t.Helper()
	require.NoError(t, w.store.Apply(t.Context(), mfa.Change{Was: c.Ref(), Version: c.Version, Put: &c}))
}

var ids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// Neither the database, the events nor any error shows a key or a code.
func TestNothingIsWrittenInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mfa.NewMemory(), nil)
	w.notices.fail = errBroken // so that messages stay
	key := w.enrol(t, lin)
	w.next()
	code := w.code(t, key, 0)
	w.passes(t, lin, code)
	w.refuses(t, lin, code)
	w.rec.FailWith(errBroken)
	require.NoError(t, w.Reset(as(t, admin), clinic, lin, "a reason in clear"))
	w.enrolLeft(t)
	messages, err := w.store.Claim(t.Context(), w.clock.Now().Add(time.Hour), w.clock.Now(), 100)
	require.NoError(t, err)
	require.NotEmpty(t, messages)
	dump := fmt.Sprintf("%+v %s %+v", messages, bodies(messages), w.rec.Events())
	base32 := strings.ReplaceAll(key.Manual(), " ", "")
	dump = ids.ReplaceAllString(dump, "an id") // which may have the code's digits by chance
	for _, secret := range []string{base32, key.Manual(), code, "a reason in clear", "p-lin@example.com"} {
		require.NotContains(t, dump, secret)
	}
	require.Contains(t, dump, "p-lin", "the search would find something")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, key), base32)
		require.Contains(t, fmt.Sprintf(verb, key), "[one-time code key]")
	}
}

// enrolLeft is a second person's row, which stays in the store.
func (w *world) enrolLeft(t *testing.T) {
	t.Helper()
	w.plant(t, diaz, []byte(rfcSecret))
	require.NotContains(t, string(w.row(t, diaz).Secret), rfcSecret)
}

func bodies(messages []audit.Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, string(m.Body))
	}
	return strings.Join(all, " ")
}
