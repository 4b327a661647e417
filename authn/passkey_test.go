package authn_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// rule saves a policy for the clinic.
func (h *house) rule(edit func(*authn.Policy)) {
	h.t.Helper()
	p, err := h.m.Policy(h.t.Context(), clinic)
	require.NoError(h.t, err)
	edit(&p)
	require.NoError(h.t, h.m.SavePolicy(admin(h.t.Context()), clinic, p, true))
}

// keyed is a house with ada in it, who has a passkey named "laptop" and no app.
func keyed(t testing.TB, k audit.Kind) (*house, authn.Person) {
	t.Helper()
	h := newHouse(t, nil)
	p, token := h.invite(k)
	s, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	if s.Need == authn.NeedEnrolment {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop"), Label: "My laptop"}, home)
		require.NoError(t, err)
	} else {
		h.passkeys.give(p.ID, "laptop")
	}
	require.Equal(t, authn.Done, s.Need)
	h.sessions.clear()
	h.rec.Reset()
	return h, p
}

// offer begins a sign-in with a passkey.
func (h *house) offer() authn.Step {
	h.t.Helper()
	s, err := h.m.OfferPasskey(h.t.Context(), clinic, home)
	require.NoError(h.t, err)
	return s
}

// proving is a signed-in person whose proof is fresh.
func (h *house) proving(p authn.Person, level audit.Assurance, session string) ctxT {
	return audit.WithActor(h.t.Context(), audit.Actor{
		ID: p.ID, Kind: p.Kind, Tenant: p.Tenant, Session: session, AuthTime: h.clock.Now(), Assurance: level, Methods: []string{"pwd"},
	})
}

func TestSignInWithPasskeyAlone(t *testing.T) {
	t.Parallel()
	h, p := keyed(t, audit.KindStaff)
	offer := h.offer()
	require.Equal(t, authn.NeedPasskey, offer.Need)
	require.Empty(t, offer.Person, "nobody in particular is asked")
	require.Equal(t, h.clock.Now().Add(5*time.Minute), offer.Expires)
	require.Empty(t, h.events(), "an offer is no event")

	shown, err := h.m.Show(t.Context(), offer.Ticket.Reveal())
	require.NoError(t, err)
	require.Equal(t, offer.Passkey, shown.Passkey)

	s, err := h.m.Continue(t.Context(), offer.Ticket.Reveal(), authn.Answer{Passkey: touch(t, offer, "laptop")}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	a, live := h.sessions.of(s.Token.Reveal())
	require.True(t, live)
	require.Equal(t, p.ID, a.ID)
	require.Equal(t, []string{"hwk", "user", "mfa"}, a.Methods)
	require.Equal(t, audit.AAL2, a.Assurance)
	require.True(t, a.PhishingResistant)
	require.Equal(t, []string{"authn.step passkey", "authn.sign_in"}, h.events())
}

func TestPasskeyAssurance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proof, alone, second audit.Assurance
	}{
		"without user verification": {audit.AAL1, audit.AAL0, audit.AAL2},
		"synced":                    {audit.AAL2, audit.AAL2, audit.AAL2},
		"attested hardware":         {audit.AAL3, audit.AAL3, audit.AAL3},
		"nothing there is":          {7, audit.AAL3, audit.AAL3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := keyed(t, audit.KindStaff)
			h.passkeys.level = c.proof
			o := h.offer()
			s, err := h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
			if c.alone == audit.AAL0 {
				require.ErrorIs(t, err, authn.ErrDenied, "one factor does not sign in alone")
			} else {
				require.NoError(t, err)
				a, _ := h.sessions.of(s.Token.Reveal())
				require.Equal(t, c.alone, a.Assurance)
			}
			s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err)
			require.Equal(t, []authn.Factor{authn.FactorPasskey}, s.Factors)
			s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
			require.NoError(t, err)
			a, _ := h.sessions.of(s.Token.Reveal())
			require.Equal(t, c.second, a.Assurance)
			require.Equal(t, []string{"pwd", "hwk", "user", "mfa"}, a.Methods)
			require.True(t, a.PhishingResistant)
		})
	}
}

