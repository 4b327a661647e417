package authn

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// freshFor is how long ago somebody may have proven who they are to begin a passkey.
const freshFor = 5 * time.Minute

// BeginPasskey begins a passkey for the signed-in person in ctx. The Step's Passkey are creation
// options, and AddPasskey ends it with its ticket, in the same session.
//
// A passkey signs in alone afterwards, so it is made only right after a proof, Actor.AuthTime being
// five minutes old at most, and in a session of AAL2 by who has a second factor already; otherwise
// ErrProof: Prove, and package session's Reauthenticated. Nobody signed in, or who may not be any
// more: ErrNoActor. Not from here: ErrNetwork. No passkeys here: ErrNoPasskeys. Too many begun:
// *ThrottledError. What the factor says is wrong, such as too many passkeys or a name that is too
// long, is its own error, and Status knows it. A part that fails: ErrUnavailable.
func (m *Manager) BeginPasskey(ctx context.Context, c Client) (_ Step, err error) {
	defer closing(ctx, &err)
	s, a, err := m.registrant(ctx, c)
	if err != nil {
		return Step{}, err
	}
	if age := m.now().Sub(a.AuthTime); age > freshFor || age < -freshFor {
		return Step{}, ErrProof
	}
	if err := m.admitOwn(ctx, s, c); err != nil {
		return Step{}, err
	}
	asked, err := m.passkeyToMake(ctx, s.account.Person)
	if err != nil {
		return Step{}, err
	}
	st := ticketState{Need: NeedRegistration, Evidence: s.bare(), Session: a.Session, Passkey: asked}
	step, err := m.brief(ctx, st)
	if err != nil {
		return Step{}, err
	}
	return step, exempt(ctx, "a passkey to be made, shown to its owner")
}

// AddPasskey ends what BeginPasskey began, with Answer.Passkey and Answer.Label, and uses the ticket
// up. The passkey counts at once. A response that was not accepted: ErrPasskey. A ticket of another
// person, session or step, an old one, and one from before a change of the account: ErrTicket.
// Otherwise it answers like BeginPasskey.
func (m *Manager) AddPasskey(ctx context.Context, ticket string, a Answer, c Client) (err error) {
	defer closing(ctx, &err)
	s, actor, err := m.registrant(ctx, c)
	if err != nil {
		return err
	}
	st, err := m.redeemOwn(ctx, ticket, NeedRegistration, s, actor)
	if err != nil {
		return err
	}
	e := audit.Event{Tenant: s.tenant, Action: ActionAddPasskey, Verb: audit.Create, Actor: actor, Objects: person(s.id)}
	p, err := m.addPasskey(ctx, s.account.Person, st.Passkey, a)
	if err != nil {
		return err
	}
	if !p.right() {
		e.Outcome, e.Code = audit.Failure, CodeWrongPasskey
		if err := m.note(ctx, e); err != nil {
			return err
		}
		return ErrPasskey
	}
	return m.note(ctx, e)
}

// registrant is the signed-in person in ctx, who may make a passkey.
func (m *Manager) registrant(ctx context.Context, c Client) (subject, audit.Actor, error) {
	if m.joined {
		return subject{}, audit.Actor{}, ErrState
	}
	s, err := m.signedIn(ctx)
	if err != nil {
		return subject{}, audit.Actor{}, err
	}
	a, _ := audit.ActorFrom(ctx)
	now, err := m.present(ctx, s, c, ActionAddPasskey)
	switch {
	case err != nil:
		return subject{}, a, err
	case !m.makesPasskeys(now.policy):
		return subject{}, a, ErrNoPasskeys
	case now.held.any && a.Assurance < audit.AAL2:
		return subject{}, a, ErrProof
	}
	return s, a, nil
}

// bare is evidence of nothing: whose ticket it is, and since when.
func (s subject) bare() Evidence {
	return Evidence{Tenant: s.tenant, Person: s.id, Version: s.account.Person.Version}
}

// redeemOwn takes a ticket of somebody signed in, from the same session and the same version of
// their account. Any other: ErrTicket.
func (m *Manager) redeemOwn(ctx context.Context, ticket string, need Need, s subject, a audit.Actor) (ticketState, error) {
	st, err := m.redeem(ctx, ticket, m.p.Store.TakeTicket)
	if err != nil {
		return ticketState{}, err
	}
	own := s.bare()
	if ev := st.Evidence; st.Need != need || st.Session != a.Session || ev.Tenant != own.Tenant || ev.Person != own.Person || ev.Version != own.Version {
		return ticketState{}, exempted(ctx, "a ticket of something else", ErrTicket)
	}
	return st, nil
}
