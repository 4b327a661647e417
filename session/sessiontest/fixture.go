package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// base is when the fixtures' sessions start, with every digit of a microsecond in use.
func base() time.Time { return time.Date(2026, 3, 1, 9, 30, 15, 123457000, time.UTC) }

const (
	clinic = audit.Tenant("clinic-1")
	other  = audit.Tenant("clinic-2")
	ann    = audit.ActorID("staff-ann")
	bob    = audit.ActorID("staff-bob")
)

// key returns a fresh key for a person. Where Route fails the tag is zero, and what the key
// is for fails next.
func key(ctx context.Context, s session.Store, t audit.Tenant, person audit.ActorID) session.Key {
	k := session.NewToken().Key()
	k.Route, _ = s.Route(ctx, t, person)
	return k
}

// record returns a new session of a person that starts at created, 15 minutes idle and 12
// hours in all.
func record(ctx context.Context, s session.Store, t audit.Tenant, person audit.ActorID, created time.Time) session.Record {
	return session.Record{
		Key: key(ctx, s, t, person),
		Session: session.Session{
			ID: audit.NewID(created), Tenant: t, Person: person, Kind: audit.KindStaff,
			OnBehalfOf: "staff-chief", Organization: "org-7",
			AuthTime: created.Add(-3 * time.Second), Methods: []string{"pwd", "otp"},
			Assurance: audit.AAL2, PhishingResistant: true,
			Origin: netip.MustParseAddr("2001:db8::17"), Device: "Firefox on Windows — 'é\"; --",
			Created: created, Since: created, LastSeen: created, Version: 1,
			IdleEnds: created.Add(15 * time.Minute), Ends: created.Add(12 * time.Hour),
		},
	}
}

// create puts fresh sessions into the store.
func create(ctx context.Context, s session.Store, records ...session.Record) error {
	for _, r := range records {
		if _, err := s.Create(ctx, r, 0); err != nil {
			return fmt.Errorf("create of a new session: %w", err)
		}
	}
	return nil
}

// holds reports how the life of the stored session differs from want's.
func holds(ctx context.Context, s session.Store, k session.Key, want session.Session) error {
	got, err := s.Get(ctx, k)
	if err != nil {
		return fmt.Errorf("get of an existing session: %w", err)
	}
	return same(got.Session, want)
}

// same compares what changes in a session's life, and its id.
func same(got, want session.Session) error {
	life := func(v session.Session) session.Session {
		return session.Session{
			ID: v.ID, Created: v.Created, LastSeen: v.LastSeen, IdleEnds: v.IdleEnds, Ends: v.Ends,
			Ended: v.Ended, Reason: v.Reason, Version: v.Version, Superseded: v.Superseded, Locked: v.Locked,
		}
	}
	return equal(life(got), life(want))
}

// equal compares every field and names those that differ.
func equal(got, want session.Session) error {
	if len(got.Methods) == 0 && len(want.Methods) == 0 {
		got.Methods, want.Methods = nil, nil
	}
	if len(got.Fresh) == 0 && len(want.Fresh) == 0 {
		got.Fresh, want.Fresh = nil, nil
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	var errs []error
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			errs = append(errs, fmt.Errorf("%s is %v, want %v", g.Type().Field(i).Name, g.Field(i), w.Field(i)))
		}
	}
	return errors.Join(errs...)
}

// ended returns the session as it is after its end.
func ended(v session.Session, at time.Time, reason string) session.Session {
	v.Ended, v.Reason = at, reason
	return v
}

// revoked ends the selection and compares the count.
func revoked(ctx context.Context, s session.Store, which session.Selection, at time.Time, reason string, want int) error {
	n, err := s.Revoke(ctx, which, at, reason)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	if n != want {
		return fmt.Errorf("revoke ended %d sessions, want %d", n, want)
	}
	return nil
}

// touched moves the session and compares the answer.
func touched(ctx context.Context, s session.Store, k session.Key, seen time.Time, want bool) error {
	live, err := s.Touch(ctx, k, seen, seen.Add(15*time.Minute))
	if err != nil {
		return fmt.Errorf("touch: %w", err)
	}
	if live != want {
		return fmt.Errorf("touch reports live %v, want %v", live, want)
	}
	return nil
}

// listed compares what List yields, in order.
func listed(ctx context.Context, s session.Store, t audit.Tenant, person audit.ActorID, now time.Time, want ...session.Session) error {
	var got []session.Session
	for v, err := range s.List(ctx, t, person, now) {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		got = append(got, v)
	}
	if len(got) != len(want) {
		return fmt.Errorf("list yields %d sessions, want %d", len(got), len(want))
	}
	for i := range got {
		if err := same(got[i], want[i]); err != nil {
			return fmt.Errorf("list, at %d: %w", i, err)
		}
	}
	return nil
}

// together runs f n times at once and returns the first error.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errors.Join(errs...)
}
