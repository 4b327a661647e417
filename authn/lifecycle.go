package authn

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// SetUp makes the first administrator of a tenant and returns the link that sets the
// password, to be printed where only the operator sees it. Called again before that was
// done, it returns a new link and the old one is dead. Once anybody of the tenant has been
// active, it answers ErrSetUpDone. Identifier may be empty: the link's page then asks for it.
func (m *Manager) SetUp(ctx context.Context, t audit.Tenant, n Newcomer) (link Secret, err error) {
	return Secret{}, ErrUnavailable
}

// Invite makes a person who may not sign in yet and mails an invitation. The identifier
// or ID is taken: ErrExists. What the person may do is the host's to grant.
func (m *Manager) Invite(ctx context.Context, t audit.Tenant, n Newcomer) (Person, error) {
	return Person{}, ErrUnavailable
}

// Resend mails a new invitation to somebody invited; links before it are dead.
// Somebody who is not invited: ErrState.
func (m *Manager) Resend(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	return ErrUnavailable
}

// PeekLink says what a link is for and changes nothing, for the page behind a GET: mail
// scanners follow links. An unusable one is ErrLinkUnknown, ErrLinkExpired or ErrLinkUsed;
// with the latter two the Link is returned as well.
func (m *Manager) PeekLink(ctx context.Context, token string) (Link, error) {
	return Link{}, ErrUnavailable
}

// CompleteSetUp uses up a set-up or invitation link: the person gets the password in
// a and becomes active, and the sign-in goes on from there. A password against the policy
// (*PolicyError) leaves the link as it was.
func (m *Manager) CompleteSetUp(ctx context.Context, token string, a Answer, c Client) (Step, error) {
	return Step{}, ErrUnavailable
}

// RequestReset mails a reset link, if there is somebody to mail it to. The answer is the
// same if not, after the same work; only a throttled address and failing parts are errors.
func (m *Manager) RequestReset(ctx context.Context, t audit.Tenant, identifier string, c Client) error {
	return ErrUnavailable
}

// ResetPassword uses up a reset link: the person gets the new password, every session
// ends, the person is told, and a sign-in goes on from there, second factor included.
// A password against the policy (*PolicyError) leaves the link as it was.
func (m *Manager) ResetPassword(ctx context.Context, token string, pw Password, c Client) (Step, error) {
	return Step{}, ErrUnavailable
}

// ChangePassword gives the signed-in person in ctx a new password after checking the old
// one. Every session ends, this one included; the Step leads to a new one.
func (m *Manager) ChangePassword(ctx context.Context, old, new Password, c Client) (Step, error) {
	return Step{}, ErrUnavailable
}

// ExpirePassword makes the person set a new password at the next sign-in and ends every
// session: the answer to a compromised password.
func (m *Manager) ExpirePassword(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return ErrUnavailable
}

// AdminReset takes the person's password away, ends every session and mails a reset link.
// Nobody but the person ever knows the new one (OWASP ASVS 5.0, 6.4.6).
func (m *Manager) AdminReset(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return ErrUnavailable
}

// ResetFactor calls reset to take the person's second factors away, ends every session and
// tells the person. At the next sign-in they are enrolled again where the policy requires it.
func (m *Manager) ResetFactor(ctx context.Context, t audit.Tenant, person audit.ActorID, why string, reset func(context.Context) error) error {
	return ErrUnavailable
}

// Unlock forgets the consecutive failures of the person's password and second factor.
func (m *Manager) Unlock(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return ErrUnavailable
}

// Suspend locks an active person out and ends every session.
func (m *Manager) Suspend(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return ErrUnavailable
}

// Reinstate lets a suspended person sign in again.
func (m *Manager) Reinstate(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return ErrUnavailable
}

// Remove ends a person for good, with every session; the identifier is free again.
func (m *Manager) Remove(ctx context.Context, t audit.Tenant, person audit.ActorID, why string) error {
	return ErrUnavailable
}

// Account returns a person with the credential rows, for a team page. Nobody there:
// ErrNotFound.
func (m *Manager) Account(ctx context.Context, t audit.Tenant, person audit.ActorID) (Account, error) {
	return Account{}, ErrUnavailable
}

// People yields the tenant's people in order of ID, those after the given one.
func (m *Manager) People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Person, error] {
	return func(yield func(Person, error) bool) { yield(Person{}, ErrUnavailable) }
}
