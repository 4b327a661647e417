package authn_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func TestAddPasskey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	ctx := h.proving(p, audit.AAL2, "s1")
	s, err := h.m.BeginPasskey(ctx, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedRegistration, s.Need)
	require.Equal(t, p.ID, s.Person)
	require.Equal(t, h.clock.Now().Add(5*time.Minute), s.Expires)
	h.clock.Advance(5*time.Minute - time.Second) // the device asked for a finger twice
	require.NoError(t, h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop"), Label: "Laptop"}, home))
	require.Equal(t, []passkey{{name: "laptop", label: "Laptop"}}, h.passkeys.of(p.ID))
	require.Equal(t, []string{"authn.add_passkey"}, h.events())

	err = h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
	require.ErrorIs(t, err, authn.ErrTicket, "once")
	o := h.offer()
	s, err = h.m.Continue(t.Context(), o.Ticket.Reveal(), authn.Answer{Passkey: touch(t, o, "laptop")}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need, "and it signs in alone")
}

// TestOnlyAProvenPersonMakesAPasskey is the rule that lets passkeys sign in alone: each one was made
// by somebody who had just proven a password, and a second factor if they had one. There is no other
// way to one: guided set-up comes after a password too.
func TestOnlyAProvenPersonMakesAPasskey(t *testing.T) {
	t.Parallel()
	type c = map[string]struct {
		begin  func(h *house, p authn.Person) ctxT
		change func(h *house, p authn.Person)
		err    error
	}
	for name, c := range (c{
		"nobody": {begin: func(h *house, _ authn.Person) ctxT { return h.t.Context() }, err: authn.ErrNoActor},
		"a program": {begin: func(h *house, _ authn.Person) ctxT {
			return audit.WithActor(h.t.Context(), audit.System(clinic, "job"))
		}, err: authn.ErrNoActor},
		"proven long ago": {begin: func(h *house, p authn.Person) ctxT {
			ctx := h.proving(p, audit.AAL2, "s")
			h.clock.Advance(5*time.Minute + 1000)
			return ctx
		}, err: authn.ErrProof},
		"never proven": {begin: func(h *house, p authn.Person) ctxT { return as(h.t.Context(), p) }, err: authn.ErrProof},
		"proven next year": {begin: func(h *house, p authn.Person) ctxT {
			ctx := h.proving(p, audit.AAL2, "s")
			h.clock.Advance(-10 * time.Minute)
			return ctx
		}, err: authn.ErrProof},
		"a password alone": {begin: func(h *house, p authn.Person) ctxT { return h.proving(p, audit.AAL1, "s") }, err: authn.ErrProof},
		"suspended":        {change: func(h *house, p authn.Person) { _ = h.m.Suspend(admin(h.t.Context()), clinic, p.ID, "") }, err: authn.ErrNoActor},
		"closed":           {change: func(h *house, _ authn.Person) { h.rule(func(p *authn.Policy) { p.Closed = true }) }, err: authn.ErrNoActor},
		"elsewhere": {change: func(h *house, _ authn.Person) {
			h.rule(func(p *authn.Policy) { p.Network.Staff = networks(h.t, "198.51.100.0/24") })
		}, err: authn.ErrNetwork},
		"passkeys are off":  {change: func(h *house, _ authn.Person) { h.rule(func(p *authn.Policy) { p.Passkeys = authn.PasskeysOff }) }, err: authn.ErrNoPasskeys},
		"no passkeys wired": {change: func(h *house, _ authn.Person) { h.options.Passkeys = nil; h.m = h.manager() }, err: authn.ErrNoPasskeys},
	}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			p := h.ada(audit.KindStaff)
			fresh := h.proving(p, audit.AAL2, "s")
			s, err := h.m.BeginPasskey(fresh, home)
			require.NoError(t, err)
			ctx := fresh
			if c.begin != nil {
				ctx = c.begin(h, p)
			}
			if c.change != nil {
				c.change(h, p)
			}
			_, err = h.m.BeginPasskey(ctx, home)
			require.ErrorIs(t, err, c.err)
			if name == "proven long ago" || name == "proven next year" || name == "never proven" {
				return // the ticket says when it began
			}
			require.ErrorIs(t, h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home), c.err)
			require.Empty(t, h.passkeys.of(p.ID))
		})
	}
}

