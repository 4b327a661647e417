package authn

import (
	"context"

	"github.com/wardkit/wardkit/audit"
)

// SignIn begins a sign-in with a password. The Step says what is asked next.
//
// An unknown identifier, a wrong password and a person who may not sign in get the same
// ErrDenied after the same work. Too many tries: a *ThrottledError, without any hashing.
// Too many at once on this server: a *BusyError.
func (m *Manager) SignIn(ctx context.Context, t audit.Tenant, identifier string, pw Password, c Client) (Step, error) {
	return Step{}, ErrUnavailable
}

// Continue answers the step that ticket stands for and returns the next one. The ticket is
// used up whatever happens; a Step with a Problem asks for the same again with a new ticket.
//
// An unknown, used, expired or overtaken ticket: ErrTicket. Too many wrong codes: ErrDenied.
func (m *Manager) Continue(ctx context.Context, ticket string, a Answer, c Client) (Step, error) {
	return Step{}, ErrUnavailable
}

// Show returns the step that ticket stands for without using it up, for a page that is
// loaded again. The Step's Ticket is the same one.
func (m *Manager) Show(ctx context.Context, ticket string) (Step, error) {
	return Step{}, ErrUnavailable
}

// Reauthenticate checks the password of the signed-in person in ctx again, before a
// sensitive act. It answers like SignIn and shares its throttle.
func (m *Manager) Reauthenticate(ctx context.Context, pw Password, c Client) error {
	return ErrUnavailable
}
