package authn_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func networks(t testing.TB, text string) []netip.Prefix {
	t.Helper()
	list, err := authn.ParseNetworks(text)
	require.NoError(t, err)
	return list
}

// ruled is a house whose policy a test can change.
func ruled(t *testing.T, p *authn.Policy) *house {
	t.Helper()
	return newHouse(t, ruledStore{authn.NewMemory(), p})
}

// ruledStore is a store in which everybody's policy is p.
type ruledStore struct {
	authn.Store
	p *authn.Policy
}

func (s ruledStore) GetPolicy(ctx context.Context, _ audit.Tenant) (*authn.Policy, error) {
	p := s.p.Clone()
	return &p, ctx.Err()
}

func TestParseNetworks(t *testing.T) {
	t.Parallel()
	list := networks(t, "192.0.2.0/24\n\n# the clinic\n 198.51.100.7 # front desk\n2001:db8::/32\n2001:db8:1::1\n::ffff:203.0.113.9\n")
	var have []string
	for _, p := range list {
		have = append(have, p.String())
	}
	require.Equal(t, []string{"192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "2001:db8:1::1/128", "203.0.113.9/32"}, have)
	require.Empty(t, networks(t, "# nobody yet\n"))
	for bad, line := range map[string]string{
		"192.0.2.7/24":               "line 1", // a bit behind the length
		"192.0.2.0/24\n192.0.2.0/33": "line 2",
		"0.0.0.0/0":                  "line 1",
		"::/0":                       "line 1",
		"::ffff:192.0.2.0/120":       "line 1",
		"fe80::1%eth0":               "line 1",
		"example.com":                "line 1",
		"192.0.2.0/24, 2001:db8::":   "line 1",
		"192.0.2.1-192.0.2.9":        "line 1",
		"192.0.2":                    "line 1",
		"192.0.2.01":                 "line 1",
	} {
		_, err := authn.ParseNetworks(bad)
		require.ErrorIs(t, err, authn.ErrNetworkRules, bad)
		require.ErrorContains(t, err, line, bad)
	}
	_, err := authn.ParseNetworks(strings.Repeat("192.0.2.1\n", 1001))
	require.ErrorIs(t, err, authn.ErrNetworkRules)
	require.ErrorIs(t, authn.Network{Patients: []netip.Prefix{{}}}.Validate(), authn.ErrNetworkRules)
}

func TestWouldAllow(t *testing.T) {
	t.Parallel()
	n := authn.Network{Staff: networks(t, "192.0.2.0/24\n2001:db8::/48")}
	for from, want := range map[string]bool{
		"192.0.2.1": true, "192.0.2.255": true, "192.0.3.1": false, "::ffff:192.0.2.1": true, "::ffff:192.0.3.1": false,
		"2001:db8::1": true, "2001:db8:0:ffff::1": true, "2001:db8:1::1": false, "2001:db8::1%eth0": true,
	} {
		require.Equal(t, want, n.WouldAllow(audit.KindStaff, addr(from)), from)
		require.True(t, n.WouldAllow(audit.KindPatient, addr(from)), "patients have no list")
		require.Equal(t, want, n.WouldAllow(audit.KindService, addr(from)), "what is no patient is staff")
	}
	require.False(t, n.WouldAllow(audit.KindStaff, netip.Addr{}))
	require.True(t, n.WouldAllow(audit.KindProxy, netip.Addr{}))
}

func TestRulesThatLockOut(t *testing.T) {
	t.Parallel()
	none := authn.Network{}
	here := authn.Network{Staff: networks(t, "192.0.2.0/24")}
	there := authn.Network{Staff: networks(t, "198.51.100.0/24")}
	for name, c := range map[string]struct {
		old, next authn.Network
		want      *authn.LockOutError
	}{
		"the first list":         {none, here, &authn.LockOutError{First: true}},
		"the first, and oneself": {none, there, &authn.LockOutError{First: true, Yourself: true}},
		"oneself":                {here, there, &authn.LockOutError{Yourself: true}},
		"the same":               {here, here, nil},
		"none any more":          {here, none, nil},
		"the first of patients":  {here, authn.Network{Staff: here.Staff, Patients: there.Staff}, &authn.LockOutError{First: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.old.Replace(c.next, audit.KindStaff, addr("192.0.2.7"), false)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			var out *authn.LockOutError
			require.ErrorAs(t, err, &out)
			require.Equal(t, c.want, out)
			require.NoError(t, c.old.Replace(c.next, audit.KindStaff, addr("192.0.2.7"), true))
		})
	}
	require.ErrorIs(t, none.Replace(authn.Network{Staff: []netip.Prefix{{}}}, audit.KindStaff, addr("192.0.2.7"), true), authn.ErrNetworkRules)
}

// From elsewhere nobody gets in, whoever they are and whatever they know; and the answer says
// nothing about who exists, since it comes before anything is looked up or hashed.
func TestNobodyGetsInFromElsewhere(t *testing.T) {
	t.Parallel()
	var p authn.Policy
	h := ruled(t, &p)
	h.ada(audit.KindStaff)
	p.Network = authn.Network{Staff: networks(t, "198.51.100.0/24"), Patients: networks(t, "203.0.113.0/24")}
	for _, c := range []struct{ who, password string }{{ada, good}, {ada, other}, {"nobody@example.com", good}} {
		h.wire.watch(nil)
		_, err := h.m.SignIn(t.Context(), clinic, c.who, pw(c.password), home)
		require.ErrorIs(t, err, authn.ErrNetwork)
		require.NotContains(t, h.wire.names(), "store.Credential")
	}
	require.Contains(t, h.events(), "authn.sign_in! network")
}

// Somebody whose kind may not work from here learns it only after the password: before that,
// the answer is the one for everybody.
func TestTheNetworkOfAKindIsAskedAfterThePassword(t *testing.T) {
	t.Parallel()
	var p authn.Policy
	h := ruled(t, &p)
	h.ada(audit.KindStaff)
	p.Network = authn.Network{Staff: networks(t, "198.51.100.0/24")}
	_, wrong := h.signIn(other)
	_, unknown := h.m.SignIn(t.Context(), clinic, "nobody@example.com", pw(good), home)
	require.ErrorIs(t, wrong, authn.ErrDenied)
	require.ErrorIs(t, unknown, authn.ErrDenied)
	_, err := h.signIn(good)
	require.ErrorIs(t, err, authn.ErrNetwork)
	require.Zero(t, h.sessions.count())
	office := authn.Client{Addr: addr("198.51.100.9")}
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), office)
	require.NoError(t, err)
	_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home) // the second step from elsewhere
	require.ErrorIs(t, err, authn.ErrNetwork)
	require.Zero(t, h.sessions.count())
}

