package session

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// look reads the session of a key and the policy that holds for it, one indexed read, and
// judges it by the time it has then, and by where the request came from: a slow store makes
// a session end earlier, not later.
func (m *Manager) look(ctx context.Context, k Key, from netip.Addr) (f Found, now time.Time, state State, err error) {
	f, err = m.get(ctx, k)
	if errors.Is(err, ErrNotFound) {
		return Found{}, now, StateInvalid, nil
	}
	if err != nil {
		return Found{}, now, StateNone, err
	}
	if f.Policy == nil {
		f.Policy = &m.opt.Policy
	}
	l, err := limits(f.Policy, f.Session.Kind)
	if err != nil {
		return Found{}, now, StateNone, err
	}
	f.Session, now = l.narrow(f.Session), m.clock.now()
	if state = l.judge(f.Session, now); state != StateLive {
		return f, now, state, nil
	}
	switch ok, err := m.allowed(ctx, &f.Session, from); {
	case err != nil:
		return Found{}, now, StateNone, err
	case !ok:
		state = StateBlocked
	case !f.Session.Locked.IsZero():
		state = StateLocked
	}
	return f, now, state, nil
}

// active says that what look found was used: once per grain it writes that the session was
// seen, on the condition that it is still live. A token that has a successor is not worth a
// write. One that is refused here because of where the request came from is recorded.
func (m *Manager) active(ctx context.Context, k Key, from netip.Addr, f Found, now time.Time, state State) (Found, State, error) {
	s := &f.Session
	switch {
	case state == StateExpired && s.Ended.IsZero() && !s.Superseded:
		m.bury(ctx, *s)
	case state == StateBlocked:
		return f, state, m.recordBlocked(ctx, s, from)
	}
	if state != StateLive || s.Superseded {
		return f, state, nil
	}
	l := f.Policy.For(s.Kind).at(s.Assurance)
	if now.Sub(s.LastSeen) < l.Grain() {
		return f, StateLive, nil
	}
	idle := earlier(now.Add(l.Idle), s.Ends)
	live, err := m.touch(ctx, k, now, idle)
	if err != nil {
		return Found{}, StateNone, err
	}
	if !live { // ended, or over, since it was read
		return f, StateEnded, nil
	}
	s.LastSeen, s.IdleEnds = now, idle
	return f, StateLive, nil
}

// bury writes down that a session was found expired, once: neither longer limits nor a
// clock that is behind can revive it afterwards. It is dead now even where that fails.
func (m *Manager) bury(ctx context.Context, s Session) {
	which := Selection{Tenant: s.Tenant, Person: s.Person, ID: s.ID}
	if _, err := m.revoke(ctx, which, ReasonExpired); err != nil {
		m.opt.Logger.WarnContext(ctx, "session: an expired session could not be marked as ended")
	}
}

// policy reads what holds in t now.
func (m *Manager) policy(ctx context.Context, t audit.Tenant) (*Policy, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	p, err := m.store.GetPolicy(ctx, t)
	if errors.Is(err, ErrNotFound) {
		return &m.opt.Policy, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return p, nil
}

// limits are those of p for people of kind k. A store that returns what Validate refuses
// leaves nobody signed in.
func limits(p *Policy, k audit.Kind) (Limits, error) {
	l := p.For(k)
	if err := l.Validate(); err != nil {
		return Limits{}, unavailable(err)
	}
	return l, nil
}