// TestFirstPasskeyOfAPatient: who has no second factor makes one with the password that was just
// proven; who has got another one meanwhile does not.
func TestFirstPasskeyOfAPatient(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	ctx := h.proving(p, audit.AAL1, "s")
	s, err := h.m.BeginPasskey(ctx, home)
	require.NoError(t, err)
	late, err := h.m.BeginPasskey(ctx, home)
	require.NoError(t, err)
	require.NoError(t, h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home))
	err = h.m.AddPasskey(ctx, late.Ticket.Reveal(), authn.Answer{Passkey: touch(t, late, "phone")}, home)
	require.ErrorIs(t, err, authn.ErrProof)
	require.Len(t, h.passkeys.of(p.ID), 1)
}

// TestRegistrationsDoNotMix: a registration belongs to one person, one session, one version of the
// account; a ticket of anything else is none, nor is one of a registration good for anything else.
func TestRegistrationsDoNotMix(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(t *testing.T, h *house, p authn.Person) (ctx ctxT, s authn.Step){
		"another session": func(t *testing.T, h *house, p authn.Person) (ctxT, authn.Step) {
			s, err := h.m.BeginPasskey(h.proving(p, audit.AAL2, "s1"), home)
			require.NoError(t, err)
			return h.proving(p, audit.AAL2, "s2"), s
		},
		"another person": func(t *testing.T, h *house, p authn.Person) (ctxT, authn.Step) {
			_, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{ID: "bob", Kind: audit.KindPatient, Identifier: "bob@example.com"})
			require.NoError(t, err)
			_, err = h.m.CompleteSetUp(t.Context(), h.mail.token(t, authn.TopicInvitation), authn.Answer{Password: pw(other)}, home)
			require.NoError(t, err)
			s, err := h.m.BeginPasskey(h.proving(authn.Person{ID: "bob", Tenant: clinic, Kind: audit.KindPatient}, audit.AAL2, "s1"), home)
			require.NoError(t, err)
			return h.proving(p, audit.AAL2, "s1"), s
		},
		"a changed account": func(t *testing.T, h *house, p authn.Person) (ctxT, authn.Step) {
			s, err := h.m.BeginPasskey(h.proving(p, audit.AAL2, "s1"), home)
			require.NoError(t, err)
			require.NoError(t, h.m.Unlock(admin(t.Context()), clinic, p.ID, ""))
			return h.proving(p, audit.AAL2, "s1"), s
		},
		"a sign-in": func(t *testing.T, h *house, p authn.Person) (ctxT, authn.Step) {
			h.passkeys.give(p.ID, "phone")
			s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err)
			return h.proving(p, audit.AAL2, ""), s
		},
		"a guided set-up": func(t *testing.T, h *house, p authn.Person) (ctxT, authn.Step) {
			h.factor.set(p.ID, false)
			s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err)
			require.Equal(t, authn.NeedEnrolment, s.Need)
			return h.proving(p, audit.AAL2, ""), s
		},
		"an offer": func(_ *testing.T, h *house, p authn.Person) (ctxT, authn.Step) {
			return h.proving(p, audit.AAL2, ""), h.offer()
		},
		"a proof": func(t *testing.T, h *house, p authn.Person) (ctxT, authn.Step) {
			h.passkeys.give(p.ID, "phone")
			ctx := h.proving(p, audit.AAL2, "s1")
			s, err := h.m.BeginProof(ctx, authn.Answer{}, home)
			require.NoError(t, err)
			return ctx, s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			p := h.ada(audit.KindStaff)
			ctx, s := c(t, h, p)
			before := h.passkeys.of(p.ID)
			err := h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
			require.ErrorIs(t, err, authn.ErrTicket)
			require.Equal(t, before, h.passkeys.of(p.ID))
			_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "phone"), Code: code}, home)
			require.ErrorIs(t, err, authn.ErrTicket, "and it is used up")
		})
	}
}

