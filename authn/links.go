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
// active, it answers ErrSetUpDone. Identifier may be empty: the link's page then asks for it. An only
// administrator who was away for too long is not set up again but unlocked, by the operator
// as audit.System.
func (m *Manager) SetUp(ctx context.Context, t audit.Tenant, n Newcomer) (link Secret, err error) {
	waiting, err := m.firstAdministrator(ctx, t, n)
	if err != nil {
		return Secret{}, err
	}
	var token string
	c := change{tenant: t, person: waiting, action: ActionSetUp, actor: acting(ctx, t)}
	if err := m.reserve(ctx, c, n.Role, m.now().Add(m.o.SetUpLife)); err != nil {
		return Secret{}, err
	}
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
	var waiting audit.ActorID
	for p, err := range m.People(ctx, t, "") {
		if err != nil {
			return "", err
		}
		if p.State != Invited {
			return "", ErrSetUpDone
		}
		if waiting != "" {
			continue
		}
		same, err := m.sameIdentifier(ctx, p, n.Identifier)
		if err != nil {
			return "", err
		}
		if same {
			waiting = p.ID
		}
	}
	if waiting != "" {
		return waiting, nil
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

// Invite makes a person who may not sign in yet, reserves a seat for them and mails an
// invitation. The identifier or ID is taken: ErrExists. Unusable ones, and a kind that cannot
// sign in: ErrIdentifier. No seat: ErrNoSeat. A role that nobody knows, or that is
// not theirs to give: ErrRole, ErrRoleDenied. An actor of another tenant: ErrNoActor. What the
// person may do is the host's to grant, with Options.Admission or beside it.
func (m *Manager) Invite(ctx context.Context, t audit.Tenant, n Newcomer) (Person, error) {
	if n.Identifier == "" {
		return Person{}, ErrIdentifier
	}
	if a, ok := audit.ActorFrom(ctx); ok && a.Tenant != "" && a.Tenant != t {
		return Person{}, m.stranger(ctx, a, true, ActionInvite)
	}
	p, err := m.newcomer(ctx, t, n)
	if err != nil {
		return Person{}, err
	}
	if err := m.vacant(ctx, p); err != nil {
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
	if err := m.reserve(ctx, c, n.Role, p.Created.Add(m.o.InvitationLife)); err != nil {
		return Person{}, err
	}
	if err := m.p.Store.Apply(ctx, ch); err != nil {
		if errors.Is(err, ErrExists) && !m.joined { // somebody was faster; what is left otherwise lapses
			err = errors.Join(err, m.settle(ctx, t, p.ID))
		}
		return Person{}, applyError(err)
	}
	return p, m.deliverNow(ctx, ch.Messages)
}

// vacant refuses an ID or identifier that somebody has, before a seat is taken for it.
func (m *Manager) vacant(ctx context.Context, p Person) error {
	if m.o.Admission == nil {
		return nil // Apply says so
	}
	_, err := m.account(ctx, p.Tenant, p.ID)
	if err == nil {
		return ErrExists
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	a, err := m.find(ctx, p.Tenant, p.Term)
	if err == nil && a.Person.ID != "" {
		return ErrExists
	}
	return err
}

// Resend mails a new invitation to somebody invited; links before it are dead, and the seat is
// reserved for as long as the new one lives. Somebody who is not invited: ErrState. No seat:
// ErrNoSeat.
func (m *Manager) Resend(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	c := change{
		tenant: t, person: person, action: ActionResend,
		notice: TopicInvitation, issue: PurposeInvitation, life: m.o.InvitationLife,
		edit: func(a Account, ch *Change) error {
			if a.Person.Sealed == nil { // the first administrator before set-up: nowhere to mail to
				return ErrState
			}
			ch.Void = true
			return move(a, ch, Invited, Invited)
		},
	}
	if err := m.own(ctx, t, ActionResend); err != nil {
		return err
	}
	c.actor = acting(ctx, t)
	a, err := m.account(ctx, t, person)
	if err != nil {
		return err
	}
	if a.Person.State != Invited {
		return ErrState
	}
	if err := m.reserve(ctx, c, "", m.now().Add(m.o.InvitationLife)); err != nil {
		return err
	}
	return m.admin(ctx, c)
}

// PeekLink says what a link is for and changes nothing, for the page behind a GET: mail
// scanners follow links. Token is what follows Options.LinkPath in the address. An unusable
// one is ErrLinkUnknown, ErrLinkExpired or ErrLinkUsed; with the latter two the Link is
// returned as well.
func (m *Manager) PeekLink(ctx context.Context, token string) (_ Link, err error) {
	defer closing(ctx, &err)
	var c Client
	if a, ok := audit.ActorFrom(ctx); ok {
		c = Client{Addr: a.Origin, Device: a.Device}
	}
	l, err := m.link(ctx, c, token)
	if err != nil {
		return l, err
	}
	return l, m.note(ctx, audit.Event{
		Tenant: l.Tenant, Action: ActionLink, Verb: audit.Read, Actor: anonymous(l.Tenant, c), Objects: person(l.Person),
	})
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
