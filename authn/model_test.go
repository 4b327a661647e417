package authn_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// walk is a random sequence of what somebody with a browser, an attacker's toolbox and an
// administrator beside them might do. Beside the real Manager it keeps a model so simple
// that it is obviously right: what each ticket's sign-in has proven, and which of it still
// counts.
type walk struct {
	*house
	r    *rand.Rand
	id   audit.ActorID
	kind audit.Kind

	password string // the right one
	active   bool
	due      bool
	epoch    int // grows with everything that ends sign-ins
	tickets  []*chain
	done     int

	policy authn.Policy // in force
	acked  string       // the version of the banner that was acknowledged last
	known  []string     // what made browsers known
	ways   map[string]int
	keys   []string // every passkey there ever was, and one of nobody and of somebody else
}

// chain is one sign-in, from ticket to ticket.
type chain struct {
	ticket  string
	dead    bool // used
	epoch   int
	pwd     bool                  // passed the right password, or a link
	alone   bool                  // passed with a passkey and no password
	proved  map[authn.Factor]bool // passed, or set up
	need    authn.Need
	options string // what a passkey was asked
	session string // at NeedRegistration and NeedProof
	banner  string // acknowledged in this sign-in
}

// TestNoPathAroundAStep takes many random walks. No replay, tampering, mixing up of tickets,
// change of policy or change of the account ends in a session without everything owed.
func TestNoPathAroundAStep(t *testing.T) {
	t.Parallel()
	walks := 1200
	if testing.Short() {
		walks = 300
	}
	done, ways := 0, map[string]int{}
	for seed := range walks {
		w := newWalk(t, uint64(seed))
		for range 120 {
			w.step()
		}
		done += w.done
		for way, n := range w.ways {
			ways[way] += n
		}
	}
	t.Log(done, ways)
	require.Greater(t, done, walks, "the walks get somewhere")
	for _, way := range []string{"a passkey alone", "passkey", "app", "text", "set up passkey", "set up app", "registered", "proof"} {
		require.Positive(t, ways[way], "some walks go by %s", way)
	}
}

func newWalk(t *testing.T, seed uint64) *walk {
	r := rand.New(rand.NewPCG(seed, 7))
	kind := []audit.Kind{audit.KindStaff, audit.KindPatient}[r.IntN(2)]
	w := &walk{house: newHouse(t, nil), r: r, kind: kind, keys: []string{"stranger's", "bob's"}, ways: map[string]int{}, password: good, active: true, policy: authn.DefaultPolicy()}
	w.passkeys.give("bob", "bob's")
	if r.IntN(3) > 0 {
		w.id = w.ada(kind).ID
		if r.IntN(2) == 0 {
			w.texts.phone(w.id, "•• 12")
			w.rule(func(p *authn.Policy) { p.Texts = true })
		}
		return w
	}
	w.rule(func(p *authn.Policy) { p.ApproveStaff, p.ApprovePatients = true, true })
	p, token := w.invite(kind)
	s, err := w.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.True(t, s.Need == authn.NeedApproval && s.Ticket.IsZero() && s.Token.IsZero())
	w.id, w.active = p.ID, false
	return w
}

// rule saves a policy.
func (w *walk) rule(edit func(*authn.Policy)) {
	edit(&w.policy)
	require.NoError(w.t, w.m.SavePolicy(admin(w.t.Context()), clinic, w.policy, true))
	w.policy.Version++
}

// govern changes the tenant's policy, in force with the next step.
func (w *walk) govern() {
	w.rule(func(p *authn.Policy) {
		p.Staff, p.Patients = authn.Enforcement(w.r.IntN(2)), authn.Enforcement(w.r.IntN(2))
		p.Banner = []authn.Banner{{}, {Version: "1"}, {Version: "2"}, {Version: "2", Always: true}}[w.r.IntN(4)]
		p.Closed = w.r.IntN(5) == 0
		p.Network = authn.Network{}
		if w.r.IntN(5) == 0 {
			p.Network.Staff, p.Network.Patients = networks(w.t, "198.51.100.0/24"), networks(w.t, "203.0.113.0/24")
		}
		p.Passkeys, p.Texts = authn.PasskeyUse(max(0, w.r.IntN(5)-2)), w.r.IntN(3) > 0
	})
}

// client is where the next step comes from: a browser that is known, one that is not, or one that
// says it is.
func (w *walk) client() authn.Client {
	c := home
	if len(w.known) > 0 && w.r.IntN(2) == 0 {
		c.Known = w.known[w.r.IntN(len(w.known))]
		if w.r.IntN(3) == 0 {
			c.Known = c.Known[1:] + "A"
		}
	}
	return c
}

// here reports whether anybody of the kind may work from where every step comes from.
func (w *walk) here() bool { return !w.policy.Closed && w.policy.Network.WouldAllow(w.kind, home.Addr) }

