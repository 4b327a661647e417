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
	s, err := m.approach(ctx, t, identifier, c)
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
func (m *Manager) approach(ctx context.Context, t audit.Tenant, identifier string, c Client) (subject, error) {
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
	s, err := m.lookup(ctx, t, identifier)
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
// An unknown, used, expired or overtaken ticket: ErrTicket. Too many wrong codes in this
// sign-in: ErrDenied. A part that fails: ErrUnavailable, and the person starts again.
func (m *Manager) Continue(ctx context.Context, ticket string, a Answer, c Client) (_ Step, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return Step{}, ErrState
	}
	st, err := m.redeem(ctx, ticket, m.p.Store.TakeTicket)
	if err != nil {
		return Step{}, err
	}
	now, err := m.standing(ctx, st.Evidence)
	if err != nil {
		return Step{}, m.stopped(ctx, st.Evidence, c, err)
	}
	if err := m.placed(ctx, st.Evidence, now, c); err != nil { // before anything is tried or set
		return Step{}, err
	}
	switch st.Need {
	case NeedSecondFactor:
		return m.answerFactor(ctx, st, now, a, c)
	case NeedEnrolment:
		return m.answerEnrolment(ctx, st, a, c)
	case NeedPassword:
		return m.answerPassword(ctx, st, now, a, c)
	case NeedBanner:
		return m.answerBanner(ctx, st, a, c)
	}
	return Step{}, ErrTicket
}

// answerFactor makes one try of the person's second factor.
func (m *Manager) answerFactor(ctx context.Context, st ticketState, now standing, a Answer, c Client) (Step, error) {
	ev := st.Evidence
	s := m.from(ctx, subject{tenant: ev.Tenant, id: ev.Person, account: now.account}, c)
	methods, err := m.checkCode(ctx, s, a.Code)
	if errors.Is(err, ErrThrottled) {
		if err := m.failed(ctx, ev.Tenant, c, ActionStep, ev.Person, throttledCode(err), nil); err != nil {
			return Step{}, err
		}
		return m.issue(ctx, st, err)
	}
	if err != nil {
		return Step{}, err
	}
	if len(methods) == 0 {
		return m.wrongCode(ctx, st, c)
	}
	if err := m.passed(ctx, ev.Tenant, c, ActionStep, ev.Person, CodeFactor); err != nil {
		return Step{}, err
	}
	return m.complete(ctx, ev.with(methods), c)
}

// answerEnrolment confirms the second factor that the ticket was issued with.
func (m *Manager) answerEnrolment(ctx context.Context, st ticketState, a Answer, c Client) (Step, error) {
	ev := st.Evidence
	ok, err := m.p.Factor.Confirm(ctx, ev.Tenant, ev.Person, a.Code)
	if err != nil {
		return Step{}, unavailable("confirming an enrolment", err)
	}
	if !ok {
		return m.wrongCode(ctx, st, c)
	}
	if err := m.passed(ctx, ev.Tenant, c, ActionStep, ev.Person, CodeEnrolled); err != nil {
		return Step{}, err
	}
	return m.complete(ctx, ev.with([]string{"otp"}), c)
}

// wrongCode asks for the code again, until the sign-in has had too many.
func (m *Manager) wrongCode(ctx context.Context, st ticketState, c Client) (Step, error) {
	ev := st.Evidence
	if st.Wrong++; st.Wrong >= m.o.TicketTries {
		return Step{}, m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, CodeTries, ErrDenied)
	}
	if err := m.failed(ctx, ev.Tenant, c, ActionStep, ev.Person, CodeWrongCode, nil); err != nil {
		return Step{}, err
	}
	return m.issue(ctx, st, ErrWrongCode)
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
