package authn

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// SetUp makes the first administrator of a tenant and returns the link that sets the
// password, to be printed where only the operator sees it. Called again before that was
// done, it returns a new link and the old one is dead. Once anybody of the tenant has been
// active, it answers ErrSetUpDone. Identifier may be empty: the link's page then asks for it.
func (m *Manager) SetUp(ctx context.Context, t audit.Tenant, n Newcomer) (link Secret, err error) {
	waiting, err := m.firstAdministrator(ctx, t, n)
	if err != nil {
		return Secret{}, err
	}
	var token string
	c := change{tenant: t, person: waiting, action: ActionSetUp, actor: acting(ctx, t)}
	c.edit = func(a Account, ch *Change) error {
		token, _ = ch.addLink(t, waiting, PurposeSetUp, m.o.SetUpLife)
		ch.Void = true
		return move(a, ch, Invited, Invited)
	}
	if _, err := m.change(ctx, c); err != nil {
		return Secret{}, err
	}
	return NewSecret(m.url(token)), nil
}

// firstAdministrator returns who waits for a set-up link, somebody new if nobody does.
func (m *Manager) firstAdministrator(ctx context.Context, t audit.Tenant, n Newcomer) (audit.ActorID, error) {
	for p, err := range m.People(ctx, t, "") {
		if err != nil {
			return "", err
		}
		if p.State != Invited {
			return "", ErrSetUpDone
		}
		if same, err := m.sameIdentifier(ctx, p, n.Identifier); err != nil || same {
			return p.ID, err
		}
	}
	p, err := m.newcomer(ctx, t, n)
	if err != nil {
		return "", err
	}
	ch := Change{Person: p, Now: p.Created, Due: m.due(p.Created)}
	c := change{tenant: t, person: p.ID, action: ActionSetUp, verb: audit.Create, actor: acting(ctx, t)}
	if err := m.write(ctx, c, &ch); err != nil {
		return "", err
	}
	if err := m.p.Store.Apply(ctx, ch); err != nil {
		return "", applyError(err)
	}
	return p.ID, m.deliverNow(ctx, ch.Messages)
}

// sameIdentifier reports whether p is who typed identifier stands for.
func (m *Manager) sameIdentifier(ctx context.Context, p Person, typed string) (bool, error) {
	have, err := m.identifier(ctx, p)
	if typed == "" || have == "" || err != nil {
		return typed == have, err
	}
	name, _ := canonical(typed)
	return name == have, nil
}

// newcomer makes the row of somebody invited. An empty identifier stays empty.
func (m *Manager) newcomer(ctx context.Context, t audit.Tenant, n Newcomer) (Person, error) {
	now := m.now()
	p := Person{Tenant: t, ID: n.ID, Kind: n.Kind, State: Invited, Version: 1, Created: now, Changed: now}
	if p.ID == "" {
		p.ID = audit.ActorID(audit.NewID(now))
	}
	if p.Kind == "" {
		p.Kind = audit.KindStaff
	}
	if !isPerson(p.Kind) || !usableID(string(p.ID)) || t == "" {
		return Person{}, ErrIdentifier
	}
	if n.Identifier == "" {
		return p, nil
	}
	return p, m.enter(ctx, &p, n.Identifier)
}

// isPerson reports whether somebody of kind k can sign in here.
func isPerson(k audit.Kind) bool {
	return k == audit.KindStaff || k == audit.KindPatient || k == audit.KindProxy
}

// usableID refuses what an audit event could not name and what stands for nobody.
func usableID(id string) bool {
	return len(id) <= audit.MaxID && utf8.ValidString(id) && strings.IndexFunc(id, unicode.IsControl) < 0 &&
		!strings.HasPrefix(id, phantomPrefix)
}

