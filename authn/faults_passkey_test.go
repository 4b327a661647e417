package authn_test

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// passkeyStories are what passkeys and text messages add to stories.
func passkeyStories() map[string]story {
	done := func(h *house, s authn.Step, err error) error {
		if err == nil && s.Need == authn.Done {
			h.handed = append(h.handed, s.Token.Reveal())
		}
		return err
	}
	return map[string]story{
		"passkey": {run: func(ctx ctxT, h *house, p authn.Person) error {
			h.passkeys.give(p.ID, "laptop")
			s, err := h.m.OfferPasskey(ctx, clinic, home)
			if err != nil {
				return err
			}
			s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "laptop")}, home)
			return done(h, s, err)
		}},
		"wrong passkey": {run: func(ctx ctxT, h *house, p authn.Person) error {
			s, err := h.m.OfferPasskey(ctx, clinic, home)
			if err != nil {
				return err
			}
			_, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "stranger")}, home)
			return err
		}},
		"second passkey": {run: func(ctx ctxT, h *house, p authn.Person) error {
			h.passkeys.give(p.ID, "laptop")
			s, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
			if err == nil {
				s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "stranger")}, home)
			}
			if err == nil {
				s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "laptop")}, home)
			}
			return done(h, s, err)
		}},
		"guided passkey": {run: func(ctx ctxT, h *house, p authn.Person) error {
			h.factor.set(p.ID, false)
			s, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
			if err == nil {
				s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "laptop")}, home)
			}
			return done(h, s, err)
		}},
		"text": {run: func(ctx ctxT, h *house, p authn.Person) error {
			h.factor.set(p.ID, false)
			h.texts.phone(p.ID, "•• 12") // the policy does not take it, so an app is set up behind it
			s, err := h.m.SignIn(ctx, clinic, ada, pw(good), home)
			if err == nil {
				s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Send: true}, home)
			}
			if err == nil {
				s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Factor: authn.FactorText, Code: h.texts.code(p.ID)}, home)
			}
			if err == nil {
				s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Code: code}, home)
			}
			return done(h, s, err)
		}},
		"add a passkey": {run: func(ctx ctxT, h *house, p authn.Person) error {
			a, _ := audit.ActorFrom(h.proving(p, audit.AAL2, "s1"))
			ctx = audit.WithActor(ctx, a)
			s, err := h.m.BeginPasskey(ctx, home)
			if err == nil {
				err = h.m.AddPasskey(ctx, s.Ticket.Reveal(), authn.Answer{Passkey: touch(h.t, s, "laptop")}, home)
			}
			return err
		}},
		"prove with a passkey": {run: func(ctx ctxT, h *house, p authn.Person) error {
			h.passkeys.give(p.ID, "laptop")
			a, _ := audit.ActorFrom(h.proving(p, audit.AAL2, "s1"))
			ctx = audit.WithActor(ctx, a)
			s, err := h.m.BeginProof(ctx, authn.Answer{}, home)
			if err == nil {
				_, err = h.m.Prove(ctx, authn.Answer{Passkey: touch(h.t, s, "laptop"), Ticket: s.Ticket.Reveal()}, home)
			}
			return err
		}},
	}
}