// TestAppDoesNotResistPhishing: a code that is typed can be typed into another page.
func TestAppDoesNotResistPhishing(t *testing.T) {
	t.Parallel()
	h, _ := furnish(t)
	a, live := h.sessions.of(h.handed[0])
	require.True(t, live)
	require.False(t, a.PhishingResistant)
}

// TestGuidedPasskey: passkeys are offered wherever a second factor is asked for, and one that was
// made in guided set-up makes the sign-in a whole one.
func TestGuidedPasskey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, token := h.invite(audit.KindStaff)
	s, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need)
	require.Equal(t, []authn.Factor{authn.FactorPasskey, authn.FactorApp}, s.Factors)
	require.NotEmpty(t, s.Enrolment.URI.Reveal(), "the app as well")

	first := s
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: `{"challenge":"of somebody else","key":"laptop"}`}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrPasskey)
	require.NotEqual(t, first.Passkey, s.Passkey, "no challenge is asked twice")
	require.Equal(t, first.Enrolment.URI.Reveal(), s.Enrolment.URI.Reveal(), "what is on the screen stays")
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, first, "laptop")}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrPasskey, "an answer to the challenge before")

	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop"), Label: " Ada's\x00 laptop "}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	require.Equal(t, []passkey{{name: "laptop", label: " Ada's laptop "}}, h.passkeys.of(p.ID))
	a, _ := h.sessions.of(s.Token.Reveal())
	require.Equal(t, audit.AAL2, a.Assurance)
	require.True(t, a.PhishingResistant)
	require.False(t, h.factor.has(p.ID))
}

// TestSecondFactors: who has several is asked for any of them, the best first.
func TestSecondFactors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		has    []authn.Factor
		policy func(*authn.Policy)
		asked  []authn.Factor
		next   authn.Need // after the first of them was proven
	}{
		"all":                   {has: factors("app text passkey"), policy: func(p *authn.Policy) { p.Texts = true }, asked: factors("passkey app text"), next: authn.Done},
		"texts are off":         {has: factors("app text passkey"), asked: factors("passkey app"), next: authn.Done},
		"passkeys second":       {has: factors("passkey"), policy: func(p *authn.Policy) { p.Passkeys = authn.PasskeysSecond }, asked: factors("passkey"), next: authn.Done},
		"passkeys off":          {has: factors("passkey app"), policy: func(p *authn.Policy) { p.Passkeys = authn.PasskeysOff }, asked: factors("app"), next: authn.Done},
		"only what is off":      {has: factors("passkey"), policy: func(p *authn.Policy) { p.Passkeys = authn.PasskeysOff }, asked: factors("passkey"), next: authn.NeedEnrolment},
		"only a number, off":    {has: factors("text"), asked: factors("text"), next: authn.NeedEnrolment},
		"only a number":         {has: factors("text"), policy: func(p *authn.Policy) { p.Texts = true }, asked: factors("text"), next: authn.Done},
		"not required, all off": {has: factors("text"), policy: func(p *authn.Policy) { p.Staff = authn.Optional }, asked: factors("text"), next: authn.Done},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			p := h.ada(audit.KindStaff)
			h.factor.set(p.ID, false)
			for _, f := range c.has {
				switch f {
				case authn.FactorApp:
					h.factor.set(p.ID, true)
				case authn.FactorPasskey:
					h.passkeys.give(p.ID, "laptop")
				case authn.FactorText:
					h.texts.phone(p.ID, "•• 12")
				}
			}
			if c.policy != nil {
				h.rule(c.policy)
			}
			s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err)
			require.Equal(t, authn.NeedSecondFactor, s.Need)
			require.Equal(t, c.asked, s.Factors)
			s = h.giveFactor(s, c.asked[0], p)
			require.Equal(t, c.next, s.Need)
			if s.Need == authn.NeedEnrolment {
				s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
				require.NoError(t, err)
				require.Equal(t, authn.Done, s.Need, "with a factor that the policy takes")
				require.True(t, h.factor.has(p.ID))
			}
		})
	}
}

