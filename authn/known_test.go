package authn_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnredis"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// settled is a house in which ada has signed in once, and the client of that browser.
func settled(t *testing.T, store authn.Store, edit ...func(*authn.Options)) (*house, authn.Person, authn.Client) {
	t.Helper()
	h := newHouse(t, store, edit...)
	p := h.ada(audit.KindStaff)
	s, err := h.signIn(good)
	require.NoError(t, err)
	here := home
	here.Known = s.Known.Reveal()
	require.NotEmpty(t, here.Known)
	return h, p, here
}

var far = authn.Client{Addr: netip.MustParseAddr("203.0.113.66")}

// through is a whole sign-in from a client.
func (h *house) through(who, password string, c authn.Client) (authn.Step, error) {
	s, err := h.m.SignIn(h.t.Context(), clinic, who, pw(password), c)
	if err == nil && s.Need == authn.NeedSecondFactor {
		s, err = h.m.Continue(h.t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, c)
	}
	return s, err
}

// However long somebody guesses elsewhere, the owner gets in where they always do: past the
// delays, the disabled password, the used-up budgets of the tenant and of their own address.
func TestGuessingLocksNobodyOutOfAKnownBrowser(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h, _, here := settled(t, store, func(o *authn.Options) { o.AddressTries, o.TenantTries = 40, 40 })
		for range 6 {
			_, err := h.through(ada, "wrong", far)
			require.Error(t, err)
		}
		_, err := h.through(ada, good, home)
		require.ErrorIs(t, err, authn.ErrThrottled, "a browser that is not known waits")
		s, err := h.through(ada, good, here)
		require.NoError(t, err)
		require.Equal(t, authn.Done, s.Need)
		for range 60 {
			_, err = h.m.SignIn(t.Context(), clinic, "somebody@example.com", pw("x"), home) // from the same address
			require.Error(t, err)
		}
		_, err = h.through(ada, good, home)
		require.ErrorIs(t, err, authn.ErrThrottled)
		_, err = h.through(ada, good, here)
		require.NoError(t, err)
		for range 90 {
			h.clock.Advance(time.Hour)
			_, _ = h.through(ada, "wrong", far)
		}
		var throttled *authn.ThrottledError
		_, err = h.through(ada, "wrong", far)
		require.ErrorAs(t, err, &throttled)
		require.True(t, throttled.Disabled)
		_, err = h.through(ada, good, here)
		require.NoError(t, err)
		_, err = h.through(ada, good, far)
		require.NoError(t, err, "who got in has ended the run of failures")
	})
}

// A known browser guesses no faster, and no more often, than any other.
func TestAKnownBrowserIsThrottledToo(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h, p, here := settled(t, store, func(o *authn.Options) { o.Hashers, o.Queue = 8, 1000 })
		errs := atOnce(64, func(int) error {
			_, err := h.m.SignIn(t.Context(), clinic, ada, pw("wrong"), here)
			return err
		})
		require.Equal(t, 5, number(errs, authn.ErrDenied))
		require.Equal(t, 59, number(errs, authn.ErrThrottled))
		_, err := h.through(ada, good, home)
		require.NoError(t, err, "which is nobody else's matter")

		s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
		require.NoError(t, err)
		for range 4 { // codes are counted apart as well
			s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: "000000"}, home)
			require.NoError(t, err)
			require.ErrorIs(t, s.Problem, authn.ErrWrongCode)
		}
		_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: "000000"}, home)
		require.ErrorIs(t, err, authn.ErrDenied)
		h.clock.Advance(time.Hour)
		s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), here)
		require.NoError(t, err)
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: "000000"}, here)
		require.NoError(t, err)
		require.ErrorIs(t, s.Problem, authn.ErrWrongCode)
		row, err := h.store.Credential(t.Context(), clinic, p.ID, authn.FamilySecond.Known())
		require.NoError(t, err)
		require.Equal(t, 1, row.Failures)
		require.NoError(t, h.m.Unlock(admin(t.Context()), clinic, p.ID, ""))
		row, err = h.store.Credential(t.Context(), clinic, p.ID, authn.FamilySecond.Known())
		require.NoError(t, err)
		require.Zero(t, row.Failures)
	})
}

