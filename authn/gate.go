package authn

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Evidence is what a way in has proven about a person so far. Every way in ends in it, and
// complete, which alone mints sessions, decides from nothing else. Only this package and
// the packages below it make one.
type Evidence struct {
	Tenant audit.Tenant  `json:"tenant"`
	Person audit.ActorID `json:"person"`
	// Version is the person's version as read before anything was checked: a change of the
	// account after that ends the sign-in.
	Version int64     `json:"version"`
	At      time.Time `json:"at"`     // of the first proof
	Proven  []string  `json:"proven"` // how, as RFC 8176 amr values, without "mfa"
	Second  bool      `json:"second"` // whether a second factor is among them
	// Factors are the second factors among them; none with Second is FactorApp, as releases wrote
	// it that knew no other.
	Factors  []Factor        `json:"factors,omitempty"`
	Passkey  string          `json:"passkey,omitempty"`  // the ID of the one that was proven
	Level    audit.Assurance `json:"level,omitempty"`    // what a passkey reaches by itself
	Phishing bool            `json:"phishing,omitempty"` // whether it resists phishing
	Alone    bool            `json:"alone,omitempty"`    // a passkey and no password
	// Banner is the version of the banner that was acknowledged in this sign-in.
	Banner string `json:"banner,omitempty"`
}

// Methods returns how the person proved to be who they are, as RFC 8176 amr values.
func (e Evidence) Methods() []string {
	all := slices.Clone(e.Proven)
	if e.Second {
		all = append(all, "mfa")
	}
	return all
}

// Assurance returns the assurance level that the evidence reaches (NIST SP 800-63B-4,
// section 2).
func (e Evidence) Assurance() audit.Assurance {
	switch {
	case len(e.Proven) == 0:
		return audit.AAL0
	case e.Second:
		return min(max(audit.AAL2, e.Level), audit.AAL3)
	}
	return audit.AAL1
}

// with returns the evidence with a second factor.
func (e Evidence) with(p proven) Evidence {
	e.Proven = slices.Concat(e.Proven, p.methods)
	e.Factors = append(slices.Clone(e.Factors), p.factor)
	e.Second = true
	e.Passkey = cmp.Or(p.passkey, e.Passkey)
	e.Level, e.Phishing = max(e.Level, p.level), e.Phishing || p.phishing
	return e
}

// proved are the second factors that were proven.
func (e Evidence) proved() []Factor {
	if len(e.Factors) == 0 {
		return []Factor{FactorApp}
	}
	return e.Factors
}

// byPassword is what a right password proves. The account was read before it was checked.
func byPassword(a Account, now time.Time) Evidence {
	return Evidence{Tenant: a.Person.Tenant, Person: a.Person.ID, Version: a.Person.Version, At: now, Proven: []string{"pwd"}}
}

// standing is what complete decides from, read anew each time.
type standing struct {
	account Account
	policy  *Policy
	held    held
}

// complete is the one gate. It asks for what is still owed and mints a session only when
// nothing is: there is no other caller of Sessions.Start, and no exemption to ask for.
func (m *Manager) complete(ctx context.Context, ev Evidence, c Client) (Step, error) {
	now, err := m.stand(ctx, ev, c)
	if err != nil {
		return Step{}, err
	}
	switch need := now.owed(ev); need {
	case Done:
		return m.mint(ctx, ev, now, c)
	case NeedSecondFactor:
		return m.askFactor(ctx, ev, now, c)
	case NeedEnrolment:
		return m.askEnrolment(ctx, ev, now, c)
	default:
		return m.ask(ctx, ticketState{Need: need, Evidence: ev, Least: now.least(), Banner: now.policy.Banner.Version})
	}
}

// stand reads where a sign-in stands and records and refuses one that must not go on: whoever it
// is may not, not from here, or not without a password first.
func (m *Manager) stand(ctx context.Context, ev Evidence, c Client) (standing, error) {
	now, err := m.standing(ctx, ev)
	if err != nil {
		return standing{}, m.stopped(ctx, ev, c, err)
	}
	if err := m.placed(ctx, ev, now, c); err != nil {
		return standing{}, err
	}
	if !now.lets(ev) {
		return standing{}, m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, CodePasswordFirst, ErrPasswordFirst)
	}
	return now, nil
}

// stopped records why a sign-in does not go on, and returns err.
func (m *Manager) stopped(ctx context.Context, ev Evidence, c Client, err error) error {
	switch {
	case errors.Is(err, ErrTicket):
		return m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, CodeOvertaken, err)
	case errors.Is(err, ErrApproval):
		return m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, CodeApproval, err)
	case errors.Is(err, ErrInactive):
		return m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, CodeInactive, err)
	}
	return err
}