// Invite makes a person who may not sign in yet and mails an invitation. The identifier
// or ID is taken: ErrExists. Unusable ones, and a kind that cannot sign in: ErrIdentifier.
// What the person may do is the host's to grant.
func (m *Manager) Invite(ctx context.Context, t audit.Tenant, n Newcomer) (Person, error) {
	if n.Identifier == "" {
		return Person{}, ErrIdentifier
	}
	p, err := m.newcomer(ctx, t, n)
	if err != nil {
		return Person{}, err
	}
	ch := Change{Person: p, Now: p.Created, Due: m.due(p.Created)}
	c := change{
		tenant: t, person: p.ID, action: ActionInvite, verb: audit.Create, actor: acting(ctx, t),
		notice: TopicInvitation, issue: PurposeInvitation, life: m.o.InvitationLife,
	}
	if err := m.write(ctx, c, &ch); err != nil {
		return Person{}, err
	}
	if err := m.p.Store.Apply(ctx, ch); err != nil {
		return Person{}, applyError(err)
	}
	return p, m.deliverNow(ctx, ch.Messages)
}

// Resend mails a new invitation to somebody invited; links before it are dead.
// Somebody who is not invited: ErrState.
func (m *Manager) Resend(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	return m.admin(ctx, change{
		tenant: t, person: person, action: ActionResend,
		notice: TopicInvitation, issue: PurposeInvitation, life: m.o.InvitationLife,
		edit: func(a Account, ch *Change) error {
			if a.Person.Sealed == nil { // the first administrator before set-up: nowhere to mail to
				return ErrState
			}
			ch.Void = true
			return move(a, ch, Invited, Invited)
		},
	})
}

// PeekLink says what a link is for and changes nothing, for the page behind a GET: mail
// scanners follow links. Token is what follows Options.LinkPath in the address. An unusable
// one is ErrLinkUnknown, ErrLinkExpired or ErrLinkUsed; with the latter two the Link is
// returned as well.
func (m *Manager) PeekLink(ctx context.Context, token string) (_ Link, err error) {
	defer settle(ctx, &err)
	l, err := m.link(ctx, Client{}, token)
	if err != nil {
		return l, err
	}
	actor := acting(ctx, l.Tenant)
	if actor.Kind == audit.KindSystem {
		actor = audit.Actor{Kind: audit.KindAnonymous, Tenant: l.Tenant}
	}
	return l, m.note(ctx, audit.Event{Tenant: l.Tenant, Action: ActionLink, Verb: audit.Read, Actor: actor, Objects: person(l.Person)})
}

// link reads a link and refuses, and records, one that is not live.
func (m *Manager) link(ctx context.Context, c Client, token string) (Link, error) {
	hash, ok := hashToken(token)
	if !ok {
		return Link{}, exempted(ctx, "no such link can exist", ErrLinkUnknown)
	}
	l, err := m.p.Store.Link(ctx, hash)
	if errors.Is(err, ErrLinkUnknown) {
		return Link{}, exempted(ctx, "nobody's link", ErrLinkUnknown)
	}
	if err != nil {
		return Link{}, unavailable("reading a link", err)
	}
	if err := l.live(m.now()); err != nil {
		return l, m.staleLink(ctx, l, c, err)
	}
	return l, nil
}

// live reports why the link cannot be used at now, nil if it can.
func (l Link) live(now time.Time) error {
	switch {
	case !l.Used.IsZero():
		return ErrLinkUsed
	case !now.Before(l.Expires):
		return ErrLinkExpired
	}
	return nil
}

// staleLink records that somebody came with a dead link.
func (m *Manager) staleLink(ctx context.Context, l Link, c Client, why error) error {
	code := CodeUnknown
	switch {
	case errors.Is(why, ErrLinkUsed):
		code = CodeUsed
	case errors.Is(why, ErrLinkExpired):
		code = CodeExpired
	}
	return m.failed(ctx, l.Tenant, c, ActionLink, l.Person, code, why)
}

// url is where a token's link points: the configured base, never a request's Host.
func (m *Manager) url(token string) string { return m.base.JoinPath(m.o.LinkPath, token).String() }