// TestLateSecondPasskey: a challenge is worth an answer for five minutes, whatever the step is.
func TestLateSecondPasskey(t *testing.T) {
	t.Parallel()
	h, _ := keyed(t, audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, h.clock.Now().Add(10*time.Minute), s.Expires)
	h.clock.Advance(5 * time.Minute)
	late, err := h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
	require.NoError(t, err)
	require.ErrorIs(t, late.Problem, authn.ErrPasskey)
	require.ErrorIs(t, late.Problem, authn.ErrWrongCode)
	require.Equal(t, s.Expires, late.Expires, "nothing is prolonged")
	s, err = h.m.Continue(t.Context(), late.Ticket.Reveal(), authn.Answer{Passkey: touch(t, late, "laptop")}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
}

func factors(s string) (all []authn.Factor) {
	for f := range strings.FieldsSeq(s) {
		all = append(all, authn.Factor(f))
	}
	return all
}

// giveFactor answers a second-factor step rightly.
func (h *house) giveFactor(s authn.Step, f authn.Factor, p authn.Person) authn.Step {
	h.t.Helper()
	a := authn.Answer{Code: code}
	switch f {
	case authn.FactorPasskey:
		a = authn.Answer{Passkey: touch(h.t, s, "laptop")}
	case authn.FactorText:
		sent, err := h.m.Continue(h.t.Context(), s.Ticket.Reveal(), authn.Answer{Factor: f, Send: true}, home)
		require.NoError(h.t, err)
		require.NoError(h.t, sent.Problem)
		s, a = sent, authn.Answer{Factor: f, Code: h.texts.code(p.ID)}
	}
	next, err := h.m.Continue(h.t.Context(), s.Ticket.Reveal(), a, home)
	require.NoError(h.t, err)
	require.NoError(h.t, next.Problem)
	return next
}

// TestFactorThatNobodyHas: an answer for a factor that is not asked for is wrong, and reaches nobody
// who could take it.
func TestFactorThatNobodyHas(t *testing.T) {
	t.Parallel()
	h, p := furnish(t)
	h.texts.phone(p.ID, "•• 12") // which the policy does not take
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	for _, a := range []authn.Answer{{Factor: authn.FactorText, Send: true}, {Factor: authn.FactorText, Code: code}, {Passkey: "{}"}, {Passkey: "{}", Code: code}} {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), a, home)
		require.NoError(t, err)
		require.ErrorIs(t, s.Problem, authn.ErrNoFactor)
	}
	_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: "{}"}, home)
	require.ErrorIs(t, err, authn.ErrDenied, "the fifth wrong answer ends the sign-in")
	sent, tries := h.texts.counts()
	require.Zero(t, sent+tries+h.passkeys.count())
}

// TestDisabledPasskey: a passkey of which there may be a copy proves nothing, and the password does
// not get anybody past it.
func TestDisabledPasskey(t *testing.T) {
	t.Parallel()
	h, p := keyed(t, audit.KindStaff)
	h.passkeys.give(p.ID, "phone")
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	h.passkeys.disable(p.ID, "laptop")

	o := h.offer()
	_, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
	require.ErrorIs(t, err, authn.ErrPasskeyDisabled)
	require.Equal(t, 401, authn.Status(err))
	require.Contains(t, h.events(), "authn.sign_in! disabled")

	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrPasskeyDisabled)
	require.Equal(t, []authn.Factor{authn.FactorPasskey}, s.Factors, "the other one works")
	h.passkeys.disable(p.ID, "phone")
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "phone")}, home)
	require.NoError(t, err)
	require.Empty(t, s.Factors)
	require.Empty(t, s.Passkey)
	s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need, "no set-up of another one")
	require.Empty(t, s.Factors)
	require.Zero(t, h.sessions.count())
}

// TestForgottenWiring: somebody has a passkey, and the host gave the Manager no Passkeys: nobody gets
// in by their password alone.
func TestForgottenWiring(t *testing.T) {
	t.Parallel()
	h, _ := keyed(t, audit.KindPatient)
	h.options.Passkeys, h.options.Texts = nil, nil
	h.m = h.manager()
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	require.Empty(t, s.Factors)
	for _, a := range []authn.Answer{{Code: code}, {Passkey: "{}"}, {Factor: authn.FactorText, Send: true}} {
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), a, home)
		require.NoError(t, err)
		require.ErrorIs(t, s.Problem, authn.ErrNoFactor)
	}
	_, err = h.m.OfferPasskey(t.Context(), clinic, home)
	require.ErrorIs(t, err, authn.ErrPasswordFirst)
	require.Zero(t, h.sessions.count())
}

