package authn_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// This file runs the protocol's real code: one side is stopped before each call it makes to
// a store, the sessions, the second factor or the recorder, the other side runs from
// beginning to end in that gap, and then the first goes on, or never does.

// endings are the changes that end the right to be signed in by what was right before.
func endings() map[string]func(h *house, id audit.ActorID) error {
	return map[string]func(h *house, id audit.ActorID) error{
		"suspend": func(h *house, id audit.ActorID) error { return h.m.Suspend(admin(h.t.Context()), clinic, id, "") },
		"remove":  func(h *house, id audit.ActorID) error { return h.m.Remove(admin(h.t.Context()), clinic, id, "") },
		"expire": func(h *house, id audit.ActorID) error {
			return h.m.ExpirePassword(admin(h.t.Context()), clinic, id, "")
		},
		"reset": func(h *house, id audit.ActorID) error { return h.m.AdminReset(admin(h.t.Context()), clinic, id, "") },
		"change": func(h *house, id audit.ActorID) error {
			_, err := h.m.ChangePassword(as(h.t.Context(), authn.Person{ID: id, Tenant: clinic, Kind: audit.KindStaff}), pw(good), pw(other), home)
			return err
		},
		"link": func(h *house, _ audit.ActorID) error {
			_, err := h.m.ResetPassword(h.t.Context(), h.reset, pw(other), home)
			return err
		},
		"factor": func(h *house, id audit.ActorID) error {
			return h.m.ResetFactor(admin(h.t.Context()), clinic, id, "", func(ctxT) error { h.factor.set(id, false); return nil })
		},
	}
}

// furnish is a house with ada in it, signed in once, with a reset link in the mail.
func furnish(t *testing.T) (*house, authn.Person) {
	t.Helper()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	s, err := h.signIn(good)
	require.NoError(t, err)
	h.handed = []string{s.Token.Reveal()}
	h.known = home
	h.known.Known = s.Known.Reveal()
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	h.reset = h.mail.token(t, authn.TopicReset)
	return h, p
}

// trySignIn signs in with the old password and remembers what was handed out.
func (h *house) trySignIn() {
	if s, err := h.signIn(good); err == nil && s.Need == authn.Done {
		h.handed = append(h.handed, s.Token.Reveal())
	}
}

// exposed returns a handed-out session that lives.
func (h *house) exposed() (string, bool) {
	for _, token := range h.handed {
		if _, live := h.sessions.of(token); live {
			return token, true
		}
	}
	return "", false
}

// inGap runs f once, before the k-th call. It reports whether there was such a call.
func (h *house) inGap(k int, f func() error) (reached *bool) {
	reached = new(bool)
	h.wire.watch(func(n int, _ string) error {
		if n != k || *reached {
			return nil
		}
		*reached = true
		return f()
	})
	return reached
}

// gaps runs f for k = 0, 1, 2 … until there is no such gap, with a fresh house each.
func gaps(t *testing.T, least int, f func(t *testing.T, h *house, p authn.Person, k int) (reached bool)) {
	for k := 0; ; k++ {
		h, p := furnish(t)
		if !f(t, h, p, k) {
			require.Greater(t, k, least, "the gaps were really looked at")
			return
		}
	}
}

// TestChangeInsideSignIn: the whole change happens in a gap of a sign-in.
func TestChangeInsideSignIn(t *testing.T) {
	t.Parallel()
	for name, change := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gaps(t, 15, func(t *testing.T, h *house, p authn.Person, k int) bool {
				var changed error
				reached := h.inGap(k, func() error { changed = change(h, p.ID); return nil })
				h.trySignIn()
				if !*reached {
					return false
				}
				require.NoError(t, changed, "gap %d", k)
				token, live := h.exposed()
				require.False(t, live, "gap %d: %s lives after the change was answered", k, token)
				return true
			})
		})
	}
}

// TestChangeInsideDuePassword: a sign-in that sets a new password does not undo a change
// that happens in a gap of it.
func TestChangeInsideDuePassword(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"suspend", "remove", "reset", "link"} {
		change := endings()[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gaps(t, 15, func(t *testing.T, h *house, p authn.Person, k int) bool {
				a, err := h.store.Account(t.Context(), clinic, p.ID)
				require.NoError(t, err)
				a.Password.Due = true
				require.NoError(t, h.store.Apply(t.Context(), authn.Change{Person: a.Person, Expect: a.Person.Version, Password: &a.Password}))
				s, err := h.signIn(good)
				require.NoError(t, err)
				require.Equal(t, authn.NeedPassword, s.Need)
				var changed error
				reached := h.inGap(k, func() error { changed = change(h, p.ID); return nil })
				s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Password: pw("chosen by whoever it was")}, home)
				if !*reached {
					return false
				}
				if changed != nil { // the link died with the new password
					require.ErrorIs(t, changed, authn.ErrLinkUsed)
					return true
				}
				if err == nil {
					h.handed = append(h.handed, s.Token.Reveal())
				}
				token, live := h.exposed()
				require.False(t, live, "gap %d: %s lives after the change was answered", k, token)
				h.wire.watch(nil)
				_, err = h.signIn("chosen by whoever it was")
				require.Error(t, err, "gap %d: the change was undone", k)
				return true
			})
		})
	}
}

