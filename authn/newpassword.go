package authn

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// newPassword judges a new password and hashes it. Errors: *PolicyError, *BusyError,
// ErrUnavailable, ctx's.
func (m *Manager) newPassword(ctx context.Context, now standing, pw Password) (string, error) {
	name, err := m.identifier(ctx, now.account.Person)
	if err != nil {
		return "", err
	}
	s, err := m.judge(pw, now.least(), slices.Concat(contextWords(name), now.policy.Passwords.Words))
	if err != nil {
		return "", err
	}
	stolen, err := m.breached(ctx, s)
	if err != nil {
		return "", err
	}
	if stolen {
		return "", &PolicyError{Reason: Breached, Min: now.least(), Max: maxLength}
	}
	leave, err := m.hash.enter(ctx, false)
	if err != nil {
		return "", err
	}
	defer leave()
	if old := now.account.Password.Hash; old != "" {
		same, _, err := m.hash.check(old, s)
		if err != nil && !errors.Is(err, errPepper) && !errors.Is(err, errNotApproved) { // a new one is the way out of these
			return "", unavailable("reading a password hash", err)
		}
		if same {
			return "", &PolicyError{Reason: Same, Min: now.least(), Max: maxLength}
		}
	}
	return m.hash.derive(s)
}

// contextWords are the words of an identifier that its password must not lean on.
func contextWords(identifier string) []string {
	local, host, _ := strings.Cut(identifier, "@")
	labels := strings.Split(host, ".")
	return append([]string{identifier, local}, labels...)
}

// MinPassword returns the shortest password that the tenant's policy takes from somebody of
// this kind, in Unicode code points, for a page that asks for one.
func (m *Manager) MinPassword(ctx context.Context, t audit.Tenant, k audit.Kind) (int, error) {
	p, err := m.policy(ctx, t)
	if err != nil {
		return 0, err
	}
	return p.least(k), nil
}

// ChangePassword gives the signed-in person in ctx a new password after checking the old
// one. Every session ends, this one included; the Step leads to a new one. It answers like
// SignIn, and *PolicyError.
func (m *Manager) ChangePassword(ctx context.Context, old, new Password, c Client) (Step, error) {
	if m.joined {
		return Step{}, ErrState
	}
	s, err := m.signedIn(ctx)
	if err != nil {
		return Step{}, err
	}
	s = m.from(ctx, s, c)
	begun := m.now()
	if ok, err := m.checkPassword(ctx, s, old); !ok {
		return Step{}, m.refused(ctx, s, c, ActionChangePassword, err)
	}
	p, err := m.policy(ctx, s.tenant)
	if err != nil {
		return Step{}, err
	}
	hash, err := m.newPassword(ctx, standing{account: s.account, policy: p}, new)
	if err != nil {
		return Step{}, err
	}
	actor, _ := audit.ActorFrom(ctx)
	after, err := m.change(ctx, change{
		tenant: s.tenant, person: s.id, action: ActionChangePassword, actor: actor,
		ends: true, reason: "password_changed", notice: TopicPasswordChanged,
		edit: func(a Account, ch *Change) error {
			if a.Person.State != Active || a.Person.Version != s.account.Person.Version {
				return ErrDenied
			}
			ch.setPassword(hash)
			return nil
		},
	})
	if err != nil {
		return Step{}, err
	}
	return m.complete(ctx, byPassword(Account{Person: after}, begun), c)
}
