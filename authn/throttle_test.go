package authn_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/enginetest"
)

func TestDelays(t *testing.T) {
	t.Parallel()
	l := authn.Limits{Free: 4, Base: time.Second, Max: 15 * time.Minute, Disable: 100}
	for n, d := range map[int]time.Duration{
		0: 0, 1: 0, 4: 0, 5: time.Second, 6: 2 * time.Second, 7: 4 * time.Second, 14: 512 * time.Second, 15: 15 * time.Minute, 100: 15 * time.Minute,
	} {
		require.Equal(t, d, l.Delay(n), n)
	}
}

func TestThrottleEscalates(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	try := func() error {
		_, err := h.m.SignIn(t.Context(), clinic, ada, pw("wrong"), home)
		return err
	}
	for range 5 {
		require.ErrorIs(t, try(), authn.ErrDenied)
	}
	var throttled *authn.ThrottledError
	for wait := time.Second; wait <= 8*time.Second; wait *= 2 {
		require.ErrorAs(t, try(), &throttled)
		require.Equal(t, wait, throttled.RetryAfter)
		_, err := h.signIn(good)
		require.ErrorIs(t, err, authn.ErrThrottled, "the right password does not help")
		h.clock.Advance(wait)
		require.ErrorIs(t, try(), authn.ErrDenied)
	}
	h.clock.Advance(time.Hour)
	_, err := h.signIn(good)
	require.NoError(t, err)
	for range 5 {
		require.ErrorIs(t, try(), authn.ErrDenied, "success resets")
	}
	e, _ := h.rec.Last(authn.ActionSignIn)
	require.Equal(t, authn.CodeCredential, e.Code)
	require.ErrorIs(t, try(), authn.ErrThrottled)
	e, _ = h.rec.Last(authn.ActionSignIn)
	require.Equal(t, authn.CodeThrottled, e.Code)
}

// TestDisabledAtOneHundred is NIST SP 800-63B-4, 3.2.2: no more than 100 consecutive
// failures, those in known browsers included, then the authenticator is disabled and bound anew.
func TestDisabledAtOneHundred(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	s, err := h.signIn(good)
	require.NoError(t, err)
	here := home
	here.Known = s.Known.Reveal()
	var throttled *authn.ThrottledError
	tried := 0
	for _, from := range []authn.Client{home, here} {
		for range 101 {
			_, err := h.m.SignIn(t.Context(), clinic, ada, pw("wrong"), from)
			h.clock.Advance(time.Hour)
			if errors.Is(err, authn.ErrDenied) {
				tried++
				continue
			}
			require.ErrorAs(t, err, &throttled)
			require.True(t, throttled.Disabled)
		}
	}
	require.Equal(t, 100, tried)
	h.clock.Advance(1000 * time.Hour)
	_, err = h.signIn(good)
	require.ErrorAs(t, err, &throttled)
	require.True(t, throttled.Disabled)
	_, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), here)
	require.ErrorAs(t, err, &throttled)
	require.True(t, throttled.Disabled)
	e, _ := h.rec.Last(authn.ActionSignIn)
	require.Equal(t, authn.CodeDisabled, e.Code)

	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	s, err = h.m.ResetPassword(t.Context(), h.mail.token(t, authn.TopicReset), pw(other), home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)

	require.NoError(t, h.m.Unlock(admin(t.Context()), clinic, p.ID, "called the front desk"))
	_, err = h.signIn(other)
	require.NoError(t, err)
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	for range 6 {
		_, _ = h.signIn("wrong")
	}
	_, err := h.signIn(good)
	require.ErrorIs(t, err, authn.ErrThrottled)
	_, _, err = h.store.Charge(t.Context(), clinic, p.ID, authn.FamilySecond, authn.Limits{Free: 4, Base: time.Second, Max: time.Minute, Disable: 9}, h.clock.Now())
	require.NoError(t, err)
	require.NoError(t, h.m.Unlock(admin(t.Context()), clinic, p.ID, "on the phone"))
	a, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Zero(t, a.Password.Failures+a.Second.Failures)
	s, err := h.signIn(good)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	e, ok := h.rec.Last(authn.ActionUnlock)
	require.True(t, ok)
	require.Equal(t, audit.ActorID("boss"), e.Actor.ID)
	why, _ := e.Why.Reveal()
	require.Equal(t, "on the phone", why)
}

