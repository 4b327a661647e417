package authn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// TestWhatHappenedElsewhere has what went wrong in the sign-ins of other products, each by the name
// it was given, and that it does not happen here. Those of single sign-on come with it.
func TestWhatHappenedElsewhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		names string // as in the CVE list or the Go vulnerability database
		story string
		run   func(t *testing.T)
	}{
		{"CVE-2025-64101 GO-2025-3721", "a reset link is built from a forwarded header", linksPointHome},
		{"CVE-2025-64102 GO-2025-4085", "second factors are guessed without a limit", factorsAreNotGuessed},
		{"CVE-2025-64103 CVE-2024-45042", "another way in asks for no second factor", everyWayAsksForTheFactor},
		{"CVE-2024-28197", "a session from before the second factor goes on after it", nothingFromBeforeGoesOn},
		{"CVE-2026-23511", "answers tell who has an account", answersTellNobody},
		{"CVE-2025-24806 CVE-2026-47203", "each spelling of a name is counted apart", spellingsAreOne},
		{"GO-2024-2788", "a lock of one factor leads past the other", aLockLeadsNowhere},
		{"CVE-2026-27840", "a cut-off token is accepted", cutTokensAreRefused},
		{"CVE-2026-55670", "an ID that another tenant uses too leads across", idsStayInTheirTenant},
		{"CVE-2024-38351 CVE-2026-44166", "who comes first with an address is linked to its owner later", nobodyTakesAnAddress},
		{"CVE-2026-27946", "somebody verifies an address of their own choice", nobodyChoosesTheirAddress},
		{"CVE-2026-33503", "a forged position in a list reaches the database", forgedPositionsAreText},
	} {
		t.Run(c.names, func(t *testing.T) {
			t.Parallel()
			t.Log(c.story)
			c.run(t)
		})
	}
}

func linksPointHome(t *testing.T) {
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	for _, c := range []authn.Client{home, {Addr: home.Addr, Device: "evil.example.com", Known: "https://evil.example.com"}} {
		require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, c))
	}
	_, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	all := append(h.mail.all(authn.TopicReset), h.mail.all(authn.TopicInvitation)...)
	require.Len(t, all, 3)
	for _, n := range all {
		require.True(t, strings.HasPrefix(n.Link.Reveal(), "https://clinic.example.com/link/"))
	}
}

func factorsAreNotGuessed(t *testing.T) {
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	before := h.factor.count()
	for i := range 2000 { // a sign-in of its own for each code, two hours of guessing
		if s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home); err == nil {
			_, _ = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: "000000"}, home)
		}
		if i%2 == 0 {
			_, err := h.m.Prove(as(t.Context(), p), authn.Answer{Code: "000000"}, home)
			require.Error(t, err)
		}
		h.clock.Advance(4 * time.Second)
	}
	require.Less(t, h.factor.count()-before, 30, "of a million codes")
}

