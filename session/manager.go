package session

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/wardkit/wardkit/audit"
)

// Manager starts, checks and ends sessions. It is safe for concurrent use; any number of
// managers may share a store.
type Manager struct {
	store  Store
	rec    audit.Recorder
	client ClientAddr
	opt    Options
	clock  clock
	cross  guard
	local  bool // the store never waits for anything

	running atomic.Int64 // calls of Run
}

// New returns a Manager. All three arguments are required: the store, the recorder of what
// happens, and where a request's client address comes from, RemoteAddr or TrustedProxy.
func New(store Store, rec audit.Recorder, client ClientAddr, o *Options) (*Manager, error) {
	switch {
	case store == nil:
		return nil, errors.New("session: no store")
	case rec == nil:
		return nil, errors.New("session: no recorder")
	case client == nil:
		return nil, errors.New("session: no source of client addresses")
	}
	opt, err := o.complete()
	if err != nil {
		return nil, err
	}
	m := &Manager{store: store, rec: rec, client: client, opt: opt, clock: clock{read: opt.Now}}
	if m.cross, err = newGuard(opt); err != nil {
		return nil, err
	}
	_, m.local = store.(*Memory)
	return m, nil
}

// Start begins a session for a and returns its token, once and for all: the token is not
// kept. The start is recorded durably before the token is handed out; where that fails the
// session is ended again and the error wraps ErrUnrecorded.
//
// The token is always new, whatever the client presented before. If ctx carries a session
// that is live or locked (the same browser signs in again) and a is a person, that session
// ends, with ReasonReplaced, or with ReasonSwitched where it was somebody else's. If the
// person has more sessions then than the policy allows, the oldest end with ReasonLimit; each
// end is recorded.
//
// The actor needs an ID, a tenant, an assurance of at least AAL1 and a kind other than
// anonymous and system, otherwise the error wraps ErrActor. A zero AuthTime is now, a future
// one too; Origin and Device default to those of the actor in ctx. Session, Roles and
// Emergency are ignored.
func (m *Manager) Start(ctx context.Context, a audit.Actor) (token string, err error) {
	now := m.clock.now()
	s, limit, err := m.begin(ctx, a, now)
	if err != nil {
		return "", err
	}
	t, err := m.token(ctx, s.Tenant, s.Person)
	if err != nil {
		return "", err
	}
	evicted, err := m.create(ctx, Record{t.Key(), s}, limit)
	if err != nil {
		return "", err
	}
	if err := m.recordEvicted(ctx, s, evicted); err != nil {
		return "", m.undo(ctx, s, err)
	}
	if err := m.record(ctx, startEvent(s, origin(ctx, a))); err != nil {
		return "", m.undo(ctx, s, err)
	}
	if err := m.replace(ctx, s, evicted); err != nil {
		return "", m.undo(ctx, s, err)
	}
	return t.Reveal(), nil
}

// replace ends the session that the same browser had before s, locked or not, unless that has
// made room for s already.
func (m *Manager) replace(ctx context.Context, s Session, evicted []string) error {
	v, err := m.visited(ctx, StateLive, StateLocked, StateBlocked)
	if err != nil || !isPerson(s.Kind) {
		return nil
	}
	old, reason := &v.Session, ReasonReplaced
	switch {
	case old.Person != s.Person || old.Tenant != s.Tenant:
		reason = ReasonSwitched
	case slices.Contains(evicted, old.ID):
		return nil
	}
	if v.state != StateLive { // nobody acts in ctx
		ctx = audit.WithActor(ctx, s.Actor(v.origin))
	}
	if err := m.end(ctx, old.Tenant, old.Person, old.ID, reason); !isNotFound(err) {
		return err
	}
	return nil
}

// End ends the session of token. A token that is dead, unknown or malformed is no error:
// it is dead afterwards either way.
func (m *Manager) End(ctx context.Context, token, reason string) error {
	k, ok := parseKey(token)
	if !ok {
		return nil
	}
	f, err := m.get(ctx, k)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s := f.Session
	err = m.end(ctx, s.Tenant, s.Person, s.ID, reason)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// EndAll ends all sessions of person in t, on all devices, and records it, also where there
// were none. It may run without an actor in ctx, as part of a password reset or a job; an
// actor of another tenant is refused with ErrDenied. The sessions are dead even where the
// error wraps ErrUnrecorded; call it again until it returns nil.
func (m *Manager) EndAll(ctx context.Context, t audit.Tenant, person audit.ActorID, reason string) error {
	return m.endMany(ctx, Selection{Tenant: t, Person: person}, reason)
}

// EndOthers is EndAll, but for the session with the id keep.
func (m *Manager) EndOthers(ctx context.Context, t audit.Tenant, person audit.ActorID, keep, reason string) error {
	if keep == "" || !name(keep) {
		return ErrNotFound
	}
	return m.endMany(ctx, Selection{Tenant: t, Person: person, Except: keep}, reason)
}

// EndOne ends the session id of person in t: a person's own on another device, or a team
// member's by an administrator. Whether the actor may is for rbac to decide before; EndOne
// refuses with ErrDenied, and records, an actor of another tenant and nobody at all. Without
// such a session, or where it has ended already, the error is ErrNotFound.
func (m *Manager) EndOne(ctx context.Context, t audit.Tenant, person audit.ActorID, id, reason string) error {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Kind == audit.KindAnonymous || a.Tenant != t {
		return m.deny(ctx, a, t, "session.end")
	}
	if id == "" || !name(id) || !name(string(person)) { // out of an address, perhaps
		return ErrNotFound
	}
	return m.end(ctx, t, person, id, reason)
}

// List yields the live sessions of person in t, newest first. ctx must carry an actor of
// the same tenant, otherwise the one error is ErrDenied. After an error it stops.
func (m *Manager) List(ctx context.Context, t audit.Tenant, person audit.ActorID) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		a, ok := audit.ActorFrom(ctx)
		if !ok || a.Kind == audit.KindAnonymous || a.Tenant != t {
			yield(Session{}, ErrDenied)
			return
		}
		if !name(string(person)) {
			return
		}
		p, err := m.policy(ctx, t)
		if err != nil {
			yield(Session{}, err)
			return
		}
		now := m.clock.now()
		ctx, cancel := m.bound(ctx)
		defer cancel()
		for s, err := range m.store.List(ctx, t, person, now) {
			if err != nil {
				yield(Session{}, unavailable(err))
				return
			}
			l, err := limits(p, s.Kind)
			if err != nil {
				yield(Session{}, err)
				return
			}
			if s = l.narrow(s); l.judge(s, now) == StateLive && !yield(s.Clone(), nil) {
				return
			}
		}
	}
}
