package authn_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/enginetest"
)

func TestPolicyValidates(t *testing.T) {
	t.Parallel()
	fine := authn.DefaultPolicy()
	require.NoError(t, fine.Validate())
	for name, p := range map[string]authn.Policy{
		"negative version":    {Version: -1},
		"unknown enforcement": {Staff: 2},
		"unknown proof":       {Reproof: 2},
		"unknown use":         {Passkeys: 3},
		"an hour":             {InactiveStaff: time.Hour},
		"negative":            {InactivePatients: -day},
		"eleven years":        {InactivePatients: 11 * 365 * day},
		"nanoseconds":         {InactivePatients: day + 1},
		"long version":        {Banner: authn.Banner{Version: string(make([]byte, 65))}},
		"broken version":      {Banner: authn.Banner{Version: "\xff"}},
		"nameless banner":     {Banner: authn.Banner{Always: true}},
		"weaker, alone":       {Passwords: authn.PasswordRules{Alone: 14}},
		"weaker, with":        {Passwords: authn.PasswordRules{WithFactor: 7}},
		"too long":            {Passwords: authn.PasswordRules{Alone: 65}},
		"short word":          {Passwords: authn.PasswordRules{Words: []string{"ab"}}},
		"long word":           {Passwords: authn.PasswordRules{Words: []string{strings.Repeat("x", 65)}}},
		"many words":          {Passwords: authn.PasswordRules{Words: make([]string, 65)}},
		"spaces":              {Passwords: authn.PasswordRules{Words: []string{" harbor"}}},
		"networks":            {Network: authn.Network{Staff: []netip.Prefix{{}}}},
	} {
		require.ErrorIs(t, p.Validate(), authn.ErrPolicy, name)
		_, err := authn.EncodePolicy(&p)
		require.ErrorIs(t, err, authn.ErrPolicy, name)
		h := newHouse(t, nil)
		h.ada(audit.KindPatient)
		require.ErrorIs(t, h.m.SavePolicy(admin(t.Context()), clinic, p, true), authn.ErrPolicy, name)
		require.Empty(t, h.events(), name)
		_, err = authn.New(h.parts, &authn.Options{Policy: &p})
		require.Error(t, err, name)
		h = ruled(t, &p)
		_, err = h.signIn(good)
		require.ErrorIs(t, err, authn.ErrUnavailable, "%s: a store that has it keeps everybody out", name)
	}
}

// What is saved on one server is in force with the next step on every other, sign-ins in
// progress included, and what changed is recorded with its before and after.
func TestSavePolicyIsInForceEverywhereAtOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h := newHouse(t, store)
		h.ada(audit.KindPatient)
		second := h.manager()
		ctx := admin(t.Context())
		p, err := second.Policy(ctx, clinic)
		require.NoError(t, err)
		require.Equal(t, authn.DefaultPolicy(), p)
		p.Banner = authn.Banner{Version: "7"}
		p.InactiveStaff = 30 * day
		p.Passwords = authn.PasswordRules{Alone: 20, Words: []string{"harbor"}}
		require.NoError(t, second.SavePolicy(ctx, clinic, p, false))
		s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
		require.NoError(t, err)
		require.Equal(t, authn.NeedBanner, s.Need)

		p.Version, p.Patients, p.Banner = 1, authn.Required, authn.Banner{}
		require.NoError(t, second.SavePolicy(ctx, clinic, p, false))
		s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Banner: "7"}, home)
		require.NoError(t, err)
		require.Equal(t, authn.NeedEnrolment, s.Need, "a sign-in in progress is judged by the new one")

		p.Version, p.Closed = 2, true
		require.NoError(t, second.SavePolicy(ctx, clinic, p, true))
		_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
		require.ErrorIs(t, err, authn.ErrTicket)
		ok, err := h.m.Allowed(t.Context(), clinic, audit.KindPatient, home.Addr)
		require.NoError(t, err)
		require.False(t, ok)

		saved := h.rec.Find(authn.ActionPolicy)
		require.Len(t, saved, 3)
		require.Equal(t, map[string]string{
			"banner": "none → 7", "inactive.staff": "2160h0m0s → 720h0m0s",
			"passwords.alone": "15 → 20", "passwords.words.0": "none → harbor",
		}, saved[0].Detail)
		require.Equal(t, map[string]string{"banner": "7 → none", "factor.patients": "optional → required"}, saved[1].Detail)
		require.Equal(t, map[string]string{"closed": "no → yes"}, saved[2].Detail)
		require.Equal(t, "3", saved[2].Objects[0].Version)
		require.Equal(t, audit.ActorID("boss"), saved[2].Actor.ID)
	})
}