// What makes a browser known is bound to tenant, person, password and time, and cannot be made up.
func TestWhatMakesABrowserKnown(t *testing.T) {
	t.Parallel()
	h, p, here := settled(t, nil)
	h.factor.set("bob", false)
	known := func(c authn.Client) bool { // whether tries are counted in the bucket of known browsers
		before, err := h.store.Credential(t.Context(), clinic, p.ID, authn.FamilyPassword.Known())
		require.NoError(t, err)
		h.clock.Advance(time.Hour)
		_, _ = h.through(ada, "wrong", c)
		after, err := h.store.Credential(t.Context(), clinic, p.ID, authn.FamilyPassword.Known())
		require.NoError(t, err)
		return after.Failures > before.Failures
	}
	with := func(cookie string) authn.Client { return authn.Client{Addr: home.Addr, Known: cookie} }
	require.True(t, known(here))
	for name, cookie := range map[string]string{
		"none": "", "noise": "AAAA", "cut": here.Known[:len(here.Known)-4], "padded": here.Known + "=", "longer": here.Known + "AAAA",
		"changed": strings.Replace(here.Known, here.Known[40:41], string('A'+(here.Known[40]-'A'+1)%26), 1), "huge": strings.Repeat("A", 1<<16),
	} {
		require.False(t, known(with(cookie)), name)
	}

	// another person's, and another tenant's
	q, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{Kind: audit.KindPatient, Identifier: "bob@example.com"})
	require.NoError(t, err)
	s, err := h.m.CompleteSetUp(t.Context(), h.mail.token(t, authn.TopicInvitation), authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, q.ID, s.Person)
	require.False(t, known(with(s.Known.Reveal())), "bob's browser")
	_, err = h.m.Invite(t.Context(), "other", authn.Newcomer{ID: p.ID, Kind: audit.KindPatient, Identifier: ada})
	require.NoError(t, err)
	s, err = h.m.CompleteSetUp(t.Context(), h.mail.token(t, authn.TopicInvitation), authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.False(t, known(with(s.Known.Reveal())), "the same ID of another tenant")

	// it ends, and a new password ends it
	require.True(t, known(here))
	h.clock.Advance(89 * day)
	require.True(t, known(here))
	h.clock.Advance(day)
	require.False(t, known(here))
	require.NoError(t, h.m.Unlock(admin(t.Context()), clinic, p.ID, ""))
	s, err = h.signIn(good)
	require.NoError(t, err)
	here.Known = s.Known.Reveal()
	require.True(t, known(here))
	_, err = h.m.ChangePassword(as(t.Context(), p), pw(good), pw(other), home)
	require.NoError(t, err)
	require.False(t, known(here))
}

// Being known proves nothing: no step is spared, and nothing of it is in a session or a ticket.
func TestAKnownBrowserIsNoFactor(t *testing.T) {
	t.Parallel()
	h, p, here := settled(t, nil)
	_, err := h.m.SignIn(t.Context(), clinic, ada, pw("wrong"), here)
	require.ErrorIs(t, err, authn.ErrDenied)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), here)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	require.True(t, s.Known.IsZero(), "nobody becomes known half-way")
	h.factor.set(p.ID, false)
	s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), here)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need)
}

