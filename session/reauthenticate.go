package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// overlap is how long a token works beside its successor, for requests that were on their
// way with it.
const overlap = 10 * time.Second

// Purpose is what a person proves afresh for, see Area and Confirm.
type Purpose struct {
	area   string
	action audit.Action
	object audit.Object
}

// Area unlocks an area such as "settings" for this session: every action that the policy
// puts there is open for the few minutes that Duty.Within says, at most 5.
func Area(name string) Purpose { return Purpose{area: name} }

// Confirm allows one action on one object, once, within 5 minutes and with the token that
// Reauthenticated returns. Of the object its Type and ID count.
func Confirm(action audit.Action, object audit.Object) Purpose {
	return Purpose{action: action, object: object}
}

// maxPurposes is what one proof may be for at once.
const maxPurposes = 16

// Reauthenticated tells the session of ctx that its person has just proved again who they
// are, and returns the token that takes the place of the one in use: hand it to the client
// with SetCookie. Packages authn and mfa verify the proof, or an identity provider does, and
// make a from it. Whatever is to be unlocked by it is named here and now, up to 16 purposes:
//
//	token, err := sessions.Reauthenticated(ctx, actor, session.Area("settings"))
//
// The actor must be the session's own person, otherwise the error wraps ErrDenied and that is
// recorded. Its AuthTime must be later than the session's and no more than 5 minutes ago,
// otherwise the error wraps ErrStale: an identity provider that did not ask again reports an
// old one.
//
// The clocks start anew: idle always, the absolute one where a proves at least the assurance
// that the session has (NIST SP 800-63B-4, sections 2.1.3 and 5.2). The session's assurance,
// methods and phishing resistance become those of a where they are stronger, never the sum
// of two weaker ones. The old token works for 10 more seconds, with what it had, so that
// requests on their way with it do not fail, and dies with the session before.
//
// If the token was changed by another request meanwhile, or the session locked, the error
// wraps ErrConflict and nothing happened. A change that cannot be recorded ends the session.
// ctx is that of a request inside Handler; without a live session there the error is that of
// Status.
func (m *Manager) Reauthenticated(ctx context.Context, a audit.Actor, purposes ...Purpose) (token string, err error) {
	return m.prove(ctx, StateLive, "session.reauthenticate", a, purposes)
}

// Unlock is Reauthenticated for a session that is locked, and ends the lock. Somebody else
// than the person who locked it is refused with ErrDenied, and that is recorded; a proof from
// before the lock is ErrStale; the session stays locked either way. Whoever wants to use the
// device instead signs in: Start ends a locked session of the same browser.
func (m *Manager) Unlock(ctx context.Context, a audit.Actor, purposes ...Purpose) (token string, err error) {
	return m.prove(ctx, StateLocked, "session.unlock", a, purposes)
}

// Rotate gives the session of ctx another token, as is due when its person's privileges
// change (ASVS 5.0, 7.2.4), and returns it. It proves nothing and prolongs nothing but the
// idle limit, as any request does. The old token works for 10 more seconds; errors are those
// of Reauthenticated.
func (m *Manager) Rotate(ctx context.Context) (token string, err error) {
	v, err := m.visited(ctx, StateLive)
	if err != nil {
		return "", err
	}
	now := m.clock.now()
	return m.rotate(ctx, v, v.next(now), "session.rotate", nil)
}

func (m *Manager) prove(ctx context.Context, in State, action audit.Action, a audit.Actor, all []Purpose) (string, error) {
	v, err := m.visited(ctx, in)
	if err != nil {
		return "", err
	}
	if err := m.samePerson(ctx, v, a, action); err != nil {
		return "", err
	}
	now := m.clock.now()
	if a.AuthTime = a.AuthTime.UTC().Round(0).Truncate(time.Microsecond); a.AuthTime.After(now) {
		a.AuthTime = now
	}
	// Locked is zero unless the screen is locked: what was proven before says nothing about who
	// stands before it now.
	if !a.AuthTime.After(v.Session.AuthTime) || !a.AuthTime.After(v.Session.Locked) || now.Sub(a.AuthTime) > maxFresh {
		return "", ErrStale
	}
	next := v.next(now)
	next.Locked = time.Time{}
	next.proved(a, v.Policy.For(next.Kind), now)
	return m.rotate(ctx, v, next, action, all)
}

// samePerson refuses an actor that is not the one the session belongs to.
func (m *Manager) samePerson(ctx context.Context, v *visit, a audit.Actor, action audit.Action) error {
	s := &v.Session
	if err := checkActor(a); err != nil {
		return err
	}
	if a.Tenant == s.Tenant && a.ID == s.Person && a.Kind == s.Kind {
		return nil
	}
	e := audit.Event{
		Tenant: s.Tenant, Action: action, Verb: audit.Execute, Actor: s.Actor(v.origin),
		Outcome: audit.Failure, Code: "other_person", Objects: []audit.Object{{Type: "session", ID: s.ID}},
	}
	if a.Tenant == s.Tenant {
		e.Objects = append(e.Objects, audit.Object{Type: "person", ID: string(a.ID)})
	}
	return errors.Join(ErrDenied, m.record(ctx, e))
}

