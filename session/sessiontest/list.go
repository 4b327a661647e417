package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

func listRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "list_yields_newest_first",
			Clause: "List yields the person's sessions, newest first by Created, then by id",
			Run:    listOrder,
		},
		{
			Name:   "list_leaves_out_ended_sessions",
			Clause: "List yields sessions that have not ended",
			Run:    listEnded,
		},
		{
			Name:   "list_leaves_out_expired_sessions",
			Clause: "List yields sessions whose IdleEnds and Ends are after now",
			Run:    listExpired,
		},
		{
			Name:   "list_stays_in_its_tenant",
			Clause: "List yields sessions of one tenant",
			Run:    listTenant,
		},
		{
			Name:   "list_stays_with_its_person",
			Clause: "List yields sessions of one person",
			Run:    listPerson,
		},
		{
			Name:   "list_allows_other_calls_meanwhile",
			Clause: "The store may be used while List runs, and the caller may stop early",
			Run:    listMeanwhile,
		},
	}
}

func listOrder(ctx context.Context, s session.Store) error {
	a, b, c := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base().Add(time.Minute)), record(ctx, s, clinic, ann, base())
	if a.Session.ID > c.Session.ID {
		a, c = c, a
	}
	if err := create(ctx, s, a, c, b); err != nil {
		return err
	}
	return listed(ctx, s, clinic, ann, base().Add(2*time.Minute), b.Session, c.Session, a.Session)
}

func listEnded(ctx context.Context, s session.Store) error {
	a, b := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base().Add(time.Second))
	if err := create(ctx, s, a, b); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	return errors.Join(
		revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: a.Session.ID}, at, "x", 1),
		listed(ctx, s, clinic, ann, at, b.Session),
	)
}

func listExpired(ctx context.Context, s session.Store) error {
	idle, over, kept := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	now := base().Add(5 * time.Minute)
	idle.Session.IdleEnds = now
	over.Session.Ends = now
	kept.Session.IdleEnds = now.Add(time.Microsecond)
	if err := create(ctx, s, idle, over, kept); err != nil {
		return err
	}
	return listed(ctx, s, clinic, ann, now, kept.Session)
}

func listTenant(ctx context.Context, s session.Store) error {
	here, there := record(ctx, s, clinic, ann, base()), record(ctx, s, other, ann, base())
	if err := create(ctx, s, here, there); err != nil {
		return err
	}
	return listed(ctx, s, clinic, ann, base(), here.Session)
}

func listPerson(ctx context.Context, s session.Store) error {
	hers, his := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, bob, base())
	if err := create(ctx, s, hers, his); err != nil {
		return err
	}
	return errors.Join(
		listed(ctx, s, clinic, ann, base(), hers.Session),
		listed(ctx, s, clinic, bob, base(), his.Session),
		listed(ctx, s, clinic, "nobody", base()),
	)
}

func listMeanwhile(ctx context.Context, s session.Store) error {
	a, b := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, a, b); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		for v, err := range s.List(ctx, clinic, ann, base()) {
			if err == nil {
				_, err = s.Revoke(ctx, session.Selection{Tenant: clinic, Person: ann, ID: v.ID}, base(), "x")
			}
			done <- err
			return
		}
		done <- errors.New("list yields nothing")
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(15 * time.Second):
		return fmt.Errorf("revoking while List runs waits for ever")
	}
}
