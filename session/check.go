package session

import (
	"context"
	"errors"
	"time"
)

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
