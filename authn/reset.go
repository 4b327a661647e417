package authn

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// RequestReset mails a reset link, if there is somebody to mail it to. The answer is the
// same if not, after the same work; only a throttled address and failing parts are errors.
// Delivering is left to Run, so that not even the time tells.
func (m *Manager) RequestReset(ctx context.Context, t audit.Tenant, identifier string, c Client) (err error) {
	defer closing(ctx, &err)
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
	count, _, err := m.o.Windows.Hit(ctx, t, "reset:"+string(s.id), time.Hour, now)
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
