package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

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
// The token is always new, whatever the client presented before. If ctx carries a live
// session (the same browser signs in again) and a is a person, that session ends with
// ReasonReplaced.
//
// The actor needs an ID, a tenant, an assurance of at least AAL1 and a kind other than
// anonymous and system, otherwise the error wraps ErrActor. A zero AuthTime is now, a future
// one too; Origin and Device default to those of the actor in ctx. Session, Roles and
// Emergency are ignored.
func (m *Manager) Start(ctx context.Context, a audit.Actor) (token string, err error) {
	now := m.clock.now()
	s, err := m.begin(ctx, a, now)
	if err != nil {
		return "", err
	}
	t := NewToken()
	if err := m.create(ctx, Record{t.Key(), s}); err != nil {
		return "", err
	}
	if err := m.record(ctx, startEvent(s, origin(ctx, a))); err != nil {
		return "", m.undo(ctx, s, err)
	}
	if old, ok := From(ctx); ok && isPerson(s.Kind) {
		if err := m.end(ctx, old.Tenant, old.Person, old.ID, ReasonReplaced); err != nil && !errors.Is(err, ErrNotFound) {
			return "", m.undo(ctx, s, err)
		}
	}
	return t.Reveal(), nil
}

// End ends the session of token. A token that is dead, unknown or malformed is no error:
// it is dead afterwards either way.
func (m *Manager) End(ctx context.Context, token, reason string) error {
	k, ok := parseKey(token)
	if !ok {
		return nil
	}
	s, err := m.get(ctx, k)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
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
		now := m.clock.now()
		ctx, cancel := m.bound(ctx)
		defer cancel()
		for s, err := range m.store.List(ctx, t, person, now) {
			if err != nil {
				yield(Session{}, unavailable(err))
				return
			}
			limits, err := m.limits(ctx, s)
			if err != nil {
				yield(Session{}, err)
				return
			}
			if s = limits.narrow(s); limits.judge(s, now) == StateLive && !yield(s, nil) {
				return
			}
		}
	}
}

// Health asks the store for a session that does not exist. A nil error means that it
// answered.
func (m *Manager) Health(ctx context.Context) error {
	if _, err := m.get(ctx, NewToken().Key()); !errors.Is(err, ErrNotFound) {
		if err == nil {
			return fmt.Errorf("%w: the store knows what nobody created", ErrUnavailable)
		}
		return err
	}
	return nil
}

// look reads the session of a key, one indexed read, and judges it by the time it has then:
// a slow store makes a session end earlier, not later.
func (m *Manager) look(ctx context.Context, k Key) (s Session, l Limits, now time.Time, state State, err error) {
	s, err = m.get(ctx, k)
	if errors.Is(err, ErrNotFound) {
		return Session{}, l, now, StateInvalid, nil
	}
	if err == nil {
		l, err = m.limits(ctx, s)
	}
	if err != nil {
		return Session{}, l, now, StateNone, err
	}
	s, now = l.narrow(s), m.clock.now()
	return s, l, now, l.judge(s, now), nil
}

// use is look that counts as activity: once per grain it writes that the session was seen,
// on the condition that it is still live.
func (m *Manager) use(ctx context.Context, k Key) (Session, State, error) {
	s, l, now, state, err := m.look(ctx, k)
	if state == StateExpired && s.Ended.IsZero() {
		m.bury(ctx, s)
	}
	if err != nil || state != StateLive {
		return s, state, err
	}
	l = l.at(s.Assurance)
	if now.Sub(s.LastSeen) < l.Grain() {
		return s, StateLive, nil
	}
	idle := earlier(now.Add(l.Idle), s.Ends)
	live, err := m.touch(ctx, k, now, idle)
	if err != nil {
		return Session{}, StateNone, err
	}
	if !live { // ended, or over, since it was read
		return s, StateEnded, nil
	}
	s.LastSeen, s.IdleEnds = now, idle
	return s, StateLive, nil
}

// bury writes down that a session was found expired, once: neither longer limits nor a
// clock that is behind can revive it afterwards. It is dead now even where that fails.
func (m *Manager) bury(ctx context.Context, s Session) {
	which := Selection{Tenant: s.Tenant, Person: s.Person, ID: s.ID}
	if _, err := m.revoke(ctx, which, ReasonExpired); err != nil {
		m.opt.Logger.WarnContext(ctx, "session: an expired session could not be marked as ended")
	}
}

// limits asks for the limits in force for s.
func (m *Manager) limits(ctx context.Context, s Session) (Limits, error) {
	l, err := m.opt.Limits(ctx, s.Tenant, s.Kind)
	if err == nil {
		err = l.Validate()
	}
	if err != nil {
		return Limits{}, unavailable(err)
	}
	return l, nil
}

// bound gives a store call a deadline. Memory needs none, and a deadline costs more than
// it does.
func (m *Manager) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if m.local {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, m.opt.Timeout)
}

func (m *Manager) create(ctx context.Context, r Record) error {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	if err := m.store.Create(ctx, r); err != nil {
		return unavailable(err)
	}
	return nil
}

func (m *Manager) get(ctx context.Context, k Key) (Session, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	s, err := m.store.Get(ctx, k)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Session{}, unavailable(err)
	}
	return s, err
}

func (m *Manager) touch(ctx context.Context, k Key, seen, idle time.Time) (bool, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	live, err := m.store.Touch(ctx, k, seen, idle)
	if err != nil {
		return false, unavailable(err)
	}
	return live, nil
}

func (m *Manager) revoke(ctx context.Context, which Selection, reason string) (int, error) {
	ctx, cancel := m.bound(context.WithoutCancel(ctx)) // a closed tab is no reason to stay open
	defer cancel()
	n, err := m.store.Revoke(ctx, which, m.clock.now(), reason)
	if err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
