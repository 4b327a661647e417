package mfa_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/mfa"
)

// faultyTexts is faulty for the calls about numbers as well.
type faultyTexts struct{ *faulty }

func (f *faultyTexts) Number(ctx context.Context, t audit.Tenant, p audit.ActorID) (n mfa.Number, err error) {
	err = f.call(ctx, func() error { n, err = f.Store.Number(ctx, t, p); return err })
	return n, err
}

func (f *faultyTexts) ApplyNumber(ctx context.Context, c mfa.NumberChange) error {
	return f.call(ctx, func() error { return f.Store.ApplyNumber(ctx, c) })
}

func (f *faultyTexts) TryText(ctx context.Context, r mfa.Ref, code string, tries, failures int, now time.Time) (n int, err error) {
	err = f.call(ctx, func() error { n, err = f.Store.TryText(ctx, r, code, tries, failures, now); return err })
	return n, err
}

func (f *faultyTexts) BurnText(ctx context.Context, r mfa.Ref, code string, now time.Time) (ok bool, err error) {
	err = f.call(ctx, func() error { ok, err = f.Store.BurnText(ctx, r, code, now); return err })
	return ok && err == nil, err
}

// faultyWindows are windows whose n-th call fails.
type faultyWindows struct {
	mfa.Windows
	mu    sync.Mutex
	calls int
	at    int // 0: never
}

func (f *faultyWindows) arm(at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.at = 0, at
}

func (f *faultyWindows) hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at > 0 && f.calls >= f.at
}

func (f *faultyWindows) Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (int, time.Time, error) {
	f.mu.Lock()
	f.calls++
	fails := f.calls == f.at
	f.mu.Unlock()
	if fails {
		return 0, time.Time{}, errBroken
	}
	return f.Windows.Hit(ctx, t, key, length, now)
}

// textOperation is something a host asks for; passed is whether it let somebody through.
type textOperation func(t *testing.T, ctx context.Context, w *texting) (passed bool, err error)

func textOperations() map[string]textOperation {
	return map[string]textOperation{
		"hint": func(_ *testing.T, ctx context.Context, w *texting) (bool, error) {
			hint, err := w.TextHint(ctx, clinic, lin)
			return hint != "", err
		},
		"send": func(_ *testing.T, ctx context.Context, w *texting) (bool, error) {
			again, err := w.SendText(ctx, clinic, "p-idle")
			return !again.IsZero(), err
		},
		"verify": func(t *testing.T, ctx context.Context, w *texting) (bool, error) {
			methods, err := w.VerifyText(ctx, clinic, lin, w.carrier.last(t))
			return methods != nil, err
		},
		"begin": func(_ *testing.T, ctx context.Context, w *texting) (bool, error) {
			again, err := w.BeginText(w.anew(ctx, "p-idle"), clinic, "p-idle", "+13125550142")
			return !again.IsZero(), err
		},
		"confirm": func(_ *testing.T, ctx context.Context, w *texting) (bool, error) {
			return w.ConfirmText(w.anew(ctx, diaz), clinic, diaz, w.codes[0])
		},
		"remove": func(_ *testing.T, ctx context.Context, w *texting) (bool, error) {
			err := w.RemoveText(w.anew(ctx, lin), clinic, lin)
			return err == nil, err
		},
		"status": func(_ *testing.T, ctx context.Context, w *texting) (bool, error) {
			s, err := w.Status(ctx, clinic, lin)
			return s.Text.State == mfa.On, err
		},
		"reset": func(_ *testing.T, ctx context.Context, w *texting) (bool, error) {
			err := w.Reset(audit.WithActor(ctx, audit.Actor{ID: admin, Kind: audit.KindStaff, Tenant: clinic}), clinic, lin, "why")
			return err == nil, err
		},
	}
}