func everyWayAsksForTheFactor(t *testing.T) {
	h, p := furnish(t)
	s, err := h.m.ResetPassword(t.Context(), h.reset, pw(other), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	s, err = h.m.ChangePassword(as(t.Context(), p), pw(other), pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	require.NoError(t, h.m.ExpirePassword(admin(t.Context()), clinic, p.ID, ""))
	s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need, "before the new password")
	require.NoError(t, h.m.AdminReset(admin(t.Context()), clinic, p.ID, ""))
	s, err = h.m.ResetPassword(t.Context(), h.mail.token(t, authn.TopicReset), pw(other), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	require.Zero(t, h.sessions.count())
}

func nothingFromBeforeGoesOn(t *testing.T) {
	h, _ := furnish(t)
	h.sessions.clear()
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Zero(t, h.sessions.count(), "there is no session before the second factor")
	ticket := s.Ticket.Reveal()
	s, err = h.m.Continue(t.Context(), ticket, authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.NotEqual(t, ticket, s.Token.Reveal())
	_, live := h.sessions.of(ticket)
	require.False(t, live)
	_, err = h.m.Continue(t.Context(), ticket, authn.Answer{Code: code}, home)
	require.ErrorIs(t, err, authn.ErrTicket)
}

func answersTellNobody(t *testing.T) {
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	same := func(f func(who string) error) {
		require.Equal(t, h.answer(func() error { return f(ada) }), h.answer(func() error { return f("nobody@example.com") }))
	}
	for range 7 { // denied, then throttled
		same(func(who string) error {
			_, err := h.m.SignIn(t.Context(), clinic, who, pw("wrong"), home)
			return err
		})
		same(func(who string) error { return h.m.RequestReset(t.Context(), clinic, who, home) })
	}
	h.clock.Advance(time.Hour)
	require.NoError(t, h.m.Suspend(admin(t.Context()), clinic, p.ID, ""))
	same(func(who string) error {
		_, err := h.m.SignIn(t.Context(), clinic, who, pw(good), home)
		return err
	})
}

func spellingsAreOne(t *testing.T) {
	h := newHouse(t, nil)
	h.ada(audit.KindPatient)
	denied := 0
	for _, who := range []string{ada, "ADA@example.com", " ada@example.com ", "ａda@example.com", "Ada@Example.Com", "adA@example.com", "ada@EXAMPLE.com"} {
		_, err := h.m.SignIn(t.Context(), clinic, who, pw("wrong"), home)
		if authn.Status(err) == 401 {
			denied++
		}
	}
	require.Equal(t, 5, denied)
}

func aLockLeadsNowhere(t *testing.T) {
	h, p := furnish(t)
	h.sessions.clear()
	for _, f := range []authn.Family{authn.FamilySecond, authn.FamilyPassword} {
		for range 100 {
			_, _, err := h.store.Charge(t.Context(), clinic, p.ID, f, authn.Limits{Free: 100, Base: time.Second, Max: time.Second, Disable: 100}, h.clock.Now())
			require.NoError(t, err)
		}
		h.clock.Advance(day)
		s, err := h.signIn(good)
		if f == authn.FamilySecond {
			require.NoError(t, err)
			require.Equal(t, authn.NeedSecondFactor, s.Need, "no enrolment of a new one")
			require.ErrorIs(t, s.Problem, authn.ErrThrottled)
			continue
		}
		require.ErrorIs(t, err, authn.ErrThrottled)
	}
	s, err := h.m.ResetPassword(t.Context(), h.reset, pw(other), home)
	if err == nil {
		require.Equal(t, authn.NeedSecondFactor, s.Need, "a new password frees no second factor")
	}
	require.Zero(t, h.sessions.count())
}

func cutTokensAreRefused(t *testing.T) {
	h, _ := furnish(t)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	ticket := s.Ticket.Reveal()
	for n := range len(ticket) {
		_, err := h.m.Continue(t.Context(), ticket[:n], authn.Answer{Code: code}, home)
		require.ErrorIs(t, err, authn.ErrTicket)
		_, err = h.m.ResetPassword(t.Context(), h.reset[:n], pw(other), home)
		require.ErrorIs(t, err, authn.ErrLinkUnknown)
	}
	for _, more := range []string{"A", "=", " ", "\x00", "\n"} {
		_, err := h.m.Continue(t.Context(), ticket+more, authn.Answer{Code: code}, home)
		require.ErrorIs(t, err, authn.ErrTicket)
		_, err = h.m.ResetPassword(t.Context(), h.reset+more, pw(other), home)
		require.ErrorIs(t, err, authn.ErrLinkUnknown)
	}
	_, err = h.m.Continue(t.Context(), ticket, authn.Answer{Code: code}, home)
	require.NoError(t, err, "the whole one works")
}

func idsStayInTheirTenant(t *testing.T) {
	h, p := furnish(t)
	_, err := h.m.Invite(t.Context(), "other", authn.Newcomer{ID: p.ID, Kind: audit.KindPatient, Identifier: ada})
	require.NoError(t, err)
	s, err := h.m.CompleteSetUp(t.Context(), h.mail.token(t, authn.TopicInvitation), authn.Answer{Password: pw(other)}, home)
	require.NoError(t, err)
	if s.Need == authn.NeedSecondFactor { // the fake knows people by their ID alone
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
		require.NoError(t, err)
	}
	a, _ := h.sessions.of(s.Token.Reveal())
	require.Equal(t, audit.Tenant("other"), a.Tenant)
	_, err = h.m.SignIn(t.Context(), clinic, ada, pw(other), home)
	require.ErrorIs(t, err, authn.ErrDenied)
	_, err = h.m.SignIn(t.Context(), "other", ada, pw(good), home)
	require.ErrorIs(t, err, authn.ErrDenied)
	require.NoError(t, h.m.Remove(admin(t.Context()), clinic, p.ID, ""))
	_, err = h.m.Invite(t.Context(), clinic, authn.Newcomer{ID: p.ID, Identifier: "new@example.com"})
	require.ErrorIs(t, err, authn.ErrExists, "the ID of who has left is never given again")
}

func nobodyTakesAnAddress(t *testing.T) {
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	for _, who := range []string{ada, "ADA@example.com", "ａda@example.com"} {
		_, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{Identifier: who})
		require.ErrorIs(t, err, authn.ErrExists)
	}
	_, err := h.m.SetUp(t.Context(), clinic, authn.Newcomer{Identifier: ada})
	require.ErrorIs(t, err, authn.ErrSetUpDone)
	a, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, authn.Active, a.Person.State)
}

func nobodyChoosesTheirAddress(t *testing.T) {
	h := newHouse(t, nil)
	_, token := h.invite(audit.KindPatient)
	_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good), Identifier: "boss@example.com"}, home)
	require.NoError(t, err)
	_, err = h.m.SignIn(t.Context(), clinic, "boss@example.com", pw(good), home)
	require.ErrorIs(t, err, authn.ErrDenied)
	_, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
}

func forgedPositionsAreText(t *testing.T) {
	eachStore(t, func(t *testing.T, store authn.Store) {
		h := newHouse(t, store)
		h.ada(audit.KindStaff)
		for _, after := range []audit.ActorID{"' OR ''='", "'; DROP TABLE authn_person; --", "\x7f", "~"} {
			for _, err := range h.m.People(t.Context(), clinic, after) {
				require.NoError(t, err)
			}
		}
		_, err := h.signIn(good)
		require.NoError(t, err)
	})
}
