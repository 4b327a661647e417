package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

// crowd is how many sign in at once where a limit is to hold.
const crowd = 64

func limitRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "create_ends_the_oldest_beyond_the_limit",
			Clause: "With a limit Create ends as many sessions as it takes, the oldest by Created, then by id, with ReasonLimit at Created, and returns their ids, oldest first",
			Run:    limitEndsOldest,
		},
		{
			Name:   "create_counts_only_live_sessions",
			Clause: "With a limit Create counts the person's sessions that are live at Created",
			Run:    limitCountsLive,
		},
		{
			Name:   "create_counts_sessions_not_tokens",
			Clause: "Limits see one session where there are two rows, and end both",
			Run:    limitCountsSessions,
		},
		{
			Name:   "create_limits_one_person",
			Clause: "With a limit Create ends sessions of the same person in the same tenant",
			Run:    limitOnePerson,
		},
		{
			Name:   "create_never_exceeds_the_limit",
			Clause: "However many are created at once, never more than limit are live",
			Run:    limitAtOnce,
		},
	}
}

// createWithin creates with a limit and compares the ids that had to go.
func createWithin(ctx context.Context, s session.Store, r session.Record, limit int, want ...string) error {
	got, err := s.Create(ctx, r, limit)
	if err != nil {
		return fmt.Errorf("create with a limit: %w", err)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("create with a limit ended %d sessions, or others than it should: want %d", len(got), len(want))
	}
	return nil
}

func limitEndsOldest(ctx context.Context, s session.Store) error {
	var all []session.Record
	for i := range 5 {
		all = append(all, record(ctx, s, clinic, ann, base().Add(time.Duration(i/2)*time.Minute)))
	}
	slices.SortFunc(all, func(a, b session.Record) int { // as they age: two and two at once
		return cmp.Or(a.Session.Created.Compare(b.Session.Created), cmp.Compare(a.Session.ID, b.Session.ID))
	})
	if err := create(ctx, s, all[3], all[0], all[4], all[2], all[1]); err != nil {
		return err
	}
	at := base().Add(5*time.Minute + time.Microsecond)
	fresh := record(ctx, s, clinic, ann, at)
	return errors.Join(
		createWithin(ctx, s, fresh, 3, all[0].Session.ID, all[1].Session.ID, all[2].Session.ID),
		holds(ctx, s, all[0].Key, ended(all[0].Session, at, session.ReasonLimit)),
		holds(ctx, s, all[2].Key, ended(all[2].Session, at, session.ReasonLimit)),
		holds(ctx, s, all[3].Key, all[3].Session),
		holds(ctx, s, all[4].Key, all[4].Session),
		holds(ctx, s, fresh.Key, fresh.Session),
	)
}

func limitCountsLive(ctx context.Context, s session.Store) error {
	gone, idle, over, kept := record(ctx, s, clinic, ann, base().Add(-time.Second)), record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	now := base().Add(5 * time.Minute)
	idle.Session.IdleEnds, over.Session.Ends = now, now
	if err := create(ctx, s, gone, idle, over, kept); err != nil {
		return err
	}
	return errors.Join(
		revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: gone.Session.ID}, base(), "x", 1),
		createWithin(ctx, s, record(ctx, s, clinic, ann, now), 2),
		holds(ctx, s, kept.Key, kept.Session),
	)
}

func limitCountsSessions(ctx context.Context, s session.Store) error {
	first, second := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base().Add(time.Second))
	if err := create(ctx, s, first, second); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	next, err := rotated(ctx, s, first, at)
	if err != nil {
		return err
	}
	third := record(ctx, s, clinic, ann, at.Add(time.Second))
	if err := createWithin(ctx, s, third, 3); err != nil {
		return err
	}
	fourth := record(ctx, s, clinic, ann, at.Add(2*time.Second))
	if err := createWithin(ctx, s, fourth, 3, first.Session.ID); err != nil {
		return err
	}
	for _, k := range []session.Key{first.Key, next.Key} {
		got, err := s.Get(ctx, k)
		if err != nil {
			return err
		}
		if got.Session.Reason != session.ReasonLimit {
			return errors.New("a session had to go, but one of its tokens still works")
		}
	}
	return nil
}

func limitOnePerson(ctx context.Context, s session.Store) error {
	hers, his, elsewhere := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, bob, base()), record(ctx, s, other, ann, base())
	if err := create(ctx, s, hers, his, elsewhere); err != nil {
		return err
	}
	return errors.Join(
		createWithin(ctx, s, record(ctx, s, clinic, ann, base().Add(time.Second)), 1, hers.Session.ID),
		holds(ctx, s, his.Key, his.Session),
		holds(ctx, s, elsewhere.Key, elsewhere.Session),
	)
}

func limitAtOnce(ctx context.Context, s session.Store) error {
	const limit = 3
	var mu sync.Mutex
	out, keys := map[string]bool{}, make([]session.Key, crowd)
	err := together(crowd, func(i int) error {
		r := record(ctx, s, clinic, ann, base().Add(time.Duration(i%7)*time.Second))
		keys[i] = r.Key
		ids, err := s.Create(ctx, r, limit)
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			if out[id] {
				return errors.New("one session was ended twice")
			}
			out[id] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	n := 0
	for _, k := range keys {
		got, err := s.Get(ctx, k)
		if err != nil {
			return err
		}
		if got.Session.Ended.IsZero() {
			n++
		}
	}
	if n != limit || len(out) != crowd-limit {
		return fmt.Errorf("%d sign-ins at once with a limit of %d leave %d sessions, and %d were ended", crowd, limit, n, len(out))
	}
	return nil
}
