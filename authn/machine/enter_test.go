package machine_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
)

// Every reason to be turned away has the same answer, and a code of its own in the log.
func TestWhoIsTurnedAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	text := key.Reveal()
	h.out(authn.NewSecret(""), machine.CodeMalformed)
	h.out(authn.NewSecret("hunter2"), machine.CodeMalformed)
	h.out(authn.NewSecret(text[:len(text)-1]+"!"), machine.CodeMalformed)
	require.Empty(t, h.last().Objects)
	stranger, _, _ := machine.NewKeyText("wk", false)
	h.out(stranger, machine.CodeUnknown)
	token, _, _ := machine.NewKeyText("wk", true)
	h.out(token, machine.CodeUnknown)
	require.Equal(t, clinic, h.last().Tenant, "of Options.Tenant")

	h.world.blocked = office.Addr
	h.out(key, machine.CodeNetwork)
	_, err := h.m.Enter(t.Context(), key, elsewhere)
	require.NoError(t, err)
	h.world.blocked = netip.Addr{}

	h.clock.Add(p.Expires.Sub(h.clock.Now()))
	h.out(key, machine.CodeExpired)
	e := h.last()
	require.Equal(t, []audit.Object{{Type: "machine", ID: string(p.ID)}, {Type: "machine_key", ID: p.Keys[0].ID}}, e.Objects)
	require.Equal(t, office.Addr, e.Actor.Origin)
}

// The ID of a key is public: lists and events name it. It opens nothing.
func TestAKnownIDWithAnotherSecret(t *testing.T) {
	t.Parallel()
	store := machine.NewMemory()
	h := newHouse(t, store)
	p, key := h.make(h.service())
	forged, id, _ := machine.NewKeyText("wk", false)
	q := p
	q.ID, q.Keys = "m-forged", []machine.Key{{ID: id, Hash: []byte("another hash"), Created: p.Created, Expires: p.Expires}}
	require.NoError(t, store.Apply(t.Context(), machine.Change{Put: q}))
	h.out(forged, machine.CodeSecret)
	q.Version = 1
	q.Keys[0].Hash = nil
	require.NoError(t, store.Apply(t.Context(), machine.Change{Put: q, Expect: 1}))
	h.out(forged, machine.CodeSecret)
	h.in(key)
}

// A row that no Manager wrote lets nobody in as a person.
func TestATamperedRowIsNoPerson(t *testing.T) {
	t.Parallel()
	store := machine.NewMemory()
	h := newHouse(t, store)
	p, key := h.make(h.agent())
	for i, edit := range []func(*machine.Principal){
		func(p *machine.Principal) { p.Kind = audit.KindStaff },
		func(p *machine.Principal) { p.Kind = audit.KindSystem },
		func(p *machine.Principal) { p.OnBehalfOf = "" },
		func(p *machine.Principal) { p.State = "" },
	} {
		bad := p
		edit(&bad)
		require.NoError(t, store.Apply(t.Context(), machine.Change{Put: bad, Expect: int64(1 + i)}))
		h.out(key, machine.CodeState)
	}
	late := p
	late.Expires = h.clock.Now()
	require.NoError(t, store.Apply(t.Context(), machine.Change{Put: late, Expect: 5}))
	h.out(key, machine.CodeExpired) // though its key is not
	bad := p
	bad.Owner = ""
	require.NoError(t, store.Apply(t.Context(), machine.Change{Put: bad, Expect: 6}))
	h.out(key, machine.CodePerson)
}

func TestRates(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.ServiceRate, o.AgentRate = 5, 2 })
	for name, limit := range map[string]int{"agent": 2, "service": 5} {
		spec := h.service()
		if name == "agent" {
			spec = h.agent()
		}
		_, key := h.make(spec)
		other, otherKey := h.make(h.service())
		for range limit {
			h.in(key)
		}
		recorded := h.rec.Len()
		h.clock.Add(20*time.Second + 1)
		for range 3 {
			_, err := h.enter(key)
			require.ErrorIs(t, err, machine.ErrLimited)
			var l *machine.LimitedError
			require.ErrorAs(t, err, &l)
			require.Equal(t, 40*time.Second, l.RetryAfter)
		}
		require.Equal(t, recorded+1, h.rec.Len(), "the first of a flood is recorded")
		require.Equal(t, machine.CodeRate, h.last().Code)
		require.Equal(t, other.ID, h.in(otherKey).ID, "everybody has their own")
		h.clock.Add(40 * time.Second)
		h.in(key)
	}
}

// Somebody who has no key cannot use up the requests of who has one, nor their address's.
func TestFailuresCostNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.ServiceRate, o.BadKeys = 3, 4 })
	_, key := h.make(h.service())
	stranger, _, _ := machine.NewKeyText("wk", false)
	for range 4 {
		h.out(stranger, machine.CodeUnknown)
	}
	recorded := h.rec.Len()
	for range 5 {
		_, err := h.enter(stranger)
		var l *machine.LimitedError
		require.ErrorAs(t, err, &l)
		require.Equal(t, 10*time.Minute, l.RetryAfter)
	}
	require.Equal(t, recorded+1, h.rec.Len())
	require.Equal(t, machine.CodeAddress, h.last().Code)
	h.in(key)
	_, err := h.m.Enter(t.Context(), stranger, elsewhere)
	require.ErrorIs(t, err, machine.ErrInvalid, "another address has its own")
	h.clock.Add(10 * time.Minute)
	h.out(stranger, machine.CodeUnknown)
}

