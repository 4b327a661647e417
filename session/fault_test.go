package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// impatient shortens the wait where something is to hang.
func impatient(kind string) func(*session.Options) {
	return func(o *session.Options) {
		if kind == "stalls" {
			o.Timeout = time.Second
		}
	}
}

// Every call of the store fails, or hangs until its deadline: the answer is closed and typed.
func TestStoreFaults(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	for kind, fault := range map[string]error{"fails": down, "stalls": stall{}} {
		cause := fault
		if kind == "stalls" {
			cause = context.DeadlineExceeded
		}
		for name, c := range map[string]struct {
			method string
			run    func(t *testing.T, d *desk, token string) error
		}{
			"start": {"Create", func(t *testing.T, d *desk, _ string) error {
				token, err := d.Start(t.Context(), staff(bob))
				require.Empty(t, token)
				require.Empty(t, d.log.Find("session.start")[1:], "nothing started, nothing recorded")
				return err
			}},
			"start over a session that cannot be ended": {"Revoke", func(t *testing.T, d *desk, token string) error {
				_, ctx := serve(d, get(token))
				token, err := d.Start(ctx, staff(bob))
				require.Empty(t, token)
				return err
			}},
			"check": {"Get", func(_ *testing.T, d *desk, token string) error { return d.state(token) }},
			"check that touches": {"Touch", func(_ *testing.T, d *desk, token string) error {
				d.clock.Add(time.Minute)
				return d.state(token)
			}},
			"end, reading": {"Get", func(t *testing.T, d *desk, token string) error {
				return d.End(t.Context(), token, session.ReasonSignOut)
			}},
			"end, writing": {"Revoke", func(t *testing.T, d *desk, token string) error {
				return d.End(t.Context(), token, session.ReasonSignOut)
			}},
			"end all": {"Revoke", func(t *testing.T, d *desk, _ string) error {
				return d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut)
			}},
			"end one": {"Revoke", func(t *testing.T, d *desk, _ string) error {
				return d.EndOne(audit.WithActor(t.Context(), staff(ann)), clinic, ann, audit.NewID(time.Now()), "x")
			}},
			"list": {"List", func(t *testing.T, d *desk, _ string) error {
				_, err := list(audit.WithActor(t.Context(), staff(ann)), d)
				return err
			}},
			"start, asking for the tag":    {"Route", started},
			"start, asking for the policy": {"GetPolicy", started},
			"reauthenticate": {"Rotate", func(t *testing.T, d *desk, token string) error {
				ctx := d.in(t, token)
				d.clock.Add(time.Second)
				next, err := d.Reauthenticated(ctx, d.again(ann), session.Confirm(export, patient17))
				require.Empty(t, next)
				require.Empty(t, d.log.Find("session.reauthenticate"))
				return err
			}},
			"confirm": {"Put", func(t *testing.T, d *desk, token string) error {
				ctx := d.in(t, token)
				d.clock.Add(time.Second)
				next, err := d.Reauthenticated(ctx, d.again(ann), session.Confirm(export, patient17))
				require.Empty(t, next)
				require.Zero(t, d.store.count("Rotate"))
				return err
			}},
			"rotate": {"Rotate", func(t *testing.T, d *desk, token string) error {
				next, err := d.Rotate(d.in(t, token))
				require.Empty(t, next)
				return err
			}},
			"step up": {"Consume", func(t *testing.T, d *desk, token string) error {
				owed, err := d.StepUp(d.in(t, token), export, patient17, time.Nanosecond)
				require.True(t, owed)
				return err
			}},
			"lock":     {"Lock", func(t *testing.T, d *desk, token string) error { return d.Lock(d.in(t, token)) }},
			"sign out": {"Revoke", func(t *testing.T, d *desk, token string) error { return d.SignOut(d.in(t, token)) }},
			"policy": {"GetPolicy", func(t *testing.T, d *desk, _ string) error {
				_, err := d.Policy(t.Context(), clinic)
				return err
			}},
			"save policy, reading": {"GetPolicy", func(t *testing.T, d *desk, _ string) error {
				return d.SavePolicy(audit.WithActor(t.Context(), staff(ann)), clinic, risky())
			}},
			"save policy, writing": {"SavePolicy", func(t *testing.T, d *desk, _ string) error {
				p := risky()
				p.Version = 1
				err := d.SavePolicy(audit.WithActor(t.Context(), staff(ann)), clinic, p)
				e, _ := d.log.Last("session.policy")
				require.Equal(t, "unavailable", e.Code, "the log says that it did not happen")
				return err
			}},
			"list, reading the policy": {"GetPolicy", func(t *testing.T, d *desk, _ string) error {
				_, err := list(audit.WithActor(t.Context(), staff(ann)), d)
				return err
			}},
			"purge": {"Purge", func(t *testing.T, d *desk, _ string) error {
				_, err := d.Purge(t.Context())
				return err
			}},
			"health": {"Get", func(t *testing.T, d *desk, _ string) error { return d.Health(t.Context()) }},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, session.NewMemory(), impatient(kind))
				save(t, d.store.Store, risky())
				token := d.start(t, staff(ann))
				d.store.breaks(c.method, fault)
				err := c.run(t, d, token)
				require.ErrorIs(t, err, session.ErrUnavailable)
				require.ErrorIs(t, err, cause)
				require.NotErrorIs(t, err, session.ErrNoSession, "a failure is not the same as signed out")

				d.store.breaks(c.method, nil)
				require.ErrorIs(t, d.Health(t.Context()), session.ErrNotRunning, "it recovers")
			})
		}
	}
}

