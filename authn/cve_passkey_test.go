package authn_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// TestWhatHappenedToPasskeys has what went wrong where others took passkeys, each by the name it was
// given.
func TestWhatHappenedToPasskeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		names string // as in the CVE list, or repository and issue
		story string
		run   func(t *testing.T)
	}{
		{"CVE-2025-26788", "a sign-in begun as one person ends with another's passkey", noPasskeyOfAnother},
		{"CVE-2024-39912", "the options of a sign-in tell who has an account", optionsTellNobody},
		{"CVE-2024-12225 SandeepVashishtha/Eventra#15366", "who is not signed in registers a passkey for somebody", nobodyRegistersForAnother},
		{"AthenaNetworks/mymate#42", "who knows the password registers a passkey in place of proving the one there is", noRegistrationPastTheFactor},
		{"dani-garcia/vaultwarden", "a challenge is looked at first and used up later, so that two answers at once both count", oneAnswerCounts},
	} {
		t.Run(c.names, func(t *testing.T) {
			t.Parallel()
			t.Log(c.story)
			c.run(t)
		})
	}
}

func noPasskeyOfAnother(t *testing.T) {
	h, p := keyed(t, audit.KindStaff)
	h.passkeys.give("bob", "bob's")
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	for range 4 {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "bob's")}, home)
		require.NoError(t, err)
		require.ErrorIs(t, s.Problem, authn.ErrPasskey)
		require.Equal(t, p.ID, s.Person)
	}
	o := h.offer()
	crossed, err := h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
	require.ErrorIs(t, err, authn.ErrDenied, "nor one that was asked of anybody")
	require.Equal(t, authn.Step{}, crossed)
	s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	_, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
	require.ErrorIs(t, err, authn.ErrDenied, "nor the other way round")
	require.Zero(t, h.sessions.count())
}

func optionsTellNobody(t *testing.T) {
	h, _ := keyed(t, audit.KindStaff)
	for _, who := range []string{ada, "nobody@example.com"} {
		s, err := h.m.SignIn(t.Context(), clinic, who, pw("wrong"), home)
		require.ErrorIs(t, err, authn.ErrDenied)
		require.Equal(t, authn.Step{}, s, "no options before the password is right")
	}
	o := h.offer()
	require.NotContains(t, o.Passkey, "person", "and then of nobody in particular")
}

func nobodyRegistersForAnother(t *testing.T) {
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	_, err := h.m.BeginPasskey(t.Context(), home)
	require.ErrorIs(t, err, authn.ErrNoActor)
	s, err := h.m.BeginPasskey(h.proving(p, audit.AAL2, "s1"), home)
	require.NoError(t, err)
	for _, ctx := range []ctxT{
		t.Context(),
		audit.WithActor(t.Context(), audit.Anonymous(clinic, home.Addr)),
		audit.WithActor(t.Context(), audit.Actor{ID: p.ID, Kind: audit.KindStaff, Tenant: "another", Session: "s1", AuthTime: h.clock.Now(), Assurance: audit.AAL2}),
		audit.WithActor(t.Context(), audit.Actor{ID: "bob", OnBehalfOf: p.ID, Kind: audit.KindAgent, Tenant: clinic, Session: "s1", AuthTime: h.clock.Now(), Assurance: audit.AAL2}),
	} {
		err := h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "theirs")}, home)
		require.ErrorIs(t, err, authn.ErrNoActor)
	}
	require.Empty(t, h.passkeys.of(p.ID))
}

func noRegistrationPastTheFactor(t *testing.T) {
	h, p := keyed(t, audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	_, err = h.m.BeginPasskey(h.proving(p, audit.AAL1, "s1"), home)
	require.ErrorIs(t, err, authn.ErrProof)
	err = h.m.AddPasskey(h.proving(p, audit.AAL2, ""), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "theirs")}, home)
	require.ErrorIs(t, err, authn.ErrTicket)
	require.Len(t, h.passkeys.of(p.ID), 1)
}

func oneAnswerCounts(t *testing.T) {
	eachStore(t, func(t *testing.T, store authn.Store) {
		h := newHouse(t, store)
		p := h.ada(audit.KindPatient)
		h.passkeys.give(p.ID, "laptop")
		o := h.offer()
		answer := authn.Answer{Passkey: touch(t, o, "laptop")}
		errs := atOnce(32, func(int) error {
			_, err := h.m.Continue(t.Context(), o.Ticket.Reveal(), answer, home)
			return err
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			if !errors.Is(err, authn.ErrUnavailable) { // a store that was busy for too long
				require.ErrorIs(t, err, authn.ErrTicket)
			}
		}
		require.LessOrEqual(t, won, 1)
		require.Equal(t, won, h.sessions.count())
		if number(errs, authn.ErrUnavailable) == 0 {
			require.Equal(t, 1, won)
		}
		again := h.offer()
		_, err := h.m.Continue(t.Context(), again.Ticket.Reveal(), answer, home)
		require.ErrorIs(t, err, authn.ErrDenied, "nor with a new ticket")
	})
}
