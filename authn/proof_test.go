package authn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// TestProveWithPasskey: a passkey is both factors, and resists phishing.
func TestProveWithPasskey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		all      bool
		level    audit.Assurance
		password string
		err      error
		want     audit.Assurance
		methods  []string
	}{
		"alone":                      {false, audit.AAL2, "", nil, audit.AAL2, []string{"hwk", "user", "mfa"}},
		"alone, all factors":         {true, audit.AAL2, "", nil, audit.AAL2, []string{"hwk", "user", "mfa"}},
		"hardware":                   {true, audit.AAL3, "", nil, audit.AAL3, []string{"hwk", "user", "mfa"}},
		"beside the password":        {true, audit.AAL2, good, nil, audit.AAL2, []string{"pwd", "hwk", "user", "mfa"}},
		"beside a wrong password":    {false, audit.AAL2, "wrong", authn.ErrDenied, 0, nil},
		"one factor":                 {false, audit.AAL1, "", nil, audit.AAL1, []string{"hwk", "user"}},
		"one factor, all factors":    {true, audit.AAL1, "", authn.ErrProof, 0, nil},
		"one factor beside password": {true, audit.AAL1, good, nil, audit.AAL2, []string{"pwd", "hwk", "user", "mfa"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, p := keyed(t, audit.KindStaff)
			h.passkeys.level = c.level
			if c.all {
				h.rule(func(p *authn.Policy) { p.Reproof = authn.AllFactors })
			}
			ctx := h.proving(p, audit.AAL2, "s1")
			ask, err := h.m.Asked(ctx)
			require.NoError(t, err)
			require.Equal(t, authn.Proof{Password: true, Passkey: true, Both: c.all}, ask)
			s, err := h.m.BeginProof(ctx, authn.Answer{}, home)
			require.NoError(t, err)
			require.Equal(t, authn.NeedProof, s.Need)
			require.Equal(t, []authn.Factor{authn.FactorPasskey}, s.Factors)
			a := authn.Answer{Passkey: touch(t, s, "laptop"), Ticket: s.Ticket.Reveal()}
			if c.password != "" {
				a.Password = pw(c.password)
			}
			h.rec.Reset()
			who, err := h.m.Prove(ctx, a, home)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				require.Equal(t, audit.Actor{}, who)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, who.Assurance)
			require.Equal(t, c.methods, who.Methods)
			require.True(t, who.PhishingResistant)
			require.Equal(t, "s1", who.Session)
			require.Equal(t, []string{"authn.reauthenticate"}, h.events())
			_, err = h.m.Prove(ctx, a, home)
			require.ErrorIs(t, err, authn.ErrTicket, "once")
		})
	}
}

// TestProveWithText: a code by text message is one more factor, sent when asked for.
func TestProveWithText(t *testing.T) {
	t.Parallel()
	h, p := texting(t, nil)
	h.rule(func(p *authn.Policy) { p.Reproof = authn.AllFactors })
	ctx := h.proving(p, audit.AAL2, "s1")
	s, err := h.m.BeginProof(ctx, authn.Answer{Factor: authn.FactorText, Send: true}, home)
	require.NoError(t, err)
	require.NoError(t, s.Problem)
	require.Equal(t, []authn.Factor{authn.FactorApp, authn.FactorText}, s.Factors)
	require.Equal(t, "•• 12", s.Text.Hint)
	require.False(t, s.Text.Again.IsZero())
	right := authn.Answer{Factor: authn.FactorText, Code: h.texts.code(p.ID)}
	_, err = h.m.Prove(ctx, right, home)
	require.ErrorIs(t, err, authn.ErrProof, "not alone")
	right.Password = pw(good)
	who, err := h.m.Prove(ctx, right, home)
	require.NoError(t, err)
	require.Equal(t, []string{"pwd", "sms", "mfa"}, who.Methods)
	require.False(t, who.PhishingResistant)
	_, err = h.m.Prove(ctx, right, home)
	require.ErrorIs(t, err, authn.ErrWrongCode, "a code counts once")

	h.texts.spent = true
	s, err = h.m.BeginProof(ctx, authn.Answer{Factor: authn.FactorText, Send: true}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrThrottled)
	h.rule(func(p *authn.Policy) { p.Texts = false })
	_, err = h.m.BeginProof(ctx, authn.Answer{Factor: authn.FactorText, Send: true}, home)
	require.ErrorIs(t, err, authn.ErrNoFactor)
	_, err = h.m.Prove(ctx, right, home)
	require.ErrorIs(t, err, authn.ErrNoFactor)
}

