package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
)

const overlap = 10 * time.Second

func rotateRules() []conform.Rule[session.Store] {
	return []conform.Rule[session.Store]{
		{
			Name:   "rotate_adds_the_new_token",
			Clause: "Rotate adds next",
			Run:    rotateAdds,
		},
		{
			Name:   "rotate_keeps_what_the_old_token_had",
			Clause: "Rotate marks the row of old as Superseded; but for Ends and IdleEnds the rest of that row stays as it is",
			Run:    rotateKeepsOld,
		},
		{
			Name:   "rotate_ends_the_old_token_in_time",
			Clause: "Ends and IdleEnds of the old row move to until where they are later",
			Run:    rotateEndsOld,
		},
		{
			Name:   "rotate_needs_the_version_it_read",
			Clause: "Rotate happens only if the Version of the row is one less than next's",
			Run:    rotateNeedsVersion,
		},
		{
			Name:   "rotate_needs_a_live_session",
			Clause: "Rotate happens only if the row of old is live at next.Session.LastSeen; also where it is not there: ErrConflict",
			Run:    rotateNeedsLive,
		},
		{
			Name:   "rotate_needs_the_same_session",
			Clause: "Rotate happens only if the row of old is of the tenant, person and id of next",
			Run:    rotateNeedsSame,
		},
		{
			Name:   "rotate_refuses_a_key_that_exists",
			Clause: "If next's key exists, nothing changes and the error wraps ErrExists",
			Run:    rotateRefusesKey,
		},
		{
			Name:   "rotate_happens_once",
			Clause: "A superseded row is not rotated again; of several at once exactly one succeeds",
			Run:    rotateOnce,
		},
		{
			Name:   "revoke_ends_both_tokens",
			Clause: "Revoke reaches both rows of a session whose token has changed, and counts one",
			Run:    revokeBoth,
		},
		{
			Name:   "revoke_beside_rotate",
			Clause: "A session whose token is changed at the same time is dead afterwards under both tokens",
			Run:    revokeBesideRotate,
		},
		{
			Name:   "list_leaves_out_superseded_rows",
			Clause: "List sees one session where there are two rows",
			Run:    listSuperseded,
		},
	}
}

// successor is r under another token, a minute's work later and with more proven.
func successor(ctx context.Context, s session.Store, r session.Record, at time.Time) session.Record {
	n := session.Record{Key: key(ctx, s, r.Session.Tenant, r.Session.Person), Session: r.Session.Clone()}
	n.Key.Route = r.Key.Route
	v := &n.Session
	v.Version++
	v.Methods, v.PhishingResistant = []string{"hwk"}, false
	v.AuthTime, v.Since, v.LastSeen = at, at, at
	v.IdleEnds, v.Ends, v.Locked = at.Add(15*time.Minute), at.Add(12*time.Hour), time.Time{}
	v.Fresh = []session.Fresh{{Area: "settings", Until: at.Add(5*time.Minute + time.Microsecond)}, {Area: "keys", Until: at}}
	return n
}

// rotated changes the token of r and returns the new row.
func rotated(ctx context.Context, s session.Store, r session.Record, at time.Time) (session.Record, error) {
	n := successor(ctx, s, r, at)
	if err := s.Rotate(ctx, r.Key, n, at.Add(overlap)); err != nil {
		return n, fmt.Errorf("rotate of a live session: %w", err)
	}
	return n, nil
}

// superseded is the row of r after a change of token at the time given.
func superseded(r session.Record, at time.Time) session.Session {
	v := r.Session
	v.Superseded, v.Ends, v.IdleEnds = true, at.Add(overlap), at.Add(overlap)
	return v
}

// conflicts compares the error of a Rotate that must not happen.
func conflicts(ctx context.Context, s session.Store, old session.Key, next session.Record, why string) error {
	err := s.Rotate(ctx, old, next, next.Session.LastSeen.Add(overlap))
	if !errors.Is(err, session.ErrConflict) {
		return fmt.Errorf("rotate %s: got %v, want ErrConflict", why, err)
	}
	if _, err := s.Get(ctx, next.Key); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("rotate %s: the new token exists", why)
	}
	return nil
}