// everybodyTexts is a world in which p-lin has a number and a live code, p-diaz a number and is
// about to confirm another, and p-idle a number.
func everybodyTexts(t *testing.T, store mfa.Store, windows mfa.Windows) *texting {
	w := newTexting(t, store, func(o *mfa.Options) { o.Texts.Windows = windows })
	w.number(t, lin, linsNumber)
	w.number(t, diaz, "+12125550187")
	w.number(t, "p-idle", "+13125550142")
	w.codes = []string{w.beginText(t, diaz, "+12125550188")}
	w.send(t, lin)
	return w
}

// Every store call of every operation fails, stalls or is cut off once. The answer is closed and
// typed, nothing passes, and afterwards everybody gets on.
func TestEveryStoreCallAboutTextsMayFail(t *testing.T) {
	t.Parallel()
	for name, do := range textOperations() {
		for _, mode := range []string{"fails", "stalls", "is cut off"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				bubble.Test(t, func(t *testing.T) { // what stalls ends in no time
					for at := 1; oneTextFault(t, at, mode, do); at++ {
					}
				})
			})
		}
	}
}

func oneTextFault(t *testing.T, at int, mode string, do textOperation) bool {
	store := &faultyTexts{&faulty{Store: mfa.NewMemory()}}
	w := everybodyTexts(t, store, mfa.NewMemory())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	sent := w.carrier.count()
	store.arm(at, mode)
	passed, err := do(t, ctx, w)
	if !store.hit() {
		require.NoError(t, err)
		require.True(t, passed)
		return false
	}
	if err != nil {
		require.ErrorIs(t, err, mfa.ErrUnavailable, "call %d", at)
		require.False(t, passed, "call %d", at)
		require.Equal(t, sent, w.carrier.count(), "call %d: sent, and said that it was not", at)
	}
	store.arm(0, "")
	w.goesOn(t)
	return true
}

// goesOn asserts that what is owed can be delivered and that p-idle can sign in and p-lin, if the
// number is still there, too.
func (w *texting) goesOn(t *testing.T) {
	t.Helper()
	w.clock.add(time.Hour)
	require.NoError(t, w.Deliver(t.Context()))
	for _, person := range []audit.ActorID{"p-idle", diaz, lin} {
		hint, err := w.TextHint(t.Context(), clinic, person)
		require.NoError(t, err)
		enrolled, err := w.Enrolled(t.Context(), clinic, person)
		require.NoError(t, err)
		require.Equal(t, enrolled, hint != "", "both rows say the same")
		if hint != "" {
			w.textPasses(t, person, w.send(t, person))
		} else {
			require.Equal(t, lin, person)
			require.Len(t, append(w.rec.Find(mfa.ActionReset), w.rec.Find(mfa.ActionTextRemoved)...), 1, "what ended it is on record")
		}
	}
}

// What cannot be counted is not sent, and its code is dead. A code that was answered counts for
// its owner whether or not the windows are there.
func TestEveryWindowMayFail(t *testing.T) {
	t.Parallel()
	for name, do := range textOperations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at++ {
				windows := &faultyWindows{Windows: mfa.NewMemory()}
				w := everybodyTexts(t, mfa.NewMemory(), windows)
				sent := w.carrier.count()
				windows.arm(at)
				passed, err := do(t, t.Context(), w)
				if !windows.hit() {
					require.NoError(t, err)
					require.True(t, passed)
					return
				}
				if name == "verify" || name == "confirm" {
					require.NoError(t, err)
					require.True(t, passed)
				} else {
					require.ErrorIs(t, err, mfa.ErrUnavailable, "call %d", at)
					require.False(t, passed)
					require.Equal(t, sent, w.carrier.count())
				}
				windows.arm(0)
				w.goesOn(t)
			}
		})
	}
}