// standing reads the person and the policy. Evidence of nothing, somebody who is not active, whose
// account changed since the evidence began or who has lost the factor that was proven: ErrTicket.
// Somebody not approved yet: ErrApproval. Somebody locked out for inactivity: ErrInactive.
func (m *Manager) standing(ctx context.Context, ev Evidence) (standing, error) {
	if ev.Person == "" || len(ev.Proven) == 0 {
		return standing{}, ErrTicket
	}
	a, err := m.account(ctx, ev.Tenant, ev.Person)
	if errors.Is(err, ErrNotFound) {
		return standing{}, ErrTicket
	}
	if err != nil {
		return standing{}, err
	}
	p, err := m.policy(ctx, ev.Tenant)
	switch {
	case err != nil:
		return standing{}, err
	case p.Closed, a.Person.Version != ev.Version:
		return standing{}, ErrTicket
	case a.Person.State == Waiting:
		return standing{}, ErrApproval
	case a.Person.State != Active:
		return standing{}, ErrTicket
	}
	if p.Inactive(a.Person, m.now()) {
		return standing{}, ErrInactive
	}
	h, err := m.holds(ctx, ev.Tenant, ev.Person, p)
	if err != nil {
		return standing{}, err
	}
	if ok, err := m.lives(ctx, ev); err != nil || !ok {
		return standing{}, cmp.Or(err, ErrTicket)
	}
	now := standing{a, p, h}
	if ev.Second && !now.counts(ev.proved()) { // taken away since it was proven, or not taken any more
		return standing{}, ErrTicket
	}
	return now, nil
}

// owed is the next thing to ask for, in order. Whoever has a second factor is asked for it,
// required or not; who has none that the policy takes where one is required sets one up before
// anything else.
func (s standing) owed(ev Evidence) Need {
	switch {
	case s.held.any && !ev.Second:
		return NeedSecondFactor
	case len(s.taken()) == 0 && s.policy.of(s.account.Person.Kind) != Optional:
		return NeedEnrolment
	case s.account.Password.Due:
		return NeedPassword
	case s.owesBanner(ev):
		return NeedBanner
	}
	return Done
}

// lets reports whether the policy has this evidence go on.
func (s standing) lets(ev Evidence) bool { return !ev.Alone || s.policy.Passkeys == PasskeysAlone }

// owesBanner reports whether the banner in force is still to be acknowledged.
func (s standing) owesBanner(ev Evidence) bool {
	b := s.policy.Banner
	return b.Version != "" && ev.Banner != b.Version && (b.Always || s.account.Person.Banner != b.Version)
}

// least is the shortest new password that the policy takes.
func (s standing) least() int { return s.policy.least(s.account.Person.Kind) }

// ask issues a ticket for the next step.
func (m *Manager) ask(ctx context.Context, st ticketState) (Step, error) {
	st.Expires = m.now().Add(m.o.TicketLife).UnixMicro()
	return m.issue(ctx, st, nil)
}

// mint makes the session: start, read the person again, and only if nothing changed since
// the evidence began hand out the token. A change that came in between has ended either the
// session, or this.
func (m *Manager) mint(ctx context.Context, ev Evidence, now standing, c Client) (Step, error) {
	a := ev.actor(now.account.Person.Kind, c)
	token, err := m.p.Sessions.Start(ctx, a)
	if err != nil {
		return Step{}, unavailable("starting a session", err)
	}
	if err := m.confirmMint(ctx, ev, a, c); err != nil {
		return Step{}, m.unmint(ctx, token, ev, c, err)
	}
	return Step{Need: Done, Person: ev.Person, Token: NewSecret(token), Known: m.remember(ctx, now.account, c)}, nil
}

// confirmMint re-reads and records. Any error means that the session must not be used.
func (m *Manager) confirmMint(ctx context.Context, ev Evidence, a audit.Actor, c Client) error {
	again, err := m.standing(ctx, ev)
	if err != nil {
		return err
	}
	if again.owed(ev) != Done || !again.lets(ev) || !again.policy.Network.WouldAllow(a.Kind, c.Addr) {
		return ErrTicket
	}
	if err := m.p.Store.SignedIn(ctx, ev.Tenant, ev.Person, ev.Banner, m.now()); err != nil {
		return unavailable("noting a sign-in", err)
	}
	return m.note(ctx, audit.Event{Tenant: ev.Tenant, Action: ActionSignIn, Actor: a, Objects: person(ev.Person)})
}

// unmint ends a session whose token nobody will get.
func (m *Manager) unmint(ctx context.Context, token string, ev Evidence, c Client, why error) error {
	ctx = context.WithoutCancel(ctx)
	if err := m.p.Sessions.End(ctx, token, "not_handed_out"); err != nil {
		m.warn(ctx, "authn: a session that was never handed out is still open")
		why = errors.Join(why, unavailable("ending a session", err))
	}
	code := "unavailable"
	if errors.Is(why, ErrTicket) {
		code = CodeOvertaken
	}
	return errors.Join(why, m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, code, nil))
}

// actor is who the session is for.
func (e Evidence) actor(k audit.Kind, c Client) audit.Actor {
	return audit.Actor{
		ID: e.Person, Kind: k, Tenant: e.Tenant,
		AuthTime: e.At, Methods: e.Methods(), Assurance: e.Assurance(), PhishingResistant: e.Phishing,
		Origin: c.Addr, Device: printable(c.Device, maxDevice),
	}
}