// TestSpellingsShareOneCounter is the lesson of Authelia's CVE-2025-24806 and CVE-2026-47203:
// counting per spelling multiplies the tries.
func TestSpellingsShareOneCounter(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	for _, who := range []string{ada, "ADA@example.com", " ada@example.com", "ada@EXAMPLE.com ", "ａda@example.com"} {
		_, err := h.m.SignIn(t.Context(), clinic, who, pw("wrong"), home)
		require.ErrorIs(t, err, authn.ErrDenied)
	}
	_, err := h.m.SignIn(t.Context(), clinic, "aDa@example.com", pw("wrong"), home)
	require.ErrorIs(t, err, authn.ErrThrottled)
}

func TestAddressBudget(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *authn.Options) { o.AddressTries = 3 })
	try := func(who, addr string) error {
		_, err := h.m.SignIn(t.Context(), clinic, who, pw("x"), authn.Client{Addr: netip.MustParseAddr(addr)})
		return err
	}
	for _, who := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		require.ErrorIs(t, try(who, "2001:db8::1"), authn.ErrDenied)
	}
	var throttled *authn.ThrottledError
	require.ErrorAs(t, try("d@example.com", "2001:db8::2"), &throttled, "one /64 is one customer")
	require.Equal(t, 10*time.Minute, throttled.RetryAfter)
	require.ErrorIs(t, try("d@example.com", "2001:db8::3"), authn.ErrThrottled)
	require.ErrorIs(t, try("d@example.com", "2001:db8:0:1::1"), authn.ErrDenied)
	require.ErrorIs(t, try("d@example.com", "192.0.2.1"), authn.ErrDenied)
	require.Len(t, h.rec.Find(authn.ActionThrottle), 1, "a flood of requests is no flood of events")
	h.clock.Advance(10 * time.Minute)
	require.ErrorIs(t, try("d@example.com", "2001:db8::1"), authn.ErrDenied)
}

func TestAddressKeys(t *testing.T) {
	t.Parallel()
	for a, key := range map[string]string{
		"192.0.2.1": "addr:192.0.2.1", "::ffff:192.0.2.1": "addr:192.0.2.1", "2001:db8::1": "addr:2001:db8::/64", "fe80::1%eth0": "addr:fe80::/64",
	} {
		require.Equal(t, key, authn.AddressKey(netip.MustParseAddr(a)))
	}
	require.NotEmpty(t, authn.AddressKey(netip.Addr{}))
}

// engines runs f on every store.
func engines(t *testing.T, f func(t *testing.T, open func(testing.TB) authn.Store)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		f(t, func(testing.TB) authn.Store { return authn.NewMemory() })
	})
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		f(t, func(t testing.TB) authn.Store {
			return sqlStore(t, open(t))
		})
	})
}

// guesses is how many try at once.
func guesses() int {
	if testing.Short() {
		return 32
	}
	return 256
}

// atOnce runs f n times at once and returns the errors.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func number(errs []error, target error) (n int) {
	for _, err := range errs {
		if errors.Is(err, target) {
			n++
		}
	}
	return n
}

// inTheEnd repeats what found the store too busy: nothing was counted or compared.
func inTheEnd(try func() error) (err error) {
	for range 50 { // each took seconds
		if err = try(); !errors.Is(err, authn.ErrUnavailable) {
			break
		}
	}
	return err
}

// TestConcurrentGuesses: as many guesses at once as one likes are five tries.
func TestConcurrentGuesses(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func(testing.TB) authn.Store) {
		h := newHouse(t, open(t), func(o *authn.Options) { o.Hashers, o.Queue = 8, 1000 })
		p := h.ada(audit.KindStaff)
		errs := atOnce(guesses(), func(int) error {
			return inTheEnd(func() error {
				_, err := h.m.SignIn(t.Context(), clinic, ada, pw("wrong"), home)
				return err
			})
		})
		require.Equal(t, 5, number(errs, authn.ErrDenied))
		require.Equal(t, guesses()-5, number(errs, authn.ErrThrottled))
		a, err := h.store.Account(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		require.Equal(t, 5, a.Password.Failures)
	})
}

// TestConcurrentCodes: many sign-ins at once do not multiply the tries of a second factor.
func TestConcurrentCodes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func(testing.TB) authn.Store) {
		h := newHouse(t, open(t))
		h.ada(audit.KindStaff)
		tickets := make([]string, guesses()/4)
		for i := range tickets {
			s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err)
			tickets[i] = s.Ticket.Reveal()
		}
		errs := atOnce(len(tickets), func(i int) error {
			s, err := h.m.Continue(t.Context(), tickets[i], authn.Answer{Code: "000000"}, home)
			return errors.Join(err, s.Problem)
		})
		require.Equal(t, 5, number(errs, authn.ErrWrongCode))
		require.Equal(t, len(tickets)-5, number(errs, authn.ErrThrottled))
		require.Equal(t, 5, h.factor.count())
	})
}

