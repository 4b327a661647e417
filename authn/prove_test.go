package authn_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func TestProve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		enrolled bool
		all      bool // the policy asks for all factors
		answer   authn.Answer
		err      error
		methods  []string
		level    audit.Assurance
	}{
		"password":              {true, false, authn.Answer{Password: pw(good)}, nil, []string{"pwd"}, audit.AAL1},
		"code":                  {true, false, authn.Answer{Code: code}, nil, []string{"otp"}, audit.AAL1},
		"both":                  {true, false, authn.Answer{Password: pw(good), Code: code}, nil, []string{"pwd", "otp", "mfa"}, audit.AAL2},
		"wrong password":        {true, false, authn.Answer{Password: pw(other)}, authn.ErrDenied, nil, 0},
		"wrong code":            {true, false, authn.Answer{Code: "000000"}, authn.ErrWrongCode, nil, 0},
		"one of both is wrong":  {true, false, authn.Answer{Password: pw(good), Code: "000000"}, authn.ErrWrongCode, nil, 0},
		"the other is wrong":    {true, false, authn.Answer{Password: pw(other), Code: code}, authn.ErrDenied, nil, 0},
		"nothing":               {true, false, authn.Answer{}, authn.ErrProof, nil, 0},
		"a code without factor": {false, false, authn.Answer{Password: pw(good), Code: code}, authn.ErrNoFactor, nil, 0},
		"all":                   {true, true, authn.Answer{Password: pw(good), Code: code}, nil, []string{"pwd", "otp", "mfa"}, audit.AAL2},
		"all, password only":    {true, true, authn.Answer{Password: pw(good)}, authn.ErrProof, nil, 0},
		"all, code only":        {true, true, authn.Answer{Code: code}, authn.ErrProof, nil, 0},
		"all there is":          {false, true, authn.Answer{Password: pw(good)}, nil, []string{"pwd"}, audit.AAL1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			p := h.ada(audit.KindPatient)
			h.factor.set(p.ID, c.enrolled)
			if c.all {
				policy := authn.DefaultPolicy()
				policy.Reproof = authn.AllFactors
				require.NoError(t, h.m.SavePolicy(admin(t.Context()), clinic, policy, false))
			}
			ctx := as(t.Context(), p)
			ask, err := h.m.Asked(ctx)
			require.NoError(t, err)
			require.Equal(t, authn.Proof{Password: true, Code: c.enrolled, Both: c.enrolled && c.all}, ask)
			h.clock.Advance(time.Hour)
			h.rec.Reset()
			a, err := h.m.Prove(ctx, c.answer, home)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				require.Equal(t, audit.Actor{}, a)
				require.NotContains(t, h.events(), "authn.reauthenticate")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.methods, a.Methods)
			require.Equal(t, c.level, a.Assurance)
			require.Equal(t, h.clock.Now(), a.AuthTime)
			require.Equal(t, p.ID, a.ID)
			require.Equal(t, []string{"authn.reauthenticate"}, h.events())
		})
	}
}

// Proving again is one more way to guess, and shares its counters with the others.
func TestProveSharesTheThrottle(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	ctx := as(t.Context(), h.ada(audit.KindStaff))
	for range 2 {
		_, err := h.signIn("wrong")
		require.ErrorIs(t, err, authn.ErrDenied)
		_, err = h.m.Prove(ctx, authn.Answer{Password: pw("wrong")}, home)
		require.ErrorIs(t, err, authn.ErrDenied)
	}
	_, err := h.m.Prove(ctx, authn.Answer{Password: pw("wrong")}, home)
	require.ErrorIs(t, err, authn.ErrDenied)
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrThrottled)
	_, err = h.m.Prove(ctx, authn.Answer{Password: pw(good)}, home)
	require.ErrorIs(t, err, authn.ErrThrottled)

	h.clock.Advance(time.Hour)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	for range 5 {
		_, err := h.m.Prove(ctx, authn.Answer{Code: "000000"}, home)
		require.ErrorIs(t, err, authn.ErrWrongCode)
	}
	_, err = h.m.Prove(ctx, authn.Answer{Code: code}, home)
	require.ErrorIs(t, err, authn.ErrThrottled)
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.ErrorIs(t, s.Problem, authn.ErrThrottled)
}

// Whoever may not be signed in any more proves nothing, whatever their session says.
func TestProveOfSomebodyWhoMayNot(t *testing.T) {
	t.Parallel()
	right := authn.Answer{Password: pw(good), Code: code}
	for name, c := range map[string]struct {
		change func(h *house, p authn.Person)
		err    error
	}{
		"nobody":    {func(*house, authn.Person) {}, authn.ErrNoActor},
		"suspended": {func(h *house, p authn.Person) { _ = h.m.Suspend(admin(h.t.Context()), clinic, p.ID, "") }, authn.ErrNoActor},
		"removed":   {func(h *house, p authn.Person) { _ = h.m.Remove(admin(h.t.Context()), clinic, p.ID, "") }, authn.ErrNoActor},
		"closed": {func(h *house, _ authn.Person) {
			p := authn.DefaultPolicy()
			p.Closed = true
			require.NoError(h.t, h.m.SavePolicy(admin(h.t.Context()), clinic, p, true))
		}, authn.ErrNoActor},
		"elsewhere": {func(h *house, _ authn.Person) {
			p := authn.DefaultPolicy()
			p.Network.Staff = networks(h.t, "198.51.100.0/24")
			require.NoError(h.t, h.m.SavePolicy(admin(h.t.Context()), clinic, p, true))
		}, authn.ErrNetwork},
		"a part fails": {func(h *house, _ authn.Person) {
			h.wire.watch(func(_ int, name string) error {
				if name == "factor.Verify" {
					return errBroken
				}
				return nil
			})
		}, authn.ErrUnavailable},
		"not recorded": {func(h *house, _ authn.Person) { h.rec.FailWith(errBroken) }, authn.ErrUnavailable},
		"disabled": {func(h *house, p authn.Person) {
			for range 100 {
				_, _, err := h.store.Charge(h.t.Context(), clinic, p.ID, authn.FamilySecond, authn.Limits{Free: 100, Base: time.Second, Max: time.Second, Disable: 100}, h.clock.Now())
				require.NoError(h.t, err)
			}
		}, authn.ErrThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			p := h.ada(audit.KindStaff)
			ctx := as(t.Context(), p)
			if name == "nobody" {
				ctx = t.Context()
			}
			c.change(h, p)
			a, err := h.m.Prove(ctx, right, home)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, audit.Actor{}, a)
			var throttled *authn.ThrottledError
			require.Equal(t, name == "disabled", errors.As(err, &throttled) && throttled.Disabled)
		})
	}
}