// required reports whether the policy asks for a second factor.
func (w *walk) required() bool {
	if w.kind == audit.KindPatient {
		return w.policy.Patients != authn.Optional
	}
	return w.policy.Staff != authn.Optional
}

func (w *walk) step() {
	switch w.r.IntN(25) {
	case 0, 1, 2:
		w.typePassword()
	case 3, 4, 5, 6, 7, 8, 9:
		w.answer()
	case 10:
		w.tamper()
	case 11:
		w.administer()
	case 12:
		w.forget()
	case 13:
		w.phone()
	case 14:
		w.govern()
	case 15, 16:
		w.prove()
	case 17, 18:
		w.offer()
	case 19, 23:
		w.beginOwn()
	case 20, 24:
		w.register()
	case 21:
		w.lose()
	case 22:
		w.clock.Advance(time.Duration(w.r.IntN(240)) * time.Second)
	}
}

// typePassword signs in with the right or a wrong password.
func (w *walk) typePassword() {
	password := []string{w.password, w.password, "wrong"}[w.r.IntN(3)]
	s, err := w.m.SignIn(w.t.Context(), clinic, ada, pw(password), w.client())
	w.observe(&chain{epoch: w.epoch, pwd: password == w.password && w.active, proved: map[authn.Factor]bool{}}, s, err)
}

// any is a ticket ever seen, mostly the newest.
func (w *walk) any() *chain {
	if w.r.IntN(3) > 0 {
		return w.tickets[len(w.tickets)-1]
	}
	return w.tickets[w.r.IntN(len(w.tickets))]
}

// answer continues any ticket ever seen, with a right or wrong answer.
func (w *walk) answer() {
	if len(w.tickets) == 0 {
		return
	}
	c := w.any()
	a, key := w.reply(c)
	next := fmt.Sprintf("%s number %d", other, w.r.IntN(1_000_000))
	if w.r.IntN(2) == 0 {
		a.Password = pw(next)
	}
	if w.r.IntN(2) == 0 {
		a.Banner = []string{"1", "2"}[w.r.IntN(2)]
	}
	sms := w.texts.code(w.id)
	s, err := w.m.Continue(w.t.Context(), c.ticket, a, w.client())
	if c.dead || c.need != authn.NeedPasskey && c.epoch != w.epoch || c.session != "" {
		require.ErrorIs(w.t, err, authn.ErrTicket, "a used or overtaken ticket, or one of something else")
	}
	c.dead = true
	after := *c
	after.proved = maps.Clone(c.proved)
	if err == nil && s.Problem == nil {
		w.judge(&after, a, key, sms, s)
		if c.need == authn.NeedPassword {
			require.False(w.t, a.Password.IsZero(), "no password gets nobody on")
			w.password, w.due = next, false
			w.epoch++
			after.epoch = w.epoch
		}
	}
	w.observe(&after, s, err)
}

// judge says what a step that was passed has proven, and fails where it has not.
func (w *walk) judge(c *chain, a authn.Answer, key, sms string, s authn.Step) {
	if c.need == authn.NeedEnrolment && s.Need == authn.NeedSecondFactor {
		return // somebody else was faster: nothing was set up
	}
	right := func() authn.Factor {
		switch {
		case key != "":
			require.Equal(w.t, touchOptions(w.t, c.options, key), a.Passkey, "only the challenge of this ticket is answered")
			require.True(w.t, w.has(key), "by a passkey that there is")
			return authn.FactorPasskey
		case a.Factor == authn.FactorText && c.need == authn.NeedSecondFactor:
			require.True(w.t, sms != "" && sms == a.Code, "a wrong code gets nobody on")
			return authn.FactorText
		}
		require.Equal(w.t, code, a.Code, "a wrong code gets nobody on")
		require.True(w.t, w.factor.has(w.id))
		return authn.FactorApp
	}
	switch c.need {
	case authn.NeedPasskey:
		require.Equal(w.t, authn.FactorPasskey, right())
		c.alone, c.epoch, c.proved[authn.FactorPasskey] = true, w.epoch, true
	case authn.NeedSecondFactor:
		if a.Send && a.Factor == authn.FactorText && key == "" {
			require.Equal(w.t, authn.NeedSecondFactor, s.Need, "sending is no proof")
			return
		}
		c.proved[right()] = true
	case authn.NeedEnrolment:
		f := right()
		c.proved[f] = true
		w.ways["set up "+string(f)]++
	case authn.NeedBanner:
		c.banner = a.Banner
		require.NotEmpty(w.t, a.Banner, "a banner that was not acknowledged gets nobody on")
	}
}

