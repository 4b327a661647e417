package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

func touchRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "touch_moves_a_live_session",
			Clause: "Touch moves LastSeen to seen and IdleEnds to idleEnds if the session is live at seen",
			Run:    touchMoves,
		},
		{
			Name:   "touch_never_moves_back",
			Clause: "A live session that was seen later already stays as it is and is reported live",
			Run:    touchNeverBack,
		},
		{
			Name:   "an_ended_session_never_comes_back",
			Clause: "An ended session stays ended, whoever read it before",
			Run:    neverComesBack,
		},
		{
			Name:   "touch_refuses_after_idle",
			Clause: "Touch is for sessions that are live at seen: seen is before IdleEnds",
			Run:    touchAfterIdle,
		},
		{
			Name:   "touch_refuses_after_the_end",
			Clause: "Touch is for sessions that are live at seen: seen is before Ends",
			Run:    touchAfterEnd,
		},
		{
			Name:   "touch_of_an_unknown_key",
			Clause: "Not there: false, and nothing is created",
			Run:    touchUnknown,
		},
	}
}

func touchMoves(ctx context.Context, s session.Store) error {
	r, still := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r, still); err != nil {
		return err
	}
	seen := base().Add(90*time.Second + time.Microsecond)
	if err := touched(ctx, s, r.Key, seen, true); err != nil {
		return err
	}
	want := r.Session
	want.LastSeen, want.IdleEnds = seen, seen.Add(15*time.Minute)
	return errors.Join(holds(ctx, s, r.Key, want), holds(ctx, s, still.Key, still.Session))
}

func touchNeverBack(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	r.Session.LastSeen, r.Session.IdleEnds = base().Add(10*time.Minute), base().Add(25*time.Minute)
	if err := create(ctx, s, r); err != nil {
		return err
	}
	for _, seen := range []time.Time{base().Add(5 * time.Minute), base().Add(-time.Hour)} {
		if err := touched(ctx, s, r.Key, seen, true); err != nil {
			return fmt.Errorf("seen earlier: %v", err)
		}
		if err := holds(ctx, s, r.Key, r.Session); err != nil {
			return fmt.Errorf("after a touch that came late: %w", err)
		}
	}
	return nil
}

// neverComesBack is the race that brings sessions back to life where stores write whole
// rows: a slow request reads the session, the person signs out, the request ends and
// writes what it knows.
func neverComesBack(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	slow, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	at := base().Add(time.Minute)
	if err := revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: slow.Session.ID}, at, "sign_out", 1); err != nil {
		return err
	}
	if err := touched(ctx, s, r.Key, at.Add(time.Second), false); err != nil {
		return fmt.Errorf("a slow request after the sign-out: %w", err)
	}
	if err := holds(ctx, s, r.Key, ended(r.Session, at, "sign_out")); err != nil {
		return fmt.Errorf("after a slow request: %w", err)
	}
	return raceSignOut(ctx, s)
}

// raceSignOut lets many requests and one sign-out run at once.
func raceSignOut(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, bob, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	err := together(racers, func(i int) error {
		if i == racers/2 {
			return revoked(ctx, s, session.Selection{Tenant: clinic, Person: bob}, at, "sign_out", 1)
		}
		seen := base().Add(time.Duration(i) * time.Second)
		_, err := s.Touch(ctx, r.Key, seen, seen.Add(15*time.Minute))
		return err
	})
	if err != nil {
		return err
	}
	got, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	if !got.Session.Ended.Equal(at) {
		return errors.New("the session is live after a sign-out that ran beside requests")
	}
	return nil
}

func touchAfterIdle(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	for _, seen := range []time.Time{r.Session.IdleEnds, r.Session.IdleEnds.Add(time.Hour)} {
		if err := touched(ctx, s, r.Key, seen, false); err != nil {
			return fmt.Errorf("idle too long: %w", err)
		}
	}
	if err := holds(ctx, s, r.Key, r.Session); err != nil {
		return err
	}
	return touched(ctx, s, r.Key, r.Session.IdleEnds.Add(-time.Microsecond), true)
}

func touchAfterEnd(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	r.Session.Ends = base().Add(5 * time.Minute) // before IdleEnds
	if err := create(ctx, s, r); err != nil {
		return err
	}
	for _, seen := range []time.Time{r.Session.Ends, r.Session.Ends.Add(time.Minute)} {
		if err := touched(ctx, s, r.Key, seen, false); err != nil {
			return fmt.Errorf("past its end: %w", err)
		}
	}
	if err := holds(ctx, s, r.Key, r.Session); err != nil {
		return err
	}
	return touched(ctx, s, r.Key, r.Session.Ends.Add(-time.Microsecond), true)
}

func touchUnknown(ctx context.Context, s session.Store) error {
	k := key(ctx, s, clinic, ann)
	if err := touched(ctx, s, k, base(), false); err != nil {
		return err
	}
	if _, err := s.Get(ctx, k); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("get after Touch of an unknown key: got %v, want ErrNotFound", err)
	}
	return nil
}
