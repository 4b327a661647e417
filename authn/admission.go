package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Admission decides whether there is room for somebody: an invitation reserves a seat, who
// becomes active holds it, who is suspended or removed frees it. A host makes one of package
// rbac's grants, as examples/seats does, and so what somebody may do comes and goes with the seat.
// Reserve is called as whoever invites, so that rbac's ranks bind them; the others by whoever
// opens a link or by Run, so they act as the system does.
//
// Each call may come again, and then changes nothing more. A refusal is an error that wraps
// ErrNoSeat, or ErrRole or ErrRoleDenied where it is the role that is refused; every other error
// is a failure, and closes too.
type Admission interface {
	// Reserve takes a seat for somebody invited, before the invitation is written, and again
	// when it is sent again, with an empty role: the one before. The reservation may lapse at
	// until; what is reserved for an ID that nobody got lapses so.
	Reserve(ctx context.Context, t audit.Tenant, person audit.ActorID, role string, until time.Time) error
	// Hold keeps the seat for good, or takes one anew: before the set-up of somebody invited
	// is completed, somebody is approved, or reinstated.
	Hold(ctx context.Context, t audit.Tenant, person audit.ActorID) error
	// Free gives the seat back after somebody was suspended, or removed, which is gone: then
	// everything that was granted to them ends too. Run retries it until it succeeds.
	Free(ctx context.Context, t audit.Tenant, person audit.ActorID, gone bool) error
}

// Ender ends something that a person holds beside sessions: API tokens, paired devices.
type Ender interface {
	// EndAll ends all of a person, at once and on every server; none is no error.
	EndAll(ctx context.Context, t audit.Tenant, person audit.ActorID, reason string) error
}

// messageSeat is an outbox message that asks for the seat to follow the person's state.
const messageSeat audit.MessageKind = "seat"

// reserve asks for a seat for somebody invited.
func (m *Manager) reserve(ctx context.Context, c change, role string, until time.Time) error {
	if m.o.Admission == nil || m.joined {
		return nil
	}
	return m.refusedSeat(ctx, c, m.o.Admission.Reserve(ctx, c.tenant, c.person, role, until))
}

// hold asks for a seat for somebody who is about to become active.
func (m *Manager) hold(ctx context.Context, c change) error {
	if m.o.Admission == nil || m.joined {
		return nil
	}
	return m.refusedSeat(ctx, c, m.o.Admission.Hold(ctx, c.tenant, c.person))
}

// refusedSeat records a refusal and passes it on.
func (m *Manager) refusedSeat(ctx context.Context, c change, err error) error {
	code := CodeNoSeat
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoSeat):
	case errors.Is(err, ErrRole):
		code = CodeRole
	default:
		return unavailable("asking for a seat", err)
	}
	noted := m.note(ctx, audit.Event{
		Tenant: c.tenant, Action: c.action, Verb: c.verb, Outcome: audit.MinorFailure, Code: code,
		Actor: c.actor, Objects: person(c.person),
	})
	if noted != nil {
		return noted
	}
	return err
}

// settle has the seat follow the person's state, and does so again while the person changes:
// whoever acts last has seen the last state, however many do at once.
func (m *Manager) settle(ctx context.Context, t audit.Tenant, id audit.ActorID) error {
	if m.o.Admission == nil {
		return nil
	}
	for range conflicts {
		a, err := m.account(ctx, t, id)
		gone := errors.Is(err, ErrNotFound)
		if err != nil && !gone {
			return err
		}
		switch state := a.Person.State; {
		case gone || state == Removed:
			err = m.o.Admission.Free(ctx, t, id, true)
		case state == Suspended:
			err = m.o.Admission.Free(ctx, t, id, false)
		case state == Active || state == Waiting:
			err = m.o.Admission.Hold(ctx, t, id)
		default: // invited: the reservation stands
			err = nil
		}
		if err != nil {
			return fmt.Errorf("authn: settling a seat: %w", err)
		}
		again, err := m.account(ctx, t, id)
		if errors.Is(err, ErrNotFound) && gone || err == nil && again.Person.Version == a.Person.Version {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return unavailable("settling a seat", ErrConflict)
}

// endAll ends a person's sessions, and with everything what else they hold.
func (m *Manager) endAll(ctx context.Context, t audit.Tenant, id audit.ActorID, reason string, everything bool) error {
	err := m.p.Sessions.EndAll(ctx, t, id, reason)
	if everything {
		err = errors.Join(err, m.endAlso(ctx, t, id, reason))
	}
	return err
}

// endAlso ends what a person holds beside sessions. One that fails keeps no other from being ended.
func (m *Manager) endAlso(ctx context.Context, t audit.Tenant, id audit.ActorID, reason string) error {
	var failed []error
	for _, e := range m.o.Also {
		failed = append(failed, e.EndAll(ctx, t, id, reason))
	}
	return errors.Join(failed...)
}