// The n-th record fails, for every n: nothing is sent without one, and nobody passes.
func TestEveryRecordAboutTextsMayFail(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"send", "begin", "verify"} {
		w := everybodyTexts(t, mfa.NewMemory(), mfa.NewMemory())
		sent := w.carrier.count()
		w.rec.FailWith(errBroken)
		passed, err := textOperations()[name](t, t.Context(), w)
		require.ErrorIs(t, err, mfa.ErrUnavailable, name)
		require.False(t, passed, name)
		require.Equal(t, sent, w.carrier.count(), name)
		w.rec.FailWith(nil)
		w.goesOn(t)
	}
	w := everybodyTexts(t, mfa.NewMemory(), mfa.NewMemory())
	w.rec.FailWith(errBroken)
	_, err := w.VerifyText(t.Context(), clinic, lin, another(w.carrier.last(t)))
	require.ErrorIs(t, err, mfa.ErrUnavailable)
	require.Equal(t, 1, w.numberRow(t, lin).Failures, "a guess counts whether or not it could be recorded")
}

// The message is on record, durable, before the sender has it, and the sender is called while no
// transaction is open.
func TestTheRecordPrecedesTheMessage(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.number(t, lin, linsNumber)
		ctx, _ := audit.WithTrail(audit.WithActor(t.Context(), audit.Anonymous(clinic, netip.MustParseAddr("192.0.2.7"))), w.rec, audit.Event{})
		asked := 0
		w.carrier.hook = func(ctx context.Context, m mfa.TextMessage) error {
			asked++
			sent, ok := w.rec.Last(mfa.ActionTextSent)
			require.True(t, ok)
			require.Equal(t, "verify", sent.Code)
			require.Equal(t, string(lin), sent.Objects[0].ID)
			require.Len(t, w.rec.Find(mfa.ActionTextSent), 2)
			n := w.numberRow(t, lin)
			require.Equal(t, n.CodeID, m.ID)
			other := mfa.Number{ID: "n-other"} // a second writer would wait for a transaction
			short, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return w.store.ApplyNumber(short, mfa.NumberChange{Was: mfa.Ref{Tenant: clinic, Person: "p-other"}, Put: &other})
		}
		_, err := w.SendText(ctx, clinic, lin)
		require.NoError(t, err)
		require.Equal(t, 1, asked)
	})
}

// A message that could not be handed over is an error without the sender's words, its code is
// dead, and a new one can be sent at once.
func TestATextThatWasNotSent(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newTexting(t, open(t), nil)
		w.number(t, lin, linsNumber)
		var lost string
		w.carrier.hook = func(_ context.Context, m mfa.TextMessage) error {
			lost = m.Code.Reveal() // it arrived after all
			return errBroken
		}
		again, err := w.SendText(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrTextNotSent)
		require.NotErrorIs(t, err, errBroken)
		require.Zero(t, again)
		failed, ok := w.rec.Last(mfa.ActionTextFailed)
		require.True(t, ok)
		require.Equal(t, "not_sent", failed.Code)
		w.textRefuses(t, lin, lost)
		w.carrier.hook = nil
		w.textPasses(t, lin, w.send(t, lin))
	})
}

// A sender that does not answer is given up after ten seconds, also when the request went away.
func TestASenderThatStalls(t *testing.T) {
	t.Parallel()
	bubble.Test(t, func(t *testing.T) {
		w := newTexting(t, mfa.NewMemory(), nil)
		w.number(t, lin, linsNumber)
		w.carrier.hook = func(ctx context.Context, _ mfa.TextMessage) error {
			<-ctx.Done()
			return ctx.Err()
		}
		began := time.Now()
		_, err := w.SendText(t.Context(), clinic, lin)
		require.ErrorIs(t, err, mfa.ErrTextNotSent)
		require.Equal(t, 10*time.Second, time.Since(began))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = w.SendText(short, clinic, lin)
		require.ErrorIs(t, err, mfa.ErrTextNotSent)
		w.carrier.hook = nil
		w.textPasses(t, lin, w.send(t, lin))
	})
}