// CompleteSetUp uses up a set-up or invitation link: the person gets the password in a and
// becomes active, and the sign-in goes on from there, enrolment of a second factor
// included. A password against the policy (*PolicyError), a set-up without a usable
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
	defer settle(ctx, &err)
	if m.joined {
		return Step{}, ErrState
	}
	l, err := m.link(ctx, c, token)
	if err != nil {
		return Step{}, err
	}
	if err := m.admit(ctx, l.Tenant, c); err != nil {
		return Step{}, err
	}
	if !use.allows(l.Purpose) {
		return Step{}, m.staleLink(ctx, l, c, ErrLinkUnknown)
	}
	hash, typed, err := m.linkPassword(ctx, l, a, use)
	if errors.Is(err, ErrLink) {
		return Step{}, m.staleLink(ctx, l, c, err)
	}
	if err != nil {
		return Step{}, err
	}
	begun := m.now()
	p, err := m.change(ctx, change{
		tenant: l.Tenant, person: l.Person, action: use.action, actor: anonymous(l.Tenant, c),
		ends: true, reason: "password_changed", notice: use.notice,
		edit: func(acct Account, ch *Change) error {
			if acct.Person.State != use.from {
				return ErrLinkUsed
			}
			ch.Person.State = Active
			ch.Consume = l.Hash
			ch.setPassword(hash)
			if typed.Term != nil {
				ch.Person.Term, ch.Person.Sealed = typed.Term, typed.Sealed
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

// linkPassword judges and hashes the new password, and seals the identifier where the
// person has none yet. It changes nothing.
func (m *Manager) linkPassword(ctx context.Context, l Link, a Answer, use linkUse) (hash string, typed Person, err error) {
	acct, err := m.account(ctx, l.Tenant, l.Person)
	if errors.Is(err, ErrNotFound) || err == nil && acct.Person.State != use.from {
		return "", Person{}, ErrLinkUsed
	}
	if err != nil {
		return "", Person{}, err
	}
	if acct.Person.Sealed == nil {
		typed = acct.Person
		if err := m.enter(ctx, &typed, a.Identifier); err != nil {
			return "", Person{}, err
		}
		acct.Person = typed
	}
	p, err := m.policy(ctx, l.Tenant)
	if err != nil {
		return "", Person{}, err
	}
	hash, err = m.newPassword(ctx, standing{account: acct, enforce: p.of(acct.Person.Kind)}, a.Password)
	return hash, typed, err
}

// RequestReset mails a reset link, if there is somebody to mail it to. The answer is the
// same if not, after the same work; only a throttled address and failing parts are errors.
// Delivering is left to Run, so that not even the time tells.
func (m *Manager) RequestReset(ctx context.Context, t audit.Tenant, identifier string, c Client) (err error) {
	defer settle(ctx, &err)
	if m.joined {
		return ErrState
	}
	if err := m.admit(ctx, t, c); err != nil {
		return err
	}
	s, err := m.lookup(ctx, t, identifier)
	if err != nil {
		return err
	}
	now := m.now()
	count, _, err := m.p.Store.Hit(ctx, t, "reset:"+string(s.id), time.Hour, now)
	if err != nil {
		return unavailable("counting tries", err)
	}
	if count > m.o.ResetTries {
		return m.failed(ctx, t, c, ActionRequestReset, s.object(), CodeThrottled, nil)
	}
	if err := m.applyReset(ctx, s, now); err != nil {
		return err
	}
	m.running.nudge()
	return m.passed(ctx, t, c, ActionRequestReset, s.object(), "")
}

// applyReset writes a link and its notice, for nobody as well: nobody's is dropped when it
// is delivered, and so is that of somebody who is not active.
func (m *Manager) applyReset(ctx context.Context, s subject, now time.Time) error {
	ch := Change{Person: Person{Tenant: s.tenant}, Now: now, Due: now}
	b := body{}
	b.Link, b.Expires = ch.addLink(s.tenant, s.id, PurposeReset, m.o.ResetLife)
	if err := m.message(ctx, &ch, audit.MessageNotice, audit.Action(TopicReset), s.id, b); err != nil {
		return err
	}
	if err := m.p.Store.Apply(ctx, ch); err != nil {
		return applyError(err)
	}
	return nil
}