func rotateAdds(ctx context.Context, s session.Store) error {
	r, still := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r, still); err != nil {
		return err
	}
	n, err := rotated(ctx, s, r, base().Add(time.Minute))
	if err != nil {
		return err
	}
	got, err := s.Get(ctx, n.Key)
	if err != nil {
		return err
	}
	return errors.Join(equal(got.Session, n.Session), holds(ctx, s, still.Key, still.Session))
}

func rotateKeepsOld(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	before, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	at := base().Add(time.Minute)
	if _, err := rotated(ctx, s, r, at); err != nil {
		return err
	}
	got, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	r.Session = before.Session
	want := superseded(r, at)
	got.Session.Ends, got.Session.IdleEnds = want.Ends, want.IdleEnds // another rule's
	return equal(got.Session, want)
}

func rotateEndsOld(ctx context.Context, s session.Store) error {
	r, short := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	at := base().Add(time.Minute)
	short.Session.IdleEnds, short.Session.Ends = at.Add(2*time.Second), at.Add(3*time.Second)
	if err := create(ctx, s, r, short); err != nil {
		return err
	}
	for _, r := range []session.Record{r, short} {
		if _, err := rotated(ctx, s, r, at); err != nil {
			return err
		}
	}
	a, err := s.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	b, err := s.Get(ctx, short.Key)
	if err != nil {
		return err
	}
	if until := at.Add(overlap); !a.Session.Ends.Equal(until) || !a.Session.IdleEnds.Equal(until) {
		return errors.New("the old token works for longer than until")
	}
	if !b.Session.Ends.Equal(short.Session.Ends) || !b.Session.IdleEnds.Equal(short.Session.IdleEnds) {
		return errors.New("the old token works for longer than it would have without the new one")
	}
	return touched(ctx, s, r.Key, at.Add(overlap), false)
}

func rotateNeedsVersion(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	early, late := successor(ctx, s, r, at), successor(ctx, s, r, at)
	early.Session.Version, late.Session.Version = 1, 3
	if err := errors.Join(
		conflicts(ctx, s, r.Key, early, "from an older version"), conflicts(ctx, s, r.Key, late, "from a newer version"),
		holds(ctx, s, r.Key, r.Session),
	); err != nil {
		return err
	}
	if _, err := s.Lock(ctx, session.Selection{Tenant: clinic, Person: ann}, at); err != nil {
		return err
	}
	return conflicts(ctx, s, r.Key, successor(ctx, s, r, at), "of a session that was locked meanwhile")
}

func rotateNeedsLive(ctx context.Context, s session.Store) error {
	gone, idle, over := record(ctx, s, clinic, ann, base().Add(-time.Second)), record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	at := base().Add(time.Minute)
	idle.Session.IdleEnds, over.Session.Ends = at, at
	if err := create(ctx, s, gone, idle, over); err != nil {
		return err
	}
	if err := revoked(ctx, s, session.Selection{Tenant: clinic, Person: ann, ID: gone.Session.ID}, base(), "x", 1); err != nil {
		return err
	}
	unknown := record(ctx, s, clinic, ann, base())
	return errors.Join(
		conflicts(ctx, s, gone.Key, successor(ctx, s, gone, at), "of a session that has ended"),
		conflicts(ctx, s, idle.Key, successor(ctx, s, idle, at), "of a session that was idle too long"),
		conflicts(ctx, s, over.Key, successor(ctx, s, over, at), "of a session past its end"),
		conflicts(ctx, s, unknown.Key, successor(ctx, s, unknown, at), "of a session that is not there"),
		holds(ctx, s, gone.Key, ended(gone.Session, base(), "x")),
	)
}

