package session

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// StepUp reports whether the person of ctx still owes a fresh proof of who they are before
// action on object. Package rbac asks it for every action; within is the action's own duty,
// the longest time ago that the proof may be, 0 if it has none.
//
// An action that the tenant's policy lists as high risk demands what its Duty says, an
// action with a within an AuthTime that is recent enough; where both hold, both. A Confirm
// of exactly this action and object stands in for everything, and is used up by the answer.
// The policy is the one that was read with the request: what an administrator saves is in
// force on the next one, on every server.
//
// Without a live session in ctx it is owed: nobody can have proved anything. A service or an
// agent, which package authn/machine lets in without a session, owes it wherever it is asked for,
// and can never pay. An error means that it could not be decided: refuse.
func (m *Manager) StepUp(ctx context.Context, action audit.Action, object audit.Object, within time.Duration) (owed bool, err error) {
	v, err := m.visited(ctx, StateLive)
	if err != nil {
		return m.owedByPrograms(ctx, action, within)
	}
	duty, listed := v.Policy.HighRisk[action]
	if !listed && within <= 0 {
		return false, nil
	}
	now := m.clock.now()
	fresh := within <= 0 || now.Sub(v.Session.AuthTime) < within
	if listed {
		fresh = fresh && v.Session.unlocked(duty, now)
	}
	if fresh {
		return false, nil
	}
	ok, err := m.consume(ctx, v.Session.Tenant, v.key.confirms(Confirm(action, object)), now)
	return !ok, err
}

// owedByPrograms is StepUp without a live session. Nobody acts then, and what is refused with 401
// says so, or it is a program, for which the tenant's policy is read now.
func (m *Manager) owedByPrograms(ctx context.Context, action audit.Action, within time.Duration) (bool, error) {
	a, _ := audit.ActorFrom(ctx)
	if within > 0 || a.Tenant == "" || a.Kind != audit.KindService && a.Kind != audit.KindAgent {
		return true, nil
	}
	p, err := m.policy(ctx, a.Tenant)
	if err != nil {
		return true, err
	}
	_, listed := p.HighRisk[action]
	return listed, nil
}

// unlocked reports whether the area of d is open at now. A confirmation has no area.
func (s *Session) unlocked(d Duty, now time.Time) bool {
	for _, f := range s.Fresh {
		if f.Area == d.Area && d.Area != "" {
			return now.Before(f.Until.Add(d.Within - maxFresh))
		}
	}
	return false
}

// PurposeOf returns what to name to Reauthenticated so that StepUp lets the person of ctx do
// action on object: the area that the tenant's policy puts the action into, or else a
// confirmation of just this.
func (m *Manager) PurposeOf(ctx context.Context, action audit.Action, object audit.Object) Purpose {
	if v, err := m.visited(ctx, StateLive); err == nil {
		if d := v.Policy.HighRisk[action]; d.Area != "" {
			return Area(d.Area)
		}
	}
	return Confirm(action, object)
}