func TestSavePolicyOfAnotherVersion(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h := newHouse(t, store)
		errs := atOnce(16, func(i int) error {
			p := authn.DefaultPolicy()
			p.Passwords.Alone = 20 + i
			return h.m.SavePolicy(admin(t.Context()), clinic, p, false)
		})
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, authn.ErrConflict)
		}
		require.Equal(t, 1, won)
		p := authn.DefaultPolicy()
		require.ErrorIs(t, h.m.SavePolicy(admin(t.Context()), clinic, p, false), authn.ErrConflict)
		saved := 0
		for _, e := range h.rec.Find(authn.ActionPolicy) {
			if e.Outcome == audit.Success {
				saved++
			} else {
				require.Equal(t, "conflict", e.Code)
				saved--
			}
		}
		require.Equal(t, 1, saved, "every attempt that was recorded and not made has its failure recorded")
	})
}

// Nobody shuts the door behind themselves, or in front of everybody for the first time, unasked.
func TestSavePolicyAsksBeforeItLocksOut(t *testing.T) {
	t.Parallel()
	ctx := audit.WithActor(t.Context(), audit.Actor{ID: "boss", Kind: audit.KindStaff, Tenant: clinic, Origin: home.Addr})
	for name, c := range map[string]struct {
		edit func(*authn.Policy)
		want authn.LockOutError
	}{
		"the first list":         {func(p *authn.Policy) { p.Network.Staff = networks(t, "192.0.2.0/24") }, authn.LockOutError{First: true}},
		"the first, and oneself": {func(p *authn.Policy) { p.Network.Staff = networks(t, "198.51.100.0/24") }, authn.LockOutError{First: true, Yourself: true}},
		"closed":                 {func(p *authn.Policy) { p.Closed = true }, authn.LockOutError{Yourself: true}},
		"both": {func(p *authn.Policy) {
			p.Closed, p.Network.Patients = true, networks(t, "198.51.100.0/24")
		}, authn.LockOutError{First: true, Yourself: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			p := authn.DefaultPolicy()
			c.edit(&p)
			var out *authn.LockOutError
			require.ErrorAs(t, h.m.SavePolicy(ctx, clinic, p, false), &out)
			require.Equal(t, c.want, *out)
			now, err := h.m.Policy(ctx, clinic)
			require.NoError(t, err)
			require.Zero(t, now.Version)
			require.Empty(t, h.events())
			require.NoError(t, h.m.SavePolicy(ctx, clinic, p, true))
			p.Version = 1
			require.NoError(t, h.m.SavePolicy(ctx, clinic, p, p.Network.Staff != nil), "what is so already is not asked about again")
		})
	}
}

// Only who acts in the tenant saves its policy, and a try from elsewhere is seen.
func TestSavePolicyOfAnotherTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := authn.DefaultPolicy()
	for name, a := range map[string]audit.Actor{
		"anonymous":      audit.Anonymous(clinic, home.Addr),
		"another tenant": {ID: "eve", Kind: audit.KindStaff, Tenant: "other"},
		"no tenant":      {ID: "eve", Kind: audit.KindStaff},
	} {
		require.ErrorIs(t, h.m.SavePolicy(audit.WithActor(t.Context(), a), clinic, p, true), authn.ErrNoActor, name)
	}
	require.ErrorIs(t, h.m.SavePolicy(t.Context(), clinic, p, true), authn.ErrNoActor)
	seen := h.rec.Find(authn.ActionPolicy)
	require.Len(t, seen, 2)
	require.Equal(t, "other_tenant", seen[1].Code)
	now, err := h.m.Policy(t.Context(), clinic)
	require.NoError(t, err)
	require.Zero(t, now.Version)
}

