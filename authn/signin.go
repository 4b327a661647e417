package authn

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// SignIn begins a sign-in with a password. The Step says what is asked next.
//
// An unknown identifier, a wrong password and a person who may not sign in get the same
// ErrDenied after the same work. Too many tries: a *ThrottledError, without any hashing.
// Too many at once on this server: a *BusyError. A part that fails: ErrUnavailable.
func (m *Manager) SignIn(ctx context.Context, t audit.Tenant, identifier string, pw Password, c Client) (_ Step, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return Step{}, ErrState
	}
	s, err := m.approach(ctx, t, c, func(known bool) (subject, error) {
		if err := m.hash.room(!known); err != nil { // no use in looking anybody up
			return subject{}, err
		}
		return m.lookup(ctx, t, identifier)
	})
	if err != nil {
		return Step{}, err
	}
	begun := m.now()
	if ok, err := m.checkPassword(ctx, s, pw); !ok {
		return Step{}, m.refused(ctx, s, c, ActionSignIn, err)
	}
	if err := m.passed(ctx, t, c, ActionStep, s.id, CodePassword); err != nil {
		return Step{}, err
	}
	return m.complete(ctx, byPassword(s.account, begun), c)
}

// approach finds out whose try it is, after the budgets of the address and the tenant, which a
// browser that is known for somebody does not draw on. One that is known for somebody else does.
func (m *Manager) approach(ctx context.Context, t audit.Tenant, c Client, find func(known bool) (subject, error)) (subject, error) {
	k, known := m.recognise(ctx, t, c.Known)
	if known {
		in, err := m.knownBudget(ctx, t, k.Person)
		if err != nil {
			return subject{}, err
		}
		known = in
	}
	if !known {
		if err := m.admit(ctx, t, c); err != nil {
			return subject{}, err
		}
	}
	if err := m.reachable(ctx, t, c); err != nil {
		return subject{}, err
	}
	s, err := find(known)
	if err != nil || !known {
		return s, err
	}
	if s.known = k.of(s); !s.known {
		return s, m.admit(ctx, t, c)
	}
	return s, nil
}

// Continue answers the step that ticket stands for and returns the next one. The ticket is
// used up whatever happens; a Step with a Problem asks for the same again with a new ticket.
//
// An unknown, used, expired or overtaken ticket, and one of BeginPasskey or BeginProof: ErrTicket.
// Too many wrong answers in this sign-in: ErrDenied. A passkey that would sign in without a
// password, where the policy asks for both: ErrPasswordFirst. A part that fails: ErrUnavailable, and
// the person starts again.
func (m *Manager) Continue(ctx context.Context, ticket string, a Answer, c Client) (_ Step, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return Step{}, ErrState
	}
	st, err := m.redeem(ctx, ticket, m.p.Store.TakeTicket)
	if err != nil {
		return Step{}, err
	}
	switch st.Need {
	case NeedPasskey:
		return m.answerPasskey(ctx, st, a, c)
	case NeedSecondFactor, NeedEnrolment, NeedPassword, NeedBanner:
		return m.answer(ctx, st, a, c)
	}
	return Step{}, exempted(ctx, "a ticket of something else than a sign-in", ErrTicket)
}

// answer takes the answer of somebody who has proven something already, after looking at where they
// stand, before anything is tried or set.
func (m *Manager) answer(ctx context.Context, st ticketState, a Answer, c Client) (Step, error) {
	now, err := m.stand(ctx, st.Evidence, c)
	if err != nil {
		return Step{}, err
	}
	switch st.Need {
	case NeedSecondFactor:
		return m.answerFactor(ctx, st, now, a, c)
	case NeedEnrolment:
		return m.answerEnrolment(ctx, st, now, a, c)
	case NeedPassword:
		return m.answerPassword(ctx, st, now, a, c)
	}
	return m.answerBanner(ctx, st, a, c)
}

// answerPassword sets the password that is due and goes on with the sign-in.
func (m *Manager) answerPassword(ctx context.Context, st ticketState, now standing, a Answer, c Client) (Step, error) {
	ev := st.Evidence
	hash, err := m.newPassword(ctx, now, a.Password)
	if errors.Is(err, ErrPassword) || errors.Is(err, ErrBusy) {
		if err := exempt(ctx, "a new password that was not taken"); err != nil {
			return Step{}, err
		}
		return m.issue(ctx, st, err)
	}
	if err != nil {
		return Step{}, err
	}
	p, err := m.change(ctx, change{
		tenant: ev.Tenant, person: ev.Person, action: ActionChangePassword, actor: anonymous(ev.Tenant, c),
		ends: true, reason: "password_changed", notice: TopicPasswordChanged,
		edit: func(acct Account, ch *Change) error {
			if acct.Person.State != Active || acct.Person.Version != ev.Version {
				return ErrTicket
			}
			ch.setPassword(hash)
			return nil
		},
	})
	if err != nil {
		return Step{}, err
	}
	ev.Version = p.Version
	return m.complete(ctx, ev, c)
}

// answerBanner takes the acknowledgement of the banner that was shown, and records it.
func (m *Manager) answerBanner(ctx context.Context, st ticketState, a Answer, c Client) (Step, error) {
	ev := st.Evidence
	if a.Banner == "" || a.Banner != st.Banner {
		if err := exempt(ctx, "a banner that was not acknowledged"); err != nil {
			return Step{}, err
		}
		return m.issue(ctx, st, ErrBanner)
	}
	err := m.note(ctx, audit.Event{
		Tenant: ev.Tenant, Action: ActionStep, Actor: anonymous(ev.Tenant, c), Objects: person(ev.Person),
		Code: CodeBanner, Detail: map[string]string{"banner": st.Banner},
	})
	if err != nil {
		return Step{}, err
	}
	ev.Banner = st.Banner
	return m.complete(ctx, ev, c)
}

// signedIn returns the person that ctx says is signed in.
func (m *Manager) signedIn(ctx context.Context) (subject, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.ID == "" || a.Tenant == "" {
		return subject{}, ErrNoActor
	}
	acct, err := m.account(ctx, a.Tenant, a.ID)
	if errors.Is(err, ErrNotFound) {
		return subject{}, ErrNoActor
	}
	return subject{tenant: a.Tenant, id: a.ID, account: acct}, err
}

// now is the clock, in UTC and microseconds, which is what every store keeps.
func (m *Manager) now() time.Time { return m.o.Now().UTC().Truncate(time.Microsecond) }
