package authn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

const day = 24 * time.Hour

func TestInactivityLocksOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   audit.Kind
		policy authn.Policy
		days   int
	}{
		"staff":                {audit.KindStaff, authn.Policy{}, 90},
		"patients":             {audit.KindPatient, authn.Policy{Patients: authn.Optional}, 90},
		"staff, shorter":       {audit.KindStaff, authn.Policy{InactiveStaff: 30 * day}, 30},
		"patients, longer":     {audit.KindPatient, authn.Policy{InactiveStaff: 30 * day, InactivePatients: 400 * day, Patients: authn.Optional}, 400},
		"proxies are patients": {audit.KindProxy, authn.Policy{InactivePatients: 10 * day, Patients: authn.Optional}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := ruled(t, &c.policy)
			p := h.ada(c.kind)
			h.clock.Advance(time.Duration(c.days) * day)
			_, err := h.signIn(good)
			require.NoError(t, err, "on the last day")
			h.clock.Advance(time.Duration(c.days)*day + time.Second)
			_, err = h.signIn(other)
			require.ErrorIs(t, err, authn.ErrDenied, "who cannot prove who they are is not told")
			h.clock.Advance(time.Minute)
			_, err = h.signIn(good)
			require.ErrorIs(t, err, authn.ErrInactive)
			require.Contains(t, h.events(), "authn.sign_in! inactive")
			a, err := h.m.Account(t.Context(), clinic, p.ID)
			require.NoError(t, err)
			require.True(t, c.policy.Inactive(a.Person, h.clock.Now()), "a team page can say so")

			require.NoError(t, h.m.Unlock(admin(t.Context()), clinic, p.ID, "back from leave"))
			_, err = h.signIn(good)
			require.NoError(t, err)
			require.Contains(t, h.events(), "authn.unlock")
		})
	}
}

// A mailbox that somebody took over years later is no way back into a sleeping account.
func TestAResetLinkDoesNotWakeASleepingAccount(t *testing.T) {
	t.Parallel()
	var p authn.Policy
	h := ruled(t, &p)
	h.ada(audit.KindStaff)
	h.clock.Advance(91 * day)
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	_, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	token := h.mail.token(t, authn.TopicReset)
	_, err = h.m.ResetPassword(t.Context(), token, pw(other), home)
	require.ErrorIs(t, err, authn.ErrInactive)
	_, err = h.signIn(other)
	require.ErrorIs(t, err, authn.ErrDenied)
}

// A sign-in that began on the last day does not end in a session after it.
func TestInactivityDuringASignIn(t *testing.T) {
	t.Parallel()
	var p authn.Policy
	h := ruled(t, &p)
	h.ada(audit.KindStaff)
	h.clock.Advance(90 * day)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	h.clock.Advance(time.Minute)
	_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.ErrorIs(t, err, authn.ErrInactive)
	require.Zero(t, h.sessions.count())
}

// banners is a house with a second factor and the banner "7".
func banners(t *testing.T, always bool) (*house, *authn.Policy, authn.Person) {
	t.Helper()
	p := &authn.Policy{}
	h := ruled(t, p)
	who := h.ada(audit.KindStaff)
	p.Banner = authn.Banner{Version: "7", Always: always}
	return h, p, who
}

func TestBanner(t *testing.T) {
	t.Parallel()
	h, p, who := banners(t, false)
	s, err := h.signIn(good)
	require.NoError(t, err)
	require.Equal(t, authn.NeedBanner, s.Need)
	require.Equal(t, "7", s.Banner)
	require.True(t, s.Token.IsZero(), "before anything else")
	require.Zero(t, h.sessions.count())

	for _, wrong := range []string{"", "6"} {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: wrong}, home)
		require.NoError(t, err)
		require.Equal(t, authn.NeedBanner, s.Need)
		require.ErrorIs(t, s.Problem, authn.ErrBanner)
	}
	shown, err := h.m.Show(t.Context(), s.Ticket.Reveal())
	require.NoError(t, err)
	require.Equal(t, "7", shown.Banner)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: "7"}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	acknowledged := h.rec.Find(authn.ActionStep)
	last := acknowledged[len(acknowledged)-1]
	require.Equal(t, "banner", last.Code)
	require.Equal(t, "7", last.Detail["banner"])
	require.Equal(t, []audit.Object{{Type: "person", ID: string(who.ID)}}, last.Objects)

	s, err = h.signIn(good)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need, "once for each version")
	p.Banner.Version = "8"
	s, err = h.signIn(good)
	require.NoError(t, err)
	require.Equal(t, authn.NeedBanner, s.Need)
	require.Equal(t, "8", s.Banner)
}

func TestBannerAtEverySignIn(t *testing.T) {
	t.Parallel()
	h, _, _ := banners(t, true)
	for range 2 {
		s, err := h.signIn(good)
		require.NoError(t, err)
		require.Equal(t, authn.NeedBanner, s.Need)
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: s.Banner}, home)
		require.NoError(t, err)
		require.Equal(t, authn.Done, s.Need)
	}
}

// Words that changed while somebody read the old ones are asked for again.
func TestABannerThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	h, p, _ := banners(t, false)
	s, err := h.signIn(good)
	require.NoError(t, err)
	p.Banner.Version = "8"
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: "7"}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedBanner, s.Need)
	require.Equal(t, "8", s.Banner)
}

// Acknowledging is no way past what comes before it.
func TestABannerIsTheLastStep(t *testing.T) {
	t.Parallel()
	h, _, _ := banners(t, false)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: "7"}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	require.ErrorIs(t, s.Problem, authn.ErrWrongCode)
}
