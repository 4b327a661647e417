package authn

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
)

// Active reports whether a person may act now: the account is active and the tenant is not closed.
// Package authn/machine asks it with each request of a program that somebody answers for. Nobody
// there is false; what cannot be read is an error.
func (m *Manager) Active(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error) {
	a, err := m.account(ctx, t, person)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p, err := m.policy(ctx, t)
	if err != nil {
		return false, err
	}
	return a.Person.State == Active && !p.Closed, nil
}