// TestTicketsOfTheSignedInSignNobodyIn: a registration's and a proof's ticket start no session,
// whatever is answered.
func TestTicketsOfTheSignedInSignNobodyIn(t *testing.T) {
	t.Parallel()
	h, p := keyed(t, audit.KindPatient)
	ctx := h.proving(p, audit.AAL2, "s1")
	for _, begin := range []func() (authn.Step, error){
		func() (authn.Step, error) { return h.m.BeginPasskey(ctx, home) },
		func() (authn.Step, error) { return h.m.BeginProof(ctx, authn.Answer{}, home) },
	} {
		for _, a := range []authn.Answer{{}, {Code: code}, {Password: pw(other)}, {Banner: "1"}, {Passkey: "laptop"}} {
			s, err := begin()
			require.NoError(t, err)
			if a.Passkey != "" {
				a.Passkey = touch(t, s, a.Passkey)
			}
			step, err := h.m.Continue(t.Context(), s.Ticket.Reveal(), a, home)
			require.ErrorIs(t, err, authn.ErrTicket)
			require.Equal(t, authn.Step{}, step)
		}
	}
	require.Zero(t, h.sessions.count())
}

// TestWrongRegistration: what is not accepted is recorded, and the ticket is gone.
func TestWrongRegistration(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	ctx := h.proving(p, audit.AAL2, "s1")
	for _, answer := range []string{"", "nonsense", `{"challenge":"another","key":"laptop"}`} {
		s, err := h.m.BeginPasskey(ctx, home)
		require.NoError(t, err)
		h.rec.Reset()
		err = h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: answer}, home)
		require.ErrorIs(t, err, authn.ErrPasskey)
		require.Equal(t, 401, authn.Status(err))
		require.Equal(t, []string{"authn.add_passkey! wrong_passkey"}, h.events())
		err = h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
		require.ErrorIs(t, err, authn.ErrTicket)
	}
	require.Empty(t, h.passkeys.of(p.ID))
}

// TestSecondGuidedSetUp: somebody who knows a password begins a set-up, its owner ends theirs first:
// the other one gets no passkey into the account.
func TestSecondGuidedSetUp(t *testing.T) {
	t.Parallel()
	h, p := furnish(t)
	h.factor.set(p.ID, false)
	attacker, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, attacker.Need)
	owner, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	owner, err = h.m.Continue(t.Context(), owner.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, owner.Need)
	s, err := h.m.Continue(t.Context(), attacker.Ticket.Reveal(), authn.Answer{Passkey: touch(t, attacker, "theirs")}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedSecondFactor, s.Need)
	require.Empty(t, h.passkeys.of(p.ID))
}

// TestChangeInsideRegistration: the whole change happens in a gap of a registration, signed in or in
// guided set-up. No passkey signs in afterwards that a reset was to take away, and no session.
func TestChangeInsideRegistration(t *testing.T) {
	t.Parallel()
	for name, change := range passkeyEndings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, guided := range []bool{false, true} {
				gaps(t, 5, func(t *testing.T, h *house, p authn.Person, k int) bool {
					var changed error
					reached := h.inGap(k, func() error { changed = change(h, p.ID); return nil })
					h.register(p, guided)
					if !*reached {
						return false
					}
					if guided && name == "factor" && slices.Index(h.wire.names(), "store.Find") >= k {
						return true // a sign-in that began after the reset sets up what it likes
					}
					h.wire.watch(nil)
					require.NoError(t, changed, "gap %d", k)
					token, live := h.exposed()
					require.False(t, live, "gap %d: %s lives", k, token)
					if name == "factor" {
						require.Empty(t, h.passkeys.of(p.ID), "gap %d: a passkey outlived the reset", k)
					}
					return true
				})
			}
		})
	}
}

// passkeyEndings are the changes, and a reset that takes everything away.
func passkeyEndings() map[string]func(h *house, id audit.ActorID) error {
	all := endings()
	all["factor"] = func(h *house, id audit.ActorID) error {
		return h.m.ResetFactor(admin(h.t.Context()), clinic, id, "", func(ctxT) error {
			h.factor.set(id, false)
			h.passkeys.reset(id)
			h.texts.phone(id, "")
			return nil
		})
	}
	return all
}

