package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

// One response at many places at once proves something at one of them.
func TestOneAssertionManyRequestsOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		d := w.own(t, lin)
		options, state, err := w.AskPasskey(t.Context(), clinic, "")
		require.NoError(t, err)
		response, err := d.Get(options)
		require.NoError(t, err)
		var won atomic.Int64
		together(crowd(), func(int) {
			proof, err := w.VerifyPasskey(t.Context(), clinic, lin, state, response)
			if err != nil && !errors.Is(err, mfa.ErrPasskeyDisabled) {
				t.Error(err)
			}
			if proof.ID != "" {
				won.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Len(t, w.rec.Find(mfa.ActionVerified), 1)
	})
}

func TestOneRegistrationManyRequestsOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), nil)
		options, state, err := w.BeginPasskey(t.Context(), clinic, lin, "lin@example.com")
		require.NoError(t, err)
		response, err := passkeytest.New(origin).Create(options)
		require.NoError(t, err)
		var won atomic.Int64
		together(crowd(), func(int) {
			proof, err := w.AddPasskey(t.Context(), clinic, lin, state, response, "")
			if err != nil && !errors.Is(err, mfa.ErrEnrolled) {
				t.Error(err)
			}
			if proof.ID != "" {
				won.Add(1)
			}
		})
		require.EqualValues(t, 1, won.Load())
		require.Len(t, w.keys(t, lin), 1)
	})
}