// next is the session under its next token, as it is at now without any further proof.
func (v *visit) next(now time.Time) Session {
	s := v.Session.Clone()
	s.Version++
	s.Fresh = slices.DeleteFunc(s.Fresh, func(f Fresh) bool { return !f.Until.After(now) })
	l := v.Policy.For(s.Kind).at(s.Assurance)
	s.LastSeen, s.IdleEnds = now, earlier(now.Add(l.Idle), s.Ends)
	return s
}

// proved takes over what a proves.
func (s *Session) proved(a audit.Actor, l Limits, now time.Time) {
	full := a.Assurance >= s.Assurance
	s.AuthTime = a.AuthTime
	if a.Assurance > s.Assurance || full && (a.PhishingResistant || !s.PhishingResistant) {
		s.Assurance, s.Methods, s.PhishingResistant = a.Assurance, slices.Clone(a.Methods), a.PhishingResistant
	}
	if l = l.at(s.Assurance); full {
		s.Since, s.Ends = now, now.Add(l.Absolute)
	}
	s.IdleEnds = earlier(now.Add(l.Idle), s.Ends)
}

// rotate puts next in the place of the session of v, under a new token, with the areas and
// confirmations that are named. The confirmations are bound to the new token and written
// before it works, so that what fails half-way leaves nothing usable.
func (m *Manager) rotate(ctx context.Context, v *visit, next Session, action audit.Action, all []Purpose) (string, error) {
	token := newToken(v.key.Route)
	k := token.Key()
	e := audit.Event{
		Tenant: next.Tenant, Action: action, Verb: audit.Execute,
		Objects: []audit.Object{{Type: "session", ID: next.ID}}, Detail: map[string]string{},
	}
	until := next.AuthTime.Add(maxFresh)
	if len(all) > maxPurposes {
		return "", fmt.Errorf("%w: more than %d purposes of one proof", ErrPolicy, maxPurposes)
	}
	for _, p := range all { // what cannot be recorded would end the session afterwards
		if p.area != "" && !code(p.area, maxArea) || p.area == "" && (p.object.Type == "" || len(p.object.Type) > audit.MaxName || !name(p.object.Type)) {
			return "", fmt.Errorf("%w: a purpose", ErrPolicy)
		}
	}
	for _, p := range all {
		if p.area != "" {
			next.unlock(Fresh{p.area, until})
			e.Detail["area."+p.area] = "unlocked"
			continue
		}
		e.Objects = append(e.Objects, audit.Object{Type: p.object.Type, ID: audit.FitID(p.object.ID)})
		e.Detail[confirmDetail(len(e.Objects)-1)] = audit.FitID(string(p.action))
		if err := m.put(ctx, Proof{next.Tenant, k.confirms(p), until}); err != nil {
			return "", err
		}
	}
	if err := m.swap(ctx, v.key, Record{k, next}, next.LastSeen.Add(overlap)); err != nil {
		return "", err
	}
	e.Actor = next.Actor(v.origin)
	if err := m.record(ctx, e); err != nil {
		return "", m.undo(ctx, next, err)
	}
	return token.Reveal(), nil
}

// confirmDetail names the action that is confirmed for the n-th object after the session:
// "confirm", "confirm.2" and so on.
func confirmDetail(n int) string {
	if n == 1 {
		return "confirm"
	}
	return "confirm." + strconv.Itoa(n)
}

// unlock replaces what s knows of the area. Beyond maxAreas the one unlocked first is closed.
func (s *Session) unlock(f Fresh) {
	s.Fresh = slices.DeleteFunc(s.Fresh, func(have Fresh) bool { return have.Area == f.Area })
	s.Fresh = append(s.Fresh, f)
	s.Fresh = s.Fresh[max(0, len(s.Fresh)-maxAreas):]
}

// confirms is the key of the confirmation of p that was given with the token of k. The parts
// carry their length, so that no two confirmations share a key.
func (k Key) confirms(p Purpose) Key {
	var b strings.Builder
	b.WriteString("wkc1_")
	b.Write(k.Hash[:])
	for _, part := range []string{string(p.action), p.object.Type, p.object.ID} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		b.Write(n[:])
		b.WriteString(part)
	}
	return Key{k.Route, sha256.Sum256([]byte(b.String()))}
}

// visited returns what Handler found for the request of ctx, if it is in the state given.
func (m *Manager) visited(ctx context.Context, states ...State) (*visit, error) {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok || v.manager != m {
		return nil, ErrNoSession
	}
	if !slices.Contains(states, v.state) {
		if v.state == StateLive { // asked for a locked one
			return nil, ErrNotLocked
		}
		return nil, v.state.Err()
	}
	return v, nil
}
