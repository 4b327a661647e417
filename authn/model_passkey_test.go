package authn_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// What passkeys and text messages add to a walk.

// has reports whether the person has this passkey now.
func (w *walk) has(key string) bool {
	return slices.ContainsFunc(w.passkeys.of(w.id), func(k passkey) bool { return k.name == key })
}

// held are the kinds of second factor that the person has, and which of them the policy takes.
func (w *walk) held() (held, taken map[authn.Factor]bool) {
	keys, app, number := len(w.passkeys.of(w.id)) > 0, w.factor.has(w.id), w.texts.hint(w.id) != ""
	held = map[authn.Factor]bool{authn.FactorPasskey: keys, authn.FactorApp: app, authn.FactorText: number}
	taken = map[authn.Factor]bool{
		authn.FactorPasskey: keys && w.policy.Passkeys != authn.PasskeysOff, authn.FactorApp: app, authn.FactorText: number && w.policy.Texts,
	}
	return held, taken
}

// settled requires of a finished sign-in that it proved what there is, and what the policy asks.
func (w *walk) settled(c *chain) {
	held, taken := w.held()
	some := func(of map[authn.Factor]bool) bool {
		for f, yes := range c.proved {
			if yes && of[f] {
				return true
			}
		}
		return false
	}
	if held[authn.FactorPasskey] || held[authn.FactorApp] || held[authn.FactorText] {
		require.True(w.t, some(held), "no session without a second factor of somebody who has one")
	}
	if w.required() {
		require.True(w.t, some(taken), "no session without a second factor that the policy takes")
	}
}

// reply is an answer to a ticket: of a code, right or wrong, or of a passkey, there or not, to this
// ticket's challenge or another one's. key is the passkey's name.
func (w *walk) reply(c *chain) (a authn.Answer, key string) {
	if w.r.IntN(2) == 0 {
		return w.rightly(c)
	}
	a = authn.Answer{Code: []string{code, code, "000000", "", w.texts.code(w.id)}[w.r.IntN(5)]}
	if w.r.IntN(3) == 0 {
		a.Factor, a.Send = authn.FactorText, w.r.IntN(2) == 0
	}
	if w.r.IntN(2) == 0 && c.need != authn.NeedPasskey {
		return a, ""
	}
	from := c
	if w.r.IntN(6) == 0 {
		from = w.tickets[w.r.IntN(len(w.tickets))]
	}
	if from.options == "" {
		return a, ""
	}
	key = w.keys[w.r.IntN(len(w.keys))]
	if there := w.passkeys.of(w.id); len(there) > 0 && w.r.IntN(3) > 0 {
		key = there[w.r.IntN(len(there))].name
	}
	if c.need == authn.NeedEnrolment || c.need == authn.NeedRegistration {
		key = fmt.Sprintf("key %d", len(w.keys))
		w.keys = append(w.keys, key)
	}
	a.Passkey = touchOptions(w.t, from.options, key)
	return a, key
}

// rightly is the answer of somebody who wants to get on.
func (w *walk) rightly(c *chain) (a authn.Answer, key string) {
	making := c.need == authn.NeedEnrolment || c.need == authn.NeedRegistration
	there := w.passkeys.of(w.id)
	switch sms := w.texts.code(w.id); {
	case making && c.options != "" && w.r.IntN(2) == 0:
		key = fmt.Sprintf("key %d", len(w.keys))
		w.keys = append(w.keys, key)
	case !making && c.options != "" && len(there) > 0 && (c.need != authn.NeedSecondFactor || w.r.IntN(2) == 0):
		key = there[w.r.IntN(len(there))].name
	case c.need == authn.NeedSecondFactor && w.texts.hint(w.id) != "" && w.policy.Texts && w.r.IntN(2) == 0:
		return authn.Answer{Factor: authn.FactorText, Code: sms, Send: sms == ""}, ""
	}
	if key != "" {
		return authn.Answer{Passkey: touchOptions(w.t, c.options, key)}, key
	}
	return authn.Answer{Code: code}, ""
}

// offer begins a sign-in with a passkey.
func (w *walk) offer() {
	s, err := w.m.OfferPasskey(w.t.Context(), clinic, w.client())
	if err != nil {
		require.True(w.t, s.Ticket.IsZero())
		return
	}
	require.Equal(w.t, authn.PasskeysAlone, w.policy.Passkeys)
	require.False(w.t, w.policy.Closed)
	require.Empty(w.t, s.Person)
	w.observe(&chain{epoch: w.epoch, need: authn.NeedPasskey, proved: map[authn.Factor]bool{}}, s, nil)
}

// signed is a signed-in person in one of two sessions: proven now or a while ago, by one factor or
// two.
func (w *walk) signed() (ctx ctxT, a audit.Actor) {
	a = audit.Actor{
		ID: w.id, Kind: w.kind, Tenant: clinic, Session: []string{"s1", "s1", "s2"}[w.r.IntN(3)], Methods: []string{"pwd"},
		Assurance: []audit.Assurance{audit.AAL1, audit.AAL2, audit.AAL2}[w.r.IntN(3)], AuthTime: w.clock.Now(),
	}
	if w.r.IntN(6) == 0 {
		a.AuthTime = a.AuthTime.Add(-6 * time.Minute)
	}
	return audit.WithActor(w.t.Context(), a), a
}