// Somebody with very many addresses, each of which has its own budget, fills no log; and while they
// try, a wrong secret for a key that is there is recorded still.
func TestAttackManyAddressesFillNoLog(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.BadKeys = 4 })
	_, key := h.make(h.service())
	h.rec.Reset()
	stranger, _, _ := machine.NewKeyText("wk", false)
	from := func(i int) machine.Client {
		return machine.Client{Addr: netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 5: byte(i >> 8), 6: byte(i)})}
	}
	for i := range 1000 {
		for range 6 {
			_, err := h.m.Enter(t.Context(), stranger, from(i))
			require.True(t, errors.Is(err, machine.ErrInvalid) || errors.Is(err, machine.ErrLimited), "%v", err)
		}
	}
	require.Equal(t, 1001, h.rec.Len())
	require.Equal(t, machine.CodeFlood, h.last().Code)
	h.in(key)
	require.NoError(t, h.m.Suspend(h.as(ada), h.in(key).ID, ""))
	h.out(key, machine.CodeState)
	h.clock.Add(10 * time.Minute)
	h.out(stranger, machine.CodeUnknown)
}

// A whole IPv6 network is one place, and an IPv4 address inside IPv6 is the IPv4 address.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::9%eth0"},
		{"192.0.2.9", "::ffff:192.0.2.9"},
	} {
		h := newHouse(t, nil, func(o *machine.Options) { o.BadKeys = len(same) - 1 })
		stranger, _, _ := machine.NewKeyText("wk", false)
		var err error
		for _, from := range same {
			_, err = h.m.Enter(t.Context(), stranger, machine.Client{Addr: netip.MustParseAddr(from)})
		}
		require.ErrorIs(t, err, machine.ErrLimited)
	}
}

// Without a tenant whose log could take it, a failure with an unknown key is answered all the
// same, and nothing is made up.
func TestWithoutATenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.Tenant = "" })
	stranger, _, _ := machine.NewKeyText("wk", false)
	_, err := h.enter(stranger)
	require.ErrorIs(t, err, machine.ErrInvalid)
	require.Zero(t, h.rec.Len())
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.agent())
	grant := func(scopes ...audit.Action) (machine.Access, error) {
		return h.m.Grant(t.Context(), string(p.ID), key, scopes, office)
	}
	whole, err := grant()
	require.NoError(t, err)
	require.Equal(t, []audit.Action{notes, read}, whole.Scopes)
	require.Equal(t, h.clock.Now().Add(10*time.Minute), whole.Expires)
	require.True(t, strings.HasPrefix(whole.Token.Reveal(), "wkt_"))
	a := h.in(whole.Token)
	require.Equal(t, p.ID, a.ID)
	require.Equal(t, p.Keys[0].ID, a.Session, "the log says which key")
	require.Equal(t, []string{machine.MethodToken}, a.Methods)
	require.Equal(t, audit.AAL1, a.Assurance)

	narrow, err := grant(read, read)
	require.NoError(t, err)
	require.Equal(t, []audit.Action{read}, h.in(narrow.Token).Scopes())
	e, _ := h.rec.Last(machine.ActionToken)
	require.Equal(t, p.ID, e.Actor.ID)
	require.Equal(t, "patient.read", e.Detail["scopes"])
	_, err = grant(read, claims)
	require.ErrorIs(t, err, machine.ErrScope)
	require.Equal(t, machine.CodeScope, h.last().Code)

	_, err = h.m.Grant(t.Context(), string(p.ID), whole.Token, nil, office)
	require.ErrorIs(t, err, machine.ErrInvalid, "a token buys no token")
	require.Equal(t, machine.CodeOther, h.last().Code)
	_, err = h.m.Grant(t.Context(), "m-other", key, nil, office)
	require.ErrorIs(t, err, machine.ErrInvalid)
	require.Equal(t, machine.CodeClient, h.last().Code)

	_, err = h.m.Change(h.as(ada), p.ID, p.Version, machine.Edit{Scopes: []audit.Action{notes}})
	require.NoError(t, err)
	require.Equal(t, []audit.Action{notes}, h.in(whole.Token).Scopes(), "what the principal lost, its tokens lost")
	require.Empty(t, h.in(narrow.Token).Scopes())

	h.clock.Add(10 * time.Minute)
	h.out(whole.Token, machine.CodeExpired)
	fresh, err := grant()
	require.NoError(t, err)
	require.NoError(t, h.m.Revoke(h.as(ada), p.ID, p.Keys[0].ID, ""))
	h.out(fresh.Token, machine.CodeRevoked)
}

// A token never outlives its key.
func TestATokenEndsWithItsKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, _ := h.make(h.service())
	soon := h.clock.Now().Add(time.Minute)
	_, key, err := h.m.Issue(h.as(ada), p.ID, soon)
	require.NoError(t, err)
	access, err := h.m.Grant(t.Context(), string(p.ID), key, nil, office)
	require.NoError(t, err)
	require.Equal(t, soon, access.Expires)
	later, err := h.m.Grant(t.Context(), string(p.ID), key, nil, office)
	require.NoError(t, err)
	_, _, err = h.m.Rotate(h.as(ada), p.ID, 0)
	require.NoError(t, err)
	h.out(later.Token, machine.CodeExpired)
}

// What lets in counts against the same rate, whichever way.
func TestTokensCountAsRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.ServiceRate = 3 })
	p, key := h.make(h.service())
	access, err := h.m.Grant(t.Context(), string(p.ID), key, nil, office)
	require.NoError(t, err)
	h.in(access.Token)
	h.in(key)
	_, err = h.m.Grant(t.Context(), string(p.ID), key, nil, office)
	require.ErrorIs(t, err, machine.ErrLimited)
	_, err = h.enter(access.Token)
	require.ErrorIs(t, err, machine.ErrLimited)
}