// TestPolicyOfPasskeys: a policy is in force with the next step.
func TestPolicyOfPasskeys(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]authn.PasskeyUse{"second": authn.PasskeysSecond, "off": authn.PasskeysOff} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := keyed(t, audit.KindPatient)
			o := h.offer()
			h.rule(func(p *authn.Policy) { p.Banner = authn.Banner{Version: "1"} })
			asked := h.offer()
			banner, err := h.m.Continue(t.Context(), asked.Ticket.Reveal(), authn.Answer{Passkey: touch(t, asked, "laptop")}, home)
			require.NoError(t, err)
			require.Equal(t, authn.NeedBanner, banner.Need)

			h.rule(func(p *authn.Policy) { p.Passkeys = use })
			_, err = h.m.OfferPasskey(t.Context(), clinic, home)
			require.ErrorIs(t, err, authn.ErrPasswordFirst)
			require.Equal(t, 401, authn.Status(err))
			_, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
			require.ErrorIs(t, err, authn.ErrPasswordFirst, "begun before")
			_, err = h.m.Continue(t.Context(), banner.Ticket.Reveal(), authn.Answer{Banner: "1"}, home)
			require.ErrorIs(t, err, authn.ErrPasswordFirst, "half-way before")
			require.Zero(t, h.sessions.count())
			require.Contains(t, h.events(), "authn.sign_in! password_first")
		})
	}
}

// TestPolicySwitchedWhileMinting: the policy changes in the last moment, after the session began.
func TestPolicySwitchedWhileMinting(t *testing.T) {
	t.Parallel()
	h, _ := keyed(t, audit.KindStaff)
	o := h.offer()
	done := false
	h.wire.watch(func(_ int, name string) error {
		if name == "sessions.Start" && !done {
			done = true
			h.rule(func(p *authn.Policy) { p.Passkeys = authn.PasskeysSecond })
		}
		return nil
	})
	_, err := h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
	require.ErrorIs(t, err, authn.ErrTicket)
	require.True(t, done)
	require.Zero(t, h.sessions.count())
}

// TestGateOrderOfPasskeys: a passkey passes the same gate as a password.
func TestGateOrderOfPasskeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(h *house, p authn.Person)
		offers error // what the offer answers, nil if it is made
		err    error
		code   string
	}{
		"closed": {func(h *house, _ authn.Person) { h.rule(func(p *authn.Policy) { p.Closed = true }) }, authn.ErrDenied, authn.ErrDenied, "authn.sign_in! tenant_closed"},
		"elsewhere": {func(h *house, _ authn.Person) {
			h.rule(func(p *authn.Policy) { p.Network.Staff = networks(h.t, "198.51.100.0/24") })
		}, nil, authn.ErrNetwork, "authn.sign_in! network"},
		"nobody from here": {func(h *house, _ authn.Person) {
			h.rule(func(p *authn.Policy) {
				p.Network.Staff, p.Network.Patients = networks(h.t, "198.51.100.0/24"), networks(h.t, "198.51.100.0/24")
			})
		}, authn.ErrNetwork, authn.ErrNetwork, "authn.sign_in! network"},
		"suspended": {func(h *house, p authn.Person) { _ = h.m.Suspend(admin(h.t.Context()), clinic, p.ID, "") }, nil, authn.ErrDenied, "authn.sign_in! wrong_passkey"},
		"removed":   {func(h *house, p authn.Person) { _ = h.m.Remove(admin(h.t.Context()), clinic, p.ID, "") }, nil, authn.ErrDenied, "authn.sign_in! wrong_passkey"},
		"inactive":  {func(h *house, _ authn.Person) { h.clock.Advance(91 * day) }, nil, authn.ErrInactive, "authn.sign_in! inactive"},
		"waiting": {func(h *house, p authn.Person) {
			a, err := h.store.Account(h.t.Context(), clinic, p.ID)
			require.NoError(h.t, err)
			c := authn.Change{Person: a.Person, Expect: a.Person.Version}
			c.Person.State = authn.Waiting
			require.NoError(h.t, h.store.Apply(h.t.Context(), c))
		}, nil, authn.ErrApproval, "authn.sign_in! approval"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, p := keyed(t, audit.KindStaff)
			before := h.offer()
			c.change(h, p)
			h.rec.Reset()
			o, err := h.m.OfferPasskey(t.Context(), clinic, home)
			if c.offers != nil {
				require.ErrorIs(t, err, c.offers)
				o = before
			}
			_, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
			require.ErrorIs(t, err, c.err)
			require.Contains(t, h.events(), c.code)
			require.Zero(t, h.sessions.count())
		})
	}
}