// register makes a passkey as far as it gets, and remembers a session that was handed out.
func (h *house) register(p authn.Person, guided bool) {
	if !guided {
		ctx := h.proving(p, audit.AAL2, "s1")
		s, err := h.m.BeginPasskey(ctx, home)
		if _, live := h.exposed(); err == nil && live { // each request looks its session up
			_ = h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "laptop")}, home)
		}
		return
	}
	h.factor.set(p.ID, false)
	s, err := h.m.SignIn(h.t.Context(), clinic, ada, pw(good), home)
	if err != nil || s.Need != authn.NeedEnrolment {
		return
	}
	s, err = h.m.Continue(h.t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "laptop")}, home)
	if err == nil && s.Need == authn.Done {
		h.handed = append(h.handed, s.Token.Reveal())
	}
}

// TestRegistrationGapsAreSeen: passkeys that forget a reset let one through, and the test above would
// find it.
func TestRegistrationGapsAreSeen(t *testing.T) {
	t.Parallel()
	found := false
	for k := 0; k < 40 && !found; k++ {
		h, p := furnish(t)
		h.passkeys.forgetful = true
		before := h.version(p.ID)
		h.inGap(k, func() error { return passkeyEndings()["factor"](h, p.ID) })
		h.register(p, false)
		found = len(h.passkeys.of(p.ID)) > 0 && h.version(p.ID) > before
	}
	require.True(t, found)
}

func (h *house) version(id audit.ActorID) int64 {
	h.t.Helper()
	a, err := h.store.Account(h.t.Context(), clinic, id)
	require.NoError(h.t, err)
	return a.Person.Version
}

// TestChangeInsidePasskeySignIn: the whole change happens in a gap of a sign-in with a passkey,
// alone or after a password.
func TestChangeInsidePasskeySignIn(t *testing.T) {
	t.Parallel()
	for name, change := range passkeyEndings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, alone := range []bool{false, true} {
				gaps(t, 12, func(t *testing.T, h *house, p authn.Person, k int) bool {
					h.factor.set(p.ID, false)
					h.passkeys.give(p.ID, "laptop")
					var changed error
					reached := h.inGap(k, func() error {
						changed = change(h, p.ID)
						// in the same gap the person makes a new passkey
						h.passkeys.give(p.ID, "new")
						return nil
					})
					h.touchIn(alone)
					if !*reached {
						return false
					}
					require.NoError(t, changed, "gap %d", k)
					if _, live := h.sessions.of(h.handed[0]); live {
						require.Fail(t, "the session from before lives", "gap %d", k)
					}
					if len(h.handed) > 1 && (!alone || name == "factor" || name == "suspend" || name == "remove") {
						_, live := h.sessions.of(h.handed[1]) // of the others a passkey may be shown after the change
						require.False(t, live, "gap %d: it lives after the change was answered", k)
					}
					return true
				})
			}
		})
	}
}

// TestPasskeyGapsAreSeen: a store that forgets what the version is for has the removed passkey sign
// in beside the new one, and the test above would find it.
func TestPasskeyGapsAreSeen(t *testing.T) {
	t.Parallel()
	found := false
	for k := 0; k < 40 && !found; k++ {
		h, p := furnish(t)
		h.factor.set(p.ID, false)
		h.passkeys.give(p.ID, "laptop")
		whole := *h
		h.parts.Store = sameVersion{h.parts.Store}
		h.m = h.manager()
		h.inGap(k, func() error {
			err := passkeyEndings()["factor"](&whole, p.ID)
			h.passkeys.give(p.ID, "new")
			return err
		})
		h.touchIn(true)
		_, live := h.exposed()
		found = live
	}
	require.True(t, found)
}

