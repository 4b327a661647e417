package authn

import (
	"cmp"
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
)

// CompleteSetUp uses up a set-up or invitation link: the person gets the password in a and
// becomes active, and the sign-in goes on from there, enrolment of a second factor
// included. Where the policy asks for approval, somebody invited waits for it instead:
// NeedApproval, with nothing to answer. Without a seat, ErrNoSeat, the link stays as it was. A password against the policy (*PolicyError), a set-up without a usable
// identifier (ErrIdentifier) and one that somebody has (ErrExists) leave the link as it was.
func (m *Manager) CompleteSetUp(ctx context.Context, token string, a Answer, c Client) (Step, error) {
	return m.useLink(ctx, token, a, c, linkUse{
		purposes: []Purpose{PurposeSetUp, PurposeInvitation}, action: ActionJoin, from: Invited,
	})
}

// ResetPassword uses up a reset link: the person gets the new password, every session
// ends, the person is told, and a sign-in goes on from there, second factor included.
// A password against the policy (*PolicyError) leaves the link as it was.
func (m *Manager) ResetPassword(ctx context.Context, token string, pw Password, c Client) (Step, error) {
	return m.useLink(ctx, token, Answer{Password: pw}, c, linkUse{
		purposes: []Purpose{PurposeReset}, action: ActionResetPassword, from: Active, notice: TopicPasswordChanged,
	})
}

// linkUse is what a link may do.
type linkUse struct {
	purposes []Purpose
	action   audit.Action
	from     State // the person's, before
	notice   Topic
}

// useLink sets a password with a link. The link is consumed in the same Apply that sets it.
func (m *Manager) useLink(ctx context.Context, token string, a Answer, c Client, use linkUse) (_ Step, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return Step{}, ErrState
	}
	l, err := m.link(ctx, c, token)
	if err != nil {
		return Step{}, err
	}
	if err := m.admitAddress(ctx, l.Tenant, c); err != nil {
		return Step{}, err
	}
	if !use.allows(l.Purpose) {
		return Step{}, m.staleLink(ctx, l, c, ErrLinkUnknown)
	}
	w, err := m.linkPassword(ctx, l, a, c, use)
	if errors.Is(err, ErrLink) {
		return Step{}, m.staleLink(ctx, l, c, err)
	}
	if err != nil {
		return Step{}, err
	}
	begun := m.now()
	p, err := m.change(ctx, change{
		tenant: l.Tenant, person: l.Person, action: use.action, actor: anonymous(l.Tenant, c),
		ends: true, reason: "password_changed", notice: use.notice, holds: use.from == Invited, seat: use.from == Invited,
		edit: func(acct Account, ch *Change) error {
			if acct.Person.State != use.from {
				return ErrLinkUsed
			}
			ch.Person.State = w.state
			ch.Consume = l.Hash
			ch.setPassword(w.hash)
			if w.typed.Term != nil {
				ch.Person.Term, ch.Person.Sealed = w.typed.Term, w.typed.Sealed
			}
			return nil
		},
	})
	if errors.Is(err, ErrLink) {
		return Step{}, m.staleLink(ctx, l, c, err)
	}
	if err != nil {
		return Step{}, err
	}
	if p.State == Waiting {
		return Step{Need: NeedApproval, Person: p.ID}, nil
	}
	return m.complete(ctx, byPassword(Account{Person: p}, begun), c)
}

func (u linkUse) allows(p Purpose) bool {
	for _, have := range u.purposes {
		if p == have {
			return true
		}
	}
	return false
}

// linkPlaced refuses a link while it could lead nowhere, so that it is not used up.
func (m *Manager) linkPlaced(ctx context.Context, policy *Policy, p Person, c Client, a audit.Action) error {
	switch {
	case policy.Closed:
		return m.failed(ctx, p.Tenant, c, a, p.ID, CodeTenant, ErrDenied)
	case !policy.Network.WouldAllow(p.Kind, c.Addr):
		return m.failed(ctx, p.Tenant, c, a, p.ID, CodeNetwork, ErrNetwork)
	case policy.Inactive(p, m.now()):
		return m.failed(ctx, p.Tenant, c, a, p.ID, CodeInactive, ErrInactive)
	}
	return nil
}

// linkWrite is what a link is about to write.
type linkWrite struct {
	hash  string
	typed Person // with the identifier that was typed, where there was none
	state State  // where the person stands afterwards
}

// linkPassword judges and hashes the new password, and seals the identifier where the
// person has none yet. It changes nothing.
func (m *Manager) linkPassword(ctx context.Context, l Link, a Answer, c Client, use linkUse) (w linkWrite, err error) {
	acct, err := m.account(ctx, l.Tenant, l.Person)
	if errors.Is(err, ErrNotFound) || err == nil && acct.Person.State != use.from {
		return w, ErrLinkUsed
	}
	if err != nil {
		return w, err
	}
	p, err := m.policy(ctx, l.Tenant)
	if err == nil {
		err = m.linkPlaced(ctx, p, acct.Person, c, use.action)
	}
	if err != nil {
		return w, err
	}
	if acct.Person.Sealed == nil {
		w.typed = acct.Person
		if err := m.enter(ctx, &w.typed, a.Identifier); err != nil {
			return w, err
		}
		if a, err := m.find(ctx, l.Tenant, w.typed.Term); err != nil || a.Person.ID != "" { // before a seat is held
			return w, cmp.Or(err, ErrExists)
		}
		acct.Person = w.typed
	}
	w.state = Active
	if l.Purpose == PurposeInvitation && p.approves(acct.Person.Kind) { // nobody could approve the first administrator
		w.state = Waiting
	}
	w.hash, err = m.newPassword(ctx, standing{account: acct, policy: p}, a.Password)
	return w, err
}