func started(t *testing.T, d *desk, _ string) error {
	token, err := d.Start(t.Context(), staff(bob))
	require.Empty(t, token)
	require.Zero(t, d.store.count("Create")-1)
	return err
}

// Whatever failed in the middle of a change of token, the session goes on under the old one,
// and no confirmation is left that anybody could use.
func TestFailedReauthenticationLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Put", "Rotate"} {
		d := newDesk(t, session.NewMemory())
		save(t, d.store.Store, risky())
		token := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		ctx := d.in(t, token)
		d.store.breaks(method, errors.New("down"))
		_, err := d.Reauthenticated(ctx, d.again(ann), session.Area("settings"), session.Confirm(export, patient17))
		require.ErrorIs(t, err, session.ErrUnavailable)
		d.store.breaks(method, nil)
		require.EqualValues(t, 1, d.is(t, token).Version)
		require.True(t, d.owed(t, token, export, patient17, 0))
		require.True(t, d.owed(t, token, "settings.edit", patient17, 0))
		next, err := d.Reauthenticated(d.in(t, token), d.again(ann))
		require.NoError(t, err)
		require.True(t, d.owed(t, next, export, patient17, 0), "the next token does not find it either")
	}
}

// The page of a server whose store is down is a 503, and nothing behind it runs.
func TestStoreFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Get", "Touch"} {
		for kind, fault := range map[string]error{"fails": errors.New("down"), "stalls": stall{}} {
			t.Run(method+" "+kind, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, session.NewMemory(), impatient(kind), func(o *session.Options) {
					o.Tenant = func(*http.Request) audit.Tenant { return clinic }
				})
				token := d.start(t, staff(ann))
				d.clock.Add(time.Minute)
				d.store.breaks(method, fault)
				w, inside := serve(d, get(token))
				require.Equal(t, http.StatusServiceUnavailable, w.Code)
				require.Equal(t, "5", w.Header().Get("Retry-After"))
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
				require.Empty(t, w.Header()["Set-Cookie"], "the cookie may be good")
				require.Nil(t, inside)
				e, ok := d.log.Last("session.check")
				require.True(t, ok)
				require.Equal(t, audit.MajorFailure, e.Outcome)
				require.Equal(t, "unavailable", e.Code)

				w, inside = serve(d, get(""))
				require.Equal(t, http.StatusOK, w.Code, "who presents nothing needs no store")
				require.NotNil(t, inside)
			})
		}
	}
}

// A sign-in that cannot be recorded does not happen.
func TestUnrecordedStartDoesNotHappen(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		down := errors.New("the log is down")
		d := newDesk(t, open(t))
		d.log.FailWith(down)
		token, err := d.Start(t.Context(), staff(ann))
		require.ErrorIs(t, err, session.ErrUnrecorded)
		require.ErrorIs(t, err, down)
		require.Empty(t, token)
		all, err := list(audit.WithActor(t.Context(), staff(ann)), d)
		require.NoError(t, err)
		require.Empty(t, all, "the row is ended too")
	})
	t.Run("stalling", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, session.NewMemory(), impatient("stalls"))
		d.log.Stall()
		token, err := d.Start(t.Context(), staff(ann))
		require.ErrorIs(t, err, session.ErrUnrecorded)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, token)
	})
	t.Run("and undoing it fails", func(t *testing.T) {
		t.Parallel()
		d := newDesk(t, session.NewMemory())
		d.log.FailWith(errors.New("down"))
		d.store.breaks("Revoke", errors.New("down too"))
		token, err := d.Start(t.Context(), staff(ann))
		require.ErrorIs(t, err, session.ErrUnrecorded)
		require.ErrorIs(t, err, session.ErrUnavailable)
		require.Empty(t, token)
	})
}

// Ending must not wait for the log, and must say that it was not recorded.
func TestEndsEvenIfUnrecorded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	one, two, three := d.start(t, staff(ann)), d.start(t, staff(ann)), d.start(t, staff(ann))
	s, err := d.Check(get(two))
	require.NoError(t, err)
	d.log.FailWith(errors.New("down"))
	require.ErrorIs(t, d.End(t.Context(), one, session.ReasonSignOut), session.ErrUnrecorded)
	require.ErrorIs(t, d.state(one), session.ErrEnded)
	require.ErrorIs(t, d.EndOne(audit.WithActor(t.Context(), staff(ann)), clinic, ann, s.ID, "x"), session.ErrUnrecorded)
	require.ErrorIs(t, d.state(two), session.ErrEnded)
	require.ErrorIs(t, d.EndAll(t.Context(), clinic, ann, "x"), session.ErrUnrecorded)
	require.ErrorIs(t, d.state(three), session.ErrEnded)

	d.log.FailWith(nil)
	require.NoError(t, d.EndAll(t.Context(), clinic, ann, "x"), "again, until it is on record")
	require.Len(t, d.log.Find("session.end_all"), 1)
}

// A tab that is closed while it signs out is signed out all the same.
func TestCancelledSignOutEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, d.EndAll(ctx, clinic, ann, session.ReasonSignOut))
	require.ErrorIs(t, d.state(token), session.ErrEnded)
	require.Len(t, d.log.Find("session.end_all"), 1)
}

// An expired session whose end cannot be written down is dead all the same.
func TestExpiredStaysDeadWithoutTheStore(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	d.clock.Add(15 * time.Minute)
	d.store.breaks("Revoke", errors.New("down"))
	require.ErrorIs(t, d.state(token), session.ErrExpired)
	d.store.breaks("Revoke", nil)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
	require.Equal(t, 2, d.store.count("Revoke"), "once it is written down, that is enough")
}