// What cannot be recorded is not saved; what was recorded and not saved is recorded as that.
func TestSavePolicyWithAFailingPart(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"store.GetPolicy", "recorder.Record", "store.SavePolicy"} {
		h := newHouse(t, nil)
		h.wire.watch(func(n int, name string) error {
			if name == call {
				return errBroken
			}
			return nil
		})
		require.ErrorIs(t, h.m.SavePolicy(admin(t.Context()), clinic, authn.DefaultPolicy(), false), authn.ErrUnavailable, call)
		h.wire.watch(nil)
		p, err := h.m.Policy(t.Context(), clinic)
		require.NoError(t, err)
		require.Zero(t, p.Version, call)
		if call == "store.SavePolicy" {
			require.Equal(t, []string{"authn.policy", "authn.policy! unavailable"}, h.events())
		}
	}
}

// A long list is recorded whole, in as many events as it takes.
func TestSavePolicyRecordsEveryNetwork(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := authn.DefaultPolicy()
	for i := range 200 {
		p.Network.Staff = append(p.Network.Staff, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.0/24", i)))
	}
	require.NoError(t, h.m.SavePolicy(admin(t.Context()), clinic, p, true))
	n := 0
	for _, e := range h.rec.Find(authn.ActionPolicy) {
		require.NoError(t, e.Validate())
		n += len(e.Detail)
	}
	require.Equal(t, 200, n)
}

// The policy's own rules for passwords are asked wherever a password is set.
func TestPasswordRules(t *testing.T) {
	t.Parallel()
	p := authn.DefaultPolicy()
	p.Passwords = authn.PasswordRules{Alone: 25, WithFactor: 12, Words: []string{"harborside"}}
	h := ruled(t, &p)
	_, token := h.invite(audit.KindStaff)
	for typed, reason := range map[string]authn.Reason{"eleven char": authn.TooShort, "Harborside 12": authn.Context} {
		_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(typed)}, home)
		var refused *authn.PolicyError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, reason, refused.Reason)
		require.Equal(t, 12, refused.Min)
	}
	for kind, least := range map[audit.Kind]int{audit.KindStaff: 12, audit.KindPatient: 25} {
		n, err := h.m.MinPassword(t.Context(), clinic, kind)
		require.NoError(t, err)
		require.Equal(t, least, n)
	}
	_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw("twelve chars")}, home)
	require.NoError(t, err)
}

func TestFactorRequired(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	required, err := h.m.FactorRequired(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.False(t, required)
	require.NoError(t, h.m.SavePolicy(admin(t.Context()), clinic, authn.Policy{}, false))
	required, err = h.m.FactorRequired(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.True(t, required)
	required, err = h.m.FactorRequired(t.Context(), clinic, "nobody")
	require.ErrorIs(t, err, authn.ErrNotFound)
	require.True(t, required, "who cannot be looked up must have one")
}

// FuzzDecodePolicy: what is read is what was written, and nothing else is read.
func FuzzDecodePolicy(f *testing.F) {
	for _, p := range []authn.Policy{{}, authn.DefaultPolicy(), {
		ApproveStaff: true, Closed: true, Reproof: authn.AllFactors, InactiveStaff: 30 * day, Banner: authn.Banner{Version: "7", Always: true},
		Network:   authn.Network{Staff: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}},
		Passwords: authn.PasswordRules{Alone: 20, Words: []string{"harbor"}},
	}, {Passkeys: authn.PasskeysSecond, Texts: true}} {
		s, err := authn.EncodePolicy(&p)
		require.NoError(f, err)
		f.Add(s)
		f.Add(strings.Replace(s, "optional", "none", 1))
		f.Add(s + " ")
		f.Add(strings.Replace(s, "{", `{"exempt":["boss"],`, 1))
	}
	f.Add(`{"format":1,"format":1}`)
	f.Add(`{"format":2}`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := authn.DecodePolicy(3, s)
		if err != nil {
			require.ErrorIs(t, err, authn.ErrPolicy)
			return
		}
		require.NoError(t, p.Validate())
		again, err := authn.EncodePolicy(p)
		require.NoError(t, err)
		require.Equal(t, s, again)
		require.NotContains(t, s, "exempt")
	})
}

// eachStore runs a test over every store there is.
func eachStore(t *testing.T, run func(t *testing.T, store authn.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		run(t, authn.NewMemory())
	})
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		run(t, sqlStore(t, open(t)))
	})
}