// TestOfferedPasskeyRefused: whatever is wrong with a response, the answer and the work behind it say
// nothing.
func TestOfferedPasskeyRefused(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(t *testing.T, h *house, o authn.Step) string{
		"nothing":           func(*testing.T, *house, authn.Step) string { return "" },
		"nonsense":          func(*testing.T, *house, authn.Step) string { return "\x00{" },
		"too long":          func(*testing.T, *house, authn.Step) string { return strings.Repeat("x", 64<<10+1) },
		"unknown key":       func(t *testing.T, _ *house, o authn.Step) string { return touch(t, o, "stranger") },
		"another challenge": func(t *testing.T, h *house, _ authn.Step) string { return touch(t, h.offer(), "laptop") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := keyed(t, audit.KindStaff)
			o := h.offer()
			response := answer(t, h, o)
			s, err := h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: response, Code: code, Password: pw(good)}, home)
			require.EqualError(t, err, authn.ErrDenied.Error())
			require.Equal(t, authn.Step{}, s)
			require.Equal(t, []string{"authn.sign_in! wrong_passkey"}, h.events())
			_, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
			require.ErrorIs(t, err, authn.ErrTicket, "it was used up")
		})
	}
}

// TestOffersSayNothing: the same for a tenant full of passkeys and one that nobody knows.
func TestOffersSayNothing(t *testing.T) {
	t.Parallel()
	h, _ := keyed(t, audit.KindStaff)
	calls := map[audit.Tenant][]string{}
	for _, tenant := range []audit.Tenant{clinic, "nobody's"} {
		h.wire.watch(nil)
		s, err := h.m.OfferPasskey(t.Context(), tenant, home)
		require.NoError(t, err)
		require.NotEmpty(t, s.Passkey)
		require.Empty(t, s.Person)
		calls[tenant] = h.wire.names()
	}
	require.Equal(t, calls[clinic], calls["nobody's"])
}

// TestOffersFindAnEnd: a page that is loaded over and over fills no table, and takes no tries away
// from those who sign in; a known browser still gets its offer.
func TestOffersFindAnEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *authn.Options) { o.AddressTries, o.TenantTries = 20, 50 })
	p := h.ada(audit.KindPatient)
	h.passkeys.give(p.ID, "laptop")
	h.factor.set(p.ID, true)
	s, err := h.signIn(good)
	require.NoError(t, err)
	known := home
	known.Known = s.Known.Reveal()
	made := 0
	for i := range 200 {
		c := home
		c.Addr = addr(fmt.Sprintf("198.51.100.%d", i%4))
		if _, err := h.m.OfferPasskey(t.Context(), clinic, c); err == nil {
			made++
		} else {
			require.ErrorIs(t, err, authn.ErrThrottled)
		}
	}
	require.Equal(t, 50, made)
	_, err = h.signIn(good)
	require.NoError(t, err, "tries are counted apart")
	_, err = h.m.OfferPasskey(t.Context(), clinic, known)
	require.NoError(t, err, "a known browser")
	own := h.proving(p, audit.AAL2, "s1")
	for i := range 21 {
		begin := func() (authn.Step, error) { return h.m.BeginPasskey(own, home) }
		if i%2 == 0 {
			begin = func() (authn.Step, error) { return h.m.BeginProof(own, authn.Answer{}, home) }
		}
		if _, err = begin(); i < 20 {
			require.NoError(t, err, "who is signed in draws on nobody's offers")
		}
	}
	require.ErrorIs(t, err, authn.ErrThrottled, "and finds an end too")

	then := h.clock.Now()
	old, err := h.m.OfferPasskey(t.Context(), clinic, known)
	require.NoError(t, err)
	h.clock.Advance(5 * time.Minute)
	o, err := h.m.OfferPasskey(t.Context(), clinic, known)
	require.NoError(t, err)
	require.NoError(t, h.store.Sweep(t.Context(), h.clock.Now()))
	_, err = h.store.Ticket(t.Context(), authn.Sum(old.Ticket.Reveal()), then)
	require.ErrorIs(t, err, authn.ErrTicket, "an old one is forgotten")
	_, err = h.m.Show(t.Context(), o.Ticket.Reveal())
	require.NoError(t, err, "a live one stays")
}

