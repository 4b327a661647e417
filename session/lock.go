package session

import (
	"context"

	"github.com/wardkit/wardkit/audit"
)

// Lock locks the session of ctx, for a person who leaves a shared workstation for a moment:
// until Unlock its requests are anonymous and Status says StateLocked, on every server, and
// what the page holds stays where it is. Only Unlock by the same person, SignOut and the end
// of the session get out of it. Being locked prolongs nothing: the idle limit goes on.
//
// Locking is recorded; where that fails the session is locked all the same and the error
// wraps ErrUnrecorded. Locking twice is no error.
func (m *Manager) Lock(ctx context.Context) error {
	v, err := m.visited(ctx, StateLive, StateLocked)
	if err != nil || v.state == StateLocked {
		return err
	}
	s := &v.Session
	n, err := m.lock(ctx, Selection{Tenant: s.Tenant, Person: s.Person, ID: s.ID})
	if err != nil || n == 0 { // locked or ended meanwhile: it acts for nobody either way
		return err
	}
	return m.record(ctx, audit.Event{
		Tenant: s.Tenant, Action: "session.lock", Verb: audit.Execute, Actor: s.Actor(v.origin),
		Objects: []audit.Object{{Type: "session", ID: s.ID}},
	})
}

// Locked returns the session of ctx if it is locked, so that a page can ask its person, and
// nobody else, to unlock it. Nobody acts with it: ActorFrom says anonymous.
func Locked(ctx context.Context) (Session, bool) {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok || v.state != StateLocked {
		return Session{}, false
	}
	return v.Session.Clone(), true
}

// SignOut ends what the tenant's policy says that signing out ends: all sessions of the
// person of ctx, on every device, or only this one (Policy.SignOut). It works for a locked
// session too, and for one that is blocked here. The rest is as with EndAll; call ClearCookie
// as well. Without a session in ctx there is nothing to end, and no error.
func (m *Manager) SignOut(ctx context.Context) error {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok || v.manager != m {
		return nil
	}
	switch v.state {
	case StateLive, StateLocked, StateBlocked:
	default:
		return nil
	}
	s := &v.Session
	ctx = audit.WithActor(ctx, s.Actor(v.origin))
	if v.Policy.SignOut == ThisDevice {
		err := m.end(ctx, s.Tenant, s.Person, s.ID, ReasonSignOut)
		if isNotFound(err) {
			return nil
		}
		return err
	}
	return m.EndAll(ctx, s.Tenant, s.Person, ReasonSignOut)
}

// Current reports whether s is the session that the request of ctx came with, to mark it in
// a list.
func (s Session) Current(ctx context.Context) bool {
	v, ok := ctx.Value(visitKey{}).(*visit)
	return ok && v.state == StateLive && v.Session.ID == s.ID && v.Session.Tenant == s.Tenant && v.Session.Person == s.Person
}
