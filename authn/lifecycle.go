package authn

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Each change below ends the person's sessions where it ends a right, writes its rows and
// its messages in one step, and then carries the messages out; what fails there is retried
// by Run. Who may do it is the host's to decide, with rbac, before the call; the actor in
// ctx is recorded, this package where there is none. An actor of another tenant, or an anonymous
// one: ErrNoActor. The answers: ErrNotFound, ErrState, ErrUnavailable (nothing was
// changed, though sessions may have ended), ErrPending (it was).

// Approve lets somebody in who has set up their account and waits for it, where the policy asks
// for approval; the person is told. Without a seat: ErrNoSeat. Remove turns somebody down.
func (m *Manager) Approve(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionApprove, why: why, notice: TopicApproved, holds: true, seat: true,
		edit: func(a Account, ch *Change) error { return move(a, ch, Active, Waiting) },
	})
}

// Suspend locks an active person out and ends every session and everything of Options.Also; the
// seat is free again.
func (m *Manager) Suspend(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionSuspend, why: why,
		ends: true, leaves: true, seat: true, reason: "suspended", notice: TopicSuspended,
		edit: func(a Account, ch *Change) error {
			ch.Void, ch.Forget = true, true
			return move(a, ch, Suspended, Active)
		},
	})
}

// Reinstate lets a suspended person sign in again. Without a seat: ErrNoSeat.
func (m *Manager) Reinstate(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionReinstate, why: why, notice: TopicReinstated, holds: true, seat: true,
		edit: func(a Account, ch *Change) error { return move(a, ch, Active, Suspended) },
	})
}

// Remove ends a person for good: every session, everything of Options.Also, and through
// Options.Admission the seat and what was granted; the password and open links are gone, the
// identifier is free again, and the row keeps nothing of it. What is sealed of the identifier is
// only in the message that tells the person, until it is delivered or, after a week, given up; other
// notices that still wait are dropped. It is the one call for somebody who leaves.
func (m *Manager) Remove(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionRemove, verb: audit.Delete, why: why,
		ends: true, leaves: true, seat: true, reason: "removed", notice: TopicRemoved,
		edit: func(a Account, ch *Change) error {
			ch.Person.Term, ch.Person.Sealed = nil, nil
			ch.Password, ch.Void, ch.Forget = &Credential{}, true, true
			return move(a, ch, Removed, Invited, Waiting, Active, Suspended)
		},
	})
}

// ExpirePassword makes the person set a new password at the next sign-in and ends every
// session: the answer to a compromised password.
func (m *Manager) ExpirePassword(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionExpirePassword, why: why,
		ends: true, reason: "password_expired", notice: TopicPasswordExpired,
		edit: func(a Account, ch *Change) error {
			row := a.Password
			row.Due = true
			ch.Password = &row
			return move(a, ch, Active, Active)
		},
	})
}

// AdminReset takes the person's password away, ends every session and mails a reset link
// that lives as long as a set-up link. Nobody but the person ever knows the new password
// (OWASP ASVS 5.0, 6.4.6).
func (m *Manager) AdminReset(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionAdminReset, why: why,
		ends: true, reason: "password_reset", notice: TopicReset, issue: PurposeReset, life: m.o.SetUpLife,
		edit: func(a Account, ch *Change) error {
			ch.Password, ch.Void, ch.Forget = &Credential{}, true, true
			return move(a, ch, Active, Active)
		},
	})
}

// Unlock forgets the consecutive failures of the person's password and second factor, and ends
// a lock for inactivity. A sign-in in progress starts again.
func (m *Manager) Unlock(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionUnlock, why: why,
		edit: func(a Account, ch *Change) error {
			row := a.Password
			row.Failures, row.NotBefore = 0, time.Time{}
			ch.Password, ch.Second = &row, true
			return move(a, ch, Active, Active)
		},
	})
}

// ResetFactor calls reset to take the person's second factors away, passkeys and numbers as well, and
// ends every sign-in, registration and proof in progress and every session. At the next sign-in the
// person is enrolled again where the policy requires it. Telling the person is reset's business. Reset
// may be called again after an error; it runs between two changes of the account, so that neither a
// sign-in that checked the old factor nor a crash leaves a session behind.
func (m *Manager) ResetFactor(ctx context.Context, t audit.Tenant, person audit.ActorID, why string, reset func(context.Context) error) error {
	c := change{
		tenant: t, person: person, action: ActionResetFactor, why: why,
		ends: true, reason: "factor_reset",
		edit: func(a Account, ch *Change) error { return move(a, ch, Active, Active) },
	}
	if err := m.admin(ctx, c); err != nil {
		return err
	}
	if err := reset(ctx); err != nil {
		return unavailable("taking a second factor away", err)
	}
	c.edit = func(a Account, ch *Change) error {
		ch.Second = true
		return move(a, ch, Active, Active)
	}
	return m.admin(ctx, c)
}

// admin carries out a change by whoever is in ctx.
func (m *Manager) admin(ctx context.Context, c change) error {
	if err := m.own(ctx, c.tenant, c.action); err != nil {
		return err
	}
	c.actor = acting(ctx, c.tenant)
	_, err := m.change(ctx, c)
	return err
}

// own refuses whoever is in ctx for another tenant, and nobody in particular: that is a mistake of
// the host's, and no change is worth it.
func (m *Manager) own(ctx context.Context, t audit.Tenant, action audit.Action) error {
	a, ok := audit.ActorFrom(ctx)
	if ok && (a.Kind == audit.KindAnonymous || a.Tenant != "" && a.Tenant != t) {
		return m.stranger(ctx, a, a.Tenant != t, action)
	}
	return nil
}

// move changes the state where it is one of from, and is ErrState otherwise.
func move(a Account, ch *Change, to State, from ...State) error {
	for _, s := range from {
		if a.Person.State == s {
			ch.Person.State = to
			return nil
		}
	}
	return ErrState
}

// Account returns a person with the credential rows, for a team page. Nobody there:
// ErrNotFound.
func (m *Manager) Account(ctx context.Context, t audit.Tenant, person audit.ActorID) (Account, error) {
	return m.account(ctx, t, person)
}

// People yields the tenant's people in order of ID, those after the given one.
func (m *Manager) People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Person, error] {
	return func(yield func(Person, error) bool) {
		for p, err := range m.p.Store.People(ctx, t, after) {
			if err != nil {
				yield(Person{}, unavailable("listing people", err))
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Identifier opens what the person types to sign in, usually an e-mail address. It is
// personal data: only a context whose Sight allows it can reveal it.
func (m *Manager) Identifier(ctx context.Context, p Person) (phi.Text, error) {
	s, err := m.identifier(ctx, p)
	if err != nil || s == "" {
		return phi.Text{}, err
	}
	return phi.NewText(s), nil
}

func (m *Manager) account(ctx context.Context, t audit.Tenant, id audit.ActorID) (Account, error) {
	a, err := m.p.Store.Account(ctx, t, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Account{}, unavailable("reading an account", err)
	}
	return a, err
}

// find is account by term; nobody is the zero Account.
func (m *Manager) find(ctx context.Context, t audit.Tenant, term []byte) (Account, error) {
	a, err := m.p.Store.Find(ctx, t, term)
	if errors.Is(err, ErrNotFound) {
		return Account{}, nil
	}
	if err != nil {
		return Account{}, unavailable("looking up an identifier", err)
	}
	return a, nil
}