// Of two that are left, one goes, whoever is first.
func TestRemovalsAtOnceLeaveOne(t *testing.T) {
	everywhere(t, func(t *testing.T, open func(testing.TB) mfa.Store) {
		w := newWorld(t, open(t), func(o *mfa.Options) { o.Required = always })
		w.own(t, lin)
		w.own(t, lin)
		keys := w.keys(t, lin)
		ctx := w.fresh(t, lin)
		var removed, refused atomic.Int64
		together(2, func(i int) {
			switch err := w.RemovePasskey(ctx, clinic, lin, keys[i].ID); {
			case err == nil:
				removed.Add(1)
			case errors.Is(err, mfa.ErrRequired):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		require.EqualValues(t, 1, removed.Load())
		require.EqualValues(t, 1, refused.Load())
		require.Len(t, w.keys(t, lin), 1)
	})
}

// meddled is a store where something else happens right before its n-th call.
type meddled struct {
	mfa.Store
	calls   []string
	at      int // 0: never
	meddle  func()
	meddled bool
}

func (m *meddled) call(name string) {
	if m.at == 0 || m.meddled {
		return
	}
	if len(m.calls)+1 == m.at {
		m.meddled = true
		m.meddle()
		return
	}
	m.calls = append(m.calls, name)
}

func (m *meddled) Get(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Credential, error) {
	m.call("get")
	return m.Store.Get(ctx, t, p)
}

func (m *meddled) Apply(ctx context.Context, c mfa.Change) error {
	m.call("apply")
	return m.Store.Apply(ctx, c)
}

func (m *meddled) Advance(ctx context.Context, r mfa.Ref, step int64, now time.Time) (bool, error) {
	m.call("advance")
	return m.Store.Advance(ctx, r, step, now)
}

func (m *meddled) Passkeys(ctx context.Context, t audit.Tenant, p audit.ActorID) ([]mfa.PasskeyRow, error) {
	m.call("passkeys")
	return m.Store.Passkeys(ctx, t, p)
}

func (m *meddled) FindPasskey(ctx context.Context, t audit.Tenant, hash []byte) (mfa.PasskeyRow, error) {
	m.call("find")
	return m.Store.FindPasskey(ctx, t, hash)
}

func (m *meddled) UsePasskey(ctx context.Context, r mfa.Ref, n uint32, b bool, now time.Time) (bool, error) {
	m.call("use")
	return m.Store.UsePasskey(ctx, r, n, b, now)
}

func (m *meddled) Done(ctx context.Context, t audit.Tenant, id string) error {
	m.call("done")
	return m.Store.Done(ctx, t, id)
}

// before reports whether the meddling came before the operation's call of this name.
func (m *meddled) before(name string) bool {
	return m.meddled && !strings.Contains(strings.Join(m.calls, " "), name)
}

// scene is what interleaved operations act on: somebody with an app and a passkey each.
type scene struct {
	*world
	store *meddled
	key   mfa.Key
	d     *passkeytest.Device
	id    string
	err   error // of what meddled
}

func newScene(t *testing.T, edit func(*mfa.Options)) *scene {
	t.Helper()
	m := &meddled{Store: mfa.NewMemory()}
	s := &scene{world: newWorld(t, m, edit), store: m}
	s.key = s.enrol(t, lin)
	s.d = s.own(t, lin)
	s.next()
	s.id = s.keys(t, lin)[0].ID
	return s
}

// interleave runs an operation once for each of its store calls, with a meddler before it.
func interleave(t *testing.T, set func(t *testing.T) *scene, meddle, operation func(t *testing.T, s *scene)) {
	t.Helper()
	points := 0
	for at := 1; ; at++ {
		s := set(t)
		s.store.calls, s.store.at, s.store.meddle = nil, at, func() { meddle(t, s) }
		operation(t, s)
		if !s.store.meddled {
			break
		}
		points++
	}
	require.Greater(t, points, 2, "it makes more store calls than that")
}

// Whatever comes between the calls of a verification: what was ended before it counted proves
// nothing, and what proved something was there.
func TestNothingEndsUnderAVerification(t *testing.T) {
	t.Parallel()
	ends := map[string]func(t *testing.T, s *scene){
		"reset":  func(t *testing.T, s *scene) { require.NoError(t, s.Reset(as(t, admin), clinic, lin, "")) },
		"remove": func(t *testing.T, s *scene) { require.NoError(t, s.RemovePasskey(s.fresh(t, lin), clinic, lin, s.id)) },
		"copy": func(t *testing.T, s *scene) {
			thief := s.d.Clone()
			_, err := s.use(t.Context(), lin, thief)
			require.NoError(t, err)
			thief = s.d.Clone()
			_, err = s.use(t.Context(), lin, thief)
			require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var response, state []byte
			set := func(t *testing.T) *scene {
				s := newScene(t, nil)
				options, begun, err := s.AskPasskey(t.Context(), clinic, "")
				require.NoError(t, err)
				mine := s.d.Clone() // so that the copy's counter is behind
				for range 3 {
					response, err = mine.Get(options)
					require.NoError(t, err)
				}
				state = begun
				return s
			}
			interleave(t, set, end, func(t *testing.T, s *scene) {
				proof, err := s.VerifyPasskey(t.Context(), clinic, lin, state, response)
				if s.store.meddled && s.store.before("use") {
					require.Empty(t, proof.ID, "ended before call %d", s.store.at)
					require.Equal(t, name == "copy", errors.Is(err, mfa.ErrPasskeyDisabled), "%v", err)
					require.True(t, name == "copy" || err == nil, err)
				} else {
					require.NoError(t, err)
					require.Equal(t, lin, proof.ID)
				}
			})
		})
	}
}

// A registration that was begun before a reset adds nothing after it, whenever the reset comes.
func TestNothingIsAddedAfterAReset(t *testing.T) {
	t.Parallel()
	var response, state []byte
	set := func(t *testing.T) *scene {
		s := newScene(t, nil)
		options, begun, err := s.BeginPasskey(s.fresh(t, lin), clinic, lin, "lin@example.com")
		require.NoError(t, err)
		response, err = passkeytest.New(origin).Create(options)
		require.NoError(t, err)
		state = begun
		return s
	}
	reset := func(t *testing.T, s *scene) { require.NoError(t, s.Reset(as(t, admin), clinic, lin, "")) }
	interleave(t, set, reset, func(t *testing.T, s *scene) {
		proof, err := s.AddPasskey(s.fresh(t, lin), clinic, lin, state, response, "")
		if s.store.meddled {
			require.False(t, s.enrolled(t, lin), "reset before call %d", s.store.at)
		} else {
			require.Equal(t, lin, proof.ID)
		}
		if s.store.before("apply") {
			require.Empty(t, proof.ID)
			require.NoError(t, err)
		}
	})
}

// Two who know one password set up a first factor each: one of them gets in.
func TestTwoGuidedSetUpsGiveOneFactor(t *testing.T) {
	t.Parallel()
	var response, state []byte
	var key mfa.Key
	set := func(t *testing.T) *scene {
		s := newScene(t, nil)
		options, begun, err := s.BeginPasskey(t.Context(), clinic, diaz, "diaz@example.com")
		require.NoError(t, err)
		response, err = passkeytest.New(origin).Create(options)
		require.NoError(t, err)
		state, key = begun, s.begin(t, diaz)
		return s
	}
	app := func(t *testing.T, s *scene) {
		_, s.err = s.Confirm(t.Context(), clinic, diaz, s.code(t, key, 0))
	}
	check := func(t *testing.T, s *scene, proof audit.Actor) {
		status, err := s.Status(t.Context(), clinic, diaz)
		require.NoError(t, err)
		require.Equal(t, proof.ID == diaz, status.Passkeys == 1)
		require.NotEqual(t, status.Passkeys == 1, status.State == mfa.On, "one of the two, at %d: %+v", s.store.at, status)
	}
	interleave(t, set, app, func(t *testing.T, s *scene) {
		proof, err := s.AddPasskey(t.Context(), clinic, diaz, state, response, "")
		require.True(t, err == nil || errors.Is(err, mfa.ErrEnrolled), err)
		check(t, s, proof)
	})
	var proof audit.Actor
	passkey := func(t *testing.T, s *scene) {
		proof, s.err = s.AddPasskey(t.Context(), clinic, diaz, state, response, "")
	}
	interleave(t, set, passkey, func(t *testing.T, s *scene) {
		proof = audit.Actor{}
		_, err := s.Confirm(t.Context(), clinic, diaz, s.code(t, key, 0))
		require.True(t, err == nil || errors.Is(err, mfa.ErrEnrolled), err)
		check(t, s, proof)
	})
}

// Where a factor is required, the app and the last passkey never go both.
func TestTheLastTwoNeverGoBoth(t *testing.T) {
	t.Parallel()
	set := func(t *testing.T) *scene {
		return newScene(t, func(o *mfa.Options) { o.Required = always })
	}
	remove := func(t *testing.T, s *scene) error { return s.RemovePasskey(s.fresh(t, lin), clinic, lin, s.id) }
	disable := func(t *testing.T, s *scene) error {
		ok, err := s.Disable(s.fresh(t, lin), clinic, lin, "")
		if err == nil && !ok {
			return fmt.Errorf("not disabled")
		}
		return err
	}
	for name, pair := range map[string][2]func(*testing.T, *scene) error{
		"disable under remove": {disable, remove}, "remove under disable": {remove, disable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			interleave(t, set, func(t *testing.T, s *scene) { s.err = pair[0](t, s) }, func(t *testing.T, s *scene) {
				err := pair[1](t, s)
				require.True(t, s.enrolled(t, lin), "at %d", s.store.at)
				if s.store.meddled {
					require.True(t, (err == nil) != (s.err == nil), "exactly one: %v, %v", err, s.err)
				}
			})
		})
	}
}

// A new label neither brings back a counter nor a disabled key.
func TestARenameUndoesNothing(t *testing.T) {
	t.Parallel()
	set := func(t *testing.T) *scene { return newScene(t, nil) }
	rename := func(t *testing.T, s *scene) {
		require.NoError(t, s.RenamePasskey(as(t, lin), clinic, lin, s.id, "renamed"))
	}
	interleave(t, set, func(t *testing.T, s *scene) { s.works(t, lin, s.d) }, func(t *testing.T, s *scene) {
		thief := s.d.Clone()
		rename(t, s)
		require.Equal(t, "renamed", s.keys(t, lin)[0].Label)
		if s.store.meddled {
			_, err := s.use(t.Context(), lin, thief)
			require.ErrorIs(t, err, mfa.ErrPasskeyDisabled, "the counter is as used, at %d", s.store.at)
		}
	})
	interleave(t, set, func(t *testing.T, s *scene) { s.clone(t, lin, s.d) }, func(t *testing.T, s *scene) {
		rename(t, s)
		if s.store.meddled {
			require.False(t, s.keys(t, lin)[0].Disabled.IsZero(), "at %d", s.store.at)
			_, _, err := s.AskPasskey(t.Context(), clinic, lin)
			require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
		}
	})
}