// TestChangeInsideChangePassword: nor does somebody's own change of password.
func TestChangeInsideChangePassword(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"suspend", "remove", "reset", "link"} {
		change := endings()[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gaps(t, 10, func(t *testing.T, h *house, p authn.Person, k int) bool {
				var changed error
				reached := h.inGap(k, func() error { changed = change(h, p.ID); return nil })
				_, err := h.m.ChangePassword(as(t.Context(), p), pw(good), pw("chosen by whoever it was"), home)
				if !*reached {
					return false
				}
				if changed != nil {
					require.ErrorIs(t, changed, authn.ErrLinkUsed)
					return true
				}
				_, live := h.exposed()
				require.False(t, live, "gap %d", k)
				h.wire.watch(nil)
				_, again := h.signIn("chosen by whoever it was")
				require.Error(t, again, "gap %d: the change was undone (%v)", k, err)
				return true
			})
		})
	}
}

// TestLinkDoesNotReactivate: a link whose person's state changes in the last moment does not
// change it back.
func TestLinkDoesNotReactivate(t *testing.T) {
	t.Parallel()
	h, p := furnish(t)
	done := false
	h.wire.watch(func(_ int, name string) error {
		if name != "store.Apply" || done {
			return nil
		}
		done = true
		a, err := h.store.Account(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		c := authn.Change{Person: a.Person, Expect: a.Person.Version}
		c.Person.Version++
		c.Person.State = authn.Suspended
		return h.store.Apply(t.Context(), c)
	})
	_, err := h.m.ResetPassword(t.Context(), h.reset, pw(other), home)
	require.ErrorIs(t, err, authn.ErrLinkUsed)
	a, err := h.store.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, authn.Suspended, a.Person.State)
}

// TestSignInInsideChange: the whole sign-in happens in a gap of a change.
func TestSignInInsideChange(t *testing.T) {
	t.Parallel()
	for name, change := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gaps(t, 6, func(t *testing.T, h *house, p authn.Person, k int) bool {
				reached := h.inGap(k, func() error { h.trySignIn(); return nil })
				err := change(h, p.ID)
				if !*reached {
					return false
				}
				if err == nil {
					token, live := h.exposed()
					require.False(t, live, "gap %d: %s lives after the change was answered", k, token)
				}
				return true
			})
		})
	}
}

var errCrash = errors.New("the process is gone")

// TestCrashInsideChange: the change's process dies before its k-th call, a sign-in happens
// in that moment, and another process drains the outbox.
func TestCrashInsideChange(t *testing.T) {
	t.Parallel()
	for name, change := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gaps(t, 6, func(t *testing.T, h *house, p authn.Person, k int) bool {
				reached := h.inGap(k, func() error {
					h.trySignIn()
					panic(errCrash)
				})
				before, err := h.store.Account(t.Context(), clinic, p.ID)
				require.NoError(t, err)
				func() {
					defer func() {
						if r := recover(); r != nil && r != errCrash {
							panic(r)
						}
					}()
					_ = change(h, p.ID)
				}()
				if !*reached {
					return false
				}
				h.wire.watch(nil)
				h.clock.Advance(time.Minute) // the lease of the dead process
				h.m = h.manager()
				_, err = h.m.Deliver(t.Context())
				require.NoError(t, err)
				after, err := h.store.Account(t.Context(), clinic, p.ID)
				require.NoError(t, err)
				if after.Person.Version == before.Person.Version || name == "factor" && h.factor.has(p.ID) {
					return true // the change never was
				}
				token, live := h.exposed()
				require.False(t, live, "gap %d: %s lives after recovery", k, token)
				left, err := h.store.Claim(t.Context(), h.clock.Now().Add(time.Hour), h.clock.Now(), 9)
				require.NoError(t, err)
				require.Empty(t, left, "gap %d", k)
				return true
			})
		})
	}
}

// TestCrashInsideSignIn: a sign-in dies before its k-th call; whatever it leaves, nobody has
// a token of it, and the person can sign in again.
func TestCrashInsideSignIn(t *testing.T) {
	t.Parallel()
	gaps(t, 15, func(t *testing.T, h *house, _ authn.Person, k int) bool {
		reached := h.inGap(k, func() error { panic(errCrash) })
		handed := len(h.handed)
		func() {
			defer func() { _ = recover() }()
			h.trySignIn()
		}()
		if !*reached {
			return false
		}
		require.Len(t, h.handed, handed)
		h.wire.watch(nil)
		h.m = h.manager()
		s, err := h.signIn(good)
		require.NoError(t, err, "gap %d", k)
		require.Equal(t, authn.Done, s.Need)
		return true
	})
}

// TestGapsAreSeen shows that the tests above would find an exposure: a store that forgets
// what the version is for lets one through.
func TestGapsAreSeen(t *testing.T) {
	t.Parallel()
	found := ""
	for k := 0; k < 40 && found == ""; k++ {
		h, p := furnish(t)
		whole := h.m
		h.parts.Store = sameVersion{h.parts.Store}
		h.m = h.manager()
		h.inGap(k, func() error { return whole.Suspend(admin(t.Context()), clinic, p.ID, "") })
		h.trySignIn()
		if token, live := h.exposed(); live {
			found = fmt.Sprintf("gap %d: %s", k, token)
		}
	}
	require.NotEmpty(t, found)
}

// sameVersion is a store whose people never seem to change.
type sameVersion struct{ authn.Store }

func (s sameVersion) Account(ctx ctxT, t audit.Tenant, id audit.ActorID) (authn.Account, error) {
	a, err := s.Store.Account(ctx, t, id)
	a.Person.Version, a.Person.State = 3, authn.Active
	return a, err
}