func rotateNeedsSame(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	var errs []error
	for _, stranger := range []session.Record{
		record(ctx, s, clinic, bob, base()), record(ctx, s, other, ann, base()), record(ctx, s, clinic, ann, base()),
	} {
		n := successor(ctx, s, r, base().Add(time.Minute))
		n.Session.Tenant, n.Session.Person = stranger.Session.Tenant, stranger.Session.Person
		if stranger.Session.Tenant == clinic && stranger.Session.Person == ann {
			n.Session.ID = stranger.Session.ID
		}
		errs = append(errs, conflicts(ctx, s, r.Key, n, "into a session of somebody else"))
	}
	return errors.Join(append(errs, holds(ctx, s, r.Key, r.Session))...)
}

func rotateRefusesKey(ctx context.Context, s session.Store) error {
	r, taken := record(ctx, s, clinic, ann, base()), record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r, taken); err != nil {
		return err
	}
	n := successor(ctx, s, r, base().Add(time.Minute))
	n.Key = taken.Key
	if err := s.Rotate(ctx, r.Key, n, base().Add(time.Hour)); !errors.Is(err, session.ErrExists) {
		return fmt.Errorf("rotate to a key that exists: got %v, want ErrExists", err)
	}
	return errors.Join(holds(ctx, s, r.Key, r.Session), holds(ctx, s, taken.Key, taken.Session))
}

func rotateOnce(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	var won atomic.Int32
	err := together(racers, func(i int) error {
		n := successor(ctx, s, r, base().Add(time.Minute))
		err := s.Rotate(ctx, r.Key, n, base().Add(time.Minute+overlap))
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, session.ErrConflict) {
			return fmt.Errorf("rotate at once: got %v, want ErrConflict", err)
		}
		return nil
	})
	if err == nil && won.Load() != 1 {
		err = fmt.Errorf("%d of %d at once changed the same token, want 1", won.Load(), racers)
	}
	return errors.Join(err, conflicts(ctx, s, r.Key, successor(ctx, s, r, base().Add(time.Minute)), "of a superseded token"))
}

func revokeBoth(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	n, err := rotated(ctx, s, r, at)
	if err != nil {
		return err
	}
	which := session.Selection{Tenant: clinic, Person: ann, ID: r.Session.ID}
	return errors.Join(
		revoked(ctx, s, which, at.Add(time.Second), "sign_out", 1),
		holds(ctx, s, n.Key, ended(n.Session, at.Add(time.Second), "sign_out")),
		holds(ctx, s, r.Key, ended(superseded(r, at), at.Add(time.Second), "sign_out")),
	)
}

func revokeBesideRotate(ctx context.Context, s session.Store) error {
	for i := range racers {
		r := record(ctx, s, clinic, ann, base())
		if err := create(ctx, s, r); err != nil {
			return err
		}
		n := successor(ctx, s, r, base().Add(time.Minute))
		err := together(2, func(who int) error {
			if who == i%2 {
				_, err := s.Revoke(ctx, session.Selection{Tenant: clinic, Person: ann}, base().Add(time.Minute), "sign_out")
				return err
			}
			if err := s.Rotate(ctx, r.Key, n, base().Add(time.Minute+overlap)); !errors.Is(err, session.ErrConflict) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, k := range []session.Key{r.Key, n.Key} {
			got, err := s.Get(ctx, k)
			if err == nil && got.Session.Ended.IsZero() {
				return errors.New("a token works after a sign-out that ran beside a change of token")
			}
			if err != nil && !errors.Is(err, session.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

func listSuperseded(ctx context.Context, s session.Store) error {
	r := record(ctx, s, clinic, ann, base())
	if err := create(ctx, s, r); err != nil {
		return err
	}
	at := base().Add(time.Minute)
	n, err := rotated(ctx, s, r, at)
	if err != nil {
		return err
	}
	return listed(ctx, s, clinic, ann, at.Add(time.Second), n.Session)
}