// TestOneTicketManyAnswers: a ticket is continued once.
func TestOneTicketManyAnswers(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func(testing.TB) authn.Store) {
		h := newHouse(t, open(t))
		h.ada(audit.KindStaff)
		s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
		require.NoError(t, err)
		errs := atOnce(64, func(int) error {
			_, err := h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
			return err
		})
		require.Equal(t, 1, number(errs, nil))
		require.Equal(t, 63, number(errs, authn.ErrTicket))
		require.Equal(t, 1, h.sessions.count())
	})
}

// TestOneLinkManyUses: a link sets a password once.
func TestOneLinkManyUses(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func(testing.TB) authn.Store) {
		h := newHouse(t, open(t), func(o *authn.Options) { o.Hashers, o.Queue = 8, 1000 })
		p, token := h.invite(audit.KindPatient)
		errs := atOnce(64, func(int) error {
			_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
			return err
		})
		require.Equal(t, 1, number(errs, nil))
		require.Equal(t, 63, number(errs, authn.ErrLink))

		require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
		_, err := h.m.Deliver(t.Context())
		require.NoError(t, err)
		reset := h.mail.token(t, authn.TopicReset)
		errs = atOnce(64, func(i int) error {
			_, err := h.m.ResetPassword(t.Context(), reset, pw(fmt.Sprint(other, i)), home)
			return err
		})
		require.Equal(t, 1, number(errs, nil))
		require.Equal(t, 63, number(errs, authn.ErrLinkUsed))
		a, err := h.store.Account(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		require.Equal(t, int64(3), a.Person.Version)
	})
}

// answer is everything that an attacker and an operator can tell apart.
type answer struct {
	text  string
	calls []string
	wait  time.Duration
}

func (h *house) answer(f func() error) answer {
	h.wire.watch(nil)
	err := f()
	a := answer{calls: h.wire.names()}
	if err != nil {
		a.text = err.Error()
	}
	var throttled *authn.ThrottledError
	if errors.As(err, &throttled) {
		a.wait = throttled.RetryAfter
	}
	return a
}

// TestUnknownLooksLikeWrong: the same calls and the same answers for somebody and nobody,
// with the first try, when throttled and when disabled.
func TestUnknownLooksLikeWrong(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	sus, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{Identifier: "sue@example.com"})
	require.NoError(t, err)
	require.Equal(t, authn.Invited, sus.State)
	seen := map[string]bool{}
	for range 110 {
		known := h.answer(func() error { _, err := h.signIn("wrong"); return err })
		seen[known.text] = true
		for _, who := range []string{"nobody@example.com", "sue@example.com", "\xff nonsense"} {
			unknown := h.answer(func() error {
				_, err := h.m.SignIn(t.Context(), clinic, who, pw("wrong"), home)
				return err
			})
			require.Equal(t, known, unknown, who)
		}
		h.clock.Advance(7 * time.Minute)
	}
	require.Len(t, seen, 2, "denied and throttled were both seen")
}

// TestSuspendedLooksLikeWrong: the right password of somebody who may not sign in is as
// wrong as any other.
func TestSuspendedLooksLikeWrong(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	wrong := h.answer(func() error { _, err := h.signIn("wrong"); return err })
	require.NoError(t, h.m.Suspend(admin(t.Context()), clinic, p.ID, ""))
	right := h.answer(func() error { _, err := h.signIn(good); return err })
	require.Equal(t, wrong, right)
}

// TestUnknownReset: asking for a reset tells nothing about who has an account.
func TestUnknownReset(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	ask := func(who string) answer {
		return h.answer(func() error { return h.m.RequestReset(t.Context(), clinic, who, home) })
	}
	for range 5 { // the fourth is over the limit
		known, unknown := ask(ada), ask("nobody@example.com")
		require.Equal(t, known, unknown)
		require.Empty(t, known.text)
		require.NotContains(t, known.calls, "mail.Send")
	}
	require.Len(t, h.rec.Find(authn.ActionRequestReset), 10)
	n, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, 6, n)
	require.Len(t, h.mail.all(authn.TopicReset), 3)

	require.NoError(t, h.m.Suspend(admin(t.Context()), clinic, p.ID, ""))
	h.clock.Advance(time.Hour)
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Len(t, h.mail.all(authn.TopicReset), 3, "nothing is mailed to somebody suspended")
	left, err := h.store.Claim(t.Context(), h.clock.Now().Add(time.Hour), h.clock.Now(), 9)
	require.NoError(t, err)
	require.Empty(t, left, "dropped, not kept for ever")
}