// TestResponsesAreTries: each response draws on the budgets of the address and the tenant, and on
// nobody's failures: what cannot be guessed locks nobody out.
func TestResponsesAreTries(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *authn.Options) { o.AddressTries = 10 })
	p := h.ada(audit.KindPatient)
	h.passkeys.give(p.ID, "laptop")
	h.clock.Advance(time.Hour)
	for i := range 12 {
		c := home
		c.Addr = addr(fmt.Sprintf("198.51.100.%d", i))
		o, err := h.m.OfferPasskey(t.Context(), clinic, c)
		require.NoError(t, err)
		_, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: `{"challenge":"forged","key":"laptop"}`}, home)
		if i < 10 {
			require.ErrorIs(t, err, authn.ErrDenied)
		} else {
			require.ErrorIs(t, err, authn.ErrThrottled)
		}
	}
	a, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Zero(t, a.Second.Failures+a.Password.Failures)
}

// TestGuessingKeepsNoPasskeyOut: who guesses passwords and codes until they are disabled does not
// keep the owner's passkey out, nor do a passkey's successes give the guesser more tries.
func TestGuessingKeepsNoPasskeyOut(t *testing.T) {
	t.Parallel()
	h, p := furnish(t)
	h.passkeys.give(p.ID, "laptop")
	for _, f := range []authn.Family{authn.FamilySecond, authn.FamilyPassword} {
		for range 100 {
			_, _, err := h.store.Charge(t.Context(), clinic, p.ID, f, authn.Limits{Free: 100, Base: time.Second, Max: time.Second, Disable: 100}, h.clock.Now())
			require.NoError(t, err)
		}
	}
	o := h.offer()
	s, err := h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	a, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, 100, a.Second.Failures)
	require.Equal(t, 100, a.Password.Failures)
}

// TestPasskeyOfAnotherTenant: a passkey is one of a tenant's, and an offer is good for the one
// browser that has its ticket.
func TestPasskeyOfAnotherTenant(t *testing.T) {
	t.Parallel()
	h, p := keyed(t, audit.KindStaff)
	o, err := h.m.OfferPasskey(t.Context(), "another", home)
	require.NoError(t, err)
	_, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
	require.ErrorIs(t, err, authn.ErrDenied)
	mine, theirs := h.offer(), h.offer()
	_, err = h.m.Continue(t.Context(), theirs.Ticket.Reveal(), authn.Answer{Passkey: touch(t, mine, "laptop")}, home)
	require.ErrorIs(t, err, authn.ErrDenied, "a response that was taken from another browser")
	require.Zero(t, h.sessions.count())
	require.NotEmpty(t, h.passkeys.of(p.ID))
}

// TestPasskeysInsideATransaction: what is no part of a host's transaction is refused there.
func TestPasskeysInsideATransaction(t *testing.T) {
	t.Parallel()
	h, p := keyed(t, audit.KindStaff)
	m, ctx := h.m.With(h.store), h.proving(p, audit.AAL2, "s1")
	_, err := m.OfferPasskey(ctx, clinic, home)
	require.ErrorIs(t, err, authn.ErrState)
	_, err = m.BeginPasskey(ctx, home)
	require.ErrorIs(t, err, authn.ErrState)
	require.ErrorIs(t, m.AddPasskey(ctx, "", authn.Answer{}, home), authn.ErrState)
	_, err = m.BeginProof(ctx, authn.Answer{}, home)
	require.ErrorIs(t, err, authn.ErrState)
}

