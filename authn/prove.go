package authn

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Proof is what Prove asks of somebody.
type Proof struct {
	Password bool // can be given
	Code     bool // can be given: there is a second factor
	Both     bool // everything that can be given must be
}

// Asked says what Prove asks of the signed-in person in ctx, for the page that asks for it.
func (m *Manager) Asked(ctx context.Context) (Proof, error) {
	s, err := m.signedIn(ctx)
	if err != nil {
		return Proof{}, err
	}
	p, err := m.policy(ctx, s.tenant)
	if err != nil {
		return Proof{}, err
	}
	return m.asked(ctx, s, p)
}

func (m *Manager) asked(ctx context.Context, s subject, p *Policy) (Proof, error) {
	enrolled, err := m.p.Factor.Enrolled(ctx, s.tenant, s.id)
	if err != nil {
		return Proof{}, unavailable("asking for the second factor", err)
	}
	return Proof{Password: true, Code: enrolled, Both: enrolled && p.Reproof != OneFactor}, nil
}

// Prove proves once more that the signed-in person in ctx is who they are, before a sensitive act
// or to unlock a screen, and returns the actor for session.Manager's Reauthenticated and Unlock:
// with the time of the proof, its methods and the assurance level it reaches, AAL1 for one factor
// and AAL2 for both. Behind a locked screen nobody is in ctx: put the Actor of the locked session
// there with audit.WithActor.
//
// What is given in a, Password, Code or both, has to be right, all of it; Asked says what can be
// given and what must be. A wrong password: ErrDenied. A wrong code: ErrWrongCode. A code of
// somebody who has no second factor: ErrNoFactor. Less than the policy asks for, or nothing:
// ErrProof. Nobody signed in, or who may not be any more: ErrNoActor. Not from here: ErrNetwork.
// Tries share the throttle of sign-ins: *ThrottledError, *BusyError. Failures are recorded with
// CodeCredential and CodeWrongCode; a part that fails is ErrUnavailable.
func (m *Manager) Prove(ctx context.Context, a Answer, c Client) (_ audit.Actor, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return audit.Actor{}, ErrState
	}
	s, err := m.signedIn(ctx)
	if err != nil {
		return audit.Actor{}, err
	}
	s = m.from(ctx, s, c)
	if err := m.provable(ctx, s, a, c); err != nil {
		return audit.Actor{}, err
	}
	begun := m.now()
	methods, err := m.provePassword(ctx, s, a, c)
	if err != nil {
		return audit.Actor{}, err
	}
	second, err := m.proveCode(ctx, s, a, c)
	if err != nil {
		return audit.Actor{}, err
	}
	ev := Evidence{Tenant: s.tenant, Person: s.id, At: begun, Proven: slices.Concat(methods, second), Second: len(methods) > 0 && len(second) > 0}
	actor, _ := audit.ActorFrom(ctx)
	err = m.note(ctx, audit.Event{
		Tenant: s.tenant, Action: ActionReprove, Actor: actor, Objects: person(s.id), Detail: map[string]string{"methods": strings.Join(ev.Methods(), " ")},
	})
	if err != nil {
		return audit.Actor{}, err
	}
	actor.AuthTime, actor.Methods, actor.Assurance, actor.PhishingResistant = ev.At, ev.Methods(), ev.Assurance(), false
	return actor, nil
}

// provable refuses a proof that would be worth nothing, before anything is tried.
func (m *Manager) provable(ctx context.Context, s subject, a Answer, c Client) error {
	if s.account.Person.State != Active {
		return ErrNoActor
	}
	p, err := m.policy(ctx, s.tenant)
	if err != nil {
		return err
	}
	switch {
	case p.Closed:
		return m.failed(ctx, s.tenant, c, ActionReprove, s.id, CodeTenant, ErrNoActor)
	case !p.Network.WouldAllow(s.account.Person.Kind, c.Addr):
		return m.failed(ctx, s.tenant, c, ActionReprove, s.id, CodeNetwork, ErrNetwork)
	}
	ask, err := m.asked(ctx, s, p)
	switch {
	case err != nil:
		return err
	case a.Code != "" && !ask.Code:
		return ErrNoFactor
	case a.Password.IsZero() && a.Code == "", ask.Both && (a.Password.IsZero() || a.Code == ""):
		return ErrProof
	}
	if s.known {
		if in, err := m.knownBudget(ctx, s.tenant, s.id); in || err != nil {
			return err
		}
	}
	return m.admitAddress(ctx, s.tenant, c)
}

// provePassword checks the password, if there is one.
func (m *Manager) provePassword(ctx context.Context, s subject, a Answer, c Client) ([]string, error) {
	if a.Password.IsZero() {
		return nil, nil
	}
	if ok, err := m.checkPassword(ctx, s, a.Password); !ok {
		return nil, m.refused(ctx, s, c, ActionReprove, err)
	}
	return []string{"pwd"}, nil
}

// proveCode checks the code, if there is one.
func (m *Manager) proveCode(ctx context.Context, s subject, a Answer, c Client) ([]string, error) {
	if a.Code == "" {
		return nil, nil
	}
	methods, err := m.checkCode(ctx, s, a.Code)
	switch {
	case errors.Is(err, ErrThrottled):
		return nil, m.failed(ctx, s.tenant, c, ActionReprove, s.id, throttledCode(err), err)
	case err != nil:
		return nil, err
	case len(methods) == 0:
		return nil, m.failed(ctx, s.tenant, c, ActionReprove, s.id, CodeWrongCode, ErrWrongCode)
	}
	return methods, nil
}

// checkCode makes one try of the person's second factor: it charges the try, to the person and
// not to the sign-in, so that starting again gains nothing, and resets the failures after a
// success. No methods and no error is a wrong code. Errors: *ThrottledError, ErrUnavailable.
func (m *Manager) checkCode(ctx context.Context, s subject, code string) ([]string, error) {
	if err := m.charge(ctx, s, FamilySecond); err != nil {
		return nil, err
	}
	methods, err := m.p.Factor.Verify(ctx, s.tenant, s.id, code)
	if disabled(err) {
		return nil, &ThrottledError{Disabled: true}
	}
	if err != nil {
		return nil, unavailable("checking a code", err)
	}
	if len(methods) == 0 {
		return nil, nil
	}
	return methods, m.clear(ctx, s, FamilySecond)
}

// disabled reports whether a second factor's error says that it takes no codes any more.
func disabled(err error) bool {
	var d interface{ Disabled() bool }
	return errors.As(err, &d) && d.Disabled()
}

// FactorRequired reports whether the policy requires a second factor of a person. It has the shape
// of mfa's Options.Required: who must have one cannot disable it. Nobody there: ErrNotFound.
func (m *Manager) FactorRequired(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error) {
	a, err := m.account(ctx, t, person)
	if err != nil {
		return true, err
	}
	p, err := m.policy(ctx, t)
	if err != nil {
		return true, err
	}
	return p.of(a.Person.Kind) != Optional, nil
}