// mayRegister requires what a passkey is made under.
func (w *walk) mayRegister(a audit.Actor, held map[authn.Factor]bool) {
	require.True(w.t, w.active && w.here() && w.policy.Passkeys != authn.PasskeysOff)
	if held[authn.FactorPasskey] || held[authn.FactorApp] || held[authn.FactorText] {
		require.Equal(w.t, audit.AAL2, a.Assurance, "who has a second factor proved it")
	}
}

// beginOwn begins a registration or a proof.
func (w *walk) beginOwn() {
	ctx, a := w.signed()
	begin := func() (authn.Step, error) { return w.m.BeginPasskey(ctx, w.client()) }
	registers := w.r.IntN(2) == 0
	if !registers {
		begin = func() (authn.Step, error) {
			return w.m.BeginProof(ctx, []authn.Answer{{}, {Factor: authn.FactorText, Send: true}}[w.r.IntN(2)], w.client())
		}
	}
	s, err := begin()
	if err != nil {
		require.True(w.t, s.Ticket.IsZero())
		return
	}
	require.True(w.t, w.active && w.here() && s.Token.IsZero())
	if registers {
		held, _ := w.held()
		w.mayRegister(a, held)
		require.Less(w.t, w.clock.Now().Sub(a.AuthTime), 5*time.Minute)
	}
	w.tickets = append(w.tickets, &chain{ticket: s.Ticket.Reveal(), epoch: w.epoch, need: s.Need, options: s.Passkey, session: a.Session})
}

// of is a ticket ever seen, mostly the newest of those that ask for need.
func (w *walk) of(need authn.Need) *chain {
	for _, c := range slices.Backward(w.tickets) {
		if c.need == need && w.r.IntN(3) > 0 {
			return c
		}
	}
	return w.any()
}

// register ends a registration, with any ticket ever seen.
func (w *walk) register() {
	if len(w.tickets) == 0 {
		return
	}
	c := w.of(authn.NeedRegistration)
	reply, key := w.reply(c)
	ctx, a := w.signed()
	before := len(w.passkeys.of(w.id))
	held, _ := w.held()
	err := w.m.AddPasskey(ctx, c.ticket, reply, w.client())
	if err != nil {
		require.Len(w.t, w.passkeys.of(w.id), before)
		c.dead = c.dead || errors.Is(err, authn.ErrTicket) || errors.Is(err, authn.ErrPasskey)
		return
	}
	require.True(w.t, !c.dead && c.need == authn.NeedRegistration && c.epoch == w.epoch && c.session == a.Session, "its own ticket, once")
	require.Equal(w.t, touchOptions(w.t, c.options, key), reply.Passkey)
	w.mayRegister(a, held)
	w.ways["registered"]++
	c.dead = true
}

// lose has somebody remove a factor of theirs: nothing in the account changes.
func (w *walk) lose() {
	switch w.r.IntN(3) {
	case 0:
		w.passkeys.reset(w.id)
	case 1:
		w.texts.phone(w.id, "")
	case 2:
		if held, _ := w.held(); held[authn.FactorPasskey] {
			w.factor.set(w.id, false)
		}
	}
}

// prove has whoever is signed in prove it again. What it answers is what was proven, and it starts
// nothing.
func (w *walk) prove() {
	live := w.sessions.count()
	var c *chain
	a, key := authn.Answer{Code: []string{code, "000000", ""}[w.r.IntN(3)]}, ""
	if len(w.tickets) > 0 && w.r.IntN(2) == 0 {
		c = w.of(authn.NeedProof)
		a, key = w.reply(c)
		a.Ticket = c.ticket
	}
	typed := []string{w.password, "wrong", ""}[w.r.IntN(3)]
	if typed != "" {
		a.Password = pw(typed)
	}
	ctx, self := w.signed()
	sms := w.texts.code(w.id)
	who, err := w.m.Prove(ctx, a, w.client())
	require.Equal(w.t, live, w.sessions.count())
	dead := c != nil && c.dead
	if key != "" {
		c.dead = c.dead || err == nil || errors.Is(err, authn.ErrTicket) || errors.Is(err, authn.ErrPasskey)
	}
	if err != nil {
		require.Equal(w.t, audit.Actor{}, who)
		return
	}
	require.True(w.t, w.active && w.here(), "nobody proves anything who may not be here")
	require.NotEqual(w.t, "wrong", typed)
	switch {
	case key != "":
		w.ways["proof"]++
		require.True(w.t, !dead && c.need == authn.NeedProof && c.epoch == w.epoch && c.session == self.Session, "its own ticket")
		require.Equal(w.t, touchOptions(w.t, c.options, key), a.Passkey)
		require.True(w.t, w.has(key))
	case a.Factor == authn.FactorText:
		require.True(w.t, a.Code == "" || a.Code == sms)
	default:
		require.True(w.t, a.Code == "" || a.Code == code)
	}
	require.Equal(w.t, typed != "" && a.Code != "" || key != "", who.Assurance == audit.AAL2)
	require.Equal(w.t, key != "", who.PhishingResistant)
}