// TestTicketsOfTheReleaseBefore go on: who was asked for a code gives it, and what was proven then is
// worth what it was.
func TestTicketsOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	h, p := furnish(t)
	h.sessions.clear()
	put := func(state string) string {
		ticket, err := h.m.PutTicketState(t.Context(), clinic, p.ID, h.clock.Now().Add(10*time.Minute), fmt.Sprintf(state,
			h.clock.Now().Add(10*time.Minute).UnixMicro(), p.ID, h.version(p.ID)))
		require.NoError(t, err)
		return ticket
	}
	ticket := put(`{"need":"second_factor","expires":%d,"evidence":{"tenant":"clinic","person":%q,"version":%d,"at":"2026-05-04T12:00:00Z","proven":["pwd"],"second":false}}`)
	s, err := h.m.Show(t.Context(), ticket)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	s, err = h.m.Continue(t.Context(), ticket, authn.Answer{Code: "000000"}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrWrongCode)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)

	h.rule(func(p *authn.Policy) { p.Banner = authn.Banner{Version: "1"} })
	const proven = `{"need":"banner","banner":"1","expires":%d,"evidence":{"tenant":"clinic","person":%q,"version":%d,"at":"2026-05-04T12:00:00Z","proven":["pwd","otp"],"second":true}}`
	s, err = h.m.Continue(t.Context(), put(proven), authn.Answer{Banner: "1"}, home)
	require.NoError(t, err)
	a, _ := h.sessions.of(s.Token.Reveal())
	require.Equal(t, audit.AAL2, a.Assurance)
	require.False(t, a.PhishingResistant)
	h.factor.set(p.ID, false)
	h.passkeys.give(p.ID, "laptop")
	_, err = h.m.Continue(t.Context(), put(proven), authn.Answer{Banner: "1"}, home)
	require.ErrorIs(t, err, authn.ErrTicket, "what it proved was the app, which is gone")
}

// TestEvidenceOfNothing is refused, whatever step it is at: it is what the tickets of the signed in
// hold.
func TestEvidenceOfNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	for _, need := range []authn.Need{authn.NeedSecondFactor, authn.NeedEnrolment, authn.NeedPassword, authn.NeedBanner, authn.NeedPasskey, authn.NeedProof, authn.NeedRegistration, authn.NeedApproval, authn.Done, ""} {
		ticket, err := h.m.PutTicketState(t.Context(), clinic, p.ID, h.clock.Now().Add(time.Minute), fmt.Sprintf(
			`{"need":%q,"banner":"1","expires":%d,"evidence":{"tenant":"clinic","person":%q,"version":%d}}`,
			need, h.clock.Now().Add(time.Minute).UnixMicro(), p.ID, h.version(p.ID)))
		require.NoError(t, err)
		s, err := h.m.Continue(t.Context(), ticket, authn.Answer{Code: code, Banner: "1", Password: pw(other), Passkey: "{}"}, home)
		require.Error(t, err, need)
		require.Equal(t, authn.Step{}, s)
	}
	require.Zero(t, h.sessions.count())
}

// TestPoliciesOfTheReleaseBefore say nothing about passkeys and text messages: that is the default.
func TestPoliciesOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	p, err := authn.DecodePolicy(3, `{"format":1,"staff":"required","patients":"optional"}`)
	require.NoError(t, err)
	require.Equal(t, authn.Policy{Version: 3, Patients: authn.Optional}, *p)
	require.Equal(t, authn.PasskeysAlone, p.Passkeys)
	for _, use := range []authn.PasskeyUse{authn.PasskeysAlone, authn.PasskeysSecond, authn.PasskeysOff} {
		want := authn.Policy{Version: 1, Passkeys: use, Texts: use == authn.PasskeysOff}
		text, err := authn.EncodePolicy(&want)
		require.NoError(t, err)
		got, err := authn.DecodePolicy(1, text)
		require.NoError(t, err)
		require.Equal(t, want, *got)
	}
	for _, text := range []string{
		`{"format":1,"staff":"required","patients":"optional","passkeys":"alone"}`,
		`{"format":1,"staff":"required","patients":"optional","passkeys":"maybe"}`,
		`{"format":1,"staff":"required","patients":"optional","texts":false}`,
	} {
		_, err := authn.DecodePolicy(1, text)
		require.ErrorIs(t, err, authn.ErrPolicy, text)
	}
	h := newHouse(t, nil)
	h.rule(func(p *authn.Policy) { p.Passkeys, p.Texts = authn.PasskeysSecond, true })
	require.Equal(t, map[string]string{"passkeys": "alone → second_factor", "texts": "no → yes"}, h.rec.Find(authn.ActionPolicy)[0].Detail)
}