// observe checks what came of a step and remembers its ticket.
func (w *walk) observe(c *chain, s authn.Step, err error) {
	if err != nil {
		require.True(w.t, s.Token.IsZero() && s.Ticket.IsZero())
		return
	}
	require.True(w.t, c.pwd || c.need == authn.NeedPasskey || c.alone && w.policy.Passkeys == authn.PasskeysAlone, "no step without the right password or passkey")
	require.Equal(w.t, w.epoch, c.epoch, "no step past a change")
	if s.Need != authn.Done {
		require.True(w.t, s.Token.IsZero(), "no token before the end")
		c.ticket, c.need, c.dead, c.options = s.Ticket.Reveal(), s.Need, false, s.Passkey
		w.tickets = append(w.tickets, c)
		return
	}
	w.done++
	for f := range c.proved {
		w.ways[string(f)]++
	}
	if c.alone {
		w.ways["a passkey alone"]++
	}
	w.settled(c)
	require.True(w.t, w.here(), "no session where nobody may be")
	if b := w.policy.Banner; b.Version != "" {
		require.True(w.t, c.banner == b.Version || !b.Always && w.acked == b.Version, "no session without the banner")
	}
	if c.banner != "" {
		w.acked = c.banner
	}
	w.known = append(w.known, s.Known.Reveal())
	require.True(w.t, w.active && !w.due, "no session for somebody who may not, or owes a password")
	a, live := w.sessions.of(s.Token.Reveal())
	require.True(w.t, live)
	require.Equal(w.t, len(c.proved) > 0, a.Assurance == audit.AAL2, "the session says what was proven")
	require.Equal(w.t, c.proved[authn.FactorPasskey], a.PhishingResistant)
}

// tamper comes with tickets that were never issued.
func (w *walk) tamper() {
	forged := w.r.Perm(43)
	b := make([]byte, len(forged))
	for i := range forged {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[w.r.IntN(64)]
	}
	if len(w.tickets) > 0 && w.r.IntN(2) == 0 {
		copy(b, w.tickets[len(w.tickets)-1].ticket[:20+w.r.IntN(22)])
	}
	_, err := w.m.Continue(w.t.Context(), string(b), authn.Answer{Code: code}, home)
	for _, c := range w.tickets {
		if c.ticket == string(b) { // by luck
			c.dead = true
			return
		}
	}
	require.ErrorIs(w.t, err, authn.ErrTicket)
}

// administer changes the account.
func (w *walk) administer() {
	ctx := admin(w.t.Context())
	var err error
	switch w.r.IntN(5) {
	case 4:
		if err = w.m.Approve(ctx, clinic, w.id, ""); err == nil {
			require.False(w.t, w.active, "only who waits is approved")
			w.active = true
		}
	case 0:
		if err = w.m.Suspend(ctx, clinic, w.id, ""); err == nil {
			w.active = false
		}
	case 1, 2:
		if err = w.m.Reinstate(ctx, clinic, w.id, ""); err == nil {
			w.active = true
		}
	case 3:
		if err = w.m.ExpirePassword(ctx, clinic, w.id, ""); err == nil {
			w.due = true
		}
	}
	if err != nil {
		require.ErrorIs(w.t, err, authn.ErrState)
		return
	}
	w.epoch++
	if !w.active || w.due {
		require.Zero(w.t, w.sessions.count(), "the sessions ended")
	}
}

// forget asks for a reset link and uses it, sometimes twice.
func (w *walk) forget() {
	if err := w.m.RequestReset(w.t.Context(), clinic, ada, home); err != nil {
		return
	}
	sent := len(w.mail.all(authn.TopicReset))
	_, err := w.m.Deliver(w.t.Context())
	require.NoError(w.t, err)
	if len(w.mail.all(authn.TopicReset)) == sent {
		return
	}
	token := w.mail.token(w.t, authn.TopicReset)
	next := fmt.Sprintf("%s reset %d", good, w.r.IntN(1_000_000))
	s, err := w.m.ResetPassword(w.t.Context(), token, pw(next), w.client())
	if !w.here() {
		require.Error(w.t, err)
		return
	}
	require.NoError(w.t, err)
	w.password, w.due = next, false
	w.epoch++
	w.observe(&chain{epoch: w.epoch, pwd: true, proved: map[authn.Factor]bool{}}, s, err)
	_, err = w.m.ResetPassword(w.t.Context(), token, pw(good), home)
	require.ErrorIs(w.t, err, authn.ErrLinkUsed)
}

// phone gets a patient a second factor of their own accord, or loses anybody's.
func (w *walk) phone() {
	switch w.r.IntN(5) {
	case 0:
		if w.policy.Staff == authn.Optional && w.policy.Patients == authn.Optional {
			w.factor.set(w.id, true)
			return
		}
	case 1:
		w.texts.phone(w.id, "•• 12")
		return
	case 2:
		w.keys = append(w.keys, fmt.Sprintf("key %d", len(w.keys)))
		w.passkeys.give(w.id, w.keys[len(w.keys)-1])
		return
	}
	err := w.m.ResetFactor(admin(w.t.Context()), clinic, w.id, "", func(ctxT) error {
		w.factor.set(w.id, false)
		w.passkeys.reset(w.id)
		w.texts.phone(w.id, "")
		return nil
	})
	if err == nil {
		w.epoch++
	}
}
