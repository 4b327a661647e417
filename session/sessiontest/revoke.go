package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

func revokeRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "revoke_ends_one",
			Clause: "Revoke ends the selected session, with the time and reason given, and no other; Get returns it, ended",
			Run:    revokeOne,
		},
		{
			Name:   "revoke_ends_all_of_a_person",
			Clause: "Revoke without an id ends every session of the person",
			Run:    revokeAll,
		},
		{
			Name:   "revoke_spares_the_exception",
			Clause: "Revoke with Except ends all of the person's sessions but that one",
			Run:    revokeExcept,
		},
		{
			Name:   "revoke_is_monotone",
			Clause: "A session that has ended keeps its first time and reason; of several at once each session is counted by one",
			Run:    revokeMonotone,
		},
		{
			Name:   "revoke_stays_in_its_tenant",
			Clause: "A selection names sessions of one tenant",
			Run:    revokeTenant,
		},
		{
			Name:   "revoke_stays_with_its_person",
			Clause: "A selection names sessions of one person",
			Run:    revokePerson,
		},
		{
			Name:   "revoke_refuses_the_zero_time",
			Clause: "A zero time is refused",
			Run:    revokeZero,
		},
	}
}

func revokeOne(ctx context.Context, s session.Store) error {
	a, b := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, a, b); err != nil {
		return err
	}
	at := base().Add(7*time.Second + time.Microsecond)
	return errors.Join(
		revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: a.Session.ID}, at, "lost_phone", 1),
		holds(ctx, s, a.Key, ended(a.Session, at, "lost_phone")),
		holds(ctx, s, b.Key, b.Session),
		revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: audit.NewID(base())}, at, "x", 0),
	)
}

func revokeAll(ctx context.Context, s session.Store) error {
	a, b, c := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base().Add(time.Second)), record(ctx, s, clinic, ann, base())
	over := record(ctx, s, clinic, ann, base().Add(-24*time.Hour)) // over by time, not ended yet
	if err := create(ctx, s, over, a, b, c); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	n, err := s.Revoke(ctx, session.Selection{Tenant: clinic, Person: ann}, at, "sign_out")
	if err != nil {
		return err
	}
	if n != 4 && n != 3 { // Create may have forgotten the one that was over
		return fmt.Errorf("revoke ended %d sessions, want 4", n)
	}
	return errors.Join(
		holds(ctx, s, a.Key, ended(a.Session, at, "sign_out")),
		holds(ctx, s, b.Key, ended(b.Session, at, "sign_out")),
		holds(ctx, s, c.Key, ended(c.Session, at, "sign_out")),
	)
}

func revokeExcept(ctx context.Context, s session.Store) error {
	a, b, keep := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, a, b, keep); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	which := session.Selection{Tenant: clinic, Person: ann, Except: keep.Session.ID}
	return errors.Join(
		revoked(ctx, s, which, at, "password", 2),
		holds(ctx, s, a.Key, ended(a.Session, at, "password")),
		holds(ctx, s, b.Key, ended(b.Session, at, "password")),
		holds(ctx, s, keep.Key, keep.Session),
	)
}

func revokeMonotone(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	which := session.Selection{Tenant: clinic, Person: ann, ID: r.Session.ID}
	at := base().Add(time.Minute)
	err := errors.Join(
		revoked(ctx, s, which, at, "first", 1),
		revoked(ctx, s, which, at.Add(time.Minute), "second", 0),
		revoked(ctx, s, which, at.Add(-time.Second), "earlier", 0),
		holds(ctx, s, r.Key, ended(r.Session, at, "first")),
	)
	if err != nil {
		return err
	}
	raced := record(ctx, s, clinic, bob, base())
	if err := create(ctx, s, raced); err != nil {
		return err
	}
	var total atomic.Int64
	err = together(racers, func(i int) error {
		n, err := s.Revoke(ctx, session.Selection{Tenant: clinic, Person: bob}, at, "race")
		total.Add(int64(n))
		return err
	})
	if err == nil && total.Load() != 1 {
		err = fmt.Errorf("%d at once ended one session %d times", racers, total.Load())
	}
	return err
}

func revokeTenant(ctx context.Context, s session.Store) error {
	here, there := record(ctx, s, clinic, ann, base()), record(ctx, s, other, ann, base())
	there.Session.ID = here.Session.ID
	if err := create(ctx, s, here, there); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	return errors.Join(
		revoked(ctx, s, session.Selection{Tenant: "clinic-3", Person: ann, ID: here.Session.ID}, at, "x", 0),
		revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann}, at, "x", 1),
		holds(ctx, s, there.Key, there.Session),
	)
}

func revokePerson(ctx context.Context, s session.Store) error {
	hers, his := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, bob, base().Add(time.Second))
	if err := create(ctx, s, hers, his); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	return errors.Join(
		revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: his.Session.ID}, at, "x", 0),
		revoked(ctx, s, session.Selection{Tenant: clinic, Person: "%"}, at, "x", 0),
		holds(ctx, s, his.Key, his.Session),
		holds(ctx, s, hers.Key, hers.Session),
	)
}

func revokeZero(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	if _, err := s.Revoke(ctx, session.Selection{Tenant: clinic, Person: ann}, time.Time{}, "x"); err == nil {
		return errors.New("revoke at the zero time returned no error: the session would look as if it lasted")
	}
	return nil
}
