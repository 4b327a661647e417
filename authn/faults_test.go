package authn_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// story is something that somebody does, from a furnished house on.
type story struct {
	run    func(ctx ctxT, h *house, p authn.Person) error
	action audit.Action // recorded exactly once if the account changed, "" if it does not
	topic  authn.Topic  // told if the account changed
}

func stories() map[string]story {
	step := func(h *house, s authn.Step, err error) error {
		if err == nil && s.Need == authn.Done {
			h.handed = append(h.handed, s.Token.Reveal())
		}
		return err
	}
	through := func(ctx ctxT, h *house, s authn.Step, err error) error {
		if err == nil && s.Need == authn.NeedSecondFactor {
			s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Code: code}, home)
		}
		return step(h, s, err)
	}
	return map[string]story{
		"sign in": {run: func(ctx ctxT, h *house, _ authn.Person) error {
			s, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
			return through(ctx, h, s, err)
		}},
		"wrong password": {run: func(ctx ctxT, h *house, _ authn.Person) error {
			_, err := h.m.SignIn(ctx, clinic, ada, pw("wrong"), home)
			return err
		}},
		"wrong code": {run: func(ctx ctxT, h *house, _ authn.Person) error {
			s, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
			if err == nil {
				_, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Code: "000000"}, home)
			}
			return err
		}},
		"enrol": {run: func(ctx ctxT, h *house, p authn.Person) error {
			h.factor.set(p.ID, false)
			s, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
			if err == nil {
				s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Code: code}, home)
			}
			return step(h, s, err)
		}},
		"reset": {action: authn.ActionResetPassword, topic: authn.TopicPasswordChanged, run: func(ctx ctxT, h *house, _ authn.Person) error {
			s, err := h.m.ResetPassword(ctx, h.reset, pw(other), home)
			return through(ctx, h, s, err)
		}},
		"ask for a reset": {run: func(ctx ctxT, h *house, _ authn.Person) error {
			return h.m.RequestReset(ctx, clinic, ada, home)
		}},
		"change": {action: authn.ActionChangePassword, topic: authn.TopicPasswordChanged, run: func(ctx ctxT, h *house, p authn.Person) error {
			s, err := h.m.ChangePassword(as(ctx, p), pw(good), pw(other), home)
			return through(ctx, h, s, err)
		}},
		"suspend": {action: authn.ActionSuspend, topic: authn.TopicSuspended, run: func(ctx ctxT, h *house, p authn.Person) error {
			return h.m.Suspend(admin(ctx), clinic, p.ID, "a reason")
		}},
		"remove": {action: authn.ActionRemove, topic: authn.TopicRemoved, run: func(ctx ctxT, h *house, p authn.Person) error {
			return h.m.Remove(admin(ctx), clinic, p.ID, "a reason")
		}},
		"reinstate": {action: authn.ActionReinstate, topic: authn.TopicReinstated, run: func(ctx ctxT, h *house, p authn.Person) error {
			a, err := h.store.Account(h.t.Context(), clinic, p.ID)
			if err == nil && a.Person.State == authn.Active {
				c := authn.Change{Person: a.Person, Expect: a.Person.Version}
				c.Person.State = authn.Suspended
				err = h.store.Apply(h.t.Context(), c)
			}
			return errors.Join(err, h.m.Reinstate(admin(ctx), clinic, p.ID, "a reason"))
		}},
		"approve": {action: authn.ActionApprove, topic: authn.TopicApproved, run: func(ctx ctxT, h *house, p authn.Person) error {
			a, err := h.store.Account(h.t.Context(), clinic, p.ID)
			if err == nil && a.Person.State == authn.Active {
				c := authn.Change{Person: a.Person, Expect: a.Person.Version}
				c.Person.State = authn.Waiting
				err = h.store.Apply(h.t.Context(), c)
			}
			return errors.Join(err, h.m.Approve(admin(ctx), clinic, p.ID, "a reason"))
		}},
		"prove": {run: func(ctx ctxT, h *house, p authn.Person) error {
			_, err := h.m.Prove(as(ctx, p), authn.Answer{Password: pw(good), Code: code}, home)
			return err
		}},
		"administrator's reset": {action: authn.ActionAdminReset, topic: authn.TopicReset, run: func(ctx ctxT, h *house, p authn.Person) error {
			return h.m.AdminReset(admin(ctx), clinic, p.ID, "a reason")
		}},
		"sign in where one is known": {run: func(ctx ctxT, h *house, _ authn.Person) error {
			s, err := h.m.SignIn(ctx, clinic, ada, pw(good), h.known)
			return through(ctx, h, s, err)
		}},
		"forget a browser": {run: func(ctx ctxT, h *house, p authn.Person) error {
			all, err := h.store.Devices(h.t.Context(), clinic, p.ID)
			require.NoError(h.t, err)
			require.NotEmpty(h.t, all)
			return h.m.ForgetDevice(as(ctx, p), clinic, p.ID, all[0].ID)
		}},
		"look at a link": {run: func(ctx ctxT, h *house, _ authn.Person) error {
			_, err := h.m.PeekLink(ctx, h.reset)
			return err
		}},
		"invite": {run: func(ctx ctxT, h *house, _ authn.Person) error {
			_, err := h.m.Invite(admin(ctx), clinic, authn.Newcomer{Identifier: "new@example.com"})
			return err
		}},
	}
}

