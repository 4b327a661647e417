package authn_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// Each of these was possible once, as its comment says; its test shows that it no longer is.

// A banner version with a control character is a valid policy, and locks the whole tenant out.
func TestBannerLocksNobodyOut(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h := newHouse(t, store)
		h.ada(audit.KindPatient)
		p := authn.DefaultPolicy()
		p.Banner = authn.Banner{Version: "2026-01\n"} // as a text area sends it
		if err := h.m.SavePolicy(admin(t.Context()), clinic, p, false); err != nil {
			require.ErrorIs(t, err, authn.ErrPolicy)
			return
		}
		s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
		require.NoError(t, err)
		require.Equal(t, authn.NeedBanner, s.Need)
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: s.Banner}, home)
		require.NoError(t, err, "nobody of the tenant can sign in any more")
		require.Equal(t, authn.Done, s.Need)
	})
}

// A word with a control character passes Validate and cannot be recorded: 503 instead of 422.
func TestWordsAreRecordable(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := authn.DefaultPolicy()
	p.Passwords.Words = []string{"har\tbor"}
	require.ErrorIs(t, h.m.SavePolicy(admin(t.Context()), clinic, p, false), authn.ErrPolicy)
}

// Whoever is removed between Hold and Apply keeps the seat, and what was granted with it.
func TestSeatOfTheRemovedIsFree(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"reinstate", "join", "approve"} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil, func(o *authn.Options) {
				pol := authn.DefaultPolicy()
				pol.ApprovePatients = name == "approve"
				o.Policy = &pol
			})
			p, token := h.invite(audit.KindPatient)
			act := func() error { return nil }
			switch name {
			case "join":
				act = func() error {
					_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
					return err
				}
			case "approve":
				_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
				require.NoError(t, err)
				act = func() error { return h.m.Approve(admin(t.Context()), clinic, p.ID, "") }
			case "reinstate":
				_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
				require.NoError(t, err)
				require.NoError(t, h.m.Suspend(admin(t.Context()), clinic, p.ID, ""))
				act = func() error { return h.m.Reinstate(admin(t.Context()), clinic, p.ID, "") }
			}
			var once sync.Once
			h.wire.watch(func(_ int, call string) error {
				if call == "seats.Hold" {
					once.Do(func() { require.NoError(t, h.manager().Remove(admin(t.Context()), clinic, p.ID, "")) })
				}
				return nil
			})
			require.Error(t, act())
			h.wire.watch(nil)
			_, err := h.m.Deliver(t.Context())
			require.NoError(t, err)
			a, err := h.m.Account(t.Context(), clinic, p.ID)
			require.NoError(t, err)
			require.Equal(t, authn.Removed, a.Person.State)
			require.Empty(t, h.seats.of(p.ID), "a removed person holds a seat for good")
		})
	}
}

// A device service that is down keeps a compromised account from being locked out.
func TestSuspendWhileAnEnderIsDown(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	h.wire.watch(func(_ int, call string) error {
		if call == "devices.EndAll" {
			return errBroken
		}
		return nil
	})
	err := h.m.Suspend(admin(t.Context()), clinic, p.ID, "stolen")
	_, in := h.signIn(good)
	require.ErrorIs(t, in, authn.ErrDenied, "still signs in")
	require.ErrorIs(t, err, authn.ErrPending)
}

// Set-up of the first administrator hands out a link although somebody is active.
func TestSetUpAfterSetUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	_, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{ID: "0001", Kind: audit.KindStaff, Identifier: "eve@example.com", Role: "reader"})
	require.NoError(t, err)
	_, err = h.m.SetUp(t.Context(), clinic, authn.Newcomer{Identifier: "eve@example.com", Role: "owner"})
	require.ErrorIs(t, err, authn.ErrSetUpDone)
}

// Known bucket exhausted elsewhere; fresh browser signs in, becomes known, and is then locked out of its own next sign-in.
func TestKnownBucketPoisonsNoNewBrowser(t *testing.T) {
	t.Parallel()
	h, _, here := settled(t, nil)
	for range 20 {
		h.clock.Advance(h.options.AddressWindow + 3600e9)
		_, _ = h.through(ada, "wrong", here) // a stolen cookie
	}
	s, err := h.through(ada, good, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	fresh := home
	fresh.Known = s.Known.Reveal()
	h.clock.Advance(3600e9)
	_, err = h.through(ada, good, fresh)
	require.NoError(t, err, "the browser in which somebody has just signed in with every factor")
}

// A default policy with a version can never be replaced.
func TestDefaultPolicyWithAVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *authn.Options) {
		p := authn.DefaultPolicy()
		p.Version = 3 // read with Manager.Policy of another installation
		o.Policy = &p
	})
	p, err := h.m.Policy(t.Context(), clinic)
	require.NoError(t, err)
	require.NoError(t, h.m.SavePolicy(admin(t.Context()), clinic, p, false))
}

// The cookie of a known browser takes the budgets away: each request is one durable event, for
// ever, also from an address that no rule lets in, and also with a cookie of somebody removed.
func TestKnownCookieFloodsNoLog(t *testing.T) {
	t.Parallel()
	const flood = 1000
	try := func(t *testing.T, edit func(*authn.Policy), remove bool) int {
		h, p, here := settled(t, nil, func(o *authn.Options) { o.AddressTries, o.TenantTries = 50, 50 })
		if edit != nil {
			pol, err := h.m.Policy(t.Context(), clinic)
			require.NoError(t, err)
			edit(&pol)
			require.NoError(t, h.m.SavePolicy(admin(t.Context()), clinic, pol, true))
		}
		if remove {
			require.NoError(t, h.m.Remove(admin(t.Context()), clinic, p.ID, ""))
		}
		h.clock.Advance(time.Hour)
		h.rec.Reset()
		here.Addr = far.Addr
		for range flood {
			_, err := h.m.SignIn(t.Context(), clinic, ada, pw("wrong"), here)
			require.Error(t, err)
		}
		return len(h.events())
	}
	t.Run("throttled", func(t *testing.T) { require.Less(t, try(t, nil, false), 150) })
	t.Run("closed", func(t *testing.T) { require.Less(t, try(t, func(p *authn.Policy) { p.Closed = true }, true), 150) })
	t.Run("network", func(t *testing.T) {
		require.Less(t, try(t, func(p *authn.Policy) {
			p.Network.Staff, p.Network.Patients = networks(t, "192.0.2.0/24"), networks(t, "192.0.2.0/24")
		}, true), 150)
	})
}

// Who is refused the identifier they typed holds a seat for good though still invited: the
// reservation that lapses is gone.
func TestSeatOfARefusedSetUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	link, err := h.m.SetUp(t.Context(), clinic, authn.Newcomer{ID: "first"})
	require.NoError(t, err)
	_, err = h.m.Invite(t.Context(), clinic, authn.Newcomer{Identifier: ada})
	require.NoError(t, err)
	token := link.Reveal()[len(link.Reveal())-43:]
	_, err = h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good), Identifier: ada}, home)
	require.ErrorIs(t, err, authn.ErrExists)
	require.Equal(t, "reserved", h.seats.of("first"))
}
