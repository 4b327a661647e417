package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// end ends one session and records it. It ends first: a log that is down must not keep a
// session alive.
func (m *Manager) end(ctx context.Context, t audit.Tenant, person audit.ActorID, id, reason string) error {
	reason = reasonCode(reason)
	n, err := m.revoke(ctx, Selection{Tenant: t, Person: person, ID: id}, reason)
	if err != nil {
		return err
	}
	e := audit.Event{
		Tenant: t, Action: "session.end", Verb: audit.Execute, Actor: m.acting(ctx, t),
		Objects: []audit.Object{{Type: "session", ID: id}, {Type: "person", ID: string(person)}},
		Detail:  map[string]string{"reason": reason},
	}
	if n == 0 {
		e.Outcome, e.Code = audit.MinorFailure, "not_found"
	}
	if err := m.record(ctx, e); err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// endMany ends several sessions with one write and records it as one event.
func (m *Manager) endMany(ctx context.Context, which Selection, reason string) error {
	if a, ok := audit.ActorFrom(ctx); ok && a.Kind != audit.KindAnonymous && a.Tenant != which.Tenant {
		return m.deny(ctx, a, which.Tenant, "session.end_all")
	}
	if which.Tenant == "" || which.Person == "" || !name(string(which.Tenant)) || !name(string(which.Person)) {
		return ErrNotFound
	}
	reason = reasonCode(reason)
	n, err := m.revoke(ctx, which, reason)
	if err != nil {
		return err
	}
	e := audit.Event{
		Tenant: which.Tenant, Action: "session.end_all", Verb: audit.Execute, Actor: m.acting(ctx, which.Tenant),
		Objects: []audit.Object{{Type: "person", ID: string(which.Person)}},
		Detail:  map[string]string{"reason": reason, "ended": strconv.Itoa(n)},
	}
	if which.Except != "" {
		e.Detail["kept"] = which.Except
	}
	return m.record(ctx, e)
}

// undo ends a session whose token will not be handed out, because of err.
func (m *Manager) undo(ctx context.Context, s Session, err error) error {
	which := Selection{Tenant: s.Tenant, Person: s.Person, ID: s.ID}
	if _, e := m.revoke(ctx, which, ReasonUnrecorded); e != nil {
		m.opt.Logger.WarnContext(ctx, "session: a session that was never handed out is still open")
		return errors.Join(err, e)
	}
	return err
}

// deny records that the actor reached into tenant t, in the log of the actor's own tenant.
func (m *Manager) deny(ctx context.Context, a audit.Actor, t audit.Tenant, action audit.Action) error {
	code := "other_tenant"
	if a.Kind == "" || a.Tenant == "" {
		a, code = audit.Anonymous(t, a.Origin), "not_signed_in"
	}
	err := m.record(ctx, audit.Event{
		Tenant: a.Tenant, Action: action, Verb: audit.Execute, Actor: a,
		Outcome: audit.Failure, Code: code,
	})
	return errors.Join(ErrDenied, err)
}

// acting is who is to be named in an event about tenant t: the actor in ctx, or else this
// package on the host's behalf.
func (m *Manager) acting(ctx context.Context, t audit.Tenant) audit.Actor {
	a, ok := audit.ActorFrom(ctx)
	switch {
	case !ok:
		return audit.System(t, "session")
	case a.Kind == audit.KindAnonymous && a.Tenant == "":
		a.Tenant = t
	}
	return a
}

func (m *Manager) record(ctx context.Context, e audit.Event) error {
	if e.ID == "" {
		e.ID = audit.NewID(m.clock.now())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.opt.Timeout)
	defer cancel()
	if err := m.rec.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return nil
}

func startEvent(s Session, from netip.Addr) audit.Event {
	return audit.Event{
		Tenant: s.Tenant, Action: "session.start", Verb: audit.Execute, Actor: s.Actor(from),
		Objects: []audit.Object{{Type: "session", ID: s.ID}},
	}
}

// recordEvicted records the sessions that had to make room for s, each as an end of its own.
func (m *Manager) recordEvicted(ctx context.Context, s Session, ids []string) error {
	for _, id := range ids {
		err := m.record(ctx, audit.Event{
			Tenant: s.Tenant, Action: "session.end", Verb: audit.Execute, Actor: s.Actor(s.Origin),
			Objects: []audit.Object{{Type: "session", ID: id}, {Type: "person", ID: string(s.Person)}},
			Detail:  map[string]string{"reason": ReasonLimit},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// recordBlocked records that a session was presented from where its tenant does not allow it.
func (m *Manager) recordBlocked(ctx context.Context, s *Session, from netip.Addr) error {
	return m.record(ctx, audit.Event{
		Tenant: s.Tenant, Action: "session.check", Verb: audit.Execute, Actor: s.Actor(from),
		Outcome: audit.Failure, Code: "network", Objects: []audit.Object{{Type: "session", ID: s.ID}},
	})
}