// typed are the only answers to a fault.
func typed(err error) bool {
	for _, known := range []error{authn.ErrUnavailable, authn.ErrPending, authn.ErrDenied, context.Canceled} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// TestEveryCallMayFail fails each call that a story makes, once, and cuts each story off at
// each call. The answer is typed, no session lives that nobody was given, and nothing that
// was written is lost.
func TestEveryCallMayFail(t *testing.T) {
	t.Parallel()
	all := stories()
	maps.Copy(all, passkeyStories())
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, cut := range []bool{false, true} {
				for k := 0; ; k++ {
					if !s.survives(t, k, cut) {
						require.Greater(t, k, 1, "calls were really failed")
						break
					}
				}
			}
		})
	}
}

// survives runs the story with a fault at its k-th call. It reports whether there was one.
func (s story) survives(t *testing.T, k int, cut bool) (reached bool) {
	h, p := furnish(t)
	before, err := h.store.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	h.rec.Reset()
	notices := len(h.mail.all(s.topic))
	h.devices.pair(p.ID)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h.wire.watch(func(n int, name string) error {
		if n != k {
			return nil
		}
		reached = true
		if cut {
			cancel()
			return ctx.Err()
		}
		return errBroken
	})
	err = s.run(ctx, h, p)
	h.wire.watch(nil)
	require.True(t, err == nil || typed(err), "call %d: %v", k, err)
	for token := range h.sessions.all() {
		require.Contains(t, h.handed, token, "call %d: a session that nobody was given lives", k)
	}

	h.clock.Advance(time.Hour)
	_, err = h.manager().Deliver(t.Context())
	require.NoError(t, err)
	left, err := h.store.Claim(t.Context(), h.clock.Now().Add(time.Hour), h.clock.Now(), 9)
	require.NoError(t, err)
	require.Empty(t, left, "call %d: what could not be delivered at once is delivered later", k)
	after, err := h.store.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	held := map[authn.State]string{authn.Active: "held", authn.Waiting: "held"}
	if after.Person.Version != before.Person.Version {
		require.Equal(t, held[after.Person.State], h.seats.of(p.ID), "call %d: the seat follows", k)
	}
	if after.Person.State == authn.Removed || s.action == authn.ActionSuspend && after.Person.State == authn.Suspended {
		require.Zero(t, h.devices.of(p.ID), "call %d: everything ends", k)
	}
	if s.action == "" {
		require.Equal(t, before.Person.Version, after.Person.Version)
		return reached
	}
	if after.Person.Version == before.Person.Version {
		require.Empty(t, h.mail.all(s.topic)[notices:], "call %d: nothing happened, nobody is told", k)
		for _, e := range h.rec.Find(s.action) {
			require.NotEqual(t, audit.Success, e.Outcome, "call %d", k)
		}
		return reached
	}
	require.Len(t, h.rec.Find(s.action), 1, "call %d: recorded once", k)
	require.NotEmpty(t, h.mail.all(s.topic)[notices:], "call %d: the person is told", k)
	return reached
}

// all returns the live tokens.
func (s *sessions) all() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]bool{}
	for token := range s.live {
		out[token] = true
	}
	return out
}

// TestSessionThatCannotBeEnded: the re-read fails, and ending the session fails as well:
// still nobody gets its token, and the answer says that a part failed.
func TestSessionThatCannotBeEnded(t *testing.T) {
	t.Parallel()
	h, _ := furnish(t)
	started := false
	h.wire.watch(func(_ int, name string) error {
		started = started || name == "sessions.Start"
		if started && (name == "store.Account" || name == "sessions.End") {
			return errBroken
		}
		return nil
	})
	s, err := h.signIn(good)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	require.True(t, s.Token.IsZero())
}

// TestFailingRecorderKeepsPeopleOut: what cannot be recorded does not happen.
func TestFailingRecorderKeepsPeopleOut(t *testing.T) {
	t.Parallel()
	h, _ := furnish(t)
	h.sessions.clear()
	h.rec.FailWith(errBroken)
	_, err := h.signIn(good)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	_, err = h.signIn("wrong")
	require.ErrorIs(t, err, authn.ErrUnavailable)
	require.NotErrorIs(t, err, authn.ErrDenied)
	require.Zero(t, h.sessions.count())
}

func TestFailingPolicy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	h.wire.watch(func(_ int, name string) error {
		if name == "store.GetPolicy" {
			return errBroken
		}
		return nil
	})
	_, err := h.signIn(good)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	require.Zero(t, h.sessions.count())
	_, err = h.m.MinPassword(t.Context(), clinic, audit.KindPatient)
	require.ErrorIs(t, err, authn.ErrUnavailable)
}