// Rules saved while a session is being made end it before its token is handed out.
func TestNetworkRulesDuringASignIn(t *testing.T) {
	t.Parallel()
	var p authn.Policy
	h := ruled(t, &p)
	h.ada(audit.KindStaff)
	h.wire.watch(func(_ int, name string) error {
		if name == "sessions.Start" {
			p.Network = authn.Network{Staff: networks(t, "198.51.100.0/24")}
		}
		return nil
	})
	_, err := h.signIn(good)
	require.Error(t, err)
	require.Zero(t, h.sessions.count())
}

func TestALinkFromElsewhereIsNotUsedUp(t *testing.T) {
	t.Parallel()
	var p authn.Policy
	h := ruled(t, &p)
	_, token := h.invite(audit.KindStaff)
	p.Network = authn.Network{Staff: networks(t, "198.51.100.0/24")}
	_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.ErrorIs(t, err, authn.ErrNetwork)
	p.Network, p.Closed = authn.Network{}, true
	_, err = h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.ErrorIs(t, err, authn.ErrDenied)
	p.Closed = false
	s, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need)
}

func TestAClosedTenant(t *testing.T) {
	t.Parallel()
	var p authn.Policy
	h := ruled(t, &p)
	h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	p.Closed = true
	_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.ErrorIs(t, err, authn.ErrTicket)
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrDenied)
	require.Contains(t, h.events(), "authn.sign_in! tenant_closed")
	ok, err := h.m.Allowed(t.Context(), clinic, audit.KindStaff, home.Addr)
	require.NoError(t, err)
	require.False(t, ok)
}

// Allowed is what package session asks at each request.
func TestAllowed(t *testing.T) {
	t.Parallel()
	p := authn.Policy{Network: authn.Network{Staff: networks(t, "192.0.2.0/24")}}
	h := ruled(t, &p)
	for from, want := range map[string]bool{"192.0.2.7": true, "198.51.100.7": false} {
		ok, err := h.m.Allowed(t.Context(), clinic, audit.KindStaff, addr(from))
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	p.Network.Staff = []netip.Prefix{netip.PrefixFrom(addr("192.0.2.7"), 24)} // not a network
	_, err := h.m.Allowed(t.Context(), clinic, audit.KindStaff, home.Addr)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrUnavailable)
}

func FuzzNetworks(f *testing.F) {
	f.Add("192.0.2.0/24\n2001:db8::/32", "192.0.2.7")
	f.Add("198.51.100.7", "::ffff:198.51.100.7")
	f.Fuzz(func(t *testing.T, text, from string) {
		list, err := authn.ParseNetworks(text)
		if err != nil {
			require.ErrorIs(t, err, authn.ErrNetworkRules)
			return
		}
		var again []string
		for _, p := range list {
			require.Equal(t, p, p.Masked())
			again = append(again, p.String())
		}
		same, err := authn.ParseNetworks(strings.Join(again, "\n"))
		require.NoError(t, err)
		require.Equal(t, list, same)
		a, err := netip.ParseAddr(from)
		if err != nil {
			return
		}
		inside := len(list) == 0
		for _, p := range list {
			inside = inside || p.Contains(a.Unmap().WithZone(""))
		}
		require.Equal(t, inside, authn.Network{Staff: list}.WouldAllow(audit.KindStaff, a))
	})
}