// TestProofsDoNotMix: a proof's ticket belongs to one person, one session and one version of the
// account, and a challenge of anything else is not answered by it.
func TestProofsDoNotMix(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mix func(t *testing.T, h *house, p authn.Person, a *authn.Answer) ctxT
		err error
	}{
		"no ticket": {func(_ *testing.T, h *house, p authn.Person, a *authn.Answer) ctxT {
			a.Ticket = ""
			return h.proving(p, audit.AAL2, "s1")
		}, authn.ErrTicket},
		"another session": {func(_ *testing.T, h *house, p authn.Person, _ *authn.Answer) ctxT {
			return h.proving(p, audit.AAL2, "s2")
		}, authn.ErrTicket},
		"a changed account": {func(t *testing.T, h *house, p authn.Person, _ *authn.Answer) ctxT {
			require.NoError(t, h.m.Unlock(admin(t.Context()), clinic, p.ID, ""))
			return h.proving(p, audit.AAL2, "s1")
		}, authn.ErrTicket},
		"a sign-in's ticket": {func(t *testing.T, h *house, p authn.Person, a *authn.Answer) ctxT {
			s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err)
			a.Ticket, a.Passkey = s.Ticket.Reveal(), touch(t, s, "laptop")
			return h.proving(p, audit.AAL2, "")
		}, authn.ErrTicket},
		"an offer's ticket": {func(t *testing.T, h *house, p authn.Person, a *authn.Answer) ctxT {
			s := h.offer()
			a.Ticket, a.Passkey = s.Ticket.Reveal(), touch(t, s, "laptop")
			return h.proving(p, audit.AAL2, "")
		}, authn.ErrTicket},
		"a registration's ticket": {func(t *testing.T, h *house, p authn.Person, a *authn.Answer) ctxT {
			ctx := h.proving(p, audit.AAL2, "s1")
			s, err := h.m.BeginPasskey(ctx, home)
			require.NoError(t, err)
			a.Ticket, a.Passkey = s.Ticket.Reveal(), touch(t, s, "laptop")
			return ctx
		}, authn.ErrTicket},
		"an offer's challenge": {func(t *testing.T, h *house, p authn.Person, a *authn.Answer) ctxT {
			a.Passkey = touch(t, h.offer(), "laptop")
			return h.proving(p, audit.AAL2, "s1")
		}, authn.ErrPasskey},
		"somebody else's passkey": {func(t *testing.T, h *house, p authn.Person, a *authn.Answer) ctxT {
			h.passkeys.give("bob", "bob's")
			s, err := h.m.BeginProof(h.proving(p, audit.AAL2, "s1"), authn.Answer{}, home)
			require.NoError(t, err)
			a.Ticket, a.Passkey = s.Ticket.Reveal(), touch(t, s, "bob's")
			return h.proving(p, audit.AAL2, "s1")
		}, authn.ErrPasskey},
		"a copied passkey": {func(_ *testing.T, h *house, p authn.Person, _ *authn.Answer) ctxT {
			h.passkeys.disable(p.ID, "laptop")
			return h.proving(p, audit.AAL2, "s1")
		}, authn.ErrPasskeyDisabled},
		"a removed passkey": {func(_ *testing.T, h *house, p authn.Person, _ *authn.Answer) ctxT {
			h.passkeys.reset(p.ID)
			return h.proving(p, audit.AAL2, "s1")
		}, authn.ErrNoFactor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, p := keyed(t, audit.KindStaff)
			s, err := h.m.BeginProof(h.proving(p, audit.AAL2, "s1"), authn.Answer{}, home)
			require.NoError(t, err)
			a := authn.Answer{Passkey: touch(t, s, "laptop"), Ticket: s.Ticket.Reveal()}
			ctx := c.mix(t, h, p, &a)
			who, err := h.m.Prove(ctx, a, home)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, audit.Actor{}, who)
			require.NotContains(t, h.events(), "authn.reauthenticate")
		})
	}
}