// TestAttackAThiefIsHalfInWhenThePasskeyGoes: who signs in with a stolen passkey and waits at the next
// question is out with the passkey, though its owner has another one: removal ends sessions, and this
// is none yet.
func TestAttackAThiefIsHalfInWhenThePasskeyGoes(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*passkeys, audit.ActorID, string){
		"removed": (*passkeys).remove, "disabled, being a copy": (*passkeys).disable,
	} {
		for _, alone := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", alone ", alone), func(t *testing.T) {
				t.Parallel()
				h, p := keyed(t, audit.KindStaff)
				h.passkeys.give(p.ID, "phone")
				h.rule(func(r *authn.Policy) { r.Banner = authn.Banner{Version: "7", Always: true} })
				h.rec.Reset()
				begin := h.offer
				if !alone {
					begin = func() authn.Step {
						s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
						require.NoError(t, err)
						return s
					}
				}
				half := func(key string) authn.Step {
					s := begin()
					s, err := h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, key)}, home)
					require.NoError(t, err)
					require.Equal(t, authn.NeedBanner, s.Need)
					return s
				}
				thief, owner := half("phone"), half("laptop")
				end(h.passkeys, p.ID, "phone")
				_, err := h.m.Continue(t.Context(), thief.Ticket.Reveal(), authn.Answer{Banner: "7"}, home)
				require.ErrorIs(t, err, authn.ErrTicket)
				events := h.rec.Events()
				require.Equal(t, authn.CodeOvertaken, events[len(events)-1].Code)
				s, err := h.m.Continue(t.Context(), owner.Ticket.Reveal(), authn.Answer{Banner: "7"}, home)
				require.NoError(t, err)
				require.Equal(t, authn.Done, s.Need)
			})
		}
	}
}

// touchIn signs in with the passkey.
func (h *house) touchIn(alone bool) {
	h.t.Helper()
	var s authn.Step
	var err error
	if alone {
		s, err = h.m.OfferPasskey(h.t.Context(), clinic, home)
	} else {
		s, err = h.m.SignIn(h.t.Context(), clinic, ada, pw(good), home)
	}
	if err != nil || s.Passkey == "" {
		return
	}
	s, err = h.m.Continue(h.t.Context(), s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "laptop")}, home)
	if err == nil && s.Need == authn.Done {
		h.handed = append(h.handed, s.Token.Reveal())
	}
}

// wrong is what a factor says is wrong with the person's state or with what was sent.
type wrong int

func (w wrong) Error() string   { return "the factor says no" }
func (w wrong) HTTPStatus() int { return int(w) }

// TestTheFactorsAnswerIsHandedOn: that there are too many passkeys, or that a name is too long, is no
// part that failed; any other status, and any other error, is.
func TestTheFactorsAnswerIsHandedOn(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{409: 409, 422: 422, 401: 503, 404: 503, 200: 503, 503: 503} {
		for _, at := range []string{"passkeys.BeginPasskey", "passkeys.AddPasskey"} {
			h := newHouse(t, nil)
			ctx := h.proving(h.ada(audit.KindStaff), audit.AAL2, "s1")
			h.wire.watch(func(_ int, name string) error {
				if name == at {
					return wrong(status)
				}
				return nil
			})
			s, err := h.m.BeginPasskey(ctx, home)
			if at == "passkeys.AddPasskey" {
				require.NoError(t, err)
				err = h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, "laptop")}, home)
			}
			require.Error(t, err)
			require.Equal(t, want, authn.Status(err), "%s says %d", at, status)
			require.Equal(t, want == 503, errors.Is(err, authn.ErrUnavailable))
		}
	}
}

// TestTheNameOfAPasskeyIsTheFactors: it arrives whole, without what cannot be printed; how many
// characters are too many is the factor's one rule.
func TestTheNameOfAPasskeyIsTheFactors(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	ctx := h.proving(p, audit.AAL2, "s1")
	for _, name := range []string{strings.Repeat("ü", 64), strings.Repeat("鍵", 65)} {
		s, err := h.m.BeginPasskey(ctx, home)
		require.NoError(t, err)
		require.NoError(t, h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(t, s, name), Label: name + "\x00"}, home))
		keys := h.passkeys.of(p.ID)
		require.Equal(t, name, keys[len(keys)-1].label)
		h.clock.Advance(time.Second)
		ctx = h.proving(p, audit.AAL2, "s1")
	}
}