// The whole tenant has a budget, however many addresses and people the guesses are spread over;
// its end is recorded once.
func TestTenantBudget(t *testing.T) {
	t.Parallel()
	h, _, here := settled(t, nil, func(o *authn.Options) { o.TenantTries = 20 })
	h.clock.Advance(time.Hour)
	h.rec.Reset()
	denied := 0
	for i := range 50 {
		c := authn.Client{Addr: netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})}
		_, err := h.m.SignIn(t.Context(), clinic, strings.Repeat("x", i+1)+"@example.com", pw("x"), c)
		if err != nil && authn.Status(err) == http.StatusUnauthorized {
			denied++
		}
	}
	require.Equal(t, 20, denied)
	n := 0
	for _, e := range h.rec.Find(authn.ActionThrottle) {
		require.Equal(t, authn.CodeBudget, e.Code)
		n++
	}
	require.Equal(t, 1, n)
	_, err := h.through(ada, good, here)
	require.NoError(t, err)
	_, err = h.m.SignIn(t.Context(), "other", ada, pw("x"), far)
	require.ErrorIs(t, err, authn.ErrDenied, "another tenant has its own")
}

func TestKnownCookie(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	s, err := h.signIn(good)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	authn.SetTicket(w, s)
	all := w.Result().Cookies()
	require.Len(t, all, 2)
	c := all[1]
	require.Equal(t, "__Host-wardkit-known", c.Name)
	require.True(t, c.Secure && c.HttpOnly && c.Path == "/" && c.Domain == "" && c.SameSite == http.SameSiteStrictMode)
	require.Equal(t, int((90 * day).Seconds()), c.MaxAge)
	require.Less(t, len(c.Value), 1024)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	require.Empty(t, authn.KnownFrom(r))
	r.AddCookie(c)
	require.Equal(t, s.Known.Reveal(), authn.KnownFrom(r))
	r.AddCookie(&http.Cookie{Name: authn.KnownCookie, Value: "another"})
	require.Empty(t, authn.KnownFrom(r), "two are none")
}

// TestConcurrentBudgets: as many tries at once as one likes are as many as the budget has, wherever
// windows are kept.
func TestConcurrentBudgets(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, store authn.Store, windows authn.Windows) {
		h := newHouse(t, store, func(o *authn.Options) { o.AddressTries, o.Windows, o.Hashers, o.Queue = 7, windows, 8, 1000 })
		errs := atOnce(guesses(), func(i int) error {
			return inTheEnd(func() error {
				_, err := h.m.SignIn(t.Context(), clinic, strings.Repeat("x", i%40+1)+"@example.com", pw("wrong"), far)
				return err
			})
		})
		require.Equal(t, 7, number(errs, authn.ErrDenied))
		require.Equal(t, guesses()-7, number(errs, authn.ErrThrottled))
	}
	eachStore(t, func(t *testing.T, store authn.Store) { run(t, store, nil) })
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		client, prefix := enginetest.Redis(t)
		windows, err := authnredis.New(client, &authnredis.Options{Prefix: prefix})
		require.NoError(t, err)
		run(t, nil, windows)
	})
}

// A flood of strangers fills their part of the hashers' queue and no more: who comes from a known
// browser gets in, and who does not is told to come back.
func TestAFloodLeavesRoomForKnownBrowsers(t *testing.T) {
	t.Parallel()
	h, _, here := settled(t, nil, func(o *authn.Options) { o.Hashers, o.Queue = 1, 8 })
	leave := h.m.Occupy(6)
	_, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.ErrorIs(t, err, authn.ErrBusy)
	_, err = h.m.SignIn(t.Context(), clinic, "nobody@example.com", pw(good), here)
	require.ErrorIs(t, err, authn.ErrBusy, "a cookie is good for its own person only")
	done := make(chan error)
	occupied := h.m.Waiting()
	for range 2 {
		go func() {
			_, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), here)
			done <- err
		}()
	}
	for h.m.Waiting() < occupied+2 {
		runtime.Gosched()
	}
	_, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), here)
	require.ErrorIs(t, err, authn.ErrBusy, "the kept places are not endless")
	leave()
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	require.Zero(t, h.m.Waiting())
	leave = h.m.Occupy(6) // every place was given back
	leave()
}
